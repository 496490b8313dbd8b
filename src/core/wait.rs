//! Waiting for what does not answer: a lock, a server, the reader of a pipe, a disk.
//!
//! [`Waits`] is shared by everything in a process that may have to wait. It knows how long a job waits at most
//! ([`Deadline`]), whether a signal asked for the end, and where sentences go. A [`Patience`] belongs to one thing that may
//! be in the way (a sink, the file of dead letters) and is shared by all threads that use it; a [`Wait`] is one attempt.
//!
//! * The time counts from when the trouble began for the job: another thread that meets the same trouble does not begin
//!   anew, and neither does another attempt. [`Patience::over`] ends the trouble.
//! * After a second it is said what is waited for, once for each trouble; and that it is over, if the one was said.
//! * The reader of standard output is a special case: a pager stands still for as long as somebody reads. So it is waited for
//!   without a limit unless one is asked for, and nothing is said about it on a terminal, whose screen the pager has.
//! * After a signal a wait has five seconds left, or what is left of the deadline if that is less.

mod deadline;

use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub use self::deadline::Deadline;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;

/// How long a wait goes on before it is said.
const QUIET: Duration = Duration::from_secs(1);

/// How long a wait may still go on after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// Whoever comes so long after the others have given up begins anew: the trouble may be over.
const ANEW: Duration = Duration::from_secs(1);

/// How often a wait looks whether it has to end.
const GLANCE: Duration = Duration::from_millis(50);

/// Tells a person one sentence.
pub type Say = Box<dyn Fn(&str) + Send + Sync>;

/// What all waits of a process have in common. Cloning shares it.
#[derive(Clone)]
pub struct Waits(Arc<Shared>);

struct Shared {
    deadline: Deadline,
    stop: Option<Stop>,
    /// When a wait saw first that the stop was requested.
    stopped: OnceLock<Instant>,
    say: Say,
    calls: Mutex<Calls>,
    called: Condvar,
}

/// Calls that the kernel may not come back from for a long time, and that nothing can end.
#[derive(Default)]
struct Calls {
    /// When each began, what it waits for, and whether that was said.
    under_way: BTreeMap<u64, (Instant, String, bool)>,
    next: u64,
    /// Whether a thread watches them, and whether it rests.
    watched: bool,
    resting: bool,
}

impl Waits {
    /// Waits up to `deadline`, heeding `stop` if there is one. `say` is told what is waited for.
    pub fn new(deadline: Deadline, stop: Option<Stop>, say: Say) -> Waits {
        let (stopped, calls, called) = (OnceLock::new(), Mutex::default(), Condvar::new());
        Waits(Arc::new(Shared { deadline, stop, stopped, say, calls, called }))
    }

    /// Waits up to `deadline` without a word.
    pub fn quiet(deadline: Deadline) -> Waits {
        Waits::new(deadline, None, Box::new(|_| ()))
    }

