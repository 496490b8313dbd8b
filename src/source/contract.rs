//! A source for tests, `contract:FILE`: it asks for everything that a source may ask for. It exists only with the feature
//! `contract-tests`.
//!
//! Each line of the file is a record, `STREAM NUMBER HEADER TEXT`. The records of several streams are interleaved. The
//! numbers of a stream grow and may have gaps; the ids of the records are made from them. `HEADER` is the header that is in
//! force at the record, or `-` for none; it may change at any record. `\n` in the text is a newline within the record.
//!
//! With `--state`, a stream goes on after its cursor, which is the number of the last settled record. After a stop, the
//! source waits a moment for what it handed on, and takes back what no worker has.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

use super::acks::Drained;
use super::api::{RunContext, Source};
use super::kind::{Place, SourceKind};
use super::outcome::{self, InputEnd, ReadOutcome};
use super::outlet::offer_waiting;
use super::settlement::{Settled, Streams};
use crate::core::batch::{Batch, Framing, Ids};
use crate::core::context::{Context, Origin};
use crate::core::error::{Error, Result};
use crate::core::record::IdRule;

/// See the [module](self).
pub const KIND: SourceKind = SourceKind {
    names: &["contract:FILE"],
    places: &[Place::Input],
    claims: |name, _| name.starts_with(SCHEME),
    find: |names, _, found| {
        names.iter().for_each(|name| found.add_once(name.index, ContractSource { name: name.text.to_owned() }));
        Ok(())
    },
    ..SourceKind::NONE
};

const SCHEME: &str = "contract:";

/// How long the source waits after a stop for what it handed on.
const DRAIN: Duration = Duration::from_millis(200);

/// The greatest number of records in a batch.
const MOST: usize = 7;

/// See the [module](self).
#[derive(Debug)]
struct ContractSource {
    name: String,
}

/// A stream, and the records of it that were not handed on yet.
struct Stream {
    number: u32,
    origin: Arc<Origin>,
    /// The number of the last record that an earlier run settled.
    settled_to: Option<u64>,
    header: Option<Arc<[u8]>>,
    numbers: Vec<u64>,
    records: Vec<Vec<u8>>,
    offset: u64,
}

/// The number that a cursor holds.
fn number_of(cursor: &Bytes) -> Option<u64> {
    cursor.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

impl Source for ContractSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn run(&self, context: &RunContext) -> ReadOutcome {
        outcome::of(&self.name, self.read(context))
    }
}

impl ContractSource {
    fn read(&self, context: &RunContext) -> Result<InputEnd> {
        let told = Mutex::new(BTreeMap::new());
        let tell = move |settled: &Settled| {
            let Some(cursor) = settled.prefix_end.as_ref().and_then(number_of) else { return };
            let before = told.lock().unwrap_or_else(PoisonError::into_inner).insert(settled.ticket.stream, cursor);
            assert!(before.is_none_or(|before| before < cursor), "a cursor went back");
        };
        let acks = context.options.settlement.add(&self.name, Box::new(tell))?;
        let path = &self.name[SCHEME.len()..];
        let failed = |error| Error::input(format!("{}: cannot be read", self.name)).because(error);
        let mut streams: BTreeMap<String, Stream> = BTreeMap::new();
        let mut offset = 0;
        for (index, line) in BufReader::new(File::open(path).map_err(failed)?).lines().enumerate() {
            let line = line.map_err(failed)?;
            let wrong = || Error::input(format!("{}: line {} is no record", self.name, index + 1));
            let [name, number, header, text] =
                <[&str; 4]>::try_from(line.splitn(4, ' ').collect::<Vec<_>>()).map_err(|_| wrong())?;
            let number: u64 = number.parse().map_err(|_| wrong())?;
            if !streams.contains_key(name) {
                streams.insert(name.to_owned(), self.begin(&acks, name)?);
            }
            let Some(stream) = streams.get_mut(name) else { continue };
            if stream.settled_to.is_none_or(|settled| number > settled) {
                let header = (header != "-").then(|| Arc::from(format!("{header}\n").into_bytes()));
                if (stream.header != header || stream.numbers.len() >= MOST) && !stream.hand_on(&acks, context)? {
                    return Ok(give_up(&acks, &streams, context, offset));
                }
                stream.header = header;
                stream.numbers.push(number);
                stream.records.push((text.replace("\\n", "\n") + "\n").into_bytes());
            }
            offset += line.len() as u64 + 1;
        }
        for stream in streams.values_mut() {
            if !stream.hand_on(&acks, context)? {
                return Ok(give_up(&acks, &streams, context, offset));
            }
        }
        Ok(InputEnd::Complete)
    }

    fn begin(&self, acks: &Streams, name: &str) -> Result<Stream> {
        let (number, cursor) = acks.begin(name.as_bytes())?;
        let settled_to = cursor.as_ref().and_then(number_of);
        let id = xxh3_64(format!("{SCHEME}{name}").as_bytes());
        let origin = Arc::new(Origin::new(id, format!("{} {name}", self.name)).ruled(IdRule::Number));
        Ok(Stream { number, origin, settled_to, header: None, numbers: Vec::new(), records: Vec::new(), offset: 0 })
    }
}

impl Stream {
    /// Hands on the records that wait. Returns `false` if no more are wanted.
    fn hand_on(&mut self, acks: &Streams, context: &RunContext) -> Result<bool> {
        let Some(last) = self.numbers.last() else { return Ok(true) };
        let cursor = Bytes::copy_from_slice(&last.to_be_bytes());
        let (mut numbers, mut lengths, mut data) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
        self.numbers.iter().for_each(|number| numbers.put_u64(*number));
        for record in &self.records {
            lengths.put_u32(record.len() as u32);
            data.extend_from_slice(record);
        }
        let records = self.records.len() as u32;
        let context_of_batch = Context { header: self.header.clone(), ..Context::new(Arc::clone(&self.origin)) };
        let length = data.len() as u64;
        let batch = Batch::of(context_of_batch, self.offset, records, data.freeze())
            .framed(Framing::Lengths(lengths.freeze()))
            .identified(Ids::Numbers(numbers.freeze()));
        let ticket = Some(acks.hand_on(self.number, records, cursor)?);
        self.offset += length;
        self.numbers.clear();
        self.records.clear();
        let stop = context.options.live.as_ref().map(|live| &live.stop);
        Ok(offer_waiting(context.receiver, Batch { ticket, ..batch }, stop))
    }
}

/// Waits a moment for what was handed on, and takes back what no worker has.
fn give_up(acks: &Streams, streams: &BTreeMap<String, Stream>, context: &RunContext, offset: u64) -> InputEnd {
    let deadline = Instant::now() + DRAIN;
    for stream in streams.values() {
        let Drained { open_records, .. } = acks.drain(stream.number, deadline);
        if open_records > 0 {
            acks.recall(stream.number, context.receiver);
        }
    }
    InputEnd::Stopped(offset)
}
