//! One content, read from its beginning to its end and cut into batches.

use std::io::Read;
use std::sync::Arc;

use super::cutter::{Content, Cutter};
use crate::core::batch::{BLOCK_BYTES, Batch, Origin};
use crate::core::error::Result;
use crate::state::extents::Extent;

/// How content is cut.
#[derive(Debug, Clone)]
pub struct BatchSize {
    /// The most lines in a batch.
    pub lines: usize,
    /// The most bytes in a batch, if its first line is not longer.
    pub bytes: usize,
    /// The longest line, in bytes without its end.
    pub max_line: usize,
}

impl Default for BatchSize {
    fn default() -> Self {
        BatchSize { lines: 2000, bytes: BLOCK_BYTES, max_line: 1 << 20 }
    }
}

/// A line longer than the bound. Only its beginning is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongLine {
    /// The source.
    pub origin: Arc<Origin>,
    /// Where the line starts in the decompressed content.
    pub offset: u64,
    /// Its first [`BatchSize::max_line`] bytes.
    pub beginning: Vec<u8>,
    /// Its length in bytes, without its end.
    pub length: u64,
    /// Its length with its end.
    pub length_with_end: u64,
    /// XXH3-64 of the whole line without its end.
    pub hash: u64,
    /// The [checksum](crate::state::checksum) of the whole line with its end.
    pub checksum: u64,
    /// Whether it has a newline; only the last line of a content may lack it, and a part of a line.
    pub closed: bool,
    /// Whether it is a part of a line: its end had not come, or its beginning was handed out before.
    pub partial: bool,
}

impl LongLine {
    /// What is settled with it.
    pub fn extent(&self) -> Extent {
        let LongLine { offset: start, length_with_end: length, checksum, closed, partial, .. } = *self;
        Extent { start, length, checksum, closed, cut: partial && !closed }
    }
}

/// Where a reader puts what it reads.
pub trait BatchReceiver: Sync {
    /// Takes a batch, waiting for room; `false` when no more is wanted.
    fn batch(&self, batch: Batch) -> bool;

    /// Whether more is wanted. Asked after each read, because a reader may hand on nothing for long: lines that an earlier
    /// run settled, or one line that is too long.
    fn is_open(&self) -> bool {
        true
    }

    /// Takes a line that is too long for a batch.
    ///
    /// # Errors
    /// When it cannot be set aside durably.
    fn long_line(&self, line: LongLine) -> Result<()>;

    /// Whether a batch is taken without waiting, so that a reader that has other things to do need not wait for room.
    fn has_room(&self) -> bool {
        true
    }
}

/// How reading one content ended.
#[derive(Debug)]
pub enum End {
    /// At its end.
    Complete,
    /// No more was wanted.
    Stopped {
        /// Where the first byte stands in the decompressed content that was not taken.
        offset: u64,
    },
    /// By a read error, after `lines` lines and `offset` bytes of content. A line cut by the damage is not delivered.
    Damaged {
        /// What the reader said.
        error: std::io::Error,
        /// Lines delivered.
        lines: u64,
        /// Where the first undelivered byte stands in the decompressed content.
        offset: u64,
    },
}

/// Reads contents into batches.
pub struct BatchReader<'a> {
    /// How to cut, and where batches go.
    pub cutter: Cutter<'a>,
    /// Whether nothing more will come for a moment, so that what is there should be handed out. Asked after a short
    /// read; may wait for that moment.
    pub idle: &'a dyn Fn() -> bool,
}

impl BatchReader<'_> {
    /// Reads `input` to its end.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`]. A read error is an [`End`].
    pub fn read(&self, input: &mut dyn Read) -> Result<End> {
        let cutter = &self.cutter;
        let mut content = Content::default();
        let stopped = |content: &Content| End::Stopped { offset: content.offset() };
        loop {
            let length = match input.read(content.room(cutter)) {
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    if !content.hand_out(cutter)? {
                        return Ok(stopped(&content));
                    }
                    return Ok(End::Damaged { error, lines: content.lines(), offset: content.offset() });
                }
            };
            if length == 0 {
                return Ok(if content.end(cutter, false)? { End::Complete } else { stopped(&content) });
            }
            if !cutter.receiver.is_open() {
                return Ok(stopped(&content));
            }
            content.came(length);
            // Only if there is something to hand out is it worth asking whether more is to come.
            let enough = content.is_full() || (content.has_line() && (self.idle)());
            if enough && !content.hand_out(cutter)? {
                return Ok(stopped(&content));
            }
        }
    }
}

#[cfg(test)]
mod tests;
