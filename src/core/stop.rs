//! Asking everybody to stop: a flag for loops, a readable descriptor for those who wait on sockets.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::core::error::{Error, Result};

/// A request to stop, made once and seen by all. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Stop {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    requested: AtomicBool,
    waker: Waker,
}

impl Stop {
    /// A stop that nobody has asked for yet.
    pub fn new() -> Result<Self> {
        Ok(Stop { inner: Arc::new(Inner { requested: AtomicBool::new(false), waker: Waker::new()? }) })
    }

    /// Asks everybody to stop.
    pub fn request(&self) {
        if !self.inner.requested.swap(true, Ordering::SeqCst) {
            self.inner.waker.wake();
        }
    }

    /// Whether somebody has asked.
    pub fn is_requested(&self) -> bool {
        self.inner.requested.load(Ordering::Relaxed)
    }

    /// A descriptor that is readable from the request on, for `poll`.
    pub fn descriptor(&self) -> RawFd {
        self.inner.waker.descriptor()
    }

    /// The same, borrowed.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.waker.reader.as_fd()
    }
}

/// Wakes a thread that waits in `poll`.
#[derive(Debug)]
pub struct Waker {
    reader: PipeReader,
    writer: PipeWriter,
    /// Whether a byte is in the pipe: one is enough, and the pipe never fills.
    pending: AtomicBool,
}

impl Waker {
    /// A waker nobody has used yet.
    pub fn new() -> Result<Self> {
        let (reader, writer) = io::pipe().map_err(|error| Error::system("no pipe to wake up with").because(error))?;
        Ok(Waker { reader, writer, pending: AtomicBool::new(false) })
    }

    /// Makes the descriptor readable.
    pub fn wake(&self) {
        if !self.pending.swap(true, Ordering::SeqCst) {
            // The pipe is empty, so this can neither block nor fail for want of room.
            let _ = (&self.writer).write_all(&[1]);
        }
    }

    /// Takes the wake-up: what happened before it is seen by the caller from here on.
    pub fn clear(&self) {
        if self.pending.load(Ordering::SeqCst) {
            let _ = (&self.reader).read_exact(&mut [0]);
            self.pending.store(false, Ordering::SeqCst);
        }
    }

    /// The descriptor, for `poll`.
    pub fn descriptor(&self) -> RawFd {
        self.reader.as_raw_fd()
    }
}
