//! What all containers of a job share.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::accounts::Accounts;
use super::engine::Engine;
use super::options::Options;
use crate::core::error::Error;
use crate::core::stop::Stop;
use crate::observe::counters::Counters;
use crate::source::say::Say;

/// The pauses between two attempts to reach the Engine: the first one, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// See the [module](self).
pub struct Shared<'a> {
    /// The Engine.
    pub engine: &'a Engine,
    /// The options.
    pub options: Options,
    /// Whether a later run goes on where this one ends.
    pub is_resumed: bool,
    /// Tells the user.
    pub say: &'a Say,
    /// The counters of the source.
    pub counts: &'a Counters,
    /// How each container is read.
    pub accounts: &'a Accounts,
    /// The bytes that were read.
    pub progress: Arc<AtomicU64>,
    /// The errors of the source.
    pub errors: Mutex<Vec<Error>>,
}

impl<'a> Shared<'a> {
    /// Reports an error. A job that follows reports it at once, because it may run for a long time.
    pub fn fail(&self, error: Error) {
        if self.options.follow {
            self.say.warn(error.to_string());
        }
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }

    /// Returns the pauses between attempts to reach the Engine.
    pub fn pauses(&self) -> Pauses<'a> {
        Pauses { stop: self.engine.stop(), next: PAUSES[0] }
    }
}

/// Growing pauses between attempts.
pub struct Pauses<'a> {
    stop: &'a Stop,
    next: Duration,
}

impl Pauses<'_> {
    /// Waits for the next pause, or until the stop is requested.
    pub fn wait(&mut self) {
        let until = Instant::now() + self.next;
        self.next = (self.next * 2).min(PAUSES[1]);
        while !self.stop.is_requested() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            // A signal may interrupt the wait.
            let _ = poll(&mut [PollFd::new(self.stop.as_fd(), PollFlags::POLLIN)], timeout);
        }
    }
}
