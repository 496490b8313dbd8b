//! [`Histogram`]: quantiles of times with an error of at most one percent, in at most 3 KB.
//!
//! The bounds of its bins form a geometric series: each is 2 percent above the one before. Only bins with a count take memory.
//! hdrhistogram keeps all bins between the least and the greatest value, which are 13 KB for the times from a microsecond to an
//! hour.

/// The largest relative error of a quantile.
const ERROR: f64 = 0.01;

/// The maximum number of bins with a count. When there are more, the lowest two are joined, so that only the quantiles of very
/// short times lose precision. The bins reach from the greatest value down to its 5,600th part.
const MOST: usize = 432;

/// The number of bins by which the memory grows.
const STEP: usize = 24;

/// How often each value occurred, in bins.
///
/// ```
/// use logator::probe::histogram::Histogram;
///
/// let mut times = Histogram::default();
/// (1..=1000).for_each(|ms| times.record(ms * 1000, 1));
/// let median = times.quantile(0.5).unwrap();
/// assert!(median.abs_diff(500_000) <= 5_000, "{median}");
/// assert_eq!((times.count(), times.max()), (1000, 1_000_000));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// The numbers of the bins, ascending. A bin whose count is full stands twice.
    bins: Vec<u16>,
    /// The count of each bin.
    counts: Vec<u32>,
    total: u64,
    min: u64,
    max: u64,
}

/// Returns the factor between the bounds of a bin.
fn factor() -> f64 {
    (1.0 + ERROR) / (1.0 - ERROR)
}

/// Returns the number of the bin of `value`.
fn bin(value: u64) -> u16 {
    ((value.max(1) as f64).ln() / factor().ln()) as u16
}

/// Returns the value that stands for a bin: no value in the bin differs from it by more than the error.
fn middle(bin: u16) -> f64 {
    factor().powi(i32::from(bin)) * (1.0 + ERROR)
}

impl Histogram {
    /// Counts `value`, `count` times.
    pub fn record(&mut self, value: u64, count: u64) {
        if count == 0 {
            return;
        }
        self.min = if self.total == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.total = self.total.saturating_add(count);
        let bin = bin(value);
        let mut left = count;
        while left > 0 {
            let end = self.bins.partition_point(|known| *known <= bin);
            let is_known = end > 0 && self.bins[end - 1] == bin && self.counts[end - 1] < u32::MAX;
            if is_known {
                let most = u32::MAX - self.counts[end - 1];
                let more = u32::try_from(left).unwrap_or(u32::MAX).min(most);
                self.counts[end - 1] += more;
                left -= u64::from(more);
            } else {
                self.insert(end, bin);
            }
        }
    }

    /// Adds an empty bin at the place `at`.
    fn insert(&mut self, at: usize, bin: u16) {
        let mut at = at;
        if self.bins.len() >= MOST && self.join_lowest() {
            at = at.saturating_sub(1);
        }
        if self.bins.len() == self.bins.capacity() {
            self.bins.reserve_exact(STEP);
        }
        if self.counts.len() == self.counts.capacity() {
            self.counts.reserve_exact(STEP);
        }
        self.bins.insert(at, bin);
        self.counts.insert(at, 0);
    }

    /// Joins the two lowest bins, if their counts fit into one. Returns whether it did.
    fn join_lowest(&mut self) -> bool {
        let Some(sum) = self.counts[0].checked_add(self.counts[1]) else { return false };
        self.counts[1] = sum;
        self.bins.remove(0);
        self.counts.remove(0);
        true
    }

