//! A topic of Kafka as a source: what is checked before anything is read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::KafkaError;

use super::counters::COUNTERS;
use super::ending::Ending;
use super::group::{Group, Polled};
use super::options::Options;
use super::payload::Payloads;
use super::reading::{End, Reading, Ready};
use crate::core::error::{Error, Result};
use crate::core::stop::Waker;
use crate::core::wait::{Deadline, Patience, Waits, Words};
use crate::kafka::notices::Notices;
use crate::kafka::trouble::{Meaning, Trouble};
use crate::kafka::{Address, client, topic};
use crate::observe::counters::{Counters, Row};
use crate::observe::receipt::StoppedInput;
use crate::source::api::{Opened, RunContext, Source};
use crate::source::options::ReadOptions;
use crate::source::outcome::ReadOutcome;

/// The time for one question at the start.
const QUESTION: Duration = Duration::from_secs(2);

/// The time between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// The time that the source needs at its end: for workers that are just finishing, for a last commit, and to leave the group.
const FAREWELL: Duration = Duration::from_secs(15);

/// See the [module](self).
pub struct KafkaSource {
    address: Address,
    options: Options,
    counts: Counters,
    ready: Mutex<Option<Ready>>,
}

impl KafkaSource {
    /// Creates the source of the topic that `address` names.
    pub fn new(address: Address, options: Options) -> KafkaSource {
        KafkaSource { address, options, counts: Counters::new(COUNTERS), ready: Mutex::default() }
    }

    fn prepare(&self, options: &ReadOptions) -> Result<Ready> {
        let address = &self.address;
        // Before the start, the last of these sentences is the reason in the error.
        let (say, is_started) = (options.say.clone(), Arc::new(AtomicBool::new(false)));
        let is_said = Arc::clone(&is_started);
        let tell = move |words: &str| {
            if is_said.load(Ordering::SeqCst) {
                say.warn(words.to_owned());
            }
        };
        let notices = (Notices::new(address, tell), Arc::clone(&is_started));
        let config = client::config(self.options.settings.iter().cloned());
        let group = Group::new(&config, &address.topic, notices, Waker::new()?);
        let group = group.map_err(|error| Error::usage(client::not_created(address, &error)))?;
        let say = options.say.clone();
        let stop = options.live.as_ref().map(|live| live.stop.clone());
        let waits = Waits::new(Deadline::NONE, stop, Box::new(move |words| say.warn(words.to_owned())));
        let patience = waits.patience(address.to_string(), Words::OPENED);
        let patience = patience.with_deadline(self.options.selection, "serverSelectionTimeoutMS");
        let found = topic::find(group.client(), address, group.notices(), &patience, || serve(&group));
        let partitions = found.map_err(Error::input)?.partitions;
        let committed = self.ask(&group, &patience, |group| group.committed(partitions.iter().copied(), QUESTION))?;
        let mut bounds = Vec::new();
        if self.options.until_end {
            for partition in &partitions {
                let (first, end) = self.ask(&group, &patience, |group| group.bounds(*partition, QUESTION))?;
                bounds.push((*partition, first, end));
            }
        }
        options.say.say(format!(
            "{address}: the group {} reads where it has stopped, and a partition that it has not read yet {}",
            self.options.group,
            self.options.start()
        ));
        is_started.store(true, Ordering::SeqCst);
        let ending = self.options.until_end.then(|| Ending::new(bounds));
        Ok(Ready { payloads: Payloads::open(address, &self.options, options.size.max_line)?, group, ending, committed })
    }

    /// Asks the brokers until they answer.
    fn ask<T>(
        &self,
        group: &Group,
        patience: &Patience,
        question: impl Fn(&Group) -> Result<T, KafkaError>,
    ) -> Result<T> {
        loop {
            let error = match question(group) {
                Ok(answer) => {
                    patience.over();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            serve(group);
            let Some(code) = error.rdkafka_error_code() else { return Err(self.wrong(&error.to_string())) };
            let trouble = Trouble::new(code, &code.to_string());
            match (trouble.meaning, group.notices().last()) {
                (_, Some(Trouble { meaning: Meaning::Login | Meaning::Tls | Meaning::Fatal, words })) => {
                    return Err(self.wrong(&words));
                }
                (Meaning::Away, last) => {
                    let reason = last.map_or(trouble.words, |last| last.words);
                    let paused = patience.begin().pause(&self.address.mask(&reason), PAUSE);
                    paused.map_err(|ended| self.wrong(&ended.0))?;
                }
                (Meaning::Right, _) => {
                    let group = &self.options.group;
                    return Err(self.wrong(&format!("{} (group {group})", trouble.words)));
                }
                _ => return Err(self.wrong(&trouble.words)),
            }
        }
    }

    fn wrong(&self, words: &str) -> Error {
        Error::input(format!("{}: {}", self.address, self.address.mask(words)))
    }

    fn take(&self) -> Option<Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn read(&self, context: &RunContext) -> Result<ReadOutcome> {
        let Some(ready) = self.take() else {
            return Err(Error::internal(format!("{}: the client is not open", self.address)));
        };
        let reading = Reading::new(context, ready, &self.address, &self.options, &self.counts)?;
        let stopped = match reading.run()? {
            End::Complete => Vec::new(),
            End::Stopped if !self.options.until_end => Vec::new(),
            End::Stopped => vec![StoppedInput { name: self.name(), offset: None }],
        };
        Ok(ReadOutcome { stopped, ..ReadOutcome::default() })
    }
}

/// Handles the events of a client that has not subscribed.
fn serve(group: &Group) {
    group.attend();
    while !matches!(group.poll(), Polled::Nothing) {}
}

impl Source for KafkaSource {
    fn name(&self) -> String {
        self.address.to_string()
    }

    fn has_end(&self) -> bool {
        self.options.until_end
    }

    fn open(&mut self, options: &ReadOptions) -> Result<Opened> {
        self.ready = Mutex::new(Some(self.prepare(options)?));
        Ok(Opened { activity: "records are read", places: vec![self.name()], ..Opened::default() })
    }

    fn run(&self, context: &RunContext) -> ReadOutcome {
        self.read(context).unwrap_or_else(ReadOutcome::from)
    }

    fn close(&self) {
        drop(self.take());
    }

    fn count(&self) -> Option<Row> {
        Some(self.counts.row(self.name()))
    }

    fn farewell(&self) -> Duration {
        FAREWELL
    }
}
