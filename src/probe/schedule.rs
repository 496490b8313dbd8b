//! [`Schedule`]: when each target is due. It is a pure function of the times that it is given.
//!
//! A target is due at `first`, `first + interval`, `first + 2 · interval` and so on, however long the requests take. The times
//! are whole nanoseconds from a common start, so nothing is rounded and nothing drifts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nanoseconds since the start of the schedule.
pub type Nanos = u64;

/// When targets are due. A target is a number that the caller chooses; small numbers, because they are indexes.
///
/// ```
/// use logator::probe::schedule::{Due, Schedule};
///
/// let mut schedule = Schedule::default();
/// schedule.set(0, 1_000, 500);
/// assert_eq!(schedule.next_start(), Some(500));
/// assert_eq!(schedule.due(499), None);
/// assert_eq!(schedule.due(500), Some(Due { target: 0, at: 500, further: 0 }));
/// // Nobody looked for a while: 1500 is due, and so are 2500 and 3500 by now.
/// assert_eq!(schedule.due(3_600), Some(Due { target: 0, at: 1_500, further: 2 }));
/// assert_eq!(schedule.next_start(), Some(4_500));
/// ```
#[derive(Debug, Default)]
pub struct Schedule {
    /// The next time of each target, and the target. An entry counts only if it is the time that `timings` has.
    heap: BinaryHeap<Reverse<(Nanos, u32)>>,
    /// By target.
    timings: Vec<Option<Timing>>,
}

/// The rhythm of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The time from one occurrence to the next, at least 1.
    pub interval: Nanos,
    /// The next occurrence.
    pub next: Nanos,
}

/// An occurrence that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The target.
    pub target: u32,
    /// The time of the occurrence.
    pub at: Nanos,
    /// How many later occurrences of the target are due by now as well.
    pub further: u64,
}

impl Schedule {
    /// Lets `target` be due every `interval`, first at `first`. An earlier rhythm of the target ends.
    pub fn set(&mut self, target: u32, interval: Nanos, first: Nanos) {
        let index = target as usize;
        if self.timings.len() <= index {
            self.timings.resize(index + 1, None);
        }
        let timing = Timing { interval: interval.max(1), next: first };
        if self.timings[index].replace(timing).is_none_or(|before| before.next != first) {
            self.heap.push(Reverse((first, target)));
        }
    }

    /// Lets `target` be due no more.
    pub fn remove(&mut self, target: u32) {
        if let Some(timing) = self.timings.get_mut(target as usize) {
            *timing = None;
        }
    }

    /// Returns the rhythm of `target`.
    pub fn timing(&self, target: u32) -> Option<Timing> {
        self.timings.get(target as usize).copied().flatten()
    }

    /// Returns the time of the next occurrence; `None` if there are no targets.
    pub fn next_start(&mut self) -> Option<Nanos> {
        loop {
            let Reverse((next, target)) = *self.heap.peek()?;
            if self.timing(target).is_some_and(|timing| timing.next == next) {
                return Some(next);
            }
            // The target was removed, or has another rhythm now.
            self.heap.pop();
        }
    }

    /// Takes the earliest occurrence that is due at `now`, together with all later ones of its target that are due.
    pub fn due(&mut self, now: Nanos) -> Option<Due> {
        let at = self.next_start().filter(|at| *at <= now)?;
        let Reverse((_, target)) = self.heap.pop()?;
        let timing = self.timings.get_mut(target as usize)?.as_mut()?;
        let further = (now - at) / timing.interval;
        timing.next = at.saturating_add(timing.interval.saturating_mul(further.saturating_add(1)));
        self.heap.push(Reverse((timing.next, target)));
        Some(Due { target, at, further })
    }
}

/// Returns the next time of a target whose interval has changed at `now`: its last occurrence and the new interval decide, and
/// it is not before `now`.
pub fn with_other_interval(timing: Timing, interval: Nanos, now: Nanos) -> Nanos {
    let interval = interval.max(1);
    let last = timing.next.saturating_sub(timing.interval);
    let next = last.saturating_add(interval);
    match now.checked_sub(next) {
        None => next,
        Some(late) => next.saturating_add(interval.saturating_mul(late.div_ceil(interval))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_removed_target_is_due_no_more_and_a_new_rhythm_replaces_the_old_one() {
        let mut schedule = Schedule::default();
        schedule.set(0, 10, 5);
        schedule.set(1, 10, 6);
        schedule.remove(0);
        schedule.remove(9);
        assert_eq!((schedule.next_start(), schedule.timing(0)), (Some(6), None));
        schedule.set(1, 100, 6);
        assert_eq!(schedule.due(7), Some(Due { target: 1, at: 6, further: 0 }));
        assert_eq!(schedule.due(105), None, "the rhythm is 100 now");
        schedule.set(1, 100, 50);
        schedule.set(0, 10, 55);
        let order: Vec<_> = std::iter::from_fn(|| schedule.due(60)).map(|due| (due.target, due.at)).collect();
        assert_eq!(order, [(1, 50), (0, 55)]);
    }

    #[test]
    fn a_new_interval_counts_from_the_last_occurrence() {
        for (next, interval, new, now, expected) in [
            (100, 10, 20, 95, 110), // The last one was at 90.
            (100, 50, 20, 75, 90),  // 70 is over, so the grid 50, 70, 90 goes on.
            (100, 50, 20, 70, 70),
            (100, 10, 5, 100, 100),
        ] {
            let timing = Timing { interval, next };
            assert_eq!(with_other_interval(timing, new, now), expected, "{next} {interval} {new} {now}");
        }
    }

    proptest! {
        #[test]
        fn occurrences_never_drift_and_none_is_forgotten(
            targets in prop::collection::vec((1_u64..50, 0_u64..50), 1..8),
            looks in prop::collection::vec(0_u64..120, 1..40),
        ) {
            let mut schedule = Schedule::default();
            for (target, (interval, first)) in targets.iter().enumerate() {
                schedule.set(target as u32, *interval, *first);
            }
            let mut now = 0;
            let mut taken = vec![0_u64; targets.len()];
            for pause in looks {
                now += pause;
                let mut before = 0;
                while let Some(due) = schedule.due(now) {
                    let (interval, first) = targets[due.target as usize];
                    let count = &mut taken[due.target as usize];
                    // Each occurrence is at its place, whatever the pauses were.
                    prop_assert_eq!(due.at, first + *count * interval);
                    prop_assert!(due.at >= before, "the earliest comes first");
                    before = due.at;
                    *count += 1 + due.further;
                }
                for ((interval, first), count) in targets.iter().zip(&taken) {
                    let expected = if now < *first { 0 } else { (now - first) / interval + 1 };
                    prop_assert_eq!(*count, expected, "all that is due was taken");
                }
                prop_assert!(schedule.next_start().unwrap() > now);
            }
        }
    }
}