    /// The patience with `name`, as a user would recognise it.
    pub fn patience(&self, name: impl Into<String>, words: Words) -> Patience {
        let name = name.into();
        Patience {
            waits: self.clone(),
            name,
            words,
            deadline: None,
            for_reader: false,
            present: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// When a signal came, as far as it was noticed.
    fn stopped(&self) -> Option<Instant> {
        self.0.stop.as_ref().is_some_and(Stop::is_requested).then(|| *self.0.stopped.get_or_init(Instant::now))
    }

    /// Whether a wait goes on until its trouble is over.
    pub fn has_no_deadline(&self) -> bool {
        self.0.deadline == Deadline::NONE
    }

    /// Whether a signal asked for the end.
    pub fn is_stopped(&self) -> bool {
        self.stopped().is_some()
    }

    fn say(&self, sentence: &str) {
        (self.0.say)(sentence);
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call that may take long; `words` says what it waits for.
    fn enter(&self, words: String) -> u64 {
        let mut calls = self.calls();
        calls.next += 1;
        let number = calls.next;
        calls.under_way.insert(number, (Instant::now(), words, false));
        if !calls.watched {
            let waits = self.clone();
            let spawned = std::thread::Builder::new().name("waits".into()).spawn(move || waits.watch());
            calls.watched = spawned.is_ok();
        } else if calls.resting {
            self.0.called.notify_one();
        }
        number
    }

    /// Gives whether it was said that it takes long.
    fn leave(&self, number: u64) -> bool {
        self.calls().under_way.remove(&number).is_some_and(|(.., said)| said)
    }

    /// Says which calls take long. An idle process does not wake for that.
    fn watch(&self) {
        let mut calls = self.calls();
        let mut quiet = 0;
        loop {
            let late = calls.under_way.values_mut().filter(|(since, _, said)| !said && since.elapsed() >= QUIET);
            let sentences: Vec<String> = late
                .map(|(_, words, said)| {
                    *said = true;
                    words.clone()
                })
                .collect();
            drop(calls);
            sentences.iter().for_each(|sentence| self.say(sentence));
            calls = self.calls();
            quiet = if calls.under_way.is_empty() { quiet + 1 } else { 0 };
            calls.resting = quiet > 20;
            calls = match calls.resting {
                true => self.0.called.wait(calls).unwrap_or_else(PoisonError::into_inner),
                false => self.0.called.wait_timeout(calls, QUIET / 4).unwrap_or_else(PoisonError::into_inner).0,
            };
            calls.resting = false;
        }
    }
}

impl Default for Waits {
    fn default() -> Self {
        Waits::quiet(Deadline::default())
    }
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waits").field("deadline", &self.0.deadline).finish_non_exhaustive()
    }
}

/// How one thing is spoken of.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// What did not happen: `not stored within 60 s`.
    pub not: &'static str,
    /// What happens when the trouble is over: `stores again`.
    pub again: &'static str,
}

impl Words {
    /// Documents in a sink.
    pub const STORED: Words = Words { not: "not stored", again: "stores again" };
    /// Dead letters, the journal.
    pub const WRITTEN: Words = Words { not: "not written", again: "can be written again" };
    /// A file or a server that is to be opened.
    pub const OPENED: Words = Words { not: "not opened", again: "can be used now" };
}

/// The patience of a job with one thing. See the [module](self).
#[derive(Debug)]
pub struct Patience {
    waits: Waits,
    name: String,
    words: Words,
    /// Stronger than the job's, and the name of the setting.
    deadline: Option<(Duration, &'static str)>,
    /// Whether it is the reader of standard output that is waited for.
    for_reader: bool,
    /// Whether there is trouble, for those who only want to end it.
    present: AtomicBool,
    state: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    since: Option<Instant>,
    said: bool,
    /// When it was last given up.
    given_up: Option<Instant>,
}

/// One attempt at something. See the [module](self).
#[derive(Debug)]
pub struct Wait<'a> {
    patience: &'a Patience,
    started: Instant,
}

/// Why a wait is over although the trouble is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended(pub String);

impl Patience {
    /// The same with a deadline of its own, set by `setting`.
    pub fn with_deadline(self, deadline: Duration, setting: &'static str) -> Patience {
        Patience { deadline: Some((deadline, setting)), ..self }
    }

    /// The same for the reader of standard output.
    pub fn with_reader(self) -> Patience {
        Patience { for_reader: true, ..self }
    }

    /// Whether nothing else than a reader who takes their time is waited for, and nobody asked for a limit.
    fn is_flow(&self) -> bool {
        self.for_reader && self.waits.0.deadline == Deadline::default()
    }

    /// Who is waited for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins an attempt.
    pub fn begin(&self) -> Wait<'_> {
        if self.present.load(Ordering::Relaxed) {
            let mut trouble = self.state();
            if trouble.given_up.is_some_and(|at| at.elapsed() > ANEW) {
                *trouble = Trouble { said: trouble.said, ..Trouble::default() };
            }
        }
        Wait { patience: self, started: Instant::now() }
    }

