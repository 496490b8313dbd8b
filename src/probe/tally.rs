//! [`Tally`]: the account of one URL.

use super::histogram::Histogram;
use super::schedule::Nanos;

/// The account of one URL: how many of its occurrences were requested, failed and were missed, and how long it took.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The occurrences that were requested to their end.
    pub requests: u64,
    /// Those that failed: no answer, or a status that was not expected.
    pub errors: u64,
    /// The occurrences that were due and were not requested.
    pub missed: u64,
    /// How often each class of error came.
    classes: Vec<(&'static str, u64)>,
    /// Microseconds from the start of each request to its end.
    plain: Histogram,
    /// Microseconds from the time at which each occurrence was due to its end. Missed occurrences count too, with the answer
    /// to the request beside them.
    late: Histogram,
}

/// How one occurrence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The microseconds from its start to its end; `None` if it has no latency, because no server answered or was waited for.
    pub took: Option<u64>,
    /// The microseconds from the time at which it was due to its start.
    pub lateness: u64,
    /// The class of its error.
    pub error: Option<&'static str>,
    /// How many occurrences directly before it were missed.
    pub missed_before: u64,
    /// How many occurrences directly after it were missed while it waited.
    pub missed_after: u64,
}

/// Three quantiles and the maximum, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Quantiles {
    /// Half of the times are not longer.
    pub p50: u64,
    /// 90 percent are not longer.
    pub p90: u64,
    /// 99 percent are not longer.
    pub p99: u64,
    /// The longest time.
    pub max: u64,
}

/// The maximum number of missed occurrences that are counted one by one for a request. Beyond it, they count in steps.
const ONE_BY_ONE: u64 = 1000;

impl Tally {
    /// Adds an occurrence that was requested. `interval` is the time between two occurrences.
    pub fn finish(&mut self, end: &End, interval: Nanos) {
        self.requests += 1;
        if let Some(class) = end.error {
            self.errors += 1;
            match self.classes.iter_mut().find(|(known, _)| *known == class) {
                Some((_, count)) => *count += 1,
                None => self.classes.push((class, 1)),
            }
        }
        let Some(took) = end.took else { return };
        self.plain.record(took, 1);
        let late = took.saturating_add(end.lateness);
        self.late.record(late, 1);
        // An occurrence before it would have waited longer for the same answer, and one after it shorter.
        let interval = interval / 1000;
        steps(end.missed_before, |step, count| {
            self.late.record(late.saturating_add(interval.saturating_mul(step)), count)
        });
        steps(end.missed_after, |step, count| {
            self.late.record(late.saturating_sub(interval.saturating_mul(step)), count)
        });
    }

    /// Adds occurrences that were missed.
    pub fn miss(&mut self, count: u64) {
        self.missed += count;
    }

    /// Returns the quantiles of the requests alone; `None` without requests that were answered.
    pub fn plain(&self) -> Option<Quantiles> {
        quantiles(&self.plain)
    }

    /// Returns the quantiles with lateness.
    pub fn late(&self) -> Option<Quantiles> {
        quantiles(&self.late)
    }

    /// Returns how often each class of error came, the most frequent first.
    pub fn classes(&self) -> Vec<(&'static str, u64)> {
        let mut classes = self.classes.clone();
        classes.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
        classes
    }

    /// Returns whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.requests == 0 && self.missed == 0
    }
}

fn quantiles(times: &Histogram) -> Option<Quantiles> {
    let of = |q| times.quantile(q);
    Some(Quantiles { p50: of(0.5)?, p90: of(0.9)?, p99: of(0.99)?, max: times.max() })
}

/// Calls `record` for the steps 1 to `count`, with how many of them it stands for.
fn steps(count: u64, mut record: impl FnMut(u64, u64)) {
    let stride = count.div_ceil(ONE_BY_ONE).max(1);
    let mut step = 0;
    while step < count {
        let stands_for = stride.min(count - step);
        record(step + stands_for.div_ceil(2), stands_for);
        step += stands_for;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn end(took: u64, lateness: u64) -> End {
        End { took: Some(took), lateness, error: None, missed_before: 0, missed_after: 0 }
    }

    #[test]
    fn lateness_counts_in_one_of_the_two_views() {
        let mut tally = Tally::default();
        tally.finish(&end(20_000, 500_000), SECOND);
        let (plain, late) = (tally.plain().unwrap(), tally.late().unwrap());
        assert_eq!((plain.max, late.max), (20_000, 520_000));
        assert_eq!((tally.requests, tally.errors, tally.missed), (1, 0, 0));
    }

    #[test]
    fn missed_occurrences_count_with_the_answer_beside_them() {
        let mut tally = Tally::default();
        // It was due at 0, waited 3.5 s for its turn and took 0.5 s: those due at 1, 2 and 3 s were missed.
        tally.finish(&End { missed_after: 3, ..end(500_000, 3_500_000) }, SECOND);
        tally.miss(3);
        let late = tally.late().unwrap();
        assert!(late.p50.abs_diff(2_000_000) <= 20_000, "{late:?} of 4, 3, 2, 1");
        assert_eq!(late.max, 4_000_000);
        // Two before it did not find room.
        tally.finish(&End { missed_before: 2, ..end(500_000, 0) }, SECOND);
        assert_eq!((tally.late.count(), tally.plain.count(), tally.missed), (7, 2, 3));
    }

    #[test]
    fn many_missed_occurrences_cost_little_and_all_count() {
        let mut tally = Tally::default();
        let missed = 3_600_000;
        tally.finish(&End { missed_after: missed, ..end(1_000, 3_600_000_000) }, SECOND / 1000);
        assert_eq!(tally.late.count(), missed + 1);
        let median = tally.late().unwrap().p50;
        assert!(median.abs_diff(1_800_000_000) < 36_000_000, "{median}");
    }

    #[test]
    fn a_request_without_an_answer_is_an_error_and_has_no_latency() {
        let mut tally = Tally::default();
        for error in ["refused", "dns", "refused"] {
            tally.finish(&End { took: None, error: Some(error), ..end(0, 0) }, SECOND);
        }
        assert_eq!((tally.requests, tally.errors, tally.plain(), tally.late()), (3, 3, None, None));
        assert_eq!(tally.classes(), [("refused", 2), ("dns", 1)]);
    }
}
