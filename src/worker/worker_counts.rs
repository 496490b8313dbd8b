//! [`WorkerCounts`]: the number of lines and bytes that the workers of a process have stored.

use std::sync::{Mutex, PoisonError};

use crate::observe::counters::{BYTES, READ, Snapshot, Tally};

/// The counts of all workers of a process.
#[derive(Debug, Default)]
pub struct WorkerCounts(Mutex<Snapshot>);

impl WorkerCounts {
    /// Adds a durable batch.
    pub fn add(&self, lines: u64, bytes: u64, tally: Tally) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.add(&READ, lines);
        counts.add(&BYTES, bytes);
        counts.add_tally(tally);
    }

    /// Returns the counts so far.
    pub fn get(&self) -> Snapshot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
