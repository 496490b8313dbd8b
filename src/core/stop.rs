//! A request to stop: a flag for loops, and a readable descriptor for threads that wait in `poll`.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::core::error::{Error, Result};

/// A request to stop, which is made once and seen by all threads. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Stop {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    requested: AtomicBool,
    waker: Waker,
    /// The stops that are requested together with this one.
    parts: Mutex<Vec<Weak<Inner>>>,
}

impl Inner {
    fn new() -> Result<Arc<Inner>> {
        let (requested, parts) = (AtomicBool::new(false), Mutex::default());
        Ok(Arc::new(Inner { requested, waker: Waker::new()?, parts }))
    }

    fn request(&self) {
        if !self.requested.swap(true, Ordering::SeqCst) {
            self.waker.wake();
            let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
            parts.iter().filter_map(Weak::upgrade).for_each(|part| part.request());
        }
    }
}

impl Stop {
    /// Creates a stop that is not requested yet.
    ///
    /// # Errors
    /// The system gives no pipe.
    pub fn new() -> Result<Self> {
        Ok(Stop { inner: Inner::new()? })
    }

    /// Creates a stop for a part of the work. A request of the whole stop requests it too, and not the other way round.
    ///
    /// # Errors
    /// The system gives no pipe.
    pub fn part(&self) -> Result<Self> {
        let part = Inner::new()?;
        let mut parts = self.inner.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|part| part.strong_count() > 0);
        parts.push(Arc::downgrade(&part));
        drop(parts);
        // A request that came before takes no part from the list.
        if self.is_requested() {
            part.request();
        }
        Ok(Stop { inner: part })
    }

    /// Requests the stop.
    pub fn request(&self) {
        self.inner.request();
    }

    /// Returns whether the stop was requested.
    pub fn is_requested(&self) -> bool {
        self.inner.requested.load(Ordering::SeqCst)
    }

    /// Returns a descriptor for `poll`. It becomes readable with the request, and stays so.
    pub fn descriptor(&self) -> RawFd {
        self.inner.waker.descriptor()
    }

    /// Returns the same descriptor, borrowed.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.waker.as_fd()
    }
}

/// Wakes a thread that waits in `poll`.
#[derive(Debug)]
pub struct Waker {
    reader: PipeReader,
    writer: PipeWriter,
    /// Whether a byte is in the pipe. One byte is enough, so the pipe never fills.
    pending: AtomicBool,
}

impl Waker {
    /// Creates a waker.
    ///
    /// # Errors
    /// The system gives no pipe.
    pub fn new() -> Result<Self> {
        let (reader, writer) = io::pipe().map_err(|error| Error::system("the system gives no pipe").because(error))?;
        Ok(Waker { reader, writer, pending: AtomicBool::new(false) })
    }

    /// Makes the descriptor readable.
    pub fn wake(&self) {
        if !self.pending.swap(true, Ordering::SeqCst) {
            // The pipe is empty. Therefore this write cannot block, and cannot fail for lack of room.
            let _ = (&self.writer).write_all(&[1]);
        }
    }

    /// Whether the descriptor is readable.
    pub fn is_awake(&self) -> bool {
        self.pending.load(Ordering::SeqCst)
    }

    /// Makes the descriptor unreadable again. The caller sees everything that happened before the wake-up.
    pub fn clear(&self) {
        if self.pending.load(Ordering::SeqCst) {
            let _ = (&self.reader).read_exact(&mut [0]);
            self.pending.store(false, Ordering::SeqCst);
        }
    }

    /// Returns the descriptor for `poll`.
    pub fn descriptor(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Returns the same descriptor, borrowed.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_stopped_with_the_whole_and_alone() {
        let whole = Stop::new().unwrap();
        let (first, second) = (whole.part().unwrap(), whole.part().unwrap());
        first.request();
        assert!(first.is_requested() && !second.is_requested() && !whole.is_requested());
        whole.request();
        assert!(second.is_requested() && whole.part().unwrap().is_requested());
    }
}
