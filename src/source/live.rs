//! Inputs without an end: what ends their readers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::core::stop::Stop;

/// The live readers of a process. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Live {
    /// Asks the readers to hand on what they have, and to leave. Its descriptor can be polled beside theirs.
    pub stop: Stop,
    readers: Arc<Readers>,
}

#[derive(Debug, Default)]
struct Readers {
    count: Mutex<usize>,
    ended: Condvar,
}

impl Readers {
    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A live reader at work, until it is dropped.
#[derive(Debug)]
pub struct ReaderGuard {
    readers: Arc<Readers>,
}

impl Drop for ReaderGuard {
    fn drop(&mut self) {
        *self.readers.count() -= 1;
        self.readers.ended.notify_all();
    }
}

impl Live {
    /// No reader yet; `stop` will end those to come.
    pub fn new(stop: Stop) -> Live {
        Live { stop, readers: Arc::default() }
    }

    /// Counts a reader for as long as the answer is kept.
    pub fn enter(&self) -> ReaderGuard {
        *self.readers.count() += 1;
        ReaderGuard { readers: Arc::clone(&self.readers) }
    }

    /// Waits until no reader is at work, but no longer than `most`: one may wait for room in a queue whose workers are
    /// gone.
    pub fn wait(&self, most: Duration) {
        let count = self.readers.count();
        drop(self.readers.ended.wait_timeout_while(count, most, |count| *count > 0));
    }
}
