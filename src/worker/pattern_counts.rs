//! Counts per pattern: how often it was tried, how often it matched, and how long that took.
//!
//! Trials and matches are counted exactly, but the time is sampled: two clock readings take a third of the time of a
//! match. One trial in [`SAMPLING_INTERVAL`] is timed and the sum is scaled up, so `nanoseconds` is an estimate.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::observe::counters::{CounterSpec, Row};

/// The average number of trials for each trial that is timed.
const SAMPLING_INTERVAL: u64 = 32;

/// The counts of one thread for one pattern since they were last added to the shared ones.
#[derive(Debug, Default)]
pub(super) struct Trials {
    tried: u64,
    pub(super) matched: u64,
    pub(super) limit_hits: u64,
    timed: u64,
    time: Duration,
}

impl Trials {
    /// Begins a trial. `clock` decides whether it is timed.
    #[inline]
    pub(super) fn start(&mut self, clock: &mut Clock) -> Option<Instant> {
        self.tried += 1;
        clock.start()
    }

    /// Ends the trial that [`start`](Trials::start) began, and adds its time if it is timed.
    #[inline]
    pub(super) fn stop(&mut self, started: Option<Instant>, clock: &Clock) {
        if let Some(started) = started {
            self.timed += 1;
            self.time += started.elapsed().saturating_sub(clock.cost);
        }
    }
}

/// Chooses which trials of one thread are timed.
#[derive(Debug)]
pub(super) struct Clock {
    /// The time that two clock readings take by themselves.
    cost: Duration,
    until_next: u64,
    random: fastrand::Rng,
}

impl Clock {
    pub(super) fn new() -> Clock {
        let cost = (0..32).map(|_| Instant::now().elapsed()).min().unwrap_or_default();
        Clock { cost, until_next: 0, random: fastrand::Rng::new() }
    }

    /// Returns the time now if this trial is to be timed. The interval is random around its average: lines come in
    /// rhythms and patterns are tried in turn, so a fixed interval would distort the result.
    #[inline]
    fn start(&mut self) -> Option<Instant> {
        if self.until_next > 0 {
            self.until_next -= 1;
            return None;
        }
        self.until_next = self.random.u64(0..2 * SAMPLING_INTERVAL - 1);
        Some(Instant::now())
    }
}

/// A time budget of one thread for explaining how far lines got: a fixed time per line in the long run. It keeps a run
/// in which nothing matches from becoming slow.
#[derive(Debug, Default)]
pub(super) struct Budget {
    lines: u32,
    spent: Duration,
}

impl Budget {
    /// The time per line.
    const PER_LINE: Duration = Duration::from_micros(10);

    /// The time that may be spent in advance, because patterns are compiled first.
    const ADVANCE: Duration = Duration::from_millis(500);

    /// Counts a line. Returns the start time of its explanation if there is time left to spend, else `None`.
    pub(super) fn start(&mut self) -> Option<Instant> {
        self.lines = self.lines.saturating_add(1);
        (self.spent < Self::ADVANCE + Self::PER_LINE * self.lines).then(Instant::now)
    }

    /// Ends the explanation that [`start`](Budget::start) began, and counts the time that it took.
    pub(super) fn stop(&mut self, started: Instant) {
        self.spent += started.elapsed();
    }
}

/// The counts of all threads of a process, in the order of the patterns.
#[derive(Debug, Default)]
pub(super) struct PatternCounters(Mutex<Vec<PatternCounter>>);

#[derive(Debug, Default)]
struct PatternCounter {
    name: String,
    trials: Trials,
}

