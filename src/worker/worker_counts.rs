//! [`WorkerCounts`]: the number of lines and bytes that the workers of a process have stored.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::observe::receipt::Tally;

/// The counts of all workers of a process.
#[derive(Debug, Default)]
pub struct WorkerCounts {
    lines: AtomicU64,
    bytes: AtomicU64,
    tally: Mutex<Tally>,
}

impl WorkerCounts {
    /// Adds a durable batch.
    pub fn add(&self, lines: u64, bytes: u64, tally: Tally) {
        self.lines.fetch_add(lines, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner) += tally;
    }

    /// Returns the number of lines, the number of bytes, and the lines by outcome.
    pub fn get(&self) -> (u64, u64, Tally) {
        let tally = *self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        (self.lines.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed), tally)
    }
}
