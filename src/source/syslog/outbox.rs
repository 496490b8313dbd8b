//! Messages on their way from a socket into batches: when they are handed on.

use std::time::{Duration, Instant};

use super::frame::Frame;
use super::source::{Account, count};
use crate::core::error::{Error, Result};
use crate::observe::receipt::grouped;
use crate::source::messages::Messages;
use crate::source::say::Say;

/// Messages on their way into batches.
pub(super) struct Outbox<'a> {
    messages: Messages<'a>,
    account: &'a Account,
}

/// Why a source ends.
pub(super) enum SourceEnd {
    /// No more is wanted.
    Enough,
    Failed(Error),
}

impl<'a> Outbox<'a> {
    /// Nothing yet; what comes is counted in `account`.
    pub fn new(messages: Messages<'a>, account: &'a Account) -> Self {
        Outbox { messages, account }
    }

    /// How many messages have been handed on.
    pub fn handed(&self) -> u64 {
        self.messages.handed()
    }

    pub fn add(&mut self, frame: Frame<'_>) -> Result<(), SourceEnd> {
        count(&self.account.received);
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

    /// How long to wait for more; without end when nothing waits to be handed out.
    pub fn patience(&self) -> Option<Duration> {
        self.messages.patience()
    }

    /// Hands out what waits, if the source is `quiet` or it has waited for long.
    pub fn hand_out(&mut self, quiet: bool) -> Result<(), SourceEnd> {
        if self.messages.hand_out(quiet) { Ok(()) } else { Err(SourceEnd::Enough) }
    }
}

/// Warnings that may come by the thousand: one in a while is said, the others are counted.
#[derive(Default)]
pub(super) struct LimitedWarning {
    said: Option<Instant>,
    unsaid: u64,
}

/// How often such a sentence is said at most.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

impl LimitedWarning {
    pub fn warn(&mut self, say: &Say, sentence: impl FnOnce() -> String) {
        if self.said.is_some_and(|said| said.elapsed() < WARNING_INTERVAL) {
            self.unsaid += 1;
            return;
        }
        let more = match std::mem::take(&mut self.unsaid) {
            0 => String::new(),
            more => format!(" ({} like this were not told)", grouped(more)),
        };
        self.said = Some(Instant::now());
        say.warn(sentence() + &more);
    }
}
