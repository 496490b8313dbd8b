//! The answers of `--confirm` while records go to a topic.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::options::Confirm;
use super::replies::Replies;
use crate::core::batch::{Batch, Ticket};
use crate::core::error::Result;
use crate::core::offered::Offered;
use crate::core::stop::Stop;
use crate::source::receiver::{BatchReceiver, LongLine};

/// The answer for a line whose delivery was not reported.
const NOT_DELIVERED: &str = "Kafka did not take the line in time; it may be sent again";

/// The answers to the program that writes the lines, in the order of the lines.
pub(super) struct Answers {
    replies: Replies,
    confirm: Confirm,
    /// The lines that were taken and are not answered.
    open: usize,
}

impl Answers {
    pub(super) fn new(confirm: Confirm) -> Answers {
        Answers { replies: Replies::new(confirm != Confirm::No), confirm, open: 0 }
    }

    /// Answers that lines may come.
    pub(super) fn ready(&mut self) {
        self.replies.flush();
    }

    /// Notes lines that the queue has taken.
    fn taken(&mut self, lines: usize) {
        match self.confirm {
            Confirm::No => {}
            Confirm::Queued => self.ok(lines),
            Confirm::Delivered => self.open += lines,
        }
    }

    /// Answers lines whose delivery is reported, or that are dead letters.
    pub(super) fn delivered(&mut self, lines: usize) {
        self.open = self.open.saturating_sub(lines);
        self.ok(lines);
    }

    /// Answers a line that was set aside because it is too long. A second attempt would not help.
    fn set_aside(&mut self) {
        self.ok(1);
    }

    /// Answers the lines that nothing will be reported about.
    pub(super) fn refuse_rest(&mut self) {
        self.replies.refuse(std::mem::take(&mut self.open), NOT_DELIVERED);
        self.replies.flush();
    }

    fn ok(&mut self, lines: usize) {
        self.replies.ok(lines);
        self.replies.flush();
    }
}

/// Answers for the lines that another receiver takes.
pub(super) struct Answering<R> {
    pub(super) inner: R,
    pub(super) answers: Arc<Mutex<Answers>>,
}

impl<R> Answering<R> {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: BatchReceiver> BatchReceiver for Answering<R> {
    fn offer(&self, batch: Batch) -> Offered {
        let records = batch.records as usize;
        // The lines may be delivered before the offer returns.
        let mut answers = self.answers();
        let offered = self.inner.offer(batch);
        if matches!(offered, Offered::Taken) {
            answers.taken(records);
        }
        offered
    }

    fn room(&self) -> Option<BorrowedFd<'_>> {
        self.inner.room()
    }

    fn wait_for_input(&self, input: BorrowedFd<'_>, stop: Option<&Stop>) -> io::Result<()> {
        self.inner.wait_for_input(input, stop)
    }

    fn is_open(&self) -> bool {
        self.inner.is_open()
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        self.inner.long_line(line)?;
        self.answers().set_aside();
        Ok(())
    }

    fn settle(&self, ticket: Ticket, records: u64) {
        self.inner.settle(ticket, records);
    }

    fn recall(&self, source: u16, stream: u32) -> Vec<Batch> {
        self.inner.recall(source, stream)
    }
}
