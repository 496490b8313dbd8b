//! `Sending`: what both ways of sending have in common, and the receiver of lines that are read in the sending thread.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::inbox::Inbox;
use super::sent::Sent;
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::core::offered::Offered;
use crate::core::stop::Stop;
use crate::source::receiver::{BatchReceiver, LongLine};

/// The time after a stop in which readers hand on what they have. A reader that waits for a pipe does not end.
pub(super) const NOTICE: Duration = Duration::from_secs(2);

/// Sends the lines of an inbox.
pub(super) trait Sending: Send {
    /// Returns the addresses at which the socket listens, with actual ports.
    fn addresses(&self) -> Vec<String>;

    /// Sends and answers what waits in the inbox, as far as peers take it.
    fn work(&mut self) -> Result<()>;

    /// Waits until one of the descriptors is readable, or until there is something else to do. Returns which are readable.
    fn wait(&mut self, descriptors: [Option<RawFd>; 2]) -> Result<[bool; 2]>;

    /// Sends until the inputs have ended or a stop is requested, and then the remaining lines.
    fn run(self) -> Result<Sent>;
}

/// Takes lines that are read in the thread that sends: while the reader waits for its input, this thread sends. So a line and
/// its answer need no other thread.
pub(super) struct SameThread<'a, S> {
    inbox: &'a Inbox,
    state: Mutex<State<'a, S>>,
}

struct State<'a, S> {
    sending: &'a mut S,
    failure: Option<Error>,
}

impl<'a, S: Sending> SameThread<'a, S> {
    /// Takes lines into `inbox`, which `sending` empties.
    pub(super) fn new(inbox: &'a Inbox, sending: &'a mut S) -> SameThread<'a, S> {
        SameThread { inbox, state: Mutex::new(State { sending, failure: None }) }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// The reason why lines could not be sent.
    pub(super) fn end(self) -> Result<()> {
        self.inbox.end();
        match self.state.into_inner().unwrap_or_else(PoisonError::into_inner).failure {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<'a, S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends until `input` is readable and there is room for it, or until `stop` is requested.
fn send_until_readable(sending: &mut impl Sending, inbox: &Inbox, input: RawFd, stop: Option<&Stop>) -> Result<()> {
    loop {
        sending.work()?;
        if stop.is_some_and(Stop::is_requested) {
            return Ok(());
        }
        let [readable, _] = sending.wait([inbox.has_room().then_some(input), stop.map(Stop::descriptor)])?;
        if readable {
            return Ok(());
        }
    }
}

impl<S: Sending> BatchReceiver for SameThread<'_, S> {
    fn offer(&self, batch: Batch) -> Offered {
        self.inbox.add(&batch);
        Offered::Taken
    }

    fn wait_for_input(&self, input: BorrowedFd<'_>, stop: Option<&Stop>) -> io::Result<()> {
        let state = &mut *self.state();
        send_until_readable(state.sending, self.inbox, input.as_raw_fd(), stop).map_err(|error| {
            let reason = io::Error::other(error.to_string());
            state.failure = Some(error);
            reason
        })
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        self.inbox.long_line(line)
    }
}
