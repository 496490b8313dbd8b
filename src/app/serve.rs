//! `logator-queue`: reads lines, hands them out to workers in other processes, and reports refused workers.

use std::sync::Arc;
use std::time::Duration;

use super::account::{close_account, queue_with};
use super::counters::lists;
use super::messages::waits;
use super::open_files::raise_limit;
use super::options::SourceOptions;
use super::reading::{OpenSources, Reading, stop_input};
use super::signal_handlers::reload_keys_on_hangup;
use super::spawn::folder::QueueFolder;
use super::spawn::{SpawnOptions, Spawned, WorkersQueue};
use super::status::{StatusNow, print_status};
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::core::numbers::grouped;
use crate::core::stop::{Stop, Waker};
use crate::core::wait::Deadline;
use crate::dead_letter::{DeadLetters, Letter, Reason};
use crate::envelope::{Identified, Identifier};
use crate::net::auth::Security;
use crate::net::endpoint::Endpoint;
use crate::net::server::burials::Burials;
use crate::net::server::{Event, Server, Workers};
use crate::observe::console::Console;
use crate::observe::counters::{
    BURIED, DROPPED_MESSAGES, FAILED_HANDSHAKES, LATE_ACKS, REDELIVERED, REFUSED_REQUESTS, Row, Snapshot, UNAUTHORIZED,
};
use crate::observe::receipt::Receipt;
use crate::observe::service_manager::Manager;
use crate::process::signals;
use crate::queue::Limits;
use crate::queue::poison::TrackedBatch;
use crate::queue::shared::SharedQueue;
use crate::source::live::Live;
use crate::source::{ReadOptions, ReadOutcome};

/// How a queue serves.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The endpoints at which the queue listens.
    pub endpoints: Vec<Endpoint>,
    /// Whether the queue works without these endpoints, because the workers that it starts ask at a private endpoint.
    pub optional: bool,
    /// The keys of both sides. Without keys, every peer that reaches an endpoint is accepted.
    pub security: Option<Security>,
    /// The time after which a lease runs out.
    pub lease: Duration,
    /// The time that the queue stays after the last ack, for late workers.
    pub linger: Duration,
    /// The time after a signal in which the queue still hands out lines and waits for acks.
    pub drain: Duration,
    /// The file of dead letters: lines that are too long, and lines on which workers are lost.
    pub dead_letters: std::path::PathBuf,
    /// The longest wait for this file and for the journal of the state.
    pub deadline: Deadline,
    /// The workers that the queue starts.
    pub spawn: Option<SpawnOptions>,
    /// The time between two lines on the state of the job; `None` for no such lines.
    pub status_interval: Option<Duration>,
}

