//! How long a job waits.

use std::time::Duration;

/// How long a job waits for one trouble at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Option<Duration>);

impl Deadline {
    /// A job waits until the trouble is over.
    pub const NONE: Deadline = Deadline(None);

    /// A job waits for `most`.
    pub const fn of(most: Duration) -> Deadline {
        Deadline(Some(most))
    }

    /// How long; `None` when there is no limit.
    pub fn get(self) -> Option<Duration> {
        self.0
    }
}

impl Default for Deadline {
    fn default() -> Self {
        Deadline::of(Duration::from_secs(60))
    }
}
