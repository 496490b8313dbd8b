//! Where readers put what they read: [`BatchReceiver`], the limits of batches, and lines that are too long.

use std::sync::Arc;

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
