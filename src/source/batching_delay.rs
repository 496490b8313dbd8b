//! How long a reader waits for more of a live input before it hands on what it has.

use std::time::{Duration, Instant};

use nix::poll::PollTimeout;

/// How long a live input may be quiet before what it gave is handed out.
pub(super) const QUIET: Duration = Duration::from_millis(20);

/// How long what it gave is kept if it never is.
pub(super) const LONGEST: Duration = Duration::from_millis(80);

/// How long what a live input gave has waited for more.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BatchingDelay {
    /// When the oldest of it came.
    pub(super) since: Option<Instant>,
}

impl BatchingDelay {
    /// Something waits from now on, if nothing did before.
    pub fn begin(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// How long to wait for more: when none has come by then, what waits is to be handed out.
    pub fn left(&self) -> Duration {
        LONGEST.saturating_sub(self.waited()).min(QUIET)
    }

    /// Whether what waits is to be handed out although more comes.
    pub fn is_due(&self) -> bool {
        self.waited() >= LONGEST
    }

    /// What waited has been handed out.
    pub fn reset(&mut self) {
        self.since = None;
    }

    fn waited(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// How long `poll` and `epoll` are to wait: without end, or milliseconds, rounded up. A wait that ends just before its deadline
/// would be done again at once, and again.
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
