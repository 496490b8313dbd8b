//! The interface between readers and the code that takes their batches: [`BatchReceiver`], the limits of batches, and
//! lines that are too long.

use std::io;
use std::os::fd::BorrowedFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::core::batch::{BLOCK_BYTES, Batch, Ticket};
use crate::core::context::Context;
use crate::core::error::{Error, Result};
use crate::core::line_end::LineEnd;
use crate::core::offered::Offered;
use crate::core::record::{self, Key};
use crate::core::stop::Stop;
use crate::state::checksum;
use crate::state::extents::Extent;

/// The limits of batches and lines.
#[derive(Debug, Clone)]
pub struct BatchSize {
    /// The maximum number of lines in a batch.
    pub lines: usize,
    /// The maximum number of bytes in a batch. A batch of one line may be longer.
    pub bytes: usize,
    /// The longest line, in bytes without its end.
    pub max_line: usize,
}

impl Default for BatchSize {
    fn default() -> Self {
        BatchSize { lines: 2000, bytes: BLOCK_BYTES, max_line: 1 << 20 }
    }
}

/// A line that is longer than the limit, of which only the beginning is kept; or a piece of such a line, which is kept whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongLine {
    /// What is in force at the line.
    pub context: Context,
    /// The offset of the line in the decompressed content.
    pub offset: u64,
    /// Its first [`BatchSize::max_line`] bytes.
    pub beginning: Vec<u8>,
    /// Its length in bytes, without its end.
    pub length: u64,
    /// Its length in bytes, with its end.
    pub length_with_end: u64,
    /// XXH3-64 of the whole line without its end.
    pub hash: u64,
    /// The [`checksum`] of the whole line with its end.
    pub checksum: u64,
    /// Whether the line has a newline. Only the last line of a content and a part of a line may lack it.
    pub closed: bool,
    /// Whether this is only a part of a line: its end had not been written yet, or its first part was delivered before.
    pub partial: bool,
    /// The value from which the id of the line is made.
    pub key: Key,
    /// The hand-out that the line is the only record of, if its source wants to know what is settled.
    pub ticket: Option<Ticket>,
    /// The number of the line in its content, from 1 on; `None` if it is not known.
    pub line: Option<u64>,
}

impl LongLine {
    /// Creates the long line `line`, given with its line end if it has one. `offset` is its offset in the content.
    pub(super) fn of(context: Context, offset: u64, line: &[u8], max_line: usize, partial: bool) -> LongLine {
        let line_end = LineEnd::of(context.origin.encoding.as_deref());
        let bare = line_end.without(line);
        LongLine {
            context,
            offset,
            beginning: bare[..bare.len().min(max_line)].to_vec(),
            length: bare.len() as u64,
            length_with_end: line.len() as u64,
            hash: record::hash(bare),
            checksum: checksum::of(line),
            closed: line_end.ends(line),
            partial,
            key: Key::Offset(offset),
            ticket: None,
            line: None,
        }
    }

    /// The extent that is settled together with the line.
    pub fn extent(&self) -> Extent {
        let LongLine { offset: start, length_with_end: length, checksum, closed, partial, .. } = *self;
        Extent { start, length, checksum, closed, cut: partial && !closed }
    }
}

/// A record that its source cannot turn into a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// What is in force at the record.
    pub context: Context,
    /// The offset of the record in its content.
    pub offset: u64,
    /// The value from which the id of the record is made.
    pub key: Key,
    /// The bytes as they came, or their beginning.
    pub raw: Vec<u8>,
    /// The number of bytes that came.
    pub length: u64,
    /// XXH3-64 of all bytes that came.
    pub hash: u64,
    /// Why it is no line.
    pub why: String,
    /// The hand-out that the record is the only one of.
    pub ticket: Option<Ticket>,
}

/// The code that takes the batches of a source.
pub trait BatchReceiver: Sync {
    /// Takes a batch, if there is room for it. The answer comes at once.
    fn offer(&self, batch: Batch) -> Offered;

    /// A descriptor for `poll`. It is readable while there is room, and when no more batches are wanted. `None` if there
    /// is always room.
    fn room(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Waits until `input` is readable and there is room, or until `stop` is requested. A receiver that works in the thread of
    /// its source works meanwhile.
    ///
    /// # Errors
    /// Waiting fails.
    fn wait_for_input(&self, input: BorrowedFd<'_>, stop: Option<&Stop>) -> io::Result<()> {
        for wanted in self.room().into_iter().chain([input]) {
            wait_until_readable(wanted, stop)?;
            if stop.is_some_and(Stop::is_requested) {
                break;
            }
        }
        Ok(())
    }

    /// Whether more batches are wanted.
    fn is_open(&self) -> bool {
        true
    }

    /// Takes a line that is too long for a batch.
    ///
    /// # Errors
    /// Fails when the line cannot be set aside durably.
    fn long_line(&self, line: LongLine) -> Result<()>;

    /// Takes a record that its source cannot turn into a line.
    ///
    /// # Errors
    /// Fails when the record cannot be set aside durably.
    fn bad_record(&self, record: BadRecord) -> Result<()> {
        Err(Error::internal(format!("{}: nothing takes a record that is no line", record.context.origin.name)))
    }

    /// Counts a record that its source leaves out, because it holds nothing. `bytes` is its length with its line end.
    fn filter(&self, _bytes: u64) {}

    /// Counts NULs that a reader leaves out between records.
    fn leave_out_nuls(&self, _bytes: u64) {}

    /// Learns that records of a hand-out are settled that were never offered, because an earlier run settled them.
    fn settle(&self, _ticket: Ticket, _records: u64) {}

    /// Gives back the batches of a stream that no worker has. They do not count as read any more.
    fn recall(&self, _source: u16, _stream: u32) -> Vec<Batch> {
        Vec::new()
    }
}

/// Waits until `descriptor` is readable, or until `stop` is requested.
///
/// # Errors
/// Waiting fails, or a signal has interrupted it.
pub(super) fn wait_until_readable(descriptor: BorrowedFd<'_>, stop: Option<&Stop>) -> io::Result<()> {
    let readable = |descriptor| PollFd::new(descriptor, PollFlags::POLLIN);
    let waited = [Some(descriptor), stop.map(Stop::as_fd)];
    poll(&mut waited.into_iter().flatten().map(readable).collect::<Vec<_>>(), PollTimeout::NONE)?;
    Ok(())
}