impl PatternCounters {
    /// Returns zero counts for patterns with these names.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str>) -> PatternCounters {
        let sums = names.map(|name| PatternCounter { name: name.to_owned(), trials: Trials::default() });
        PatternCounters(Mutex::new(sums.collect()))
    }

    /// Adds `trials` to the counts of the pattern called `name` and resets `trials`. The pattern is looked for at
    /// `index` first.
    pub(super) fn add(&self, index: usize, name: &str, trials: &mut Trials) {
        let Trials { tried, matched, limit_hits, timed, time } = std::mem::take(trials);
        if tried == 0 {
            return;
        }
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |sum: &PatternCounter| sum.name == name;
        let at = match sums.get(index).is_some_and(known) {
            true => index,
            false => sums.iter().position(known).unwrap_or_else(|| {
                sums.push(PatternCounter { name: name.to_owned(), ..PatternCounter::default() });
                sums.len() - 1
            }),
        };
        let sum = &mut sums[at].trials;
        sum.tried += tried;
        sum.matched += matched;
        sum.limit_hits += limit_hits;
        sum.timed += timed;
        sum.time += time;
    }

    /// Returns the counts so far, as counters of `list`: [`PATTERN`](crate::observe::counters::PATTERN), or [`STAGE`](crate::observe::counters::STAGE), which
    /// ends before the limits.
    pub(super) fn get(&self, list: &'static [CounterSpec]) -> Vec<Row> {
        let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |PatternCounter { name, trials }: &PatternCounter| {
            let each = trials.time.as_nanos() as f64 / trials.timed.max(1) as f64;
            let nanoseconds = (each * trials.tried as f64) as u64;
            // The order is that of both lists.
            let values = [trials.tried, trials.matched, nanoseconds, trials.limit_hits];
            Row { label: name.clone(), counts: list.iter().zip(values.map(Some)).collect() }
        };
        sums.iter().map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::counters::{MATCHED, NANOSECONDS, PATTERN, TRIED};

    #[test]
    fn counts_of_all_threads_are_added_by_index_or_name() {
        let sums = PatternCounters::of(["a", "b", "b"].into_iter());
        let trials = |tried, matched| Trials { tried, matched, ..Trials::default() };
        for (index, name, mut trials) in [(0, "a", trials(3, 1)), (2, "b", trials(5, 5)), (0, "c", trials(1, 0))] {
            sums.add(index, name, &mut trials);
            sums.add(index, name, &mut trials);
        }
        sums.add(7, "c", &mut trials(1, 1));
        let counts: Vec<_> =
            sums.get(PATTERN).into_iter().map(|row| (row.get(&TRIED), row.get(&MATCHED), row.label)).collect();
        let expected = [(3, 1, "a"), (0, 0, "b"), (5, 5, "b"), (2, 1, "c")];
        assert_eq!(counts, expected.map(|(tried, matched, name)| (tried, matched, name.to_owned())));
    }

    #[test]
    fn the_time_of_some_is_scaled_to_all() {
        let sums = PatternCounters::default();
        let time = Duration::from_micros(30);
        sums.add(0, "a", &mut Trials { tried: 1000, timed: 30, time, ..Trials::default() });
        sums.add(0, "b", &mut Trials { tried: 9, ..Trials::default() });
        let nanoseconds: Vec<u64> = sums.get(PATTERN).iter().map(|row| row.get(&NANOSECONDS)).collect();
        assert_eq!(nanoseconds, [1_000_000, 0]);
    }

    #[test]
    fn a_budget_that_is_spent_grows_with_the_lines() {
        let mut budget = Budget::default();
        assert!(budget.start().is_some());
        budget.spent = Duration::from_secs(1);
        let waited = (1..100_000).find(|_| budget.start().is_some());
        assert!(waited.is_some_and(|lines| lines >= 49_000), "{waited:?}");
    }

    #[test]
    fn one_trial_in_so_many_is_timed() {
        let mut clock = Clock::new();
        let mut trials = Trials::default();
        for _ in 0..100 * SAMPLING_INTERVAL {
            let started = trials.start(&mut clock);
            trials.stop(started, &clock);
        }
        assert_eq!(trials.tried, 100 * SAMPLING_INTERVAL);
        assert!((70..=140).contains(&trials.timed), "{} of {} were timed", trials.timed, trials.tried);
    }
}
