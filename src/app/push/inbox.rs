//! The lines that readers have handed on and that are not sent yet.

use std::ops::{Deref, DerefMut};
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::batch::{Batch, Framing};
use crate::core::error::Result;
use crate::core::lines;
use crate::core::offered::Offered;
use crate::core::stop::Waker;
use crate::net::push::backlog::Backlog;
use crate::source::receiver::{BatchReceiver, LongLine};
use crate::worker::parser::text::in_utf8;

/// The maximum number of bytes of lines that wait, whatever the number of lines.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// The lines between the threads that read and the thread that sends. Cloning shares them.
#[derive(Clone)]
pub(super) struct Inbox(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    /// Readable while there is room, and when no more lines are wanted. It changes under the lock.
    room: Waker,
    /// Readable when there is something new for the thread that sends.
    news: Waker,
    /// Readers wait while this number of lines waits, or more than [`MOST_BYTES`].
    most_lines: usize,
}

/// What the readers have handed on.
#[derive(Default)]
pub(super) struct Waiting {
    /// The lines.
    pub(super) backlog: Backlog,
    /// The lines that came since the last look.
    pub(super) added: Added,
    /// Whether all readers have ended.
    pub(super) ended: bool,
    /// Whether sources that have an end are not read any longer.
    stopped: bool,
    /// Whether no more lines are taken.
    closed: bool,
}

impl Waiting {
    fn add(&mut self, batch: &Batch) {
        let records = batch.records as usize;
        match &batch.framing {
            Framing::Lines if batch.context.origin.encoding.is_none() => self.backlog.add(&batch.data, records),
            // A line of the backlog holds no newline, and nothing tells its receiver an encoding.
            _ => batch.records().for_each(|record| {
                let text = in_utf8(record.bytes, batch.offset + record.start as u64, &batch.context.origin);
                self.backlog.add(&lines::of_message(&text), 1);
            }),
        }
        self.added.lines += records;
    }
}

/// Counts of lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Added {
    /// Lines that were put into the backlog.
    pub(super) lines: usize,
    /// Lines that are too long to be sent.
    pub(super) too_long: usize,
}

impl Inbox {
    /// Creates an inbox without lines. Readers wait while `most_lines` lines or [`MOST_BYTES`] wait in it.
    pub(super) fn new(most_lines: usize) -> Result<Inbox> {
        let (room, news) = (Waker::new()?, Waker::new()?);
        room.wake();
        Ok(Inbox(Arc::new(Shared { waiting: Mutex::default(), room, news, most_lines })))
    }

    /// Returns a descriptor that is readable when there is something new.
    pub(super) fn news(&self) -> RawFd {
        self.0.news.descriptor()
    }

    /// Returns what waits.
    pub(super) fn open(&self) -> InboxGuard<'_> {
        self.0.news.clear();
        self.lock()
    }

    /// Adds lines, even if there is no room.
    pub(super) fn add(&self, batch: &Batch) {
        self.lock().add(batch);
    }

    /// Whether readers may hand on more.
    pub(super) fn has_room(&self) -> bool {
        self.0.has_room(&self.lock())
    }

    /// Records that all readers have ended.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.0.news.wake();
    }

    /// Lets sources that have an end be read no longer. The lines that were read are taken without a limit.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
    }

    /// Takes no more lines, and returns what waits.
    pub(super) fn close(&self) -> InboxGuard<'_> {
        let mut waiting = self.open();
        waiting.closed = true;
        waiting
    }

    fn lock(&self) -> InboxGuard<'_> {
        InboxGuard { waiting: self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner), inbox: &self.0 }
    }
}

impl Shared {
    fn has_room(&self, waiting: &Waiting) -> bool {
        let is_small = waiting.backlog.lines() < self.most_lines && waiting.backlog.bytes() <= MOST_BYTES;
        is_small || waiting.stopped || waiting.closed
    }
}

/// What waits in an inbox. When it is dropped, readers learn whether there is room.
pub(super) struct InboxGuard<'a> {
    waiting: MutexGuard<'a, Waiting>,
    inbox: &'a Shared,
}

impl Deref for InboxGuard<'_> {
    type Target = Waiting;

    fn deref(&self) -> &Waiting {
        &self.waiting
    }
}

impl DerefMut for InboxGuard<'_> {
    fn deref_mut(&mut self) -> &mut Waiting {
        &mut self.waiting
    }
}

impl Drop for InboxGuard<'_> {
    fn drop(&mut self) {
        match self.inbox.has_room(&self.waiting) {
            true => self.inbox.room.wake(),
            false => self.inbox.room.clear(),
        }
    }
}

impl BatchReceiver for Inbox {
    fn offer(&self, batch: Batch) -> Offered {
        let mut waiting = self.lock();
        if waiting.closed {
            return Offered::Stopped;
        }
        if !self.0.has_room(&waiting) {
            return Offered::Full(batch);
        }
        waiting.add(&batch);
        self.0.news.wake();
        Offered::Taken
    }

    fn room(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.room.as_fd())
    }

    fn is_open(&self) -> bool {
        let waiting = self.lock();
        !waiting.stopped && !waiting.closed
    }

    fn long_line(&self, _: LongLine) -> Result<()> {
        let mut waiting = self.lock();
        waiting.added.too_long += usize::from(!waiting.closed);
        self.0.news.wake();
        Ok(())
    }
}
