//! The counters of SQLite sinks.

use crate::observe::counters::counters;

counters! {
    /// The counters of SQLite sinks.
    pub(super) COUNTERS of Sink;
    RETRIES = 1056, "waits_for_lock", "attempts", "Attempts to store a batch that found the database locked. They were repeated.";
}
