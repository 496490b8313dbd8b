//! Reads the log of one container through the API of the Engine.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::checks::Checks;
use super::container::Container;
use super::counters::{RECONNECTED, REPEATED};
use super::engine::{Answer, LogQuery, Next};
use super::frames::Broken;
use super::handing::Handing;
use super::record_reader::{Record, RecordReader};
use super::shared::Shared;
use crate::core::error::{Error, Result};
use crate::core::printable;
use crate::observe::receipt::Loss;

/// A container that is read through the API.
pub struct ApiContainer<'a> {
    container: Container,
    handing: Mutex<Handing<'a>>,
    /// The number of times that it began to run, as far as is known.
    starts: AtomicU64,
    /// Whether a thread reads it.
    is_reading: AtomicBool,
}

/// How the reading of an answer ended.
enum Ended {
    /// The Engine has sent everything.
    Whole,
    /// The connection was cut, or the Engine reports an error: why.
    Cut(String),
    /// No more records are wanted.
    Unwanted,
}

impl<'a> ApiContainer<'a> {
    /// Reads `container`, after the place that `handing` knows.
    pub fn new(container: Container, handing: Handing<'a>) -> ApiContainer<'a> {
        let (handing, starts) = (Mutex::new(handing), AtomicU64::new(0));
        ApiContainer { container, handing, starts, is_reading: AtomicBool::new(false) }
    }

    /// Records that the container runs. Returns whether a thread has to be started that [reads](ApiContainer::work) it.
    pub fn begins(&self) -> bool {
        self.starts.fetch_add(1, Ordering::SeqCst);
        !self.is_reading.swap(true, Ordering::SeqCst)
    }

    /// Reads the container until it has ended and does not run again.
    pub fn work(&self, shared: &Shared<'_>) {
        loop {
            let seen = self.starts.load(Ordering::SeqCst);
            {
                let mut handing = self.handing.lock().unwrap_or_else(PoisonError::into_inner);
                let read = self.read(&mut handing, shared);
                // A reading that failed has left records.
                read.and(self.end(None, &mut handing, shared)).unwrap_or_else(|error| shared.fail(error));
            }
            self.is_reading.store(false, Ordering::SeqCst);
            let is_over = seen == self.starts.load(Ordering::SeqCst) || shared.engine.stop().is_requested();
            if is_over || self.is_reading.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }

    fn read(&self, handing: &mut Handing<'_>, shared: &Shared<'_>) -> Result<()> {
        let (engine, id, name) = (shared.engine, &self.container.id, self.container.shown());
        let is_over = |handing: &Handing<'_>| engine.stop().is_requested() || !handing.is_wanted();
        let mut checks = Checks::new(&self.container);
        let (mut pauses, mut is_told) = (shared.pauses(), false);
        while !is_over(handing) {
            let since = handing.position.ask().or(shared.options.since);
            let came = handing.bytes;
            let mut reader = None;
            let ended = match engine.logs(id, LogQuery { follow: shared.options.follow, since, until: None }) {
                Ok(None) => return Ok(()),
                Ok(Some(answer)) => {
                    let is_terminal = match answer.head.content_type.as_str() {
                        form if form.ends_with(".raw-stream") && engine.tells_form() => true,
                        form if form.ends_with(".multiplexed-stream") => false,
                        _ => self.container.tty,
                    };
                    let reader = reader.insert(RecordReader::new(is_terminal, handing.max_line()));
                    self.read_answer(answer, reader, handing, &mut checks, shared)?
                }
                Err(error) => Ended::Cut(error.to_string()),
            };
            shared.counts.add(&REPEATED, std::mem::take(&mut handing.repeated));
            if matches!(ended, Ended::Unwanted) || engine.stop().is_requested() {
                self.end(reader, handing, shared)?;
                return checks.end(&self.container, handing, shared);
            }
            let running = if shared.options.follow { self.is_running(shared) } else { Some(false) };
            match ended {
                // A line without a newline is whole if its container has ended.
                Ended::Whole if running == Some(false) => {
                    self.end(reader, handing, shared)?;
                    return checks.end(&self.container, handing, shared);
                }
                Ended::Cut(why) if !shared.options.follow => {
                    return Err(Error::input(format!("{name}: its log was not read to its end: {why}")));
                }
                Ended::Cut(why) => {
                    if !std::mem::replace(&mut is_told, true) {
                        shared.say.warn(format!("{name}: the reading of its log was interrupted, and goes on: {why}"));
                    }
                    shared.counts.add(&RECONNECTED, 1);
                }
                Ended::Whole | Ended::Unwanted => {}
            }
            if handing.bytes > came {
                (pauses, is_told) = (shared.pauses(), false);
            }
            pauses.wait();
        }
        Ok(())
    }

    /// Whether the container runs; `None` if the Engine does not say.
    fn is_running(&self, shared: &Shared<'_>) -> Option<bool> {
        match shared.engine.inspect(&self.container.id) {
            Ok(container) => Some(container.is_some_and(|container| container.running)),
            Err(error) => {
                log::debug!("{error}");
                // The Engine may come back with another version of its API.
                let _ = shared.engine.negotiate();
                None
            }
        }
    }

    fn read_answer(
        &self,
        mut answer: Answer,
        reader: &mut RecordReader,
        handing: &mut Handing<'_>,
        checks: &mut Checks,
        shared: &Shared<'_>,
    ) -> Result<Ended> {
        let mut bytes = Vec::new();
        let name = self.container.shown();
        let mut untimed = 0;
        loop {
            bytes.clear();
            match answer.read(&mut bytes, handing.until()) {
                Ok(Next::More) => {}
                Ok(Next::End) => {
                    handing.flush_ended()?;
                    return Ok(Ended::Whole);
                }
                Ok(Next::Stopped) => {
                    handing.flush_ended()?;
                    return Ok(Ended::Unwanted);
                }
                Ok(Next::Nothing) => {
                    handing.pause()?;
                    checks.run(&self.container, handing, shared)?;
                    continue;
                }
                Ok(Next::Cut) => {
                    handing.flush_ended()?;
                    return Ok(Ended::Cut("the connection was closed".to_owned()));
                }
                Err(error) => {
                    handing.flush_ended()?;
                    return Ok(Ended::Cut(error.to_string()));
                }
            }
            shared.progress.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            let mut failed = Ok(());
            let fed = reader.feed(&bytes, &mut |record: Record<'_>| {
                checks.came(&record);
                if failed.is_ok() {
                    failed = handing.take(&record).map(drop);
                }
            });
            failed?;
            if reader.untimed() > untimed {
                if untimed == 0 {
                    let sentence = "parts of its log have no time of their own, and get the time before them";
                    shared.say.warn(format!("{name}: {sentence}"));
                }
                untimed = reader.untimed();
            }
            if let Err(broken) = fed {
                handing.flush_ended()?;
                return Ok(match broken {
                    Broken::Told(words) => {
                        // The Engine could not read its own files further.
                        shared.accounts.lose(&self.container.id, Loss::Unknown);
                        Ended::Cut(format!("the Engine says: {}", printable::line(&words)))
                    }
                    Broken::Malformed(what) => return Err(shared.engine.wrong(&format!("{name}: {what}"))),
                });
            }
            handing.flush_overdue()?;
            if !handing.is_wanted() {
                return Ok(Ended::Unwanted);
            }
            checks.run(&self.container, handing, shared)?;
        }
    }

    /// Hands on all records, also those that have no end. After a stop with a state, it leaves the open ones: the next run reads
    /// them again, as a whole.
    fn end(&self, reader: Option<RecordReader>, handing: &mut Handing<'_>, shared: &Shared<'_>) -> Result<()> {
        if shared.is_resumed && shared.engine.stop().is_requested() {
            return handing.flush_ended();
        }
        let mut failed = Ok(());
        if let Some(mut reader) = reader {
            reader.end(&mut |record| {
                if failed.is_ok() {
                    failed = handing.take(&record).map(drop);
                }
            });
        }
        failed?;
        handing.flush()
    }
}
