//! `logator-probe`: requests URLs on a schedule and stores a document for each request.
//!
//! | file | content |
//! |---|---|
//! | `options` | what the user chose |
//! | `file` | reads the file with the URLs |
//! | `delivery`, `outbox`, `storing` | documents on their way to the sinks: a thread and a bounded memory for each sink |
//! | `probed` | the account |

mod delivery;
mod file;
mod options;
mod outbox;
mod probed;
mod storing;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use self::delivery::Delivery;
pub use self::options::ProbeOptions;
pub use self::probed::{PROBE, Probed};
use super::account::say_errors;
use super::messages::waits;
use super::open_files;
use crate::core::calendar::now_ms;
use crate::core::error::{Error, Result};
use crate::core::numbers::grouped;
use crate::core::stop::Stop;
use crate::dead_letter::DeadLetters;
use crate::observe::console::Console;
use crate::observe::receipt::{Counted, resource_usage};
use crate::observe::service_manager::Manager;
use crate::probe::document::{HopDocument, UrlOrigin, sentence, typed_fields};
use crate::probe::engine::Waker;
use crate::probe::list::List;
use crate::probe::prober::{Done, Prober, Repeat};
use crate::process::signals;
use crate::sink::Opening;

/// What the program does after a signal.
const UNTIL_THE_END: &str = "requests that are in the air come to their end";

/// Requests the URLs until each was requested once, or a signal comes. Errors during the work are part of the account.
///
/// # Errors
/// The job cannot start: a file without a URL, with `strict` a line that cannot be read, or a sink that cannot be opened.
pub fn probe(options: &ProbeOptions, console: &Console) -> Result<Probed> {
    let (started, began) = (Instant::now(), now_ms());
    let list = file::read(&options.file)?;
    if options.strict
        && let Some(error) = file::refusal(&options.file, &list)
    {
        return Err(error);
    }
    file::say_wrong_lines(&options.file, &list, console);
    let wrong_lines = list.wrong.len() as u64;
    open_files::raise_limit();
    let stop = Stop::new()?;
    let manager = Manager::of_environment();
    let waits = waits(options.deadline, &stop, console);
    // SIGTERM ends the opening of a sink that does not answer.
    stop_on_signals(&stop, &manager, console, None)?;
    let fields = typed_fields()?;
    let opening = Opening {
        fields: Some(&fields),
        options: options.sink_options.clone(),
        memory: options.max_memory / options.sinks.len().max(1),
        ..Opening::new(&waits)
    };
    let sinks = options.sinks.iter().map(|spec| spec.open(&opening)).collect::<Result<Vec<_>>>()?;
    let dead_letters = Arc::new(DeadLetters::with_waits(&options.dead_letters, &waits));
    let prober = Prober::new(list, &options.engine, options.queue, options.repeat)?;
    let waker = prober.waker();
    stop_on_signals(&stop, &manager, console, Some(waker.clone()))?;
    let failed = {
        let (stop, waker) = (stop.clone(), waker.clone());
        move || {
            stop.request();
            waker.wake();
        }
    };
    let delivery = Delivery::start(sinks, options.max_memory, &dead_letters, console, failed)?;
    let renewed = Renewed::default();
    if options.repeat == Repeat::Always {
        renewed.follow_signals(&options.file, waker, console)?;
    }
    manager.ready(&format!("{} URLs are requested", grouped(prober.urls() as u64)), &[]);
    let mut job =
        Job { prober, delivery, origins: BTreeMap::new(), probed: Probed { wrong_lines, ..Probed::default() } };
    // A panic ends the program with an error and an account, as that of any other thread does.
    let worked = catch_unwind(AssertUnwindSafe(|| job.work(options, &stop, &renewed, &manager, console)))
        .unwrap_or_else(|_| Err(Error::internal("the thread that makes requests panicked")));
    let Job { prober, delivery, mut probed, .. } = job;
    let delivered = delivery.finish(&stop);
    probed.urls = prober.summary();
    probed.missed = probed.urls.0.iter().map(|url| url.missed).sum();
    (probed.dropped, probed.unstored) = (delivered.dropped, delivered.unstored);
    probed.dead_lettered = delivered.dead_lettered;
    probed.sinks = delivered.sinks.iter().map(Counted::from).collect();
    let errors: Vec<Error> = worked.err().into_iter().chain(delivered.errors).collect();
    probed.errors = say_errors(&errors, console);
    probed.finished = probed.errors.is_empty();
    probed.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    probed.times = (began, now_ms());
    (probed.cpu_seconds, probed.peak_memory_bytes) = resource_usage();
    Ok(probed)
}

