//! How long to wait before the next try.

use std::time::Duration;

/// Delays that double from `first` up to `max`, each drawn from its upper half, so that workers which lost the same
/// server do not come back all at once.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    /// The first delay is at most `first`, no delay is over `max`.
    pub fn new(first: Duration, max: Duration) -> Self {
        Backoff { next: first.min(max), max }
    }

    /// The delay to wait now: between half of the current step and the whole of it. The step then doubles.
    pub fn next_delay(&mut self) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.max);
        step.div_f64(2.0) + step.div_f64(2.0).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum_and_keep_to_their_upper_half() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for step in [100, 200, 350, 350] {
            let delay = backoff.next_delay();
            assert!(delay >= Duration::from_millis(step / 2), "{delay:?} of step {step}");
            assert!(delay <= Duration::from_millis(step), "{delay:?} of step {step}");
        }
    }
}
