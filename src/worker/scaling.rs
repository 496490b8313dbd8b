//! [`Scaler`]: decides how many workers there should be.
//!
//! It is a pure function of what it has seen: at regular intervals it gets a [`Sample`] and answers with a number and a reason.
//! The workers may be threads of this process or processes of their own.
//!
//! | the number | when |
//! |---|---|
//! | grows by a step | the backlog is above the threshold and rises, the workers are busy, and the last growth raised the throughput |
//! | shrinks by a step, or by half of the workers that wait | for some time, so many workers have waited that the others can do their work |
//!
//! Two rules keep the number steady. A growth that did not raise the throughput is followed by a pause, which doubles each
//! time. A growth soon after a shrink doubles the time that workers must wait before the next shrink.

use std::time::Duration;

/// The time between two samples.
pub const INTERVAL: Duration = Duration::from_millis(250);

/// The time after which a growth is judged. There is no other growth before.
const JUDGED_AFTER: Duration = Duration::from_millis(450);

/// By how much the throughput must rise so that a growth counts as useful.
const RISES: f64 = 1.05;

/// The pause after the first growth that was of no use, and the longest pause.
const PAUSES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(160)];

/// By how much the throughput must rise to end such a pause early: the load is another one then.
const OTHER_LOAD: f64 = 1.25;

/// How long workers must wait before the number shrinks, at first and at most.
const PATIENCE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(32)];

/// A growth within this time after a shrink shows that the shrink was a mistake.
const REGRET: Duration = Duration::from_secs(10);

/// After this time without a growth, the patience is the first one again.
const CALM: Duration = Duration::from_secs(60);

/// The number of waiting workers that remains after a shrink, so that small changes of the load do not cause a growth.
const SPARE: f64 = 0.25;

/// If so many workers wait, or this part of them, they wait for a sink, and more workers are of no use.
const TOO_IDLE: (f64, f64) = (0.5, 0.1);

/// The weight of a new sample in the averages.
const WEIGHT: f64 = 0.3;

/// A smallest and a largest number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The smallest number.
    pub least: usize,
    /// The largest number.
    pub most: usize,
}

impl Bounds {
    /// Returns bounds that allow one number.
    pub fn fixed(number: usize) -> Bounds {
        Bounds { least: number, most: number }
    }

    /// Returns whether the bounds allow one number only.
    pub fn is_fixed(self) -> bool {
        self.least >= self.most
    }
}

/// The settings of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The number grows only while more bytes than this wait.
    pub backlog: u64,
    /// How many workers are started or ended at a time.
    pub step: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { backlog: 1 << 20, step: 1 }
    }
}

/// The state of a pool at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The time since the start.
    pub at: Duration,
    /// The bytes that wait for workers.
    pub backlog: u64,
    /// The lines that were finished since the start.
    pub lines: u64,
    /// How many workers waited on average since the last sample: for lines, or for a sink.
    pub waiting: f64,
    /// The number of workers.
    pub workers: usize,
}

/// Another number of workers, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The number of workers that there should be.
    pub workers: usize,
    /// The reason, as the end of a sentence.
    pub reason: String,
}

/// What there was when the number grew.
#[derive(Debug, Clone, Copy)]
struct Growth {
    at: Duration,
    lines: u64,
    /// The throughput before, in lines per second.
    rate: f64,
    /// Whether the backlog was above the threshold all the time since.
    loaded: bool,
}

/// Decides how many workers there should be. See the [module](self).
#[derive(Debug)]
pub struct Scaler {
    bounds: Bounds,
    settings: Settings,
    last: Option<Sample>,
    /// The sample before the last one.
    earlier: Option<Sample>,
    /// The average backlog.
    level: f64,
    /// The throughput in lines per second.
    rate: f64,
    /// The average number of waiting workers.
    waiting: f64,
    /// The last growth, until it is judged.
    growth: Option<Growth>,
    grown: Option<Duration>,
    shrunk: Option<Duration>,
    /// Until when there is no growth, and the throughput when the pause began.
    pause: Option<(Duration, f64)>,
    next_pause: Duration,
    idle_since: Option<Duration>,
    patience: Duration,
}