    /// Returns the number of values.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Returns the greatest value, exactly; 0 if there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Returns the value that the part `q` of all values does not exceed; `None` if there are no values. It differs from the
    /// true one by one percent at most.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let rank = ((q.clamp(0.0, 1.0) * self.total as f64).ceil() as u64).clamp(1, self.total.max(1));
        let mut sum = 0_u64;
        let at = self.counts.iter().position(|count| {
            sum += u64::from(*count);
            sum >= rank
        })?;
        match rank == self.total {
            true => Some(self.max),
            false => Some((middle(self.bins[at]) as u64).clamp(self.min, self.max)),
        }
    }

    /// Returns the bytes of memory that the bins take.
    pub fn memory(&self) -> usize {
        size_of::<Histogram>() + self.bins.capacity() * size_of::<u16>() + self.counts.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the true quantile of sorted values.
    fn exact(sorted: &[u64], q: f64) -> u64 {
        let rank = ((q * sorted.len() as f64).ceil() as usize).max(1);
        sorted[rank - 1]
    }

    #[test]
    fn two_histograms_of_times_between_a_microsecond_and_an_hour_take_less_than_6_kilobytes() {
        let mut times = Histogram::default();
        let mut value = 1.0;
        while value < 3.6e9 {
            times.record(value as u64, 3);
            value *= 1.003;
        }
        assert!(2 * times.memory() <= 6 << 10, "{} bytes", times.memory());
        let mut few = Histogram::default();
        (0..1000).for_each(|ms| few.record(20_000 + ms, 1));
        assert!(few.memory() < 300, "{} bytes", few.memory());
    }

    #[test]
    fn counts_beyond_four_thousand_millions_are_kept() {
        let mut times = Histogram::default();
        times.record(1_000, 3 * u64::from(u32::MAX));
        times.record(5_000, u64::from(u32::MAX));
        times.record(1_000, 5);
        assert_eq!(times.count(), 4 * u64::from(u32::MAX) + 5);
        assert!(times.quantile(0.74).unwrap().abs_diff(1_000) <= 10);
        assert!(times.quantile(0.76).unwrap().abs_diff(5_000) <= 50);
    }

    #[test]
    fn an_empty_histogram_has_no_quantiles_and_zero_is_a_value() {
        let mut times = Histogram::default();
        assert_eq!((times.quantile(0.5), times.max()), (None, 0));
        times.record(9, 0);
        assert_eq!(times.count(), 0);
        times.record(0, 1);
        assert_eq!((times.quantile(0.0), times.quantile(1.0)), (Some(0), Some(0)));
        times.record(u64::MAX, 1);
        assert_eq!((times.quantile(0.5), times.quantile(0.51)), (Some(1), Some(u64::MAX)));
    }

    proptest! {
        #[test]
        fn quantiles_are_within_one_percent(
            values in prop::collection::vec((1_u64..60_000_000).prop_map(|value| value * value % 60_000_000 + 5_000), 1..400),
            q in 0.0_f64..=1.0,
        ) {
            let mut times = Histogram::default();
            values.iter().for_each(|value| times.record(*value, 1));
            let mut sorted = values;
            sorted.sort_unstable();
            let (found, expected) = (times.quantile(q).unwrap(), exact(&sorted, q));
            prop_assert!(found.abs_diff(expected) as f64 <= expected as f64 * ERROR + 1.0, "{} for {}", found, expected);
            prop_assert_eq!(times.max(), *sorted.last().unwrap());
        }

        #[test]
        fn with_too_many_bins_the_upper_half_stays_precise(seed: u64) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut values: Vec<u64> = (0..5000).map(|_| 10_f64.powf(random.f64() * 10.0) as u64).collect();
            let mut times = Histogram::default();
            values.iter().for_each(|value| times.record(*value, 1));
            prop_assert!(times.bins.len() <= MOST && times.counts.iter().map(|count| u64::from(*count)).sum::<u64>() == 5000);
            values.sort_unstable();
            for q in [0.65, 0.9, 0.99] {
                let (found, expected) = (times.quantile(q).unwrap(), exact(&values, q));
                prop_assert!(found.abs_diff(expected) as f64 <= expected as f64 * ERROR + 1.0, "{}: {} for {}", q, found, expected);
            }
        }
    }
}
