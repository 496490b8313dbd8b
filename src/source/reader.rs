//! One content, cut into batches.
//!
//! A reader fills a block, cuts it behind its last newline, and carries what follows over into the next block. Batches
//! are slices of blocks: no line is copied but those that a block's end cuts. Blocks are used again when the last
//! batch on them is acked.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3Default;

use super::origin::FINGERPRINT_BYTES;
use crate::batch::{Batch, Origin};
use crate::error::Result;
use crate::lines::without_carriage_return;
use crate::state::sum;

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
        BatchSize { lines: 2000, bytes: 256 << 10, max_line: 1 << 20 }
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
    /// The [`sum`] of the whole line with its end.
    pub sum: u64,
    /// Whether it has a newline; only the last line of a content may lack it.
    pub closed: bool,
}

/// Where a reader puts what it reads.
pub trait Intake: Sync {
    /// Takes a batch, waiting for room; `false` when no more is wanted.
    fn batch(&self, batch: Batch) -> bool;

    /// Takes a line that is too long for a batch.
    ///
    /// # Errors
    /// When it cannot be set aside durably.
    fn long_line(&self, line: LongLine) -> Result<()>;
}

/// How reading one content ended.
#[derive(Debug)]
pub enum End {
    /// At its end.
    Complete,
    /// No more was wanted.
    Stopped,
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

/// Blocks that wait to be used again.
#[derive(Debug, Default)]
pub struct BlockPool {
    free: Mutex<Vec<Vec<u8>>>,
}

/// The most blocks kept for later; more are out only while many batches wait.
const FREE_BLOCKS: usize = 32;

impl BlockPool {
    fn take(&self, size: usize) -> Vec<u8> {
        let reused = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        reused.filter(|block| block.len() == size).unwrap_or_else(|| vec![0; size])
    }

    fn give(&self, block: Vec<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < FREE_BLOCKS && free.first().is_none_or(|other| other.len() == block.len()) {
            free.push(block);
        }
    }
}

/// A filled block, given back to its pool when the last batch on it is gone.
struct Block {
    bytes: Vec<u8>,
    filled: usize,
    pool: Arc<BlockPool>,
    reusable: bool,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.reusable {
            self.pool.give(std::mem::take(&mut self.bytes));
        }
    }
}

/// Reads contents into batches.
pub struct BatchReader<'a> {
    /// How to cut.
    pub size: &'a BatchSize,
    /// Where blocks come from.
    pub pool: &'a Arc<BlockPool>,
    /// Where batches go.
    pub intake: &'a dyn Intake,
    /// Names the content by how it begins: called once, with the whole first line or [`FINGERPRINT_BYTES`] of it.
    pub name: &'a dyn Fn(&[u8]) -> Origin,
    /// Whether nothing more will come for a moment, so that what is there should be handed out. Asked after a short
    /// read; may wait for that moment.
    pub idle: &'a dyn Fn() -> bool,
}

/// What one [`BatchReader::read`] carries along.
struct Progress {
    origin: Option<Arc<Origin>>,
    /// Offset in the content of the block's first byte.
    offset: u64,
    lines: u64,
}

