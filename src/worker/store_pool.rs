//! [`StorePool`]: the threads of a process that store batches, and the batches that wait for them.
//!
//! A worker gives a parsed batch to the pool and goes on. Three numbers bound what is in flight: the leases that each worker
//! may hold, the bytes of all batches in the pool, and the [`Limiter`]. A worker that holds nothing may always take a batch,
//! whatever the others hold, so no worker waits for another one. With an adaptive limiter, a storing thread is started when a
//! batch would wait for it.
//!
//! If a sink [keeps the order](crate::sink::Sink::keeps_order), each batch has a number from the moment in which a worker gets it.
//! Storing threads take the batches in the order of their numbers, and have turns at that sink in this order. So the thread with
//! the smallest number never waits for another one. A worker parses a batch that it has got, whatever the others do, and a batch
//! that is lost on the way ends the waiting for it. So no batch waits for ever.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::adaptive::Adaptive;
use super::lease_client::Ticket;
use super::limiter::{Fixed, Limiter, StoreCall};
use super::parser::Parsed;
use super::reorder::Reorder;
use super::scaling::Bounds;
use super::storer::{Stored, Storer};
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::core::turns::{self, Turns};
use crate::queue::{Counted, LEASES_PER_PEER, counted};
use crate::sink::attempts;

/// The default for [`Storing::bytes`].
const BYTES: usize = 64 << 20;

/// How a process stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storing {
    /// How many batches are stored at a time.
    pub requests: Requests,
    /// Workers that hold a batch take no other one while the batches in the pool have this many bytes, documents included.
    pub bytes: usize,
}

/// How many batches a process stores at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// As many as there are workers.
    Workers,
    /// This number.
    Fixed(usize),
    /// A number between these bounds, which follows throughput, latency and refusals.
    Adaptive(Bounds),
}

impl Default for Storing {
    fn default() -> Self {
        Storing { requests: Requests::Workers, bytes: BYTES }
    }
}

/// The place of a batch in the order of all batches of a process. If it is dropped without its job, the batch is lost, and no
/// later batch may be stored before it: they are refused.
pub(super) struct Place<'a> {
    pool: &'a StorePool,
    /// `None` if no sink keeps the order.
    number: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.pool.lose(number);
        }
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
    pub counted: Counted,
    pub stored: Result<Stored>,
    /// The buffers, for reuse.
    pub parsed: Parsed,
}

/// The storing threads of a process.
pub struct StorePool {
    storer: Arc<Storer>,
    requests: Requests,
    /// The number of workers that run.
    workers: AtomicUsize,
    /// The largest number of storing threads.
    most_threads: usize,
    max_bytes: usize,
    started: Instant,
    /// The turns of each sink that keeps the order. The list is empty if no sink does.
    turns: Vec<Option<Turns>>,
    state: Mutex<State>,
    /// Wakes storing threads when there is a job, when the limit has room, and at the end.
    changed: Condvar,
    /// Asks for another storing thread.
    grow: Option<Box<dyn Fn() + Send + Sync>>,
}

struct State {
    /// The batches that wait for a storing thread, the oldest first, each with its number if the order is kept.
    jobs: VecDeque<(Option<u64>, Job)>,
    /// The batches that wait for earlier ones, each with its number.
    early: Reorder<(u64, Job)>,
    /// The number of the next batch, if its lease client does not know it.
    next_number: u64,
    /// The bytes of all batches that wait or are being stored.
    bytes: usize,
    /// The number of batches that are being stored.
    storing: usize,
    /// The number of threads that run, or were asked for.
    threads: usize,
    closed: bool,
    limiter: Box<dyn Limiter>,
    /// Since when batches wait because of the limit, as far as the limiter was not told.
    waiting_since: Option<Instant>,
    /// How long batches waited before that, as far as the limiter was not told.
    waited: Duration,
}

impl State {
    /// Notes whether batches wait because of the limit. This is called after each change.
    fn note_waiting(&mut self) {
        let waits = !self.jobs.is_empty() && self.storing >= self.limiter.limit().max(1);
        match (waits, self.waiting_since) {
            (true, None) => self.waiting_since = Some(Instant::now()),
            (false, Some(since)) => {
                self.waited += since.elapsed();
                self.waiting_since = None;
            }
            _ => {}
        }
    }

