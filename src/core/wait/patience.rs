//! Waiting for one resource: its name, its deadline, and the trouble that it has at the moment.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::deadline::Deadline;
use super::shared::Waits;
use crate::core::error::{Error, Result};

/// How long a trouble lasts before the user is told.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// How long a wait may still go on after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// If an attempt begins at least this long after the last attempt was given up, it has the whole time again, because
/// the trouble may be over.
const FORGET_AFTER: Duration = Duration::from_secs(1);

/// The interval at which a waiting thread checks whether the wait has to end.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The words in which messages speak of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The words for a failure: `not stored` in `not stored within 60 s`.
    pub not: &'static str,
    /// The words for the end of the trouble: `stores again`.
    pub again: &'static str,
}

impl Words {
    /// For a sink, which stores documents.
    pub const STORED: Words = Words { not: "not stored", again: "stores again" };
    /// For the file of dead letters and for the journal.
    pub const WRITTEN: Words = Words { not: "not written", again: "can be written again" };
    /// For a file or a server that the job has to open.
    pub const OPENED: Words = Words { not: "not opened", again: "can be used now" };
}

/// The patience of a job with one resource. See the [module](super).
#[derive(Debug)]
pub struct Patience {
    waits: Waits,
    name: String,
    words: Words,
    /// A deadline that replaces the job's, and the name of its setting.
    deadline: Option<(Duration, &'static str)>,
    /// Whether the resource is the reader of standard output.
    is_reader: bool,
    /// Whether there is trouble. Without trouble no thread has to take the lock of `trouble`.
    has_trouble: AtomicBool,
    trouble: Mutex<Trouble>,
}

/// The trouble that a resource has at the moment.
#[derive(Debug, Default)]
struct Trouble {
    /// When the first attempt failed.
    since: Option<Instant>,
    /// Whether the user was told.
    said: bool,
    /// When an attempt was last given up.
    given_up: Option<Instant>,
}

/// One attempt to use a resource. See the [module](super).
#[derive(Debug)]
pub struct Wait<'a> {
    patience: &'a Patience,
    started: Instant,
}

/// The reason why a wait was given up, as a sentence for the user. The trouble is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended(pub String);

impl Waits {
    /// Creates the patience with one resource. `name` is the resource's name as users know it.
    pub fn patience(&self, name: impl Into<String>, words: Words) -> Patience {
        Patience {
            waits: self.clone(),
            name: name.into(),
            words,
            deadline: None,
            is_reader: false,
            has_trouble: AtomicBool::new(false),
            trouble: Mutex::default(),
        }
    }
}

impl Patience {
    /// Replaces the job's deadline by `deadline`. `setting` is the name of the flag or parameter that sets it.
    pub fn with_deadline(self, deadline: Duration, setting: &'static str) -> Patience {
        Patience { deadline: Some((deadline, setting)), ..self }
    }

    /// Says that the resource is the reader of standard output.
    pub fn with_reader(self) -> Patience {
        Patience { is_reader: true, ..self }
    }

    /// Returns whether the job waits without a limit: the resource is a reader, and the user set no deadline.
    fn is_unlimited_reader(&self) -> bool {
        self.is_reader && self.waits.deadline() == Deadline::default()
    }