/// Lets a signal request `stop`, and wakes the thread that makes requests.
fn stop_on_signals(stop: &Stop, manager: &Manager, console: &Console, waker: Option<Waker>) -> Result<()> {
    let (console, manager) = (console.clone(), manager.clone());
    signals::request_stop(stop, move |signal| {
        manager.stopping(UNTIL_THE_END);
        console.say(format!("{signal}: {UNTIL_THE_END}; a second signal ends at once"));
        waker.iter().for_each(Waker::wake);
    })
}

/// The list that SIGHUP has read, until the thread that makes requests takes it.
#[derive(Clone, Default)]
struct Renewed(Arc<Mutex<Option<List>>>);

impl Renewed {
    /// Lets each SIGHUP read the file at `path` again. A file with a line that cannot be read changes nothing.
    fn follow_signals(&self, path: &Path, waker: Waker, console: &Console) -> Result<()> {
        let (renewed, path, console) = (self.clone(), path.to_owned(), console.clone());
        signals::on_hangup(move || {
            let read = file::read(&path).and_then(|list| match file::refusal(&path, &list) {
                Some(error) => Err(error),
                None => Ok(list),
            });
            match read {
                Ok(list) => {
                    renewed.0.lock().unwrap_or_else(PoisonError::into_inner).replace(list);
                    waker.wake();
                }
                Err(error) => console.error(format!("SIGHUP: the URLs stay as they were: {error}")),
            }
        })
    }

    fn take(&self) -> Option<List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The work of the thread that makes requests: it also makes the documents and hands them to the sinks.
struct Job {
    prober: Prober,
    delivery: Delivery,
    /// The origins of documents, by target.
    origins: BTreeMap<u32, UrlOrigin>,
    probed: Probed,
}

impl Job {
    fn work(
        &mut self,
        options: &ProbeOptions,
        stop: &Stop,
        renewed: &Renewed,
        manager: &Manager,
        console: &Console,
    ) -> Result<()> {
        let mut done = Vec::new();
        let mut left = None;
        loop {
            if left.is_none() && stop.is_requested() {
                left = Some(self.prober.stop());
            }
            if let Some(list) = renewed.take().filter(|_| left.is_none()) {
                let changed = self.prober.follow(list);
                let urls = grouped(self.prober.urls() as u64);
                manager.status(&format!("{urls} URLs are requested"));
                console.answer(format!(
                    "SIGHUP: {} is read again: {urls} URLs; {} are new, {} are removed, {} have another delay, {} stay as they were",
                    options.file.display(),
                    changed.added,
                    changed.removed.len(),
                    changed.other_interval,
                    changed.kept,
                ));
            }
            let goes_on = self.prober.turn(&mut done)?;
            for request in done.drain(..) {
                self.take(&request, options, console);
            }
            if !goes_on {
                break;
            }
        }
        match left {
            Some(urls @ 1..) => {
                Err(Error::input(format!("stopped before {} URLs were requested", grouped(urls as u64))))
            }
            _ => Ok(()),
        }
    }

    /// Counts a request, and gives its documents to the sinks.
    fn take(&mut self, done: &Done, options: &ProbeOptions, console: &Console) {
        let Job { delivery, origins, probed, .. } = self;
        let origin = origins.entry(done.target).or_insert_with(|| UrlOrigin::new(&done.entry.identity()));
        let name = done.entry.request.name.as_deref();
        let hops = u32::try_from(done.hops.len()).unwrap_or(u32::MAX);
        probed.requests += 1;
        probed.failed += u64::from(done.hops.last().is_some_and(|hop| hop.error.is_some()));
        for (number, hop) in (1..).zip(&done.hops) {
            let document = HopDocument {
                hop,
                number,
                hops,
                name,
                scheduled_at: done.scheduled_at,
                lateness: done.lateness,
                missed: done.missed,
            };
            let id = origin.id(done.scheduled_at, number);
            delivery.deliver(id, origin.context(), |event| document.fill(event));
            probed.documents += 1;
            if options.verbose {
                console.say(sentence(hop, name));
            }
        }
    }
}
