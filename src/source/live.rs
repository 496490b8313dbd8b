//! Live inputs, which have no end: how their readers are stopped.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::core::stop::Stop;

/// The readers of live inputs in this process. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Live {
    /// The request to stop. Readers then deliver the data that they have, and end. Readers can poll its file descriptor
    /// together with their own.
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

/// Counts one live reader as active until it is dropped.
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
    /// Creates a set without readers. `stop` will end all readers that are added.
    pub fn new(stop: Stop) -> Live {
        Live { stop, readers: Arc::default() }
    }

    /// Counts a reader as active until the returned guard is dropped.
    pub fn enter(&self) -> ReaderGuard {
        *self.readers.count() += 1;
        ReaderGuard { readers: Arc::clone(&self.readers) }
    }

    /// Waits until no reader is active, but no longer than `most`. A reader may wait for room in a queue that has no
    /// workers any more.
    pub fn wait(&self, most: Duration) {
        let count = self.readers.count();
        drop(self.readers.ended.wait_timeout_while(count, most, |count| *count > 0));
    }
}