    /// Returns how long batches have waited since the last call.
    fn take_waited(&mut self) -> Duration {
        if let Some(since) = &mut self.waiting_since {
            let now = Instant::now();
            self.waited += now.duration_since(*since);
            *since = now;
        }
        std::mem::take(&mut self.waited)
    }
}

impl StorePool {
    /// Returns a pool for `workers` that stores with `storer`. Its threads are those that call [`run`](StorePool::run).
    pub fn new(storer: Arc<Storer>, workers: usize, storing: Storing) -> StorePool {
        let (most_threads, limiter): (usize, Box<dyn Limiter>) = match storing.requests {
            Requests::Workers => (workers.max(1), Box::new(Fixed(workers.max(1)))),
            Requests::Fixed(number) => (number.max(1), Box::new(Fixed(number.max(1)))),
            Requests::Adaptive(bounds) => (bounds.most.max(1), Box::new(Adaptive::new(bounds.least, bounds.most))),
        };
        let threads = match storing.requests {
            Requests::Adaptive(_) => limiter.limit(),
            Requests::Workers | Requests::Fixed(_) => most_threads,
        };
        let mut turns: Vec<_> = storer.orders().map(|ordered| ordered.then(Turns::default)).collect();
        if turns.iter().all(Option::is_none) {
            turns.clear();
        }
        let state = State {
            jobs: VecDeque::new(),
            early: Reorder::default(),
            next_number: 0,
            bytes: 0,
            storing: 0,
            threads,
            closed: false,
            limiter,
            waiting_since: None,
            waited: Duration::ZERO,
        };
        StorePool {
            storer,
            requests: storing.requests,
            workers: AtomicUsize::new(workers),
            most_threads,
            max_bytes: storing.bytes,
            started: Instant::now(),
            turns,
            state: Mutex::new(state),
            changed: Condvar::new(),
            grow: None,
        }
    }

    /// Returns the same pool with another limiter.
    pub fn limited(self, limiter: Box<dyn Limiter>) -> StorePool {
        self.state().limiter = limiter;
        self
    }

    /// Calls `grow` whenever another storing thread is needed.
    pub(super) fn growing(self, grow: impl Fn() + Send + Sync + 'static) -> StorePool {
        StorePool { grow: Some(Box::new(grow)), ..self }
    }

    /// Returns the number of storing threads that the pool needs at its start.
    pub fn threads(&self) -> usize {
        self.state().threads
    }

    /// Sets the number of workers that run.
    pub(super) fn set_workers(&self, workers: usize) {
        self.workers.store(workers, Ordering::Relaxed);
    }

    /// Returns whether a worker that holds `held` leases may take another one.
    pub(super) fn may_take(&self, held: usize) -> bool {
        if held == 0 {
            return true;
        }
        let workers = self.workers.load(Ordering::Relaxed).max(1);
        let state = self.state();
        // One batch waits while each thread stores another one. With an order, a batch also waits for those before it.
        let leases = match self.requests {
            Requests::Workers => 2 + usize::from(!self.turns.is_empty()),
            Requests::Fixed(threads) => (1 + threads.div_ceil(workers)).min(usize::from(LEASES_PER_PEER)),
            Requests::Adaptive(_) => 1 + state.limiter.limit().div_ceil(workers),
        };
        held < leases && state.bytes < self.max_bytes
    }

    /// Returns the number of batches that are being stored, and how many may be.
    pub(super) fn storing(&self) -> (usize, usize) {
        let state = self.state();
        (state.storing, state.limiter.limit())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the bytes of a batch. A sink that sends requests holds a copy of the documents besides.
    fn bytes_of(&self, job: &Job) -> usize {
        let bodies = if matches!(self.requests, Requests::Adaptive(_)) { job.parsed.bytes() } else { 0 };
        job.batch.data.len() + job.parsed.memory() + bodies
    }

    /// Returns the place of a batch that a worker has got. `number` says how many batches came before it; without it, the
    /// batches have the order of these calls.
    pub(super) fn place(&self, number: Option<u64>) -> Place<'_> {
        if self.turns.is_empty() {
            return Place { pool: self, number: None };
        }
        let mut state = self.state();
        let next = state.next_number;
        state.next_number += 1;
        Place { pool: self, number: number.or(Some(next)) }
    }

