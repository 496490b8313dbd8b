//! Waiting longer after each failure, and never in step with others.

use std::time::Duration;

/// Delays that double from a first to a longest one, each drawn at random from its upper half.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    /// Starts at `first`; no delay is longer than `max`.
    pub fn new(first: Duration, max: Duration) -> Self {
        Backoff { next: first.min(max), max }
    }

    /// The delay before the next try.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = (self.next * 2).min(self.max);
        delay / 2 + (delay / 2).mul_f64(fastrand::f64())
    }
}
