//! [`WorkerPool`]: the workers of one process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::Instant;

use super::idle_clock::IdleClock;
use super::lease_client::LeaseClient;
use super::parser::Formats;
use super::pipeline::{self, Finish};
use super::scaling::{Bounds, Change, INTERVAL, Sample, Scaler, Settings};
use super::store_pool::{StorePool, Storing};
use super::storer::Storer;
use super::worker_counts::WorkerCounts;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::observe::counters::READ;

/// The workers of one process, and the objects that they share.
pub struct WorkerPool {
    /// The number of workers. It follows the load between these bounds.
    pub workers: Bounds,
    /// How the number follows the load.
    pub scaling: Settings,
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
    /// What the pool tells about itself while it works.
    pub gauges: Arc<Gauges>,
}

/// How many workers a pool has at a moment, and how many batches it stores.
#[derive(Default)]
pub struct Gauges {
    workers: AtomicUsize,
    store: Mutex<Option<Arc<StorePool>>>,
}

impl Gauges {
    /// Returns the number of workers.
    pub fn workers(&self) -> usize {
        self.workers.load(Ordering::Relaxed)
    }

    /// Returns how many batches are being stored, and how many may be.
    pub fn storing(&self) -> (usize, usize) {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.as_ref().map_or((0, 0), |store| store.storing())
    }
}

/// What the code that starts a pool does for it.
pub struct Hooks<'a> {
    /// Makes the lease client of the worker with this number, which leaves when the stop is requested. A pool never uses a
    /// number twice.
    pub leases: &'a (dyn Fn(usize, Stop) -> Box<dyn LeaseClient> + Sync),
    /// Called when a worker fails, after the stop of the pool was requested.
    pub failed: &'a (dyn Fn() + Sync),
    /// Called after a worker was asked to leave, so that it does not wait for lines any more.
    pub leaving: &'a (dyn Fn() + Sync),
    /// Returns the bytes that wait for workers.
    pub backlog: &'a (dyn Fn() -> u64 + Sync),
    /// Gets a sentence for the user about each change of the number of workers.
    pub say: &'a (dyn Fn(String) + Sync),
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

/// What the thread that runs the pool is told.
enum Event {
    /// Another storing thread is needed.
    StoringThread,
    /// A worker has ended.
    Ended(usize, Result<Finish>),
}

