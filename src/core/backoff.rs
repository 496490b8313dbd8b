//! Growing delays with jitter, so that many workers do not try again at the same moment.

use std::time::{Duration, Instant};

/// Delays that double from `first` to `max`. Each delay is random between half of its step and the whole step.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    step: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    /// Returns delays from `first` up to `max`.
    pub fn new(first: Duration, max: Duration) -> Backoff {
        Backoff::with_seed(first, max, fastrand::u64(..))
    }

    /// Does the same as [`new`](Backoff::new), with jitter that `seed` makes repeatable.
    pub fn with_seed(first: Duration, max: Duration, seed: u64) -> Backoff {
        Backoff { first, max, step: first.min(max), random: fastrand::Rng::with_seed(seed) }
    }

    /// Returns how long to wait before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.step.mul_f64(0.5 + self.random.f64() / 2.0);
        self.step = self.step.saturating_mul(2).min(self.max);
        delay
    }

    /// Returns the next delay, shortened so that it ends at `deadline` at the latest; `None` when `deadline` has
    /// passed.
    pub fn next_delay_before(&mut self, deadline: Instant, now: Instant) -> Option<Duration> {
        let left = deadline.saturating_duration_since(now);
        if left.is_zero() { None } else { Some(self.next_delay().min(left)) }
    }

    /// Starts from `first` again. Call it after a success.
    pub fn reset(&mut self) {
        self.step = self.first.min(self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn delays_double_up_to_the_longest_with_jitter_of_half_a_step() {
        for seed in 0..200 {
            let mut backoff = Backoff::with_seed(10 * MS, 60 * MS, seed);
            for step in [10, 20, 40, 60, 60] {
                let delay = backoff.next_delay();
                assert!(delay >= step * MS / 2 && delay <= step * MS, "{delay:?} of {step} ms");
            }
            backoff.reset();
            assert!(backoff.next_delay() <= 10 * MS);
        }
    }

    #[test]
    fn no_delay_goes_beyond_the_deadline() {
        let now = Instant::now();
        let mut backoff = Backoff::with_seed(100 * MS, 100 * MS, 1);
        assert_eq!(backoff.next_delay_before(now + MS, now), Some(MS));
        assert_eq!(backoff.next_delay_before(now, now), None);
        assert_eq!(backoff.next_delay_before(now, now + MS), None);
    }
}
