//! The queue and the workers in one process: the common part of `run`, `replay` and `pull`.

use std::sync::Arc;
use std::time::Duration;

use super::account::close_account;
use super::messages::waits;
use super::options::WorkOptions;
use super::reading::{Reading, stop_input};
use super::status::{StatusNow, print_status};
use crate::core::error::Result;
use crate::core::stop::Stop;
use crate::dead_letter::DeadLetters;
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::observe::service_manager::Manager;
use crate::process::signals;
use crate::queue::Limits;
use crate::queue::shared::SharedQueue;
use crate::sink::AnySink;
use crate::source::live::Live;
use crate::state::store::Store;
use crate::worker::lease_client::LocalLeaseClient;
use crate::worker::parser::Formats;
use crate::worker::storer::Storer;
use crate::worker::{Gauges, Hooks, WorkerCounts, WorkerPool};

/// The maximum number of bytes that are read ahead of the workers.
const READY_BYTES: usize = 4 << 20;

/// Returns the limits of a queue whose workers are threads. Their leases have no deadline, because a thread cannot be lost
/// without the whole process.
pub(super) fn limits() -> Limits {
    Limits {
        lease: None,
        ready_bytes: READY_BYTES,
        leased_bytes: usize::MAX,
        leases_per_peer: usize::MAX,
        ..Limits::default()
    }
}

/// Parses and stores all lines of `queue`. `start` starts the thread that reads into this queue. It is told whether a sink keeps
/// the order of the inputs. Readers of inputs without an end stop with `live`.
pub(super) fn work_through(
    work: &WorkOptions,
    formats: Arc<Formats>,
    mut console: Console,
    queue: Arc<SharedQueue>,
    state: Option<&Store>,
    live: &Live,
    start: impl FnOnce(Arc<SharedQueue>, Arc<DeadLetters>, bool) -> Result<Reading>,
) -> Result<Receipt> {
    let waits = waits(work.deadline, &live.stop, &console);
    let sinks = work.open_sinks(&waits, &formats)?;
    let in_order = sinks.iter().any(AnySink::keeps_order);
    let dead_letters = Arc::new(DeadLetters::with_waits(&work.dead_letters, &waits));

    let manager = Manager::of_environment();
    signals::request_stop(&live.stop, {
        let (live, queue, console) = (live.clone(), Arc::clone(&queue), console.clone());
        let manager = manager.clone();
        move |signal| {
            manager.stopping("reading has stopped, what was read is finished");
            console.say(format!("{signal}: reading stops, what was read is finished; a second signal ends at once"));
            // No limit on the time: worker threads always finish the lines that were read.
            stop_input(&live, &queue, Duration::MAX);
        }
    })?;

    let reading = start(Arc::clone(&queue), Arc::clone(&dead_letters), in_order)?;
    reading.wait_until_ready();
    manager.ready(&reading.status, &reading.addresses);
    let counts = Arc::new(WorkerCounts::default());
    let progress = console.progress({
        let (position, counts) = (Arc::clone(&reading.position), Arc::clone(&counts));
        move || {
            let (read, total) = position.get();
            (read, total, counts.get())
        }
    });
    let stop = Stop::new()?;
    let storer = Arc::new(Storer::new(sinks, dead_letters));
    let gauges = Arc::new(Gauges::default());
    let status = print_status(work.status_interval, &console, {
        let (gauges, counts, queue) = (Arc::clone(&gauges), Arc::clone(&counts), Arc::clone(&queue));
        move || StatusNow::of_pool(&gauges, &counts, queue.held_bytes().0 as u64)
    });
    let pool = WorkerPool {
        workers: work.workers.into(),
        scaling: work.scaling,
        formats: Arc::clone(&formats),
        storer: Arc::clone(&storer),
        counts,
        storing: work.storing(),
        stop: stop.clone(),
        gauges,
    };
    let worked = pool.work(&Hooks {
        leases: &|index, stop| Box::new(LocalLeaseClient::new(Arc::clone(&queue), index as u64, stop)),
        failed: &|| queue.stop(),
        leaving: &|| queue.wake_workers(),
        backlog: &|| queue.held_bytes().0 as u64,
        say: &|sentence| console.say(sentence),
    });
    let mut errors = worked.errors;
    drop(status);
    drop(progress);

    let mut read = reading.outcome();
    // If the work failed, reading stopped for that reason, so the stop gets no sentence of its own.
    let stopped = if errors.is_empty() { read.stopped_sentence() } else { None };
    errors.splice(0..0, read.errors.drain(..).chain(stopped));
    errors.extend(storer.close());
    let rows = formats.counts().into_iter().chain(storer.accounts()).chain(reading.sources());
    let receipt = close_account(&queue, state, &waits, errors, rows, &console);
    let receipt = receipt.with_rest(read.stopped, read.unread).with_containers(read.containers);
    Ok(receipt.with_left_out(read.left_out))
}