impl Scaler {
    /// Returns a scaler that keeps the number between `bounds`.
    pub fn new(bounds: Bounds, settings: Settings) -> Scaler {
        Scaler {
            bounds,
            settings: Settings { step: settings.step.max(1), ..settings },
            last: None,
            earlier: None,
            level: 0.0,
            rate: 0.0,
            waiting: 0.0,
            growth: None,
            grown: None,
            shrunk: None,
            pause: None,
            next_pause: PAUSES[0],
            idle_since: None,
            patience: PATIENCE[0],
        }
    }

    /// Takes note of a sample. Returns the number of workers that there should be, if it is another one.
    pub fn decide(&mut self, sample: &Sample) -> Option<Change> {
        let Some(last) = self.last.replace(*sample) else {
            self.level = sample.backlog as f64;
            return None;
        };
        let seconds = sample.at.saturating_sub(last.at).as_secs_f64();
        if seconds <= 0.0 {
            return None;
        }
        // The throughput of the last two intervals, which began after the last growth.
        let first = self.earlier.replace(last).unwrap_or(last);
        let since = sample.at.saturating_sub(first.at).as_secs_f64();
        self.rate = sample.lines.saturating_sub(first.lines) as f64 / since;
        let rises = sample.backlog as f64 >= self.level;
        self.level += WEIGHT * (sample.backlog as f64 - self.level);
        self.waiting += 2.0 * WEIGHT * (sample.waiting - self.waiting);
        let is_loaded = sample.backlog > self.settings.backlog;
        self.judge(sample, is_loaded);
        let busy = sample.waiting < TOO_IDLE.0.max(TOO_IDLE.1 * sample.workers as f64);
        let change = match is_loaded && rises && busy {
            true => self.grow(sample),
            false => self.shrink(sample),
        };
        if is_loaded && rises && busy {
            self.idle_since = None;
        }
        change
    }

    /// Judges the last growth, when its time has come.
    fn judge(&mut self, sample: &Sample, is_loaded: bool) {
        if let Some((_, rate)) = self.pause.filter(|(until, _)| sample.at < *until)
            && self.rate > rate * OTHER_LOAD
        {
            self.pause = None;
        }
        let Some(growth) = &mut self.growth else { return };
        growth.loaded &= is_loaded;
        let since = sample.at.saturating_sub(growth.at);
        if since < JUDGED_AFTER {
            return;
        }
        let rate = sample.lines.saturating_sub(growth.lines) as f64 / since.as_secs_f64();
        if rate >= growth.rate * RISES {
            self.next_pause = PAUSES[0];
        } else if growth.loaded {
            self.pause = Some((sample.at + self.next_pause, rate));
            self.next_pause = (self.next_pause * 2).min(PAUSES[1]);
        }
        self.growth = None;
    }

    fn grow(&mut self, sample: &Sample) -> Option<Change> {
        let paused = self.pause.is_some_and(|(until, _)| sample.at < until);
        if sample.workers >= self.bounds.most || self.growth.is_some() || paused {
            return None;
        }
        if self.shrunk.is_some_and(|at| sample.at.saturating_sub(at) < REGRET) {
            self.patience = (self.patience * 2).min(PATIENCE[1]);
            self.shrunk = None;
        }
        self.growth = Some(Growth { at: sample.at, lines: sample.lines, rate: self.rate, loaded: true });
        self.grown = Some(sample.at);
        let workers = (sample.workers + self.settings.step).min(self.bounds.most);
        let (backlog, threshold) = (sample.backlog, self.settings.backlog);
        Some(Change { workers, reason: format!("{backlog} bytes wait, more than {threshold}, and the backlog rises") })
    }

    fn shrink(&mut self, sample: &Sample) -> Option<Change> {
        let spare = self.waiting.min(sample.waiting) - SPARE;
        if spare < 1.0 || sample.workers <= self.bounds.least {
            self.idle_since = None;
            return None;
        }
        if self.grown.is_none_or(|at| sample.at.saturating_sub(at) > CALM) {
            self.patience = PATIENCE[0];
        }
        let since = *self.idle_since.get_or_insert(sample.at);
        if sample.at.saturating_sub(since) < self.patience {
            return None;
        }
        self.idle_since = Some(sample.at);
        self.shrunk = Some(sample.at);
        let fewer = self.settings.step.max((spare / 2.0) as usize).min(spare as usize);
        let workers = sample.workers.saturating_sub(fewer).max(self.bounds.least);
        let (waited, seconds) = (self.waiting, self.patience.as_secs());
        Some(Change { workers, reason: format!("{waited:.1} of {} workers waited for {seconds} s", sample.workers) })
    }
}

#[cfg(test)]
mod tests;