    /// It has answered: the trouble is over.
    pub fn over(&self) {
        if self.present.load(Ordering::Relaxed) {
            self.present.store(false, Ordering::Relaxed);
            let trouble = std::mem::take(&mut *self.state());
            if trouble.said {
                self.waits.say(&format!("{}: {}", self.name, self.words.again));
            }
        }
    }

    /// Makes a call that only the kernel can end (a write, a sync). After a second it is said that it takes long.
    pub fn call<T>(&self, doing: &str, call: impl FnOnce() -> T) -> T {
        let number = self
            .waits
            .enter(format!("{}: the disk takes long to {doing}; nothing but the disk can end that", self.name));
        let result = call();
        if self.waits.leave(number) {
            self.waits.say(&format!("{}: {}", self.name, self.words.again));
        }
        result
    }

    fn limit(&self) -> Option<Duration> {
        if self.is_flow() {
            return None;
        }
        self.deadline.map(|(most, _)| most).or(self.waits.0.deadline.get())
    }

    fn state(&self) -> MutexGuard<'_, Trouble> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait<'_> {
    /// Notes that `words` is what is in the way.
    ///
    /// # Errors
    /// When the time is over, in words for a person.
    pub fn check(&self, words: &str) -> Result<(), Ended> {
        self.note(words, QUIET)
    }

    /// The same, saying it at once and not after a second.
    ///
    /// # Errors
    /// Those of [`check`](Wait::check).
    pub fn check_aloud(&self, words: &str) -> Result<(), Ended> {
        self.note(words, Duration::ZERO)
    }

    fn note(&self, words: &str, quiet: Duration) -> Result<(), Ended> {
        let Patience { waits, name, present, .. } = self.patience;
        let now = Instant::now();
        let mut trouble = self.patience.state();
        let since = *trouble.since.get_or_insert(now);
        present.store(true, Ordering::Relaxed);
        let (end, by_signal) = self.end(since);
        if end.is_some_and(|end| now >= end) {
            trouble.given_up = Some(now);
            return Err(self.ended(words, since, by_signal));
        }
        let silent = self.patience.is_flow() && std::io::stderr().is_terminal();
        let say = !trouble.said && now - since >= quiet && !silent;
        trouble.said |= say;
        drop(trouble);
        if say {
            let how_long = match end {
                Some(end) => format!("for {} s", (end - now).as_secs_f64().ceil()),
                None => "until it is over".to_owned(),
            };
            waits.say(&format!("{name}: {words}; trying again {how_long}"));
        }
        Ok(())
    }

    /// When it ends at the latest, and whether that is because of a signal.
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

    fn ended(&self, words: &str, since: Instant, by_signal: bool) -> Ended {
        let not = self.patience.words.not;
        let go_on = "run it again when that is over, nothing acknowledged is lost";
        if by_signal {
            let seconds = since.elapsed().as_secs_f64();
            return Ended(format!(
                "{not}: {words}; the job was told to stop while it waited, for {seconds:.0} s; {go_on}"
            ));
        }
        let seconds = self.patience.limit().unwrap_or_default().as_secs_f64();
        let setting = self.patience.deadline.map_or("--sink-deadline", |(_, setting)| setting);
        Ended(format!("{not} within {seconds} s: {words}; {go_on} ({setting} sets how long is waited)"))
    }

    /// How long it may still go on; `None` when there is no limit.
    pub fn left(&self) -> Option<Duration> {
        let since = self.patience.state().since.unwrap_or(self.started);
        self.end(since).0.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Notes that `words` is what is in the way, and sleeps for `delay`, or until the time is over.
    ///
    /// # Errors
    /// Those of [`check`](Wait::check).
    pub fn pause(&self, words: &str, delay: Duration) -> Result<(), Ended> {
        let until = Instant::now() + delay;
        loop {
            self.check(words)?;
            match until.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return Ok(()),
                Some(rest) => std::thread::sleep(rest.min(GLANCE)),
            }
        }
    }

    /// The same on a runtime.
    ///
    /// # Errors
    /// Those of [`check`](Wait::check).
    #[cfg(feature = "mongodb")]
    pub async fn pause_async(&self, words: &str, delay: Duration) -> Result<(), Ended> {
        let until = Instant::now() + delay;
        loop {
            self.check(words)?;
            match until.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return Ok(()),
                Some(rest) => tokio::time::sleep(rest.min(GLANCE)).await,
            }
        }
    }

