//! Cutting a content into batches, whoever reads it: [`Content`] holds what has come of it and is not handed out yet,
//! [`Cutter`] says how to cut and where batches go.
//!
//! A content is read into a block, which is handed out up to its last newline; what follows is carried over into the
//! next block. Batches are slices of blocks: no line is copied but those that a block's end cuts, and those that come
//! a few at a time. Blocks are used again when the last batch on them is acked.

use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::block_pool::{Block, BlockPool};
use super::origin::FINGERPRINT_BYTES;
use super::overlong::Overlong;
use super::receiver::{BatchReceiver, BatchSize, LongLine};
use crate::core::batch::{Batch, Origin};
use crate::core::error::Result;
use crate::state::checksum;

/// Less than this part of a block is copied when it is handed out: batches of a few lines, which a slow input makes,
/// would hold a block each, and no bound counts blocks.
const SMALL_PART: usize = 8;

/// How contents are cut, and where they go.
pub struct Cutter<'a> {
    /// How to cut.
    pub size: &'a BatchSize,
    /// Where blocks come from.
    pub pool: &'a Arc<BlockPool>,
    /// Where batches go.
    pub receiver: &'a dyn BatchReceiver,
    /// Names a content by how it begins: called once, with the whole first line or [`FINGERPRINT_BYTES`] of it.
    pub name: &'a dyn Fn(&[u8]) -> Origin,
}

/// One content, as far as it has come.
#[derive(Default)]
pub struct Content {
    origin: Option<Arc<Origin>>,
    /// Offset in the content of the first byte that is not handed out: where the block begins.
    offset: u64,
    /// Lines handed out.
    lines: u64,
    block: Vec<u8>,
    filled: usize,
    /// Bytes of the block known to hold no newline.
    searched: usize,
    /// The line that is longer than the bound, and whose end has not come. Its bytes are not kept in the block.
    long: Option<Overlong>,
    /// What comes first is the rest of a line whose beginning was handed out.
    rest: bool,
}

impl Content {
    /// Lines handed out.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Where the first byte stands that is not handed out.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes that have come and belong to no whole line yet, if all whole lines are handed out.
    pub fn unfinished(&self) -> u64 {
        self.long.as_ref().map_or(self.filled as u64, Overlong::bytes)
    }

    /// Whether the content has its origin, which does not change any more: something was handed out.
    pub fn is_named(&self) -> bool {
        self.origin.is_some()
    }

    /// Where to read the next bytes to: never empty.
    pub fn room(&mut self, cutter: &Cutter) -> &mut [u8] {
        if self.block.len() < cutter.size.bytes {
            let mut block = cutter.pool.take(cutter.size.bytes);
            block[..self.filled].copy_from_slice(&self.block[..self.filled]);
            self.block = block;
        }
        if self.filled == self.block.len() {
            // A line longer than a block: a larger one, of its own.
            self.block.resize((self.block.len() * 2).min(cutter.longest_block()).max(self.filled + 1), 0);
        }
        &mut self.block[self.filled..]
    }

    /// The first `length` bytes of the room have been read.
    pub fn advance(&mut self, length: usize) {
        self.filled += length;
    }

    /// Whether the block has no room left.
    pub fn is_full(&self) -> bool {
        self.filled == self.block.len()
    }

    /// Whether there is a line to hand out.
    pub fn has_line(&mut self) -> bool {
        let found = memchr::memchr(b'\n', &self.block[self.searched..self.filled]).is_some();
        if !found {
            self.searched = self.filled;
        }
        found
    }

    /// Hands out the whole lines that have come; `false` when no more is wanted.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`].
    pub fn hand_out(&mut self, cutter: &Cutter) -> Result<bool> {
        if self.long.is_some() && !self.pass_long_line(cutter)? {
            return Ok(true);
        }
        let Some(newline) = memchr::memrchr(b'\n', &self.block[self.searched..self.filled]) else {
            self.searched = self.filled;
            if self.filled >= cutter.longest_block() {
                self.begin_long_line(cutter);
            }
            return Ok(true);
        };
        let complete = self.searched + newline + 1;
        let tail = self.filled - complete;
        let mut next = match tail {
            0 => Vec::new(),
            tail if tail > cutter.size.bytes => vec![0; tail],
            _ => cutter.pool.take(cutter.size.bytes),
        };
        next[..tail].copy_from_slice(&self.block[complete..self.filled]);
        let block = std::mem::replace(&mut self.block, next);
        (self.filled, self.searched) = (tail, tail);
        self.hand_out_block(cutter, block, complete, false)
    }

