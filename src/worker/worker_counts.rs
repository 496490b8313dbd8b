//! [`WorkerCounts`]: the number of lines and bytes that the workers of a process have stored.

use std::sync::{Mutex, PoisonError};

use crate::observe::counters::{Snapshot, Tally};
use crate::queue::Counted;

/// The counts of all workers of a process.
#[derive(Debug, Default)]
pub struct WorkerCounts(Mutex<Snapshot>);

impl WorkerCounts {
    /// Adds a durable batch.
    pub fn add(&self, counted: &Counted, tally: Tally) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.iter().for_each(|(counter, number)| counts.add(counter, *number));
        counts.add_tally(tally);
    }

    /// Returns the counts so far.
    pub fn get(&self) -> Snapshot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