    /// The same, saying at once what is in the way.
    ///
    /// # Errors
    /// Those of [`check`](Wait::check).
    #[cfg(feature = "mongodb")]
    pub async fn pause_aloud(&self, words: &str, delay: Duration) -> Result<(), Ended> {
        self.check_aloud(words)?;
        self.pause_async(words, delay).await
    }

    /// Lets `work` go on until it is done or the time is over; `words` is what is in the way if it takes long.
    ///
    /// # Errors
    /// Those of [`check`](Wait::check): `work` is dropped then.
    #[cfg(feature = "mongodb")]
    pub async fn attend<T>(&self, words: impl Fn() -> String, work: impl Future<Output = T>) -> Result<T, Ended> {
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(GLANCE, &mut work).await {
                return Ok(done);
            }
            self.check(&words())?;
        }
    }
}

impl Ended {
    /// The error of the thing with `name`.
    pub fn error(self, name: &str) -> Error {
        Error::sink(format!("{name}: {}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn listening(deadline: Deadline, stop: Option<Stop>) -> (Waits, Arc<Mutex<Vec<String>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        (Waits::new(deadline, stop, Box::new(move |words| notes.lock().unwrap().push(words.to_owned()))), heard)
    }

    /// Another attempt, and another thread, that meets the same trouble gets no time of its own.
    #[test]
    fn the_time_counts_from_when_the_trouble_began_for_the_job() {
        let waits = Waits::quiet(Deadline::of(150 * MS));
        let patience = waits.patience("x", Words::STORED);
        let start = Instant::now();
        let ended = loop {
            // Each attempt is a new one.
            if let Err(ended) = patience.begin().pause("locked", 10 * MS) {
                break ended;
            }
        };
        assert!(start.elapsed() >= 150 * MS, "{:?}", start.elapsed());
        assert!(ended.0.starts_with("not stored within 0.15 s: locked; run it again"), "{}", ended.0);
        assert!(patience.begin().check("locked").is_err(), "whoever comes later does not begin anew");
        patience.over();
        assert!(patience.begin().check("locked").is_ok(), "what answered has its time again");
    }

    #[test]
    fn it_is_said_after_a_second_once_and_that_it_is_over() {
        let (waits, heard) = listening(Deadline::NONE, None);
        let patience = waits.patience("x", Words::STORED);
        patience.begin().pause("locked", 500 * MS).unwrap();
        patience.over();
        assert!(heard.lock().unwrap().is_empty(), "half a second is nothing");
        for _ in 0..3 {
            patience.begin().pause("locked", 600 * MS).unwrap();
        }
        patience.over();
        patience.over();
        let heard = heard.lock().unwrap();
        assert_eq!(*heard, ["x: locked; trying again until it is over", "x: stores again"]);
    }

    #[test]
    fn after_a_signal_there_is_a_short_time_left_even_without_a_deadline() {
        let stop = Stop::new().unwrap();
        let (waits, _) = listening(Deadline::NONE, Some(stop.clone()));
        let patience = waits.patience("x", Words::WRITTEN);
        let wait = patience.begin();
        assert_eq!(wait.left(), None);
        stop.request();
        assert!(wait.left().is_some_and(|left| left <= GRACE && left > GRACE / 2));
        let (waits, _) = listening(Deadline::of(20 * MS), Some(stop));
        let patience = waits.patience("x", Words::WRITTEN);
        let ended = patience.begin().pause("locked", GRACE).unwrap_err();
        assert!(ended.0.starts_with("not written within 0.02 s: locked"), "the deadline is stronger: {}", ended.0);
    }
}
