//! A sink for tests, `contract:FILE`: it asks for everything that a sink may ask for. It exists only with the feature
//! `contract-tests`.
//!
//! The file has one JSON object on a line for each document: `id`, `body` without `_id`, `time` (`@timestamp` in milliseconds),
//! `key` (the text of the field `ident`), `origin`, and `header`. Names with dots stay as they are. Several processes may write to
//! the file; a document that is in it already is a duplicate. Calls end in another order than they began. A document whose
//! body has the word `never` is refused for good. One that has `later` is refused by two attempts and stored by the third.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::api::{AnySink, Outcome, Sink};
use super::kind::{self, AddressText, InFlight, OpenSink, Opening, SinkAddress, SinkFile, SinkKind};
use super::retry::{Attempt, Pending, Retry, Verdict};
use crate::core::error::{Error, Result};
use crate::core::record::RecordId;
use crate::core::wait::{Patience, Words};
use crate::document::{Documents, Encoding, Value};
use crate::event::{FieldPath, IdPlace, Layout, Wanted};
use crate::observe::counters::{Counters, counters};
use crate::observe::details::Seldom;

counters! {
    /// The counters of contract sinks.
    COUNTERS of Sink;
    RETRIES = 1120, "refused_for_now", "attempts", "Attempts that refused a document for now.";
}

static TOLD: Seldom = Seldom::new();

/// The number of attempts that refuse a document with the word `later`.
const REFUSALS: u32 = 2;

/// The longest delay of a call, in milliseconds.
const MOST_DELAY: u64 = 8;

/// The kind `contract:`.
pub static KIND: SinkKind = SinkKind {
    name: "contract",
    schemes: &["contract"],
    words: &[],
    syntax: &["contract:FILE"],
    help: "a file that tests read",
    options: &[],
    has_login: false,
    public_options: &[],
    counters: COUNTERS,
    in_flight: InFlight::Workers,
    knows_duplicates: true,
    parse: |address: &AddressText<'_>| match address.rest {
        "" => Err(kind::wrong(&KIND, "needs a file")),
        file => Ok(Box::new(ContractAddress(file.into()))),
    },
};

pub(super) struct ContractAddress(PathBuf);

impl fmt::Display for ContractAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "contract:{}", self.0.display())
    }
}

impl SinkAddress for ContractAddress {
    fn files(&self) -> Vec<SinkFile> {
        vec![SinkFile::Written(self.0.clone())]
    }
}

impl OpenSink for ContractAddress {
    fn open(&self, with: &Opening<'_>) -> Result<AnySink> {
        let name = self.to_string();
        let file = File::options().read(true).append(true).create(true).open(&self.0);
        let file = file.map_err(|error| Error::sink(format!("{name}: cannot be opened")).because(error))?;
        let fields = [FieldPath::new("ident")?];
        let beside = Wanted { time: true, context: true, fields: Arc::new(fields) };
        let layout = Layout::from(Encoding::Json).with_id(IdPlace::Outside).with_beside(beside);
        let patience = with.waits.patience(&name, Words::STORED);
        let state = Mutex::new(State { file, read: 0, ids: HashSet::new() });
        Ok(Arc::new(ContractSink { name, layout, patience, counters: Counters::new(COUNTERS), state }).into())
    }
}

struct ContractSink {
    name: String,
    layout: Layout,
    patience: Patience,
    counters: Counters,
    state: Mutex<State>,
}

struct State {
    file: File,
    /// The number of bytes of the file that are known.
    read: u64,
    /// The ids of the documents in these bytes.
    ids: HashSet<RecordId>,
}

impl State {
    /// Learns which documents other processes have stored. A killed process may have left half a line.
    fn learn(&mut self) -> std::io::Result<()> {
        let mut new = Vec::new();
        self.file.seek(SeekFrom::Start(self.read))?;
        self.file.read_to_end(&mut new)?;
        let whole = memchr::memrchr(b'\n', &new).map_or(0, |newline| newline + 1);
        for line in crate::core::lines::lines(&new[..whole]) {
            let document: serde_json::Value = serde_json::from_slice(line.bytes).unwrap_or_default();
            self.ids.extend(document["id"].as_str().and_then(RecordId::parse));
        }
        self.read += whole as u64;
        self.file.set_len(self.read)
    }
}

impl Sink for ContractSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn layout(&self) -> Layout {
        self.layout.clone()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        std::thread::sleep(Duration::from_millis(fastrand::u64(..=MOST_DELAY)));
        outcomes.clear();
        outcomes.resize(documents.len(), Outcome::Duplicate);
        let mut refusals: HashMap<usize, u32> = HashMap::new();
        let retry = Retry {
            patience: &self.patience,
            first_delay: Duration::from_millis(1),
            max_delay: Duration::from_millis(4),
            aloud: false,
            counters: (&self.counters, &RETRIES),
            told: &TOLD,
        };
        retry.run(vec![Pending::of(0..documents.len())], outcomes, |group, _, _| {
            let verdicts = self.attempt(documents, group, &mut refusals);
            let verdicts =
                verdicts.map_err(|error| Error::sink(format!("{}: cannot be written", self.name)).because(error))?;
            let again = verdicts.iter().any(|verdict| matches!(verdict, Verdict::Again { .. }));
            Ok(Attempt::Answered { verdicts, trouble: again.then(|| "a document is refused for now".to_owned()) })
        })
    }

    fn counters(&self) -> Option<&Counters> {
        Some(&self.counters)
    }
}

impl ContractSink {
    fn attempt(
        &self,
        documents: &Documents,
        group: &[Pending],
        refusals: &mut HashMap<usize, u32>,
    ) -> std::io::Result<Vec<Verdict>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.file.lock()?;
        state.learn()?;
        let (mut block, ids) = (Vec::new(), &mut state.ids);
        let mut verdict = |index: usize| {
            let document = documents.get(index);
            let has = |word: &[u8]| memchr::memmem::find(document.bytes, word).is_some();
            if has(b"never") {
                return Ok(Verdict::Settled(Outcome::Rejected("the contract sink never stores it".to_owned())));
            }
            let refused = refusals.entry(index).or_default();
            if has(b"later") && *refused < REFUSALS {
                *refused += 1;
                return Ok(Verdict::Again { written: false });
            }
            if !ids.insert(document.id) {
                return Ok(Verdict::Exists);
            }
            let beside = documents.beside();
            let key = match beside.field(index, 0) {
                Some(Value::Text(text)) => Some(String::from_utf8_lossy(text).into_owned()),
                _ => None,
            };
            let context = beside.context(index);
            let body: serde_json::Value = serde_json::from_slice(document.bytes)?;
            let line = json!({
                "id": document.id.to_string(),
                "time": beside.time(index).map(|(ms, _)| ms),
                "key": key,
                "origin": context.map(|context| context.origin.name.as_str()),
                "header": context.and_then(|context| Some(String::from_utf8_lossy(context.header.as_ref()?).into_owned())),
                "body": body,
            });
            serde_json::to_writer(&mut block, &line)?;
            block.push(b'\n');
            Ok(Verdict::Settled(Outcome::Stored))
        };
        let verdicts = group.iter().map(|pending| verdict(pending.index)).collect::<std::io::Result<Vec<_>>>()?;
        state.file.write_all(&block)?;
        state.file.sync_data()?;
        state.read += block.len() as u64;
        state.file.unlock()?;
        Ok(verdicts)
    }
}
