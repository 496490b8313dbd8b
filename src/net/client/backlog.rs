//! [`Backlog`]: how much waits in the queues that a worker process asks.

use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that wait in each queue, as its latest reply says. The connections of a process share it.
#[derive(Debug)]
pub struct Backlog(Vec<AtomicU64>);

impl Backlog {
    /// Returns the backlog of `queues` queues, of which nothing is known yet.
    pub fn of(queues: usize) -> Backlog {
        Backlog((0..queues).map(|_| AtomicU64::new(0)).collect())
    }

    /// Notes the backlog of one queue.
    pub(super) fn set(&self, queue: usize, bytes: u64) {
        if let Some(backlog) = self.0.get(queue) {
            backlog.store(bytes, Ordering::Relaxed);
        }
    }

    /// Returns the bytes that wait in all queues.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|backlog| backlog.load(Ordering::Relaxed)).fold(0, u64::saturating_add)
    }
}
