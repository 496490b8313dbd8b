//! `logator run`: queue and workers in one process, in memory, without sockets.

use std::sync::Arc;
use std::time::Duration;

use super::{Reading, SourceOptions, WorkOptions, close_account, queue_with, stop_input};
use crate::core::error::Result;
use crate::core::stop::Stop;
use crate::dead_letter::DeadLetters;
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::observe::service_manager::Manager;
use crate::process::signals;
use crate::queue::Limits;
use crate::queue::shared::SharedQueue;
use crate::source::live::Live;
use crate::state::store::Store;
use crate::worker::lease_client::LocalLeaseClient;
use crate::worker::parser::Formats;
use crate::worker::storer::Storer;
use crate::worker::{WorkerCounts, WorkerPool};

/// Bytes read ahead of the workers.
const READY_BYTES: usize = 4 << 20;

/// Reads, parses and stores everything. The receipt says what became of it, errors included.
///
/// # Errors
/// Only what keeps it from starting: a wrong pattern, an input that is not there, a sink that cannot be opened.
pub fn run(source: &SourceOptions, work: &WorkOptions, console: Console) -> Result<Receipt> {
    let formats = work.formats(&console)?;
    let inputs = source.find(&console)?;
    let state = source.open_state(&console)?;
    let queue = queue_with(state.as_ref(), SharedQueue::new(source.limits(limits()), None));
    let (kept, said) = (state.clone(), console.clone());
    let live = Live::new(Stop::new()?);
    let options = source.read_options(&live, &console);
    work_through(work, formats, console, queue, state.as_deref(), &live, |queue, dead_letters| {
        Reading::start(inputs, options, queue, dead_letters, kept, &said)
    })
}

/// Leases of threads do not run out: a thread cannot be lost alone.
pub(super) fn limits() -> Limits {
    Limits {
        lease: None,
        ready_bytes: READY_BYTES,
        leased_bytes: usize::MAX,
        leases_per_peer: usize::MAX,
        ..Limits::default()
    }
}

/// Parses and stores everything that `start` begins to read into `queue`. Readers of inputs without an end heed `live`.
pub(super) fn work_through(
    work: &WorkOptions,
    formats: Arc<Formats>,
    mut console: Console,
    queue: Arc<SharedQueue>,
    state: Option<&Store>,
    live: &Live,
    start: impl FnOnce(Arc<SharedQueue>, Arc<DeadLetters>) -> Result<Reading>,
) -> Result<Receipt> {
    let waits = super::waits(work.deadline, &live.stop, &console);
    let sinks = work.open_sinks(&waits)?;
    let dead_letters = Arc::new(DeadLetters::with_waits(&work.dead_letters, &waits));

    let manager = Manager::of_environment();
    signals::request_stop(&live.stop, {
        let (live, queue, console) = (live.clone(), Arc::clone(&queue), console.clone());
        let manager = manager.clone();
        move |signal| {
            manager.stopping("reading has stopped, what was read is finished");
            console.say(format!("{signal}: reading stops, what was read is finished; a second signal ends at once"));
            // Without an end, as for what was read: threads are not lost without the run's end.
            stop_input(&live, &queue, Duration::MAX);
        }
    })?;

    let reading = start(Arc::clone(&queue), Arc::clone(&dead_letters))?;
    reading.wait_until_watching();
    manager.ready(&reading.status, &reading.addresses);
    let counts = Arc::new(WorkerCounts::default());
    let progress = console.progress({
        let (position, counts) = (Arc::clone(&reading.position), Arc::clone(&counts));
        move || {
            let (read, total) = position.get();
            (read, total, counts.get().0)
        }
    });
    let stop = Stop::new()?;
    let pool = WorkerPool {
        workers: work.workers.most,
        formats: Arc::clone(&formats),
        storer: Arc::new(Storer::new(sinks.clone(), dead_letters)),
        counts,
        stop: stop.clone(),
    };
    let worked = pool.work(
        &|index| {
            let reserve = index >= work.workers.first;
            Box::new(LocalLeaseClient::new(Arc::clone(&queue), index as u64, stop.clone(), reserve))
        },
        &|| queue.stop(),
    );
    let mut errors = worked.errors;
    drop(progress);

    let mut read = reading.outcome();
    // Where the work failed, that is why the reading stopped.
    let stopped = if errors.is_empty() { read.stopped_sentence() } else { None };
    errors.splice(0..0, read.errors.drain(..).chain(stopped));
    errors.extend(sinks.iter().filter_map(|sink| sink.close().err()));
    let receipt = close_account(&queue, state, &waits, errors, &console).with_rest(read.stopped, read.unread);
    Ok(receipt.with_patterns(formats.counts()).with_sources(reading.sources()))
}