/// Serves until every line is accounted for. `on_receipt` gets the receipt at that time. After that the queue stays for late
/// workers.
///
/// # Errors
/// The job cannot start: a missing input or an endpoint in use.
pub fn serve(
    source: &SourceOptions,
    options: &ServeOptions,
    mut console: Console,
    on_receipt: &mut dyn FnMut(&Receipt),
) -> Result<Receipt> {
    let found = source.find(&console)?;
    let state = source.open_state(&console)?;
    // libzmq does not report that the limit is reached: it tries to accept connections again and again.
    let connections = raise_limit();
    let folder = options.spawn.as_ref().map(|_| QueueFolder::make()).transpose()?;
    let own = folder.as_ref().map(QueueFolder::endpoint);
    let server = bind(options, own.as_ref(), &console)?;
    let shared: Vec<&Endpoint> = server.endpoints().iter().filter(|endpoint| own.as_ref() != Some(endpoint)).collect();
    let waker = Arc::new(Waker::new()?);
    let limits = source.limits(Limits { lease: Some(options.lease), ..Limits::default() });
    let notify = Arc::clone(&waker);
    let shared_queue = SharedQueue::new(limits, Some(Box::new(move || notify.wake())))?;
    let (queue, settlement) = queue_with(state.as_ref(), shared_queue);

    let manager = Manager::of_environment();
    let abort = Stop::new()?;
    let live = Live::new(Stop::new()?);
    let waits = waits(options.deadline, &live.stop, &console);
    let dead_letters = Arc::new(DeadLetters::with_waits(&options.dead_letters, &waits));
    signals::request_stop(&live.stop, {
        let (live, queue, console, manager) = (live.clone(), Arc::clone(&queue), console.clone(), manager.clone());
        let (abort, drain) = (abort.clone(), options.drain);
        move |signal| {
            let seconds = drain.as_secs();
            manager.stopping("reading has stopped, workers finish what was read");
            console.say(format!(
                "{signal}: reading stops, workers have {seconds} s to finish what was read; a second signal ends at once"
            ));
            stop_input(&live, &queue, drain);
            let abort = abort.clone();
            let wait = move || {
                std::thread::sleep(drain);
                abort.request();
            };
            let _ = std::thread::Builder::new().name("drain".into()).spawn(wait);
        }
    })?;

    reload_keys_on_hangup(options.security.as_ref(), &console)?;
    if connections < FEW_CONNECTIONS {
        console.warn(format!(
            "this process may have no more than {connections} open files, and each worker thread is one; ulimit -n, or \
             LimitNOFILE= of systemd, sets how many"
        ));
    }
    for endpoint in &shared {
        console.say(format!("lines are handed out at {endpoint}"));
    }
    let letters = Arc::clone(&dead_letters);
    let read = ReadOptions { settlement, ..source.read_options(&live, &console) };
    let reading = Reading::start(OpenSources::open(found, &read)?, read, Arc::clone(&queue), letters, state.clone())?;
    let progress = console.progress({
        let (position, queue) = (Arc::clone(&reading.position), Arc::clone(&queue));
        move || {
            let (read, total) = position.get();
            (read, total, queue.counts())
        }
    });
    let workers = Arc::new(Workers::default());
    let mut status_lines = print_status(options.status_interval, &console, {
        let (workers, queue) = (Arc::clone(&workers), Arc::clone(&queue));
        move || StatusNow {
            workers: workers.peers(),
            backlog: queue.held_bytes().0 as u64,
            in_flight: queue.leased(),
            limit: None,
            lines: queue.counts().tally().total(),
        }
    });
    let spawned = match options.spawn.as_ref().zip(folder.as_ref()) {
        Some((spawn, folder)) => {
            let key = options.security.as_ref().map(|security| security.pair.public());
            let peers = Arc::clone(&workers);
            let waiting = move || peers.idle().look();
            let own = WorkersQueue { queue: &queue, folder, key, linger: options.linger };
            Some(Spawned::start(spawn, own, &abort, &console, waiting)?)
        }
        None => None,
    };

    // The queue is bound, its inputs are open or watched, and its workers are started: now only the work itself can fail.
    let places: Vec<String> = shared.iter().map(ToString::to_string).collect();
    let status = match &places[..] {
        [] => "lines are handed out to workers of this queue".to_owned(),
        places => format!("lines are handed out at {}", places.join(" and ")),
    };
    reading.wait_until_ready();
    manager.ready(&status, &[places, reading.addresses.clone()].concat());
    let mut progress = progress;
    let mut receipt = None;
    let mut finish = |failure: Option<Error>| {
        drop((progress.take(), status_lines.take()));
        if receipt.is_some() {
            return;
        }
        let read = reading.outcome();
        let sentence = read.stopped_sentence();
        let ReadOutcome { mut errors, stopped, unread, containers, left_out } = read;
        errors.extend(sentence);
        if queue.outstanding_lines() > 0 {
            errors.push(Error::wire("the workers did not finish what was read"));
        }
        errors.extend(failure);
        let closed =
            close_account(&queue, state.as_deref(), &waits, errors, rows_of(&workers, reading.sources()), &console)
                .with_rest(stopped, unread)
                .with_containers(containers)
                .with_left_out(left_out);
        manager.status(&format!("{} lines accounted for, staying for late workers", grouped(closed.tally.total())));
        on_receipt(&closed);
        receipt = Some(closed);
    };
    let (letters, said, wake) = (Arc::clone(&dead_letters), console.clone(), Arc::clone(&waker));
    let write_letter = Box::new(move |line: &TrackedBatch| write_poison(line, &letters, &said));
    let burials = Burials::start(Arc::clone(&queue), write_letter, Box::new(move || wake.wake()))?;
    let mut on_event = |event| match event {
        Event::Finished => finish(None),
        Event::Refused { key, address } => {
            let list = options.security.as_ref().map(|security| security.authorized.path().display().to_string());
            let list = list.unwrap_or_default();
            console.warn(format!("a worker at {address} was refused: its key {key} is not in {list}"));
        }
    };
    let identity = state.as_ref().map_or_else(|| fastrand::u64(..), |state| state.identity());
    let served = server.serve(&queue, &waker, &abort, options.linger, &mut on_event, &burials, identity, &workers);
    let mut counts = served.as_ref().cloned().unwrap_or_default();
    if abort.is_requested() {
        // No worker takes lines any more, so readers that wait for room in the queue must end.
        live.stop.request();
        queue.stop();
    }
    // The sockets close first. A worker that says goodbye then sees that the queue has ended, and does not wait for an answer.
    drop(server);
    let failures = spawned.map(|spawned| spawned.finish()).unwrap_or_default();
    finish(served.err().or(failures));
    counts.merge(queue.counts());
    let count = |spec| counts.get(spec);
    let warn = |amount, sentence: String| {
        if amount > 0 {
            console.warn(sentence);
        }
    };
    let (dropped, refused) = (count(&DROPPED_MESSAGES), count(&REFUSED_REQUESTS));
    warn(
        dropped + refused,
        format!(
            "{} messages of unknown peers were dropped, {} malformed requests refused",
            grouped(dropped),
            grouped(refused)
        ),
    );
    let (unauthorized, failed) = (count(&UNAUTHORIZED), count(&FAILED_HANDSHAKES));
    warn(
        unauthorized + failed,
        format!(
            "{} connections with keys that are not authorized were refused, {} connections failed in the handshake",
            grouped(unauthorized),
            grouped(failed)
        ),
    );
    let (buried, path) = (count(&BURIED), options.dead_letters.display());
    warn(buried, format!("{} lines that workers were lost on are in {path}", grouped(buried)));
    let (redelivered, late) = (count(&REDELIVERED), count(&LATE_ACKS));
    warn(
        redelivered,
        format!("{} batches were handed out again; {} acks came too late", grouped(redelivered), grouped(late)),
    );
    receipt.ok_or_else(|| Error::internal("a queue ended without its receipt"))
}

