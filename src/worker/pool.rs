//! [`WorkerPool`]: the workers of one process.

use std::sync::Arc;
use std::thread;

use super::lease_client::LeaseClient;
use super::parser::Formats;
use super::pipeline::{self, Finish};
use super::storer::Storer;
use super::worker_counts::WorkerCounts;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;

/// The workers of one process, and what they share.
pub struct WorkerPool {
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

/// How the workers of a process ended.
#[derive(Debug, Default)]
pub struct PoolResult {
    /// What went wrong.
    pub errors: Vec<Error>,
    /// Whether one of them was told that there is no more: then every line is accounted for. Otherwise they were stopped.
    pub saw_end: bool,
}

impl WorkerPool {
    /// Lets every worker work to its end. `lease client` makes the lease client of each; `failed` is called when one fails, after the
    /// stop was requested.
    ///
    /// Returns how it ended.
    pub fn work(
        &self,
        leases: &(dyn Fn(usize) -> Box<dyn LeaseClient> + Sync),
        failed: &(dyn Fn() + Sync),
    ) -> PoolResult {
        let encodings: Vec<_> = self.storer.sinks().iter().map(|sink| sink.encoding()).collect();
        let one = |index: usize| -> Result<Finish> {
            let mut leases = leases(index);
            let mut parser = self.formats.parser(&encodings)?;
            pipeline::work(leases.as_mut(), &mut parser, Arc::clone(&self.storer), &self.counts)
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
            let mut worked = PoolResult::default();
            let mut threads = Vec::new();
            for index in 0..self.workers {
                match spawn(index) {
                    Ok(thread) => threads.push(thread),
                    Err(error) => {
                        self.stop.request();
                        failed();
                        worked.errors.push(Error::system("no thread for a worker").because(error));
                    }
                }
            }
            for thread in threads {
                match thread.join() {
                    Ok(Ok(finish)) => worked.saw_end |= finish == Finish::End,
                    Ok(Err(error)) => worked.errors.push(error),
                    // What panicked was caught within the thread.
                    Err(_) => worked.errors.push(Error::internal("a worker's thread panicked")),
                }
            }
            // What all of them met is one error.
            let mut said = std::collections::HashSet::new();
            worked.errors.retain(|error: &Error| said.insert(error.to_string()));
            worked
        })
    }
}