    /// Hands a batch to the storing threads. If the order is kept, they get it after the batches of all earlier places. This
    /// never blocks.
    pub(super) fn submit(&self, mut place: Place<'_>, job: Job) {
        let number = place.number.take();
        let bytes = self.bytes_of(&job);
        let mut state = self.state();
        state.bytes += bytes;
        let mut released = 1;
        match number {
            None => state.jobs.push_back((None, job)),
            Some(number) => {
                let refused = state.early.put(number, (number, job));
                released = 0;
                while let Some((number, job)) = state.early.release() {
                    state.jobs.push_back((Some(number), job));
                    released += 1;
                }
                self.refuse(&mut state, refused);
            }
        }
        state.note_waiting();
        let grows = self.needs_thread(&mut state);
        drop(state);
        match released {
            0 => {}
            1 => self.changed.notify_one(),
            _ => self.changed.notify_all(),
        }
        self.ask_for_thread(grows);
    }

    /// Notes that the batch with this number is not stored.
    fn lose(&self, number: u64) {
        let mut state = self.state();
        let refused: Vec<_> = state.early.lose(number).collect();
        self.refuse(&mut state, refused);
    }

    /// Gives batches back to their workers.
    fn refuse(&self, state: &mut State, jobs: impl IntoIterator<Item = (u64, Job)>) {
        for (_, job) in jobs {
            state.bytes -= self.bytes_of(&job);
            let Job { ticket, batch, parsed, answer } = job;
            let stored = Err(turns::missed());
            // A worker that panicked takes no answer.
            let _ = answer.send(Done { ticket, counted: counted(&batch), stored, parsed });
        }
    }

    /// Returns whether another thread is needed, and counts it.
    fn needs_thread(&self, state: &mut State) -> bool {
        let idle = state.threads.saturating_sub(state.storing);
        let may_grow = state.threads < state.limiter.limit().min(self.most_threads) && self.grow.is_some();
        let needs = may_grow && !state.closed && state.jobs.len() > idle;
        state.threads += usize::from(needs);
        needs
    }

    fn ask_for_thread(&self, needed: bool) {
        if let Some(grow) = self.grow.as_ref().filter(|_| needed) {
            grow();
        }
    }

    /// Notes that a thread that was asked for cannot be started.
    pub(super) fn lose_thread(&self) {
        self.state().threads -= 1;
    }

    /// Stores batches until the pool is closed and empty. Each storing thread calls this once.
    pub fn run(&self) {
        let mut outcomes = Vec::new();
        while let Some((number, job)) = self.next_job() {
            let held = self.bytes_of(&job);
            let Job { ticket, batch, parsed, answer } = job;
            let started = Instant::now();
            attempts::take();
            let turns =
                |number| self.turns.iter().map(|turns| turns.as_ref().map(|turns| turns.turn(number))).collect();
            let turns = number.map_or_else(Vec::new, turns);
            let store = || self.storer.store_in_turn(&batch, &parsed, turns, &mut outcomes);
            let stored = catch_unwind(AssertUnwindSafe(store));
            let stored = stored.unwrap_or_else(|_| {
                Err(Error::internal("the storing thread panicked; its batch goes to another worker"))
            });
            let (took, noted) = (started.elapsed(), attempts::take());
            let mut state = self.state();
            let call = StoreCall {
                at: self.started.elapsed(),
                // A sink that notes no attempts makes one.
                took: if noted == attempts::Attempts::default() { took } else { noted.answered },
                storing: state.storing,
                waited: state.take_waited(),
                records: batch.records,
                refused: noted.refused,
                retried: noted.retried,
                stored: stored.is_ok(),
            };
            let before = state.limiter.limit();
            if let Some(reason) = state.limiter.observe(&call) {
                let limit = state.limiter.limit();
                log::debug!("{limit} batches are stored at a time, {before} before: {reason}");
            }
            state.storing -= 1;
            state.bytes -= held;
            state.note_waiting();
            let grows = self.needs_thread(&mut state);
            // The limiter may have made room for several batches, of which this thread takes one itself. At the end, threads
            // that waited for room must see that nothing is left.
            if state.jobs.len() > 1 || state.closed {
                self.changed.notify_all();
            }
            drop(state);
            self.ask_for_thread(grows);
            // A worker that panicked takes no answer.
            let _ = answer.send(Done { ticket, counted: counted(&batch), stored, parsed });
        }
    }

    /// Waits for the next batch; `None` at the end.
    fn next_job(&self) -> Option<(Option<u64>, Job)> {
        let mut state = self.state();
        loop {
            let may_store = state.storing < state.limiter.limit().max(1);
            if may_store && let Some(job) = state.jobs.pop_front() {
                state.storing += 1;
                state.note_waiting();
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