/// Listens at the endpoints of `options`, and at `own` for the workers that the queue starts.
fn bind(options: &ServeOptions, own: Option<&Endpoint>, console: &Console) -> Result<Server> {
    let endpoints: Vec<Endpoint> = options.endpoints.iter().chain(own).cloned().collect();
    match (Server::bind(&endpoints, options.security.as_ref()), own) {
        (Err(error), Some(own)) if options.optional => {
            console.say(format!("only the workers that this queue starts get lines: {error}"));
            Server::bind(std::slice::from_ref(own), options.security.as_ref())
        }
        (bound, _) => bound,
    }
}

/// Returns the counts of patterns and sinks that workers have reported, and those of `sources`.
fn rows_of(workers: &Workers, sources: Vec<Row>) -> Vec<Row> {
    let mut all = Snapshot::default();
    for report in workers.reports_in_order() {
        match Snapshot::decode(&report.counters, &lists()) {
            Ok(snapshot) => all.merge(snapshot),
            Err(_) => log::debug!("{}, process {}: its counters cannot be read", report.host, report.pid),
        }
    }
    all.into_rows().into_iter().chain(sources).collect()
}

/// A lower limit on open files gets a warning.
const FEW_CONNECTIONS: u64 = 1024;

/// Returns the letter of a poison line.
fn letter<'a>(batch: &Batch, found: &'a Identified<'_>, detail: &'a str) -> Letter<'a> {
    Letter {
        id: found.id,
        context: found.context,
        offset: found.offset,
        line: batch.line_of(found.index, found.offset),
        key: found.key,
        reason: Reason::Poison,
        detail,
        pattern: None,
        explain: None,
        raw: &found.record,
        length: found.record.len() as u64,
        partial: batch.is_partial(found.index),
        multiline_cut: batch.is_closed(found.index),
    }
}

/// Writes the dead letter of a line on which workers are lost.
fn write_poison(line: &TrackedBatch, dead_letters: &DeadLetters, console: &Console) -> Result<()> {
    let TrackedBatch { batch, history, .. } = line;
    let detail = format!(
        "workers were lost on the line: {} leases ran out, {:.1} s in all, the last on this line alone",
        history.expired,
        history.held.as_secs_f64()
    );
    let place = format!("{}: line at byte {}", batch.context.origin.name, batch.offset);
    let records = Identifier::new()?.records(batch);
    let letters: Vec<Letter<'_>> = records.iter().map(|record| letter(batch, record, &detail)).collect();
    match dead_letters.write(&letters) {
        Ok(()) => console.error(format!("{place}: {detail}; it is in {}", dead_letters.path().display())),
        Err(error) => {
            let error =
                Error::new(error.kind(), format!("{place}: {detail}, and its dead letter cannot be written: {error}"));
            console.error(error.to_string());
            return Err(error);
        }
    }
    Ok(())
}
