//! How long the reader of a live input waits for more data before it delivers the data that it has.

use std::time::{Duration, Instant};

use nix::poll::PollTimeout;

/// A pause of this length in a live input ends the wait.
pub(super) const MAX_QUIET: Duration = Duration::from_millis(20);

/// The wait ends after this time even if the input never pauses.
pub(super) const MAX_DELAY: Duration = Duration::from_millis(80);

/// How long the data that waits for delivery has waited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BatchingDelay {
    /// When the oldest data that waits was read. `None` if no data waits.
    pub(super) since: Option<Instant>,
}

impl BatchingDelay {
    /// Starts the wait, unless it has started already.
    pub fn begin(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// How long to wait for more data. If none comes within this time, the waiting data must be delivered.
    pub fn left(&self) -> Duration {
        MAX_DELAY.saturating_sub(self.waited()).min(MAX_QUIET)
    }

    /// Whether the waiting data must be delivered although more data comes.
    pub fn is_due(&self) -> bool {
        self.waited() >= MAX_DELAY
    }

    /// Ends the wait. The caller has delivered the data.
    pub fn reset(&mut self) {
        self.since = None;
    }

    fn waited(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// The timeout argument for `poll` and `epoll`. `None` means to wait without a limit. The time is rounded up to whole
/// milliseconds, because a wait that ends just before its deadline would be repeated several times.
pub(super) fn timeout(most: Option<Duration>) -> PollTimeout {
    most.map_or(PollTimeout::NONE, |most| {
        PollTimeout::try_from(most.saturating_add(Duration::from_micros(999))).unwrap_or(PollTimeout::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up() {
        let milliseconds = |most| timeout(Some(most)).as_millis();
        for (micros, millis) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), Some(millis), "{micros}");
        }
        assert_eq!((timeout(None), timeout(Some(Duration::MAX))), (PollTimeout::NONE, PollTimeout::MAX));
    }
}
