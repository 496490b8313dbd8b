//! The longest time that a job waits for a resource.

use std::time::Duration;

/// The longest time that a job waits until one trouble is over. The default is 60 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Option<Duration>);

impl Deadline {
    /// No limit: the job waits until the trouble is over.
    pub const NONE: Deadline = Deadline(None);

    /// Creates a deadline of `most`.
    pub const fn of(most: Duration) -> Deadline {
        Deadline(Some(most))
    }

    /// Returns the longest time; `None` without a limit.
    pub fn get(self) -> Option<Duration> {
        self.0
    }
}

impl Default for Deadline {
    fn default() -> Self {
        Deadline::of(Duration::from_secs(60))
    }
}
