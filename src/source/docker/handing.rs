//! Makes batches of the records of one container that came through the API, and hands them on.
//!
//! Each record becomes a line in the form of Kubernetes' container runtimes (`TIME stream F text`), which workers open. A batch
//! is not cut between adjacent records with the same time, because their ids need their number.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use super::position::Position;
use super::record_reader::Record;
use super::time;
use crate::core::batch::{Batch, Framing, Ids};
use crate::core::context::{Context, Origin};
use crate::core::error::Result;
use crate::core::record::Key;
use crate::core::records::NO_CUT;
use crate::source::api::RunContext;
use crate::source::outlet::offer_waiting;
use crate::source::receiver::LongLine;
use crate::source::settlement::Streams;
use crate::state::checksum;

/// The longest time that records wait for others while more come.
const GATHER: Duration = Duration::from_millis(200);

/// See the [module](self).
pub struct Handing<'a> {
    context: &'a RunContext<'a>,
    origin: Arc<Origin>,
    streams: &'a Streams,
    /// The number of the container among the streams.
    stream: u32,
    /// The place up to which records were handed on.
    pub position: Position,
    /// Records before this time are left out, in nanoseconds since 1970.
    since: u64,
    data: Vec<u8>,
    lengths: Vec<u32>,
    records: u32,
    /// Whether the batch must not be cut everywhere.
    joined: bool,
    /// The time of the last record of each stream, and its index in the batch.
    last: [(u64, usize); 2],
    /// The time of the last record.
    time: u64,
    offset: u64,
    began: Instant,
    /// The number of bytes of all texts that came.
    pub bytes: u64,
    /// The records that came and were handed on before.
    pub repeated: u64,
    is_wanted: bool,
}

