//! [`Limiter`]: decides how many batches the process stores at a time.

use std::time::Duration;

/// Decides how many batches the process stores at a time. A limiter has no effects: it is told what happened, and answers
/// with a number.
pub trait Limiter: Send {
    /// Returns how many batches may be stored at a time. 0 counts as 1.
    fn limit(&self) -> usize;

    /// Takes note of a batch that was stored, or was not. Returns the reason if the limit is another one now.
    fn observe(&mut self, call: &StoreCall) -> Option<String>;
}

/// What a limiter is told of one batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCall {
    /// When the batch was done, counted from the start of the pool.
    pub at: Duration,
    /// The time that the sinks took to answer. The time of refused attempts, and of the pauses after them, is not part of it.
    pub took: Duration,
    /// How many batches were being stored at the end, this one included.
    pub storing: usize,
    /// How long batches have waited because of the limit, since the call before this one.
    pub waited: Duration,
    /// The number of records of the batch.
    pub records: u32,
    /// The number of attempts that a sink refused, for the whole batch or for some of its documents.
    pub refused: u32,
    /// The number of documents that were sent again.
    pub retried: u64,
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

    fn observe(&mut self, _call: &StoreCall) -> Option<String> {
        None
    }
}
