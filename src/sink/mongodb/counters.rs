//! The counters of MongoDB sinks.

use crate::observe::counters::counters;

counters! {
    /// The counters of MongoDB sinks.
    pub(super) COUNTERS of Sink;
    RETRIES = 1088, "resent", "commands", "Commands that were sent again, because the server was away or busy.";
}