impl<'a> Handing<'a> {
    /// Hands on the records of `origin`, after those that the cursor of the stream `stream` names.
    pub fn new(
        context: &'a RunContext<'a>,
        origin: Origin,
        streams: &'a Streams,
        (stream, cursor): (u32, Option<Bytes>),
        since: Option<u64>,
    ) -> Handing<'a> {
        Handing {
            context,
            origin: Arc::new(origin),
            streams,
            stream,
            position: cursor.map(|cursor| Position::of_cursor(&cursor)).unwrap_or_default(),
            since: since.unwrap_or_default(),
            data: Vec::new(),
            lengths: Vec::new(),
            records: 0,
            joined: false,
            last: [(0, 0); 2],
            time: 0,
            offset: 0,
            began: Instant::now(),
            bytes: 0,
            repeated: 0,
            is_wanted: true,
        }
    }

    /// Whether more records are wanted.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted && self.context.receiver.is_open()
    }

    /// Whether records wait to be handed on.
    pub fn has_records(&self) -> bool {
        self.records > 0
    }

    /// The longest line.
    pub fn max_line(&self) -> usize {
        self.context.options.size.max_line
    }

    /// Takes a record that came. Returns whether it is new.
    ///
    /// # Errors
    /// A line that is too long cannot be set aside.
    pub fn take(&mut self, record: &Record<'_>) -> Result<bool> {
        self.add(record, true)
    }

    /// Takes a record that the Engine had skipped. The place in the log does not change.
    ///
    /// # Errors
    /// A line that is too long cannot be set aside.
    pub fn recover(&mut self, record: &Record<'_>) -> Result<()> {
        self.add(record, false).map(drop)
    }

    fn add(&mut self, record: &Record<'_>, is_next: bool) -> Result<bool> {
        let Record { stream, mark, text, length } = *record;
        self.bytes += length;
        if mark.ns < self.since {
            return Ok(false);
        }
        // Times are not monotone: what comes after the first record is wanted, whatever its time is.
        self.since = 0;
        let size = &self.context.options.size;
        let before = self.last[stream as usize];
        let must_stay = self.records > 0 && before.0 == mark.ns;
        let is_full = self.records as usize >= size.lines || self.data.len() + text.len() + 64 > size.bytes;
        let is_long = length > size.max_line as u64;
        if self.records > 0 && (is_full && !must_stay || is_long) {
            self.flush()?;
        }
        if is_next && !self.position.take(mark) {
            self.repeated += 1;
            return Ok(false);
        }
        if is_long {
            self.set_aside(record)?;
            return Ok(true);
        }
        if self.records == 0 {
            self.began = Instant::now();
        }
        let start = self.data.len();
        self.line(record);
        self.lengths.push((self.data.len() - start) as u32);
        if must_stay && self.records > 0 {
            // Records of the other stream may stand between the two.
            self.lengths[before.1 + 1..].iter_mut().for_each(|length| *length |= NO_CUT);
            self.joined = true;
        }
        self.last[stream as usize] = (mark.ns, self.records as usize);
        self.time = mark.ns;
        self.records += 1;
        Ok(true)
    }

    fn line(&mut self, record: &Record<'_>) {
        self.data.extend_from_slice(&time::write(record.mark.ns));
        self.data.push(b' ');
        self.data.extend_from_slice(record.stream.name().as_bytes());
        self.data.extend_from_slice(b" F ");
        self.data.extend_from_slice(record.text);
        // A carriage return before a newline belongs to the line end.
        self.data.extend_from_slice(if record.text.ends_with(b"\r") { b"\r\n" } else { b"\n" });
    }

    /// Hands on the records if some of them wait for too long.
    ///
    /// # Errors
    /// The cursor cannot be recorded.
    pub fn flush_overdue(&mut self) -> Result<()> {
        if self.records > 0 && self.began.elapsed() >= GATHER { self.flush() } else { Ok(()) }
    }

    /// Hands on the records.
    ///
    /// # Errors
    /// The cursor cannot be recorded.
    pub fn flush(&mut self) -> Result<()> {
        if self.records == 0 || !self.is_wanted {
            return Ok(());
        }
        let data = Bytes::from(std::mem::take(&mut self.data));
        let mut table = BytesMut::new();
        let framing = if std::mem::take(&mut self.joined) {
            self.lengths.iter().for_each(|length| table.put_u32(*length));
            Framing::Lengths(table.freeze())
        } else {
            Framing::Lines
        };
        self.lengths.clear();
        self.last = [(0, 0); 2];
        let (length, records) = (data.len() as u64, std::mem::take(&mut self.records));
        let batch = Batch::of(self.context_of_record(), self.offset, records, data);
        let batch = batch.framed(framing).identified(Ids::Times);
        let ticket = Some(self.streams.hand_on(self.stream, records, self.position.cursor())?);
        self.offset += length;
        // What was read before a stop is delivered as well.
        self.is_wanted = offer_waiting(self.context.receiver, Batch { ticket, ..batch }, None);
        Ok(())
    }

    fn context_of_record(&self) -> Context {
        let time_ms = i64::try_from(self.time / 1_000_000).unwrap_or_default();
        Context::new(Arc::clone(&self.origin)).at(time_ms)
    }

    /// Passes on a record that is too long for a batch.
    fn set_aside(&mut self, record: &Record<'_>) -> Result<()> {
        let Record { stream, mark, length, text } = *record;
        let most = self.context.options.size.max_line.min(text.len());
        self.line(&Record { text: &text[..most], ..*record });
        let line = std::mem::take(&mut self.data);
        self.time = mark.ns;
        let head = (time::LENGTH + stream.name().len() + 4) as u64;
        let ticket = Some(self.streams.hand_on(self.stream, 1, self.position.cursor())?);
        self.context.receiver.long_line(LongLine {
            context: self.context_of_record(),
            offset: self.offset,
            checksum: checksum::of(&line),
            beginning: line.strip_suffix(b"\n").unwrap_or(&line).to_vec(),
            length: head + length,
            length_with_end: head + length + 1,
            hash: mark.hash,
            closed: true,
            partial: false,
            key: Key::Time { ns: mark.ns, ordinal: 0 },
            ticket,
            line: None,
        })?;
        self.offset += head + length + 1;
        Ok(())
    }
}
