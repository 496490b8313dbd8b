//! `logator-worker`: worker threads that ask queues for batches.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::account::say_errors;
use super::messages::waits;
use super::options::WorkOptions;
use super::signal_handlers::stop_on_signals;
use super::spawned::QueueWatch;
use super::status::{StatusNow, print_status};
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::dead_letter::DeadLetters;
use crate::net::address::Address;
use crate::net::client::{Backlog, Client, Reporter};
use crate::observe::console::Console;
use crate::observe::receipt::{Receipt, StoppedInput};
use crate::observe::service_manager::Manager;
use crate::worker::lease_client::LeaseClient;
use crate::worker::storer::Storer;
use crate::worker::{Gauges, Hooks, PoolResult, WorkerCounts, WorkerPool};

/// Works for the queues at `addresses` until all of them have ended. A worker that a queue started has a `watch` on that queue.
///
/// # Errors
/// The job cannot start: a wrong pattern, a sink that cannot be opened, or a queue with another key.
pub fn work(
    addresses: &[Address],
    options: &WorkOptions,
    watch: Option<&QueueWatch>,
    console: Console,
) -> Result<Receipt> {
    let formats = options.formats(&console)?;
    let stop = watch.map_or_else(Stop::new, |watch| Ok(watch.leave().clone()))?;
    let manager = Manager::of_environment();
    stop_on_signals(&stop, &manager, &console, "finishing what is in hand")?;
    let context = zmq::Context::new();
    let counts = Arc::new(WorkerCounts::default());
    // The worker greets the queue before the sinks are open.
    let stores: Arc<OnceLock<Arc<Storer>>> = Arc::default();
    let all_counts = {
        let (counts, formats, stores) = (Arc::clone(&counts), Arc::clone(&formats), Arc::clone(&stores));
        move || {
            let sinks = stores.get().map(|storer| storer.accounts()).unwrap_or_default();
            counts.get().with_rows(formats.counts().into_iter().chain(sinks))
        }
    };
    let reporter = Arc::new(Reporter::new({
        let all_counts = all_counts.clone();
        move |most| all_counts().encode(most)
    }));
    let backlog = Arc::new(Backlog::of(addresses.len()));
    let client = |stop: Stop| {
        let console = console.clone();
        Client::new(&context, addresses, stop, move |sentence| console.warn(sentence))
            .reporting(Arc::clone(&reporter))
            .noting(&backlog)
    };
    // The worker greets the queue first, because opening a sink may take longer than the work on a short input.
    let mut first = client(stop.clone());
    first.hello()?;
    let waits = waits(options.deadline, &stop, &console);
    let sinks = options.open_sinks(&waits, &formats).inspect_err(|_| first.bye(Vec::new()))?;
    manager.ready(&format!("{} threads ask for lines", options.workers.first), &[]);
    let dead_letters = Arc::new(DeadLetters::with_waits(&options.dead_letters, &waits));
    let storer = Arc::new(Storer::new(sinks, dead_letters).counted_in(watch.map(QueueWatch::in_flight)));
    let storer = stores.get_or_init(|| storer);
    let gauges = Arc::new(Gauges::default());
    let status = print_status(options.status_interval, &console, {
        let (gauges, counts, backlog) = (Arc::clone(&gauges), Arc::clone(&counts), Arc::clone(&backlog));
        move || StatusNow::of_pool(&gauges, &counts, backlog.bytes())
    });
    let pool = WorkerPool {
        workers: options.workers.into(),
        scaling: options.scaling,
        formats: Arc::clone(&formats),
        storer: Arc::clone(storer),
        counts: Arc::clone(&counts),
        storing: options.storing(),
        stop: stop.clone(),
        gauges,
    };
    let started = Instant::now();
    let first = std::sync::Mutex::new(Some(first));
    let leases = |_index: usize, stop: Stop| -> Box<dyn LeaseClient> {
        let first = first.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        Box::new(first.map_or_else(|| client(stop.clone()), |first| first.stopping_with(&stop)))
    };
    let PoolResult { mut errors, saw_end } = pool.work(&Hooks {
        leases: &leases,
        failed: &|| {},
        // The client of a worker waits for its stop as well as for its queue.
        leaving: &|| {},
        backlog: &|| backlog.bytes(),
        say: &|sentence| console.say(sentence),
    });
    let elapsed = started.elapsed();
    drop(status);
    errors.extend(storer.close());
    let queues = addresses.iter().map(|address| address.endpoint.to_string());
    // The queue knows why such a worker ends before the end.
    let left = watch.is_some_and(QueueWatch::was_asked_to_leave);
    let stopped: Vec<StoppedInput> = match saw_end || left || !errors.is_empty() {
        true => Vec::new(),
        false => queues.map(|name| StoppedInput { name, offset: None }).collect(),
    };
    if let Some(first) = stopped.first() {
        let what = "stopped before the queue had come to its end; the leased lines are stored or given back";
        errors.push(Error::wire(format!("{}: {what}", first.name)));
    }
    let errors = say_errors(&errors, &console);
    let receipt = Receipt::new(&all_counts(), elapsed, errors);
    Ok(receipt.with_rest(stopped, Vec::new()))
}