    /// Returns the name of the resource.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins an attempt.
    pub fn begin(&self) -> Wait<'_> {
        if self.has_trouble.load(Ordering::Relaxed) {
            let mut trouble = self.trouble();
            if trouble.given_up.is_some_and(|at| at.elapsed() > FORGET_AFTER) {
                *trouble = Trouble { said: trouble.said, ..Trouble::default() };
            }
        }
        Wait { patience: self, started: Instant::now() }
    }

    /// Notes that the resource has answered: the trouble is over.
    pub fn over(&self) {
        if self.has_trouble.load(Ordering::Relaxed) {
            self.has_trouble.store(false, Ordering::Relaxed);
            let trouble = std::mem::take(&mut *self.trouble());
            if trouble.said {
                self.waits.say(&format!("{}: {}", self.name, self.words.again));
            }
        }
    }

    /// Makes a call that only the kernel can end (a write, a sync). If the call takes more than a second, the user is told.
    pub fn call<T>(&self, doing: &str, call: impl FnOnce() -> T) -> T {
        let sentence = format!("{}: the disk takes long to {doing}; nothing but the disk can end that", self.name);
        let (result, said) = self.waits.call(sentence, call);
        if said {
            self.waits.say(&format!("{}: {}", self.name, self.words.again));
        }
        result
    }

    fn limit(&self) -> Option<Duration> {
        if self.is_unlimited_reader() {
            return None;
        }
        self.deadline.map(|(most, _)| most).or(self.waits.deadline().get())
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait<'_> {
    /// Notes that the attempt has failed, because of `reason`, and returns if there is time for another attempt. After a
    /// second of trouble the user is told the reason.
    ///
    /// # Errors
    /// The time is over. The error is a sentence for the user.
    pub fn check(&self, reason: &str) -> Result<(), Ended> {
        self.note(reason, REPORT_AFTER)
    }

    /// Does the same as [`check`](Wait::check), but tells the user at once and not after a second.
    ///
    /// # Errors
    /// The errors of [`check`](Wait::check).
    pub fn check_aloud(&self, reason: &str) -> Result<(), Ended> {
        self.note(reason, Duration::ZERO)
    }

    fn note(&self, reason: &str, report_after: Duration) -> Result<(), Ended> {
        let Patience { waits, name, has_trouble, .. } = self.patience;
        let now = Instant::now();
        let mut trouble = self.patience.trouble();
        let since = *trouble.since.get_or_insert(now);
        has_trouble.store(true, Ordering::Relaxed);
        let (end, by_signal) = self.end(since);
        if end.is_some_and(|end| now >= end) {
            trouble.given_up = Some(now);
            return Err(self.ended(reason, since, by_signal));
        }
        let is_silent = self.patience.is_unlimited_reader() && std::io::stderr().is_terminal();
        let say = !trouble.said && now - since >= report_after && !is_silent;
        trouble.said |= say;
        drop(trouble);
        if say {
            let how_long = match end {
                Some(end) => format!("for {} s", (end - now).as_secs_f64().ceil()),
                None => "until it is over".to_owned(),
            };
            waits.say(&format!("{name}: {reason}; trying again {how_long}"));
        }
        Ok(())
    }

    /// Returns when the wait ends at the latest, and whether a signal is the reason.
    fn end(&self, since: Instant) -> (Option<Instant>, bool) {
        let begun = since.min(self.started);
        let by_deadline = self.patience.limit().and_then(|most| begun.checked_add(most));
        let by_signal = self.patience.waits.stopped().map(|stopped| stopped.max(begun) + GRACE);
        match (by_deadline, by_signal) {
            (Some(deadline), Some(signal)) if signal < deadline => (Some(signal), true),
            (None, Some(signal)) => (Some(signal), true),
            (deadline, _) => (deadline, false),
        }
    }

    fn ended(&self, reason: &str, since: Instant, by_signal: bool) -> Ended {
        let not = self.patience.words.not;
        let go_on = "run it again when that is over, nothing acknowledged is lost";
        if by_signal {
            let seconds = since.elapsed().as_secs_f64();
            return Ended(format!(
                "{not}: {reason}; the job was told to stop while it waited, for {seconds:.0} s; {go_on}"
            ));
        }
        let seconds = self.patience.limit().unwrap_or_default().as_secs_f64();
        let setting = self.patience.deadline.map_or("--sink-deadline", |(_, setting)| setting);
        Ended(format!("{not} within {seconds} s: {reason}; {go_on} ({setting} sets how long is waited)"))
    }

    /// Returns how long the wait may still go on; `None` without a limit.
    pub fn left(&self) -> Option<Duration> {
        let since = self.patience.trouble().since.unwrap_or(self.started);
        self.end(since).0.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Notes that the attempt has failed, because of `reason`, and sleeps for `delay`, or until the time is over.
    ///
    /// # Errors
    /// The errors of [`check`](Wait::check).
    pub fn pause(&self, reason: &str, delay: Duration) -> Result<(), Ended> {
        let until = Instant::now() + delay;
        loop {
            self.check(reason)?;
            match until.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return Ok(()),
                Some(rest) => std::thread::sleep(rest.min(CHECK_INTERVAL)),
            }
        }
    }

    /// Does the same as [`pause`](Wait::pause) on an asynchronous runtime.
    ///
    /// # Errors
    /// The errors of [`check`](Wait::check).
    #[cfg(feature = "async")]
    pub async fn pause_async(&self, reason: &str, delay: Duration) -> Result<(), Ended> {
        let until = Instant::now() + delay;
        loop {
            self.check(reason)?;
            match until.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return Ok(()),
                Some(rest) => tokio::time::sleep(rest.min(CHECK_INTERVAL)).await,
            }
        }
    }

    /// Lets `work` go on until it is done or the time is over. `reason` gives the sentence to say when `work` takes long.
    ///
    /// # Errors
    /// The errors of [`check`](Wait::check). `work` is dropped then.
    #[cfg(feature = "async")]
    pub async fn attend<T>(&self, reason: impl Fn() -> String, work: impl Future<Output = T>) -> Result<T, Ended> {
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(CHECK_INTERVAL, &mut work).await {
                return Ok(done);
            }
            self.check(&reason())?;
        }
    }
}