impl BatchReader<'_> {
    /// Reads `content` to its end.
    ///
    /// # Errors
    /// Those of [`Intake::long_line`]. A read error is an [`End`].
    pub fn read(&self, content: &mut dyn Read) -> Result<End> {
        let mut progress = Progress { origin: None, offset: 0, lines: 0 };
        let mut block = self.pool.take(self.size.bytes);
        let mut filled = 0;
        // Bytes known to hold no newline.
        let mut searched = 0;
        loop {
            if filled == block.len() {
                // A line longer than a block: a larger one, of its own.
                block.resize((block.len() * 2).min(self.longest_block()), 0);
            }
            let length = match content.read(&mut block[filled..]) {
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let complete = memchr::memrchr(b'\n', &block[..filled]).map_or(0, |newline| newline + 1);
                    if complete > 0 && !self.hand_out(block, complete, &mut progress)? {
                        return Ok(End::Stopped);
                    }
                    return Ok(End::Damaged { error, lines: progress.lines, offset: progress.offset });
                }
            };
            if length == 0 {
                let wanted = filled == 0 || self.hand_out(block, filled, &mut progress)?;
                return Ok(if wanted { End::Complete } else { End::Stopped });
            }
            filled += length;
            let full = filled == block.len();
            if !full && filled < self.size.bytes {
                // Only if there is something to hand out is it worth asking whether more is to come.
                if memchr::memchr(b'\n', &block[searched..filled]).is_none() || !(self.idle)() {
                    continue;
                }
            }
            match memchr::memrchr(b'\n', &block[searched..filled]) {
                Some(newline) => {
                    let complete = searched + newline + 1;
                    let mut next = self.pool.take(self.size.bytes);
                    let tail = filled - complete;
                    if next.len() < tail {
                        next.resize(tail, 0);
                    }
                    next[..tail].copy_from_slice(&block[complete..filled]);
                    if !self.hand_out(block, complete, &mut progress)? {
                        return Ok(End::Stopped);
                    }
                    (block, filled) = (next, tail);
                    searched = tail;
                }
                None => {
                    searched = filled;
                    if filled >= self.longest_block() {
                        match self.skip_long_line(content, block, filled, &mut progress)? {
                            Skipped::More(rest) => {
                                filled = rest.len();
                                block = self.pool.take(self.size.bytes.max(filled));
                                block[..filled].copy_from_slice(&rest);
                                searched = 0;
                            }
                            Skipped::End(end) => return Ok(end),
                        }
                    }
                }
            }
        }
    }

    /// The most bytes held while looking for a newline: one more than a line may have (and a carriage return), and
    /// enough for the fingerprint.
    fn longest_block(&self) -> usize {
        (self.size.max_line + 2).max(FINGERPRINT_BYTES).max(self.size.bytes)
    }

    fn origin(&self, beginning: &[u8], progress: &mut Progress) -> Arc<Origin> {
        Arc::clone(progress.origin.get_or_insert_with(|| Arc::new((self.name)(beginning))))
    }

    /// Hands out the first `complete` bytes of `block`: whole lines.
    fn hand_out(&self, block: Vec<u8>, complete: usize, progress: &mut Progress) -> Result<bool> {
        let origin = self.origin(&block[..complete], progress);
        let reusable = block.len() == self.size.bytes;
        let block = Block { bytes: block, filled: complete, pool: Arc::clone(self.pool), reusable };
        let data = Bytes::from_owner(block);
        let mut start = 0;
        if complete > self.size.max_line {
            // Only a block longer than the bound can hold a line that is too long.
            for line in crate::lines::lines(&data) {
                if line.bytes.len() <= self.size.max_line {
                    continue;
                }
                if !self.cut(&origin, &data.slice(start..line.start), progress) {
                    return Ok(false);
                }
                let end = memchr::memchr(b'\n', &data[line.start..]).map_or(complete, |at| line.start + at + 1);
                self.intake.long_line(LongLine {
                    origin: Arc::clone(&origin),
                    offset: progress.offset,
                    beginning: line.bytes[..self.size.max_line].to_vec(),
                    length: line.bytes.len() as u64,
                    length_with_end: (end - line.start) as u64,
                    hash: xxhash_rust::xxh3::xxh3_64(line.bytes),
                    sum: sum::of(&data[line.start..end]),
                    closed: data[end - 1] == b'\n',
                })?;
                progress.offset += (end - line.start) as u64;
                progress.lines += 1;
                start = end;
            }
        }
        Ok(self.cut(&origin, &data.slice(start..), progress))
    }

    /// Cuts whole lines into batches of about equal size within the bounds.
    fn cut(&self, origin: &Arc<Origin>, data: &Bytes, progress: &mut Progress) -> bool {
        let lines = crate::lines::count(data);
        if lines == 0 {
            return true;
        }
        let pieces = lines.div_ceil(self.size.lines).max(data.len().div_ceil(self.size.bytes));
        let lines_a_piece = lines.div_ceil(pieces);
        let mut start = 0;
        while start < data.len() {
            let (length, count) = match pieces {
                1 => (data.len(), lines),
                _ => piece(&data[start..], lines_a_piece, self.size.bytes),
            };
            let end = start + length;
            let piece = data.slice(start..end);
            // A block is far smaller than 4 GiB.
            let batch = Batch::new(Arc::clone(origin), progress.offset, count as u32, piece);
            progress.offset += (end - start) as u64;
            progress.lines += count as u64;
            if !self.intake.batch(batch) {
                return false;
            }
            start = end;
        }
        true
    }

    /// Reads to the end of a line of which `block` holds the beginning, and sets it aside.
    fn skip_long_line(
        &self,
        content: &mut dyn Read,
        mut block: Vec<u8>,
        filled: usize,
        progress: &mut Progress,
    ) -> Result<Skipped> {
        let origin = self.origin(&block[..filled], progress);
        let beginning = block[..self.size.max_line].to_vec();
        let mut hash = LineHash::default();
        hash.update(&block[..filled]);
        let mut sum = sum::of(&block[..filled]);
        let mut add_to_sum = |bytes: &[u8]| sum = sum::join(sum, sum::of(bytes), bytes.len() as u64);
        let (rest, end, end_length) = loop {
            match content.read(&mut block) {
                Ok(0) => break (Vec::new(), Some(End::Complete), 0),
                Ok(length) => match memchr::memchr(b'\n', &block[..length]) {
                    Some(newline) => {
                        hash.update(&block[..newline]);
                        add_to_sum(&block[..=newline]);
                        break (block[newline + 1..length].to_vec(), None, 1);
                    }
                    None => {
                        hash.update(&block[..length]);
                        add_to_sum(&block[..length]);
                    }
                },
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let (lines, offset) = (progress.lines, progress.offset);
                    return Ok(Skipped::End(End::Damaged { error, lines, offset }));
                }
            }
        };
        let (length, length_with_end, hash) = hash.finish(end_length);
        let offset = progress.offset;
        progress.offset += length_with_end;
        progress.lines += 1;
        let closed = end.is_none();
        self.intake.long_line(LongLine { origin, offset, beginning, length, length_with_end, hash, sum, closed })?;
        Ok(end.map_or(Skipped::More(rest), Skipped::End))
    }
}

/// The length of the longest run of lines at the beginning of `data` that has at most `lines` lines and `bytes` bytes,
/// or of its first line if that is longer; and how many lines it has.
fn piece(data: &[u8], lines: usize, bytes: usize) -> (usize, usize) {
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

enum Skipped {
    /// What was read behind the line's end.
    More(Vec<u8>),
    End(End),
}

/// Hashes a line that comes in pieces, the carriage return of its end left out.
#[derive(Default)]
struct LineHash {
    hash: Xxh3Default,
    length: u64,
    carriage_return: bool,
}

impl LineHash {
    fn update(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        if std::mem::take(&mut self.carriage_return) {
            self.hash.update(b"\r");
            self.length += 1;
        }
        let line = without_carriage_return(piece);
        self.carriage_return = line.len() < piece.len();
        self.hash.update(line);
        self.length += line.len() as u64;
    }

    /// The line's length without and with its end, and its hash.
    fn finish(self, newline: u64) -> (u64, u64, u64) {
        (self.length, self.length + u64::from(self.carriage_return) + newline, self.hash.digest())
    }
}

#[cfg(test)]
mod tests;
