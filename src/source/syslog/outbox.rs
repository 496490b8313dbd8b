//! Passes the messages of a socket on to batches, and limits warnings.

use std::time::{Duration, Instant};

use super::frame::Frame;
use super::source::RECEIVED;
use crate::core::error::{Error, Result};
use crate::core::numbers::grouped;
use crate::observe::counters::Counters;
use crate::source::messages::Messages;
use crate::source::say::Say;

/// Passes messages on to batches and counts them.
pub(super) struct Outbox<'a> {
    messages: Messages<'a>,
    counts: &'a Counters,
}

/// The reason why a socket is not read any longer.
pub(super) enum SourceEnd {
    /// The receiver wants no more.
    Enough,
    Failed(Error),
}

impl<'a> Outbox<'a> {
    /// Creates an outbox without messages. Each message will be counted in `counts`.
    pub fn new(messages: Messages<'a>, counts: &'a Counters) -> Self {
        Outbox { messages, counts }
    }

    /// The number of messages that the receiver accepted.
    pub fn handed(&self) -> u64 {
        self.messages.handed()
    }

    pub fn add(&mut self, frame: Frame<'_>) -> Result<(), SourceEnd> {
        self.counts.add(&RECEIVED, 1);
        let wanted = match frame {
            Frame::Message(message) => self.messages.add(message),
            Frame::Long(long) => self.messages.add_long(long.beginning, long.length, long.hash, long.checksum),
        };
        match wanted {
            Ok(true) => Ok(()),
            Ok(false) => Err(SourceEnd::Enough),
            Err(error) => Err(SourceEnd::Failed(error)),
        }
    }

    /// How long to wait for more messages. `None` means without a limit: no message waits for delivery.
    pub fn patience(&self) -> Option<Duration> {
        self.messages.patience()
    }

    /// Delivers the waiting messages if the socket is `quiet`, or if a message has waited for too long.
    pub fn hand_out(&mut self, quiet: bool) -> Result<(), SourceEnd> {
        if self.messages.hand_out(quiet) { Ok(()) } else { Err(SourceEnd::Enough) }
    }
}

/// Limits a warning that could occur thousands of times. It is said at most once in [`WARNING_INTERVAL`], and the other
/// times are counted.
#[derive(Default)]
pub(super) struct LimitedWarning {
    said: Option<Instant>,
    unsaid: u64,
}

/// The shortest time between two warnings of the same kind.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

impl LimitedWarning {
    pub fn warn(&mut self, say: &Say, sentence: impl FnOnce() -> String) {
        if self.said.is_some_and(|said| said.elapsed() < WARNING_INTERVAL) {
            self.unsaid += 1;
            return;
        }
        let more = match std::mem::take(&mut self.unsaid) {
            0 => String::new(),
            more => format!(" ({} more like this were not shown)", grouped(more)),
        };
        self.said = Some(Instant::now());
        say.warn(sentence() + &more);
    }
}