impl Ended {
    /// Returns the error of the resource called `name`.
    pub fn error(self, name: &str) -> Error {
        Error::sink(format!("{name}: {}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::stop::Stop;

    const MS: Duration = Duration::from_millis(1);

    fn recording(deadline: Deadline, stop: Option<Stop>) -> (Waits, Arc<Mutex<Vec<String>>>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&said);
        (Waits::new(deadline, stop, Box::new(move |words| notes.lock().unwrap().push(words.to_owned()))), said)
    }

    /// Another attempt or another thread that meets the same trouble gets no time of its own.
    #[test]
    fn the_time_counts_from_when_the_trouble_began_for_the_job() {
        let waits = Waits::quiet(Deadline::of(150 * MS));
        let patience = waits.patience("x", Words::STORED);
        let start = Instant::now();
        let ended = loop {
            // Every round is a new attempt.
            if let Err(ended) = patience.begin().pause("locked", 10 * MS) {
                break ended;
            }
        };
        assert!(start.elapsed() >= 150 * MS, "{:?}", start.elapsed());
        assert!(ended.0.starts_with("not stored within 0.15 s: locked; run it again"), "{}", ended.0);
        assert!(patience.begin().check("locked").is_err(), "a later attempt gets no time of its own");
        patience.over();
        assert!(patience.begin().check("locked").is_ok(), "after an answer there is the whole time again");
    }

    #[test]
    fn trouble_is_said_once_after_a_second_and_its_end_too() {
        let (waits, said) = recording(Deadline::NONE, None);
        let patience = waits.patience("x", Words::STORED);
        patience.begin().pause("locked", 500 * MS).unwrap();
        patience.over();
        assert!(said.lock().unwrap().is_empty(), "half a second is not said");
        for _ in 0..3 {
            patience.begin().pause("locked", 600 * MS).unwrap();
        }
        patience.over();
        patience.over();
        let said = said.lock().unwrap();
        assert_eq!(*said, ["x: locked; trying again until it is over", "x: stores again"]);
    }

    #[test]
    fn after_a_signal_there_is_a_short_time_left_even_without_a_deadline() {
        let stop = Stop::new().unwrap();
        let (waits, _) = recording(Deadline::NONE, Some(stop.clone()));
        let patience = waits.patience("x", Words::WRITTEN);
        let wait = patience.begin();
        assert_eq!(wait.left(), None);
        stop.request();
        assert!(wait.left().is_some_and(|left| left <= GRACE && left > GRACE / 2));
        let (waits, _) = recording(Deadline::of(20 * MS), Some(stop));
        let patience = waits.patience("x", Words::WRITTEN);
        let ended = patience.begin().pause("locked", GRACE).unwrap_err();
        assert!(
            ended.0.starts_with("not written within 0.02 s: locked"),
            "the deadline comes before the end of the grace: {}",
            ended.0
        );
    }
}
