//! [`StorePool`]: the threads of a process that store batches, and the batches that wait for them.
//!
//! A worker gives a parsed batch to the pool and goes on. Three numbers bound what is in flight: the leases that each worker
//! may hold, the bytes of all batches in the pool, and the [`Limiter`]. A worker that holds nothing may always take a batch,
//! whatever the others hold, so no worker waits for another one.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::lease_client::Ticket;
use super::limiter::{Fixed, Limiter, StoreCall};
use super::parser::Parsed;
use super::storer::{Stored, Storer};
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::queue::LEASES_PER_PEER;

/// The default for [`Storing::bytes`].
const BYTES: usize = 64 << 20;

/// How a process stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storing {
    /// The number of storing threads; `None` for one for each worker.
    pub threads: Option<usize>,
    /// Workers that hold a batch take no other one while the batches in the pool have this many bytes, documents included.
    pub bytes: usize,
}

impl Default for Storing {
    fn default() -> Self {
        Storing { threads: None, bytes: BYTES }
    }
}

/// A parsed batch on its way to a storing thread.
pub(super) struct Job {
    pub ticket: Ticket,
    pub batch: Batch,
    pub parsed: Parsed,
    /// Where the answer goes.
    pub answer: Sender<Done>,
}

/// The answer of a storing thread for one batch.
pub(super) struct Done {
    pub ticket: Ticket,
    pub records: u32,
    pub bytes: usize,
    pub stored: Result<Stored>,
    /// The buffers, for reuse.
    pub parsed: Parsed,
}

/// The storing threads of a process.
pub struct StorePool {
    storer: Arc<Storer>,
    threads: usize,
    leases_per_worker: usize,
    max_bytes: usize,
    state: Mutex<State>,
    /// Wakes storing threads when there is a job, when the limit has room, and at the end.
    changed: Condvar,
}

struct State {
    /// The batches that wait, the oldest first.
    jobs: VecDeque<Job>,
    /// The bytes of all batches that wait or are being stored.
    bytes: usize,
    /// The number of batches that are being stored.
    storing: usize,
    closed: bool,
    limiter: Box<dyn Limiter>,
}

impl StorePool {
    /// Returns a pool for `workers` that stores with `storer`. Its threads are those that call [`run`](StorePool::run).
    pub fn new(storer: Arc<Storer>, workers: usize, storing: Storing) -> StorePool {
        let threads = storing.threads.unwrap_or(workers).max(1);
        // One batch waits while each thread stores another one.
        let leases_per_worker = (1 + threads.div_ceil(workers.max(1))).min(usize::from(LEASES_PER_PEER));
        let limiter = Box::new(Fixed(threads));
        let state = State { jobs: VecDeque::new(), bytes: 0, storing: 0, closed: false, limiter };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        StorePool { storer, threads, leases_per_worker, max_bytes: storing.bytes, state, changed }
    }

    /// Returns the same pool with another limiter.
    pub fn limited(self, limiter: Box<dyn Limiter>) -> StorePool {
        self.state().limiter = limiter;
        self
    }

    /// Returns the number of storing threads that the pool needs.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Returns how many leases a worker may hold.
    pub(super) fn leases_per_worker(&self) -> usize {
        self.leases_per_worker
    }

    /// Returns whether a worker that holds a batch may take another one.
    pub(super) fn has_room(&self) -> bool {
        self.state().bytes < self.max_bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a batch to the storing threads. This never blocks.
    pub(super) fn submit(&self, job: Job) {
        let mut state = self.state();
        state.bytes += bytes_of(&job);
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_one();
    }

    /// Stores batches until the pool is closed and empty. Each storing thread calls this once.
    pub fn run(&self) {
        let mut outcomes = Vec::new();
        while let Some(Job { ticket, batch, parsed, answer }) = self.next_job() {
            let (started, held) = (Instant::now(), batch.data.len() + parsed.bytes());
            let stored = catch_unwind(AssertUnwindSafe(|| self.storer.store(&batch, &parsed, &mut outcomes)));
            let stored = stored.unwrap_or_else(|_| {
                Err(Error::internal("the storing thread panicked; its batch goes to another worker"))
            });
            let mut state = self.state();
            let call = StoreCall { took: started.elapsed(), storing: state.storing, stored: stored.is_ok() };
            state.limiter.observe(&call);
            state.storing -= 1;
            state.bytes -= held;
            // The limiter may have made room for several batches, of which this thread takes one itself. At the end, threads
            // that waited for room must see that nothing is left.
            if state.jobs.len() > 1 || state.closed {
                self.changed.notify_all();
            }
            drop(state);
            // A worker that panicked takes no answer.
            let _ = answer.send(Done { ticket, records: batch.records, bytes: batch.data.len(), stored, parsed });
        }
    }

    /// Waits for the next batch; `None` at the end.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            let may_store = state.storing < state.limiter.limit().max(1);
            if may_store && let Some(job) = state.jobs.pop_front() {
                state.storing += 1;
                return Some(job);
            }
            if state.closed && state.jobs.is_empty() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the storing threads once they have stored what waits.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}

fn bytes_of(job: &Job) -> usize {
    job.batch.data.len() + job.parsed.bytes()
}
