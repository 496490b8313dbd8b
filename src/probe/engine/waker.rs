//! What ends a wait: a call of another thread, or libcurl's timer.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Ends a wait of an engine, from any thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<EventFd>);

impl Waker {
    pub(super) fn new() -> nix::Result<Self> {
        Ok(Waker(Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?)))
    }

    /// Ends the present wait of the engine; or the next one, if there is none at present.
    pub fn wake(&self) {
        // It fails only if it was called 2^64 times without a wait. The next wait ends at once then as well.
        let _ = self.0.write(1);
    }

    /// Forgets all calls so far.
    pub(super) fn rest(&self) {
        // It fails if there was no call.
        let _ = self.0.read();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The time at which libcurl wants to be called. libcurl sets it inside its own functions, so it is behind a lock.
#[derive(Debug, Default)]
pub(super) struct Timer(Mutex<Option<Instant>>);

impl Timer {
    /// Sets the timer, or takes it back. Returns `true`, as libcurl expects of a success.
    pub(super) fn set(&self, after: Option<Duration>) -> bool {
        *self.lock() = after.map(|after| Instant::now() + after);
        true
    }

    /// Returns the time at which libcurl wants to be called.
    pub(super) fn get(&self) -> Option<Instant> {
        *self.lock()
    }

    /// Returns whether the time has come, and takes the timer back if so.
    pub(super) fn take_due(&self, now: Instant) -> bool {
        self.lock().take_if(|due| *due <= now).is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
