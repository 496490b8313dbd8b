//! The progress of all readers of a job, in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The progress of all readers together.
#[derive(Debug, Default)]
pub struct Progress {
    /// The bytes that were read of files, as they are on the disk (compressed).
    pub read: Arc<AtomicU64>,
    /// The bytes of all files; 0 if unknown, for instance for standard input.
    pub total: u64,
}

impl Progress {
    /// The progress at the start of reading sources of these `sizes`. The total is unknown if one of them is unknown.
    pub fn of(sizes: impl Iterator<Item = Option<u64>>) -> Self {
        let total = sizes.sum::<Option<u64>>().unwrap_or(0);
        Progress { read: Arc::default(), total }
    }

    /// The bytes that were read, and the total if it is known.
    pub fn get(&self) -> (u64, Option<u64>) {
        (self.read.load(Ordering::Relaxed), (self.total > 0).then_some(self.total))
    }
}
