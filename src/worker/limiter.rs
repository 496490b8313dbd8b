//! [`Limiter`]: decides how many batches the process stores at a time.

use std::time::Duration;

/// Decides how many batches the process stores at a time. A limiter has no effects: it is told what happened, and answers
/// with a number.
pub trait Limiter: Send {
    /// Returns how many batches may be stored at a time. 0 counts as 1.
    fn limit(&self) -> usize;

    /// Takes note of a batch that was stored, or was not.
    fn observe(&mut self, call: &StoreCall);
}

/// What a limiter is told of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreCall {
    /// The time from the beginning to the end of storing.
    pub took: Duration,
    /// How many batches were being stored at the end, this one included.
    pub storing: usize,
    /// Whether all sinks have stored the batch.
    pub stored: bool,
}

/// A limit that never changes.
#[derive(Debug, Clone, Copy)]
pub struct Fixed(pub usize);

impl Limiter for Fixed {
    fn limit(&self) -> usize {
        self.0
    }

    fn observe(&mut self, _call: &StoreCall) {}
}
