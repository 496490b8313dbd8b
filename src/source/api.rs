//! The interface of a source: something that records come from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::block_pool::BlockPool;
use super::options::ReadOptions;
use super::outcome::ReadOutcome;
use super::progress::Progress;
use super::receiver::BatchReceiver;
use crate::core::error::Result;
use crate::observe::counters::Row;

/// Something that records come from. A job opens all its sources, runs each of them in a thread, and closes them.
///
/// Only the name and the run are necessary. The other functions have defaults for a source like a file: it has an end, is
/// opened when it is read, and need not learn what became of its records. A source that wants to learn it adds itself to
/// [`ReadOptions::settlement`], and gives its batches tickets.
pub trait Source: Send + Sync {
    /// The name in messages.
    fn name(&self) -> String;

    /// Whether the source has an end. A source without an end gets a thread of its own, and stops when the
    /// [stop](ReadOptions::live) is requested.
    fn has_end(&self) -> bool {
        true
    }

    /// Whether the source is a regular file. Reading it never waits for a writer.
    fn is_regular_file(&self) -> bool {
        false
    }

    /// The number of bytes to read, if it is known.
    fn size(&self) -> Option<u64> {
        None
    }

    /// Opens what must be open before anything is read, such as a socket. Messages that arrive from now on are not lost.
    ///
    /// # Errors
    /// The source cannot be used. The job then does not start.
    fn open(&mut self, options: &ReadOptions) -> Result<Opened> {
        let _ = options;
        Ok(Opened::default())
    }

    /// Reads records into the receiver until the end of the source, until the stop is requested, or until the receiver wants
    /// no more.
    fn run(&self, context: &RunContext) -> ReadOutcome;

    /// Closes what [`open`](Source::open) has opened. It is called once, after the run or in place of it.
    fn close(&self) {}

    /// The time that the source needs after the queue was closed, to say elsewhere what is settled. A request to stop lets such a
    /// source finish first, also if it has an end.
    fn farewell(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether records that are not settled come again in a later run.
    fn comes_again(&self) -> bool {
        true
    }

    /// The counts of a source without an end, or with a farewell.
    fn count(&self) -> Option<Row> {
        None
    }
}

/// What a source says about itself when it is open.
#[derive(Debug, Default)]
pub struct Opened {
    /// What it does, for a service manager: `messages are received`.
    pub activity: &'static str,
    /// The places at which it does this.
    pub places: Vec<String>,
    /// The addresses at which it listens, with actual ports.
    pub addresses: Vec<String>,
    /// Ends when the source is ready. A source that is ready when it is open has none.
    pub ready: Option<Receiver<()>>,
}

impl Opened {
    /// Returns a sentence on what the source does.
    pub fn status(&self) -> String {
        match &self.places[..] {
            [] => self.activity.to_owned(),
            places => format!("{} at {}", self.activity, places.join(" and ")),
        }
    }

    /// Returns a sentence on what several sources do; `None` if all of them have an end.
    pub fn status_of_all(opened: &[Opened]) -> Option<String> {
        let mut activities: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for Opened { activity, places, .. } in opened.iter().filter(|opened| !opened.activity.is_empty()) {
            activities.entry(activity).or_default().extend(places.iter().cloned());
        }
        let all = activities.into_iter().map(|(activity, places)| Opened { activity, places, ..Opened::default() });
        all.map(|opened| opened.status()).reduce(|all, next| format!("{all}, {next}"))
    }
}

/// What a source needs while it reads.
#[derive(Clone, Copy)]
pub struct RunContext<'a> {
    /// The options of all sources.
    pub options: &'a ReadOptions,
    /// The blocks to read into.
    pub pool: &'a Arc<BlockPool>,
    /// Takes the batches.
    pub receiver: &'a dyn BatchReceiver,
    /// Counts the bytes.
    pub progress: &'a Progress,
}