    /// Hands out all that has come: what has no newline is the last line, and only a part of one if it is `partial`.
    /// `false` when no more is wanted.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`].
    pub fn end(&mut self, cutter: &Cutter, partial: bool) -> Result<bool> {
        if self.long.is_some() && !self.pass_long_line(cutter)? {
            self.set_aside(cutter, false, partial)?;
            return Ok(true);
        }
        let (block, filled) = (std::mem::take(&mut self.block), std::mem::take(&mut self.filled));
        self.searched = 0;
        if filled == 0 { Ok(true) } else { self.hand_out_block(cutter, block, filled, partial) }
    }

    /// Gives the block back, and keeps what it holds of a line in a place of its own size.
    pub fn return_block(&mut self, cutter: &Cutter) {
        if self.block.len() > self.filled {
            let block = std::mem::take(&mut self.block);
            self.block = block[..self.filled].to_vec();
            if block.len() == cutter.size.bytes {
                cutter.pool.give(block);
            }
        }
    }

    /// Leaves out the end of a line that was handed out without it: `bytes` of it, which have come behind that line.
    pub fn skip_bytes(&mut self, bytes: usize) {
        self.block.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
        self.searched = 0;
        self.offset += bytes as u64;
    }

    /// What comes next is the rest of a line whose beginning was handed out: it is a part of a line as well.
    pub fn continue_line(&mut self) {
        self.rest = true;
    }

    /// Whether something has come that is not handed out.
    pub fn has_pending(&self) -> bool {
        self.filled > 0
    }

    /// What has come and is not handed out.
    pub fn pending(&self) -> &[u8] {
        &self.block[..self.filled]
    }

    fn origin(&mut self, cutter: &Cutter, beginning: &[u8]) -> Arc<Origin> {
        Arc::clone(self.origin.get_or_insert_with(|| Arc::new((cutter.name)(beginning))))
    }

    /// Hands out the first `complete` bytes of `block`: whole lines, but for the last if it is `partial` and has no newline.
    fn hand_out_block(&mut self, cutter: &Cutter, block: Vec<u8>, complete: usize, partial: bool) -> Result<bool> {
        let origin = self.origin(cutter, &block[..complete]);
        let size = block.len();
        let reusable = size == cutter.size.bytes;
        let data = if reusable && complete < block.len() / SMALL_PART {
            let data = Bytes::copy_from_slice(&block[..complete]);
            cutter.pool.give(block);
            data
        } else {
            Bytes::from_owner(Block { bytes: block, filled: complete, pool: Arc::clone(cutter.pool), reusable })
        };
        let partial = partial && data[complete - 1] != b'\n';
        if !std::mem::take(&mut self.rest) {
            return self.hand_out_lines(cutter, &origin, &data, size, partial);
        }
        // A batch of its own, since only the last line of a batch can be said to be a part.
        let rest = memchr::memchr(b'\n', &data).map_or(complete, |newline| newline + 1);
        Ok(self.hand_out_lines(cutter, &origin, &data.slice(..rest), size, true)?
            && self.hand_out_lines(cutter, &origin, &data.slice(rest..), size, partial)?)
    }

    /// Hands out lines, which stand in a block of `size` bytes; the last of them is a part of a line if it is `partial`.
    fn hand_out_lines(
        &mut self,
        cutter: &Cutter,
        origin: &Arc<Origin>,
        data: &Bytes,
        size: usize,
        partial: bool,
    ) -> Result<bool> {
        let (max_line, complete) = (cutter.size.max_line, data.len());
        let mut start = 0;
        if complete > max_line {
            // Only a block longer than the bound can hold a line that is too long.
            for line in crate::core::lines::lines(data) {
                if line.bytes.len() <= max_line {
                    continue;
                }
                if !self.cut(cutter, origin, &data.slice(start..line.start), size, false) {
                    return Ok(false);
                }
                let end = memchr::memchr(b'\n', &data[line.start..]).map_or(complete, |at| line.start + at + 1);
                cutter.receiver.long_line(LongLine {
                    origin: Arc::clone(origin),
                    offset: self.offset,
                    beginning: line.bytes[..max_line].to_vec(),
                    length: line.bytes.len() as u64,
                    length_with_end: (end - line.start) as u64,
                    hash: xxh3_64(line.bytes),
                    checksum: checksum::of(&data[line.start..end]),
                    closed: data[end - 1] == b'\n',
                    partial: partial && end == complete,
                })?;
                self.offset += (end - line.start) as u64;
                self.lines += 1;
                start = end;
            }
        }
        Ok(self.cut(cutter, origin, &data.slice(start..), size, partial))
    }

