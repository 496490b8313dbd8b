//! Workers: they ask a queue for batches, parse the lines, store the documents, and acknowledge what is durable.
//!
//! `feed` is where batches come from, `parser` makes documents of lines, `storer` gives them to the sinks, `pipeline`
//! lets one worker do all that with two threads. [`Crew`] is the workers of one process.

mod counts;
pub mod feed;
pub mod parser;
pub mod pipeline;
pub mod storer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use self::feed::Feed;
use self::parser::Formats;
use self::storer::Storer;
use crate::error::{Error, Result};
use crate::receipt::Tally;
use crate::stop::Stop;

/// What the workers of a process have done so far.
#[derive(Debug, Default)]
pub struct WorkerCounts {
    lines: AtomicU64,
    bytes: AtomicU64,
    tally: Mutex<Tally>,
}

impl WorkerCounts {
    /// Adds a batch that is durable.
    pub fn add(&self, lines: u64, bytes: u64, tally: Tally) {
        self.lines.fetch_add(lines, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner) += tally;
    }

    /// Lines, bytes, and what became of the lines.
    pub fn get(&self) -> (u64, u64, Tally) {
        let tally = *self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        (self.lines.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed), tally)
    }
}

/// The workers of one process, and what they share.
pub struct Crew {
    /// How many.
    pub workers: usize,
    /// How lines become documents.
    pub formats: Arc<Formats>,
    /// Where documents go.
    pub storer: Arc<Storer>,
    /// What they have done.
    pub counts: Arc<WorkerCounts>,
    /// Requested when one of them fails, so that the others stop as well.
    pub stop: Stop,
}

impl Crew {
    /// Lets every worker work to its end. `feed` makes the feed of each; `failed` is called when one fails, after the
    /// stop was requested.
    ///
    /// Returns what went wrong: nothing when all came to the end of the work.
    pub fn work(&self, feed: &(dyn Fn(usize) -> Box<dyn Feed> + Sync), failed: &(dyn Fn() + Sync)) -> Vec<Error> {
        let encodings: Vec<_> = self.storer.sinks().iter().map(|sink| sink.encoding()).collect();
        let one = |index: usize| -> Result<()> {
            let mut feed = feed(index);
            let mut parser = self.formats.parser(&encodings)?;
            pipeline::work(feed.as_mut(), &mut parser, Arc::clone(&self.storer), &self.counts)
        };
        let guarded = |index: usize| {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(index)))
                .unwrap_or_else(|_| Err(Error::internal("a worker panicked; its batches go to another one")));
            if result.is_err() {
                self.stop.request();
                failed();
            }
            result
        };
        thread::scope(|scope| {
            let spawn = |index: usize| {
                let guarded = &guarded;
                thread::Builder::new().name(format!("worker {index}")).spawn_scoped(scope, move || guarded(index))
            };
            let mut errors = Vec::new();
            let mut threads = Vec::new();
            for index in 0..self.workers {
                match spawn(index) {
                    Ok(thread) => threads.push(thread),
                    Err(error) => {
                        self.stop.request();
                        failed();
                        errors.push(Error::system("no thread for a worker").because(error));
                    }
                }
            }
            errors.extend(threads.into_iter().filter_map(|thread| thread.join().ok()?.err()));
            errors
        })
    }
}

#[cfg(test)]
mod tests;
