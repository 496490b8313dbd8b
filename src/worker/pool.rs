//! [`WorkerPool`]: the workers of one process.

use std::sync::Arc;
use std::thread;

use super::lease_client::LeaseClient;
use super::parser::Formats;
use super::pipeline::{self, Finish};
use super::store_pool::{StorePool, Storing};
use super::storer::Storer;
use super::worker_counts::WorkerCounts;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;

/// The workers of one process, and the objects that they share.
pub struct WorkerPool {
    /// The number of workers.
    pub workers: usize,
    /// The formats, which turn lines into documents.
    pub formats: Arc<Formats>,
    /// The sinks and the dead letters.
    pub storer: Arc<Storer>,
    /// The counts of all workers.
    pub counts: Arc<WorkerCounts>,
    /// How the process stores.
    pub storing: Storing,
    /// The stop that is requested when one worker fails, so that the others stop as well.
    pub stop: Stop,
}

/// The result of all workers of a process.
#[derive(Debug, Default)]
pub struct PoolResult {
    /// The errors of the workers.
    pub errors: Vec<Error>,
    /// Whether a queue told one of them that there is no more work: every line is then accounted for. Otherwise the
    /// workers were stopped.
    pub saw_end: bool,
}

impl WorkerPool {
    /// Runs every worker to its end. `leases` makes the lease client of each worker. `failed` is called when a worker
    /// fails, after the stop was requested.
    ///
    /// Returns the result of all workers.
    pub fn work(
        &self,
        leases: &(dyn Fn(usize) -> Box<dyn LeaseClient> + Sync),
        failed: &(dyn Fn() + Sync),
    ) -> PoolResult {
        let store_pool = StorePool::new(Arc::clone(&self.storer), self.workers, self.storing);
        let one = |index: usize| -> Result<Finish> {
            let mut leases = leases(index);
            let mut parser = self.formats.parser(self.storer.layouts())?;
            pipeline::work(leases.as_mut(), &mut parser, &store_pool, &self.counts)
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
            let store = |index: usize| {
                let store_pool = &store_pool;
                thread::Builder::new().name(format!("store {index}")).spawn_scoped(scope, move || store_pool.run())
            };
            let mut worked = PoolResult::default();
            let mut cannot_start = |what, error| {
                self.stop.request();
                failed();
                worked.errors.push(Error::system(format!("cannot start the thread of {what}")).because(error));
            };
            let storing = (0..store_pool.threads())
                .filter_map(|index| store(index).map_err(|error| cannot_start("a worker that stores", error)).ok());
            // Without any storing thread, the workers would wait for it without an end.
            let workers = if storing.count() > 0 { self.workers } else { 0 };
            let mut threads = Vec::new();
            for index in 0..workers {
                match spawn(index) {
                    Ok(thread) => threads.push(thread),
                    Err(error) => cannot_start("a worker", error),
                }
            }
            for thread in threads {
                match thread.join() {
                    Ok(Ok(finish)) => worked.saw_end |= finish == Finish::End,
                    Ok(Err(error)) => worked.errors.push(error),
                    // Panics of a worker are caught within its thread.
                    Err(_) => worked.errors.push(Error::internal("a worker's thread panicked")),
                }
            }
            store_pool.close();
            // The same error of several workers is reported once.
            let mut said = std::collections::HashSet::new();
            worked.errors.retain(|error: &Error| said.insert(error.to_string()));
            worked
        })
    }
}