impl WorkerPool {
    /// Runs the workers to their end, and returns their result.
    pub fn work(&self, hooks: &Hooks<'_>) -> PoolResult {
        let (events, received) = channel();
        let mut store_pool = StorePool::new(Arc::clone(&self.storer), self.workers.most, self.storing);
        let wanted = events.clone();
        store_pool = store_pool.growing(move || drop(wanted.send(Event::StoringThread)));
        let store_pool = Arc::new(store_pool);
        self.gauges.store.lock().unwrap_or_else(PoisonError::into_inner).replace(Arc::clone(&store_pool));
        let idle = IdleClock::default();
        let mut worked = thread::scope(|scope| {
            let running = BTreeMap::new();
            let worked = PoolResult::default();
            let mut pool =
                Running { pool: self, hooks, scope, store: &store_pool, idle: &idle, events, running, next: 0, worked };
            let storing = (0..store_pool.threads()).filter(|&index| pool.start_storing(index)).count();
            // Without any storing thread, the workers would wait for it without an end.
            if storing > 0 {
                pool.start_workers(self.workers.least);
            }
            let mut scaler = (!self.workers.is_fixed()).then(|| Scaler::new(self.workers, self.scaling));
            let (started, mut storing) = (Instant::now(), store_pool.threads());
            let mut due = started;
            while !pool.running.is_empty() {
                let event = match &scaler {
                    Some(_) => received.recv_timeout(due.saturating_duration_since(Instant::now())),
                    None => received.recv().map_err(RecvTimeoutError::from),
                };
                match event {
                    Ok(Event::StoringThread) if pool.start_storing(storing) => storing += 1,
                    Ok(Event::StoringThread) => store_pool.lose_thread(),
                    Ok(Event::Ended(index, result)) => pool.note_end(index, result),
                    Err(RecvTimeoutError::Timeout) => {
                        due = Instant::now() + INTERVAL;
                        if let Some(scaler) = &mut scaler {
                            pool.scale(scaler, started);
                        }
                    }
                    // This thread has a sender itself.
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            store_pool.close();
            pool.worked
        });
        self.gauges.store.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The same error of several workers is reported once.
        let mut said = std::collections::HashSet::new();
        worked.errors.retain(|error: &Error| said.insert(error.to_string()));
        worked
    }
}

/// A pool at work.
struct Running<'scope, 'env> {
    pool: &'env WorkerPool,
    hooks: &'env Hooks<'env>,
    scope: &'scope Scope<'scope, 'env>,
    store: &'env Arc<StorePool>,
    idle: &'env IdleClock,
    events: Sender<Event>,
    /// The workers that run, by their numbers. Those that were asked to leave have no stop any more.
    running: BTreeMap<usize, Option<Stop>>,
    /// The number of the next worker.
    next: usize,
    worked: PoolResult,
}

impl<'scope, 'env> Running<'scope, 'env> {
    /// Returns the number of workers that were not asked to leave.
    fn staying(&self) -> usize {
        self.running.values().flatten().count()
    }

    fn note_number(&self) {
        let workers = self.staying();
        self.pool.gauges.workers.store(workers, Ordering::Relaxed);
        // With bounds, a storing thread for each worker at most is usual.
        if !self.pool.workers.is_fixed() {
            self.store.set_workers(workers);
        }
    }

    fn cannot_start(&mut self, what: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        self.pool.stop.request();
        (self.hooks.failed)();
        self.worked.errors.push(Error::system(format!("cannot start the thread of {what}")).because(error));
    }

    /// Starts a storing thread. The first one is necessary.
    fn start_storing(&mut self, index: usize) -> bool {
        let store = Arc::clone(self.store);
        let started =
            thread::Builder::new().name(format!("store {index}")).spawn_scoped(self.scope, move || store.run());
        match started {
            Ok(_) => true,
            Err(error) if index == 0 => {
                self.cannot_start("a worker that stores", error);
                false
            }
            Err(error) => {
                log::debug!("another storing thread cannot be started: {error}");
                false
            }
        }
    }

    fn start_workers(&mut self, count: usize) {
        for _ in 0..count {
            if let Err(error) = self.start_worker() {
                self.cannot_start("a worker", error);
            }
        }
        self.note_number();
    }

    fn start_worker(&mut self) -> Result<()> {
        let (pool, hooks, idle) = (self.pool, self.hooks, self.idle);
        let (index, store, events) = (self.next, Arc::clone(self.store), self.events.clone());
        // A worker of a pool whose number changes can be asked to leave alone.
        let stop = if pool.workers.is_fixed() { pool.stop.clone() } else { pool.stop.part()? };
        let own = stop.clone();
        let one = move || -> Result<Finish> {
            let mut leases = (hooks.leases)(index, own);
            let mut parser = pool.formats.parser(pool.storer.layouts())?;
            pipeline::work(leases.as_mut(), &mut parser, &store, &pool.counts, idle)
        };
        let guarded = move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(one))
                .unwrap_or_else(|_| Err(Error::internal("a worker panicked; its batches go to another one")));
            if result.is_err() {
                pool.stop.request();
                (hooks.failed)();
            }
            let _ = events.send(Event::Ended(index, result));
        };
        let started = thread::Builder::new().name(format!("worker {index}")).spawn_scoped(self.scope, guarded);
        started.map_err(|error| Error::system("the system gives no thread").because(error))?;
        self.next += 1;
        self.running.insert(index, Some(stop));
        Ok(())
    }

    fn note_end(&mut self, index: usize, result: Result<Finish>) {
        self.running.remove(&index);
        self.note_number();
        match result {
            Ok(finish) => self.worked.saw_end |= finish == Finish::End,
            Err(error) => self.worked.errors.push(error),
        }
    }

    /// Takes a sample, and starts workers or asks some to leave.
    fn scale(&mut self, scaler: &mut Scaler, started: Instant) {
        let workers = self.staying();
        if self.worked.saw_end || self.pool.stop.is_requested() {
            return;
        }
        let sample = Sample {
            at: started.elapsed(),
            backlog: (self.hooks.backlog)(),
            lines: self.pool.counts.get().get(&READ),
            waiting: self.idle.look(),
            workers,
        };
        let Some(Change { workers: wanted, reason }) = scaler.decide(&sample) else { return };
        (self.hooks.say)(format!("workers: {wanted} now, {workers} before; {reason}"));
        if wanted > workers {
            for _ in workers..wanted {
                if let Err(error) = self.start_worker() {
                    // The workers that there are go on.
                    log::debug!("another worker cannot be started: {error}");
                }
            }
        } else {
            // The latest workers leave first. Each stores what it holds and gives its other leases back.
            let leaving = self.running.values_mut().rev().filter_map(Option::take).take(workers - wanted);
            leaving.for_each(|stop| stop.request());
            (self.hooks.leaving)();
        }
        self.note_number();
    }
}