    /// Cuts lines, which stand in a block of `block` bytes, into batches of about equal size within the bounds. The last of
    /// them is a part of a line if it is `partial`.
    fn cut(&mut self, cutter: &Cutter, origin: &Arc<Origin>, data: &Bytes, block: usize, partial: bool) -> bool {
        let size = cutter.size;
        // A line longer than a block has made this one larger.
        let large = block > size.bytes;
        let lines = crate::core::lines::count(data);
        if lines == 0 {
            return true;
        }
        let parts = lines.div_ceil(size.lines).max(data.len().div_ceil(size.bytes));
        let lines_per_part = lines.div_ceil(parts);
        let mut start = 0;
        while start < data.len() {
            let (length, count) = match parts {
                1 => (data.len(), lines),
                _ => part(&data[start..], lines_per_part, size.bytes),
            };
            let end = start + length;
            let mut part = data.slice(start..end);
            if large && part.len() < block / 2 {
                // Whoever gets it takes it for a slice of a block of the usual size.
                part = Bytes::copy_from_slice(&part);
            }
            // A block is far smaller than 4 GiB.
            let batch = Batch::new(Arc::clone(origin), self.offset, count as u32, part);
            let batch = batch.with_partial(partial && end == data.len());
            if !cutter.receiver.batch(batch) {
                return false;
            }
            self.offset += (end - start) as u64;
            self.lines += count as u64;
            start = end;
        }
        true
    }

    /// All that is held is the beginning of a line that is too long: from here on only its checksums are kept.
    fn begin_long_line(&mut self, cutter: &Cutter) {
        let block = std::mem::take(&mut self.block);
        let held = &block[..std::mem::take(&mut self.filled)];
        self.searched = 0;
        let origin = self.origin(cutter, held);
        self.long = Some(Overlong::new(origin, held, cutter.size.max_line));
    }

    /// Takes what has come of the long line. `true` when it has ended and was set aside; what follows it is held.
    fn pass_long_line(&mut self, cutter: &Cutter) -> Result<bool> {
        let Some(long) = &mut self.long else { return Ok(true) };
        let newline = memchr::memchr(b'\n', &self.block[..self.filled]);
        let end = newline.map_or(self.filled, |newline| newline + 1);
        long.add(&self.block[..end]);
        self.block.copy_within(end..self.filled, 0);
        self.filled -= end;
        self.searched = 0;
        if newline.is_some() {
            self.set_aside(cutter, true, false)?;
        }
        Ok(newline.is_some())
    }

    fn set_aside(&mut self, cutter: &Cutter, closed: bool, partial: bool) -> Result<()> {
        let Some(long) = self.long.take() else { return Ok(()) };
        let partial = std::mem::take(&mut self.rest) || partial;
        let line = long.finish(self.offset, closed, partial);
        self.offset += line.length_with_end;
        self.lines += 1;
        cutter.receiver.long_line(line)
    }
}

impl Cutter<'_> {
    /// The most bytes held while looking for a newline: one more than a line may have (and a carriage return), and
    /// enough for the fingerprint.
    fn longest_block(&self) -> usize {
        (self.size.max_line + 2).max(FINGERPRINT_BYTES).max(self.size.bytes)
    }
}

/// The length of the longest run of lines at the beginning of `data` that has at most `lines` lines and `bytes` bytes,
/// or of its first line if that is longer; and how many lines it has.
fn part(data: &[u8], lines: usize, bytes: usize) -> (usize, usize) {
    let newlines = memchr::memchr_iter(b'\n', data).map(|newline| newline + 1);
    let last = (data.last() != Some(&b'\n')).then_some(data.len());
    let (mut length, mut count) = (0, 0);
    for end in newlines.chain(last).take(lines) {
        if count > 0 && end > bytes {
            break;
        }
        (length, count) = (end, count + 1);
    }
    (length, count)
}
