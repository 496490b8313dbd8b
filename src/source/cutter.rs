//! Cuts a content into batches. [`Content`] holds the bytes that were read and not delivered yet. [`Cutter`] holds the
//! limits and the receiver of the batches.
//!
//! A reader reads a content into a block. The block is delivered up to its last newline, and the bytes after that
//! newline are copied to the next block. Batches are slices of blocks, so only two kinds of lines are copied: lines
//! that cross the end of a block, and lines that arrive a few at a time. A block is used again when the last batch on
//! it is acknowledged.
//!
//! If lines are joined to records, or if lines must stay together, they stay in the block until a later line shows that they
//! are complete (`Dividing`).

mod beginning;
mod delivery;

use std::sync::Arc;
use std::time::Duration;

use super::binary::GAP;
use super::block_pool::BlockPool;
use super::dividing::{Closing, Dividing};
use super::encodings::{Carrier, EncodingRule, Text};
use super::grouping::Grouping;
use super::heading::Heading;
use super::joiner::{Joining, RecordEnd};
use super::joint::Joint;
use super::origin::FINGERPRINT_BYTES;
use super::outlet::Outlet;
use super::overlong::Overlong;
use super::receiver::BatchSize;
use super::record_rules::RecordRules;
use super::times::Times;
use crate::core::context::{Context, Origin};
use crate::core::envelope::Envelope;
use crate::core::error::Result;
use crate::core::line_end::LineEnd;
use crate::core::record::IdRule;

/// Lines that fill less than 1/`SMALL_PART` of a block are copied before they are delivered. A slow input makes batches
/// of a few lines. Without the copy, each of these batches would keep a whole block in memory, and no limit counts
/// blocks.
const SMALL_PART: usize = 8;

/// How to cut contents, and which receiver gets the batches.
pub struct Cutter<'a> {
    /// The limits of a batch.
    pub size: &'a BatchSize,
    /// The pool that blocks are taken from.
    pub pool: &'a Arc<BlockPool>,
    /// The receiver of the batches.
    pub receiver: &'a dyn Outlet,
    /// Returns the origin of a content from its first bytes. The function is called once, with the whole first line or
    /// with [`FINGERPRINT_BYTES`] bytes of it.
    pub name: &'a dyn Fn(&[u8]) -> Origin,
    /// How lines become records.
    pub rules: &'a RecordRules,
    /// The contents before and after each content, which may share a line with it.
    pub joint: Joint<'a>,
    /// How the encoding of a content is found.
    pub encoding: EncodingRule,
    /// What the contents come from.
    pub carrier: Carrier,
}

/// The state of one content: the bytes that were read and not delivered yet.
#[derive(Default)]
pub struct Content {
    origin: Option<Arc<Origin>>,
    /// The time of the bytes that were read last, in milliseconds since 1970.
    time_ms: i64,
    /// The times of the bytes that were not delivered, if they differ.
    times: Times,
    /// The offset in the content of the first byte that was not delivered. The block begins there.
    offset: u64,
    /// The number of lines that were delivered.
    lines: u64,
    newlines: Newlines,
    block: Vec<u8>,
    filled: usize,
    /// The number of bytes at the start of the block that hold no newline, as far as was searched.
    searched: usize,
    /// A line that is longer than the limit and has not ended yet. The block does not hold its bytes.
    long: Option<Overlong>,
    /// Whether the next bytes are the rest of a line whose first part was delivered.
    rest: bool,
    /// Whether a block was asked for.
    has_begun: bool,
    /// The records of the block, if a record is not simply a line.
    dividing: Option<Box<dyn Dividing>>,
    heading: Heading,
    /// What the first bytes have told.
    text: Option<Text>,
    /// The number of NULs at the end of the block whose run is within a line and may go on.
    open_nuls: usize,
    /// The pieces of a line that the content before left open.
    before: Option<Arc<[u8]>>,
    /// Whether the open lines at the end of the block go on in the next content.
    continues: bool,
}

/// The number of line ends before the first byte that was not delivered, if it is known.
#[derive(Debug, Clone, Copy)]
struct Newlines(Option<u64>);

impl Default for Newlines {
    fn default() -> Newlines {
        Newlines(Some(0))
    }
}

impl Newlines {
    /// The number of the line that comes next, from 1 on.
    fn line(self) -> Option<u64> {
        self.0.map(|newlines| newlines + 1)
    }

    fn add(&mut self, newlines: u64) {
        self.0 = self.0.map(|before| before + newlines);
    }
}

impl Content {
    /// The number of lines that were delivered.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The offset in the content of the first byte that was not delivered.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of bytes of the unfinished line, provided that [`hand_out`](Self::hand_out) was called after the last
    /// read.
    pub fn unfinished(&self) -> u64 {
        let from = self.dividing.as_ref().map_or(0, |dividing| dividing.unfinished_from());
        self.long.as_ref().map_or((self.filled - from) as u64, Overlong::bytes)
    }

    /// Whether whole lines wait for the end of their record, provided that [`hand_out`](Self::hand_out) was called after
    /// the last read.
    pub fn has_open_record(&self) -> bool {
        self.dividing.as_ref().is_some_and(|dividing| dividing.is_open())
    }

    /// The envelope of the records; `None` before the first delivery.
    pub fn envelope(&self) -> Option<Envelope> {
        self.origin.as_ref().map(|origin| origin.envelope)
    }

    /// The time of the bytes that were read last.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Begins at `offset` of the content. Nothing was read of it yet.
    pub fn skip_to(&mut self, offset: u64) {
        self.offset = offset;
        self.text = Some(Text::UTF_8);
        if offset > 0 {
            self.newlines = Newlines(None);
        }
    }

    /// Whether the content has an origin. The origin is set by the first delivery and does not change after that.
    pub fn is_named(&self) -> bool {
        self.origin.is_some()
    }

    /// The free part of the block, which the next bytes are read into. It is never empty.
    pub fn room(&mut self, cutter: &Cutter) -> &mut [u8] {
        if !std::mem::replace(&mut self.has_begun, true) && self.dividing.is_none() {
            let RecordRules { join, header } = cutter.rules;
            let joining = Joining::new(join.as_ref(), header.as_ref(), self.offset);
            self.dividing = joining.map(|joining| Box::new(joining) as _);
        }
        if self.block.len() < cutter.size.bytes {
            let mut block = cutter.pool.take(cutter.size.bytes);
            block[..self.filled].copy_from_slice(&self.block[..self.filled]);
            self.block = block;
        }
        if self.filled == self.block.len() {
            // The line is longer than a block, so it gets a larger block of its own.
            let open = self.dividing.as_ref().map_or(0, |dividing| dividing.longest_record(cutter.size.max_line));
            self.block.resize((self.block.len() * 2).min(cutter.longest_block() + open).max(self.filled + 1), 0);
        }
        &mut self.block[self.filled..]
    }

    /// Records that the first `length` bytes of the [room](Self::room) were filled. `time_ms` is the time of these bytes
    /// ([`Context::time_ms`]).
    pub fn advance(&mut self, length: usize, time_ms: i64) {
        self.filled += length;
        self.time_ms = time_ms;
    }

    /// The same as [`advance`](Self::advance), but each record gets the time of the bytes that it begins with.
    pub fn advance_exactly(&mut self, length: usize, time_ms: i64) {
        self.times.note(self.offset + self.filled as u64, self.time_ms, time_ms);
        self.advance(length, time_ms);
    }

    /// Whether the block is full.
    pub fn is_full(&self) -> bool {
        self.filled == self.block.len()
    }

    /// The time without a byte after which the open record ends.
    pub fn quiet(&self) -> Option<Duration> {
        self.dividing.as_ref().map(|dividing| dividing.quiet())
    }

    /// Gives the content its origin as soon as the block has the whole first line. The origin decides how the content is
    /// divided.
    fn name_first(&mut self, cutter: &Cutter) {
        if self.origin.is_none() && memchr::memchr(b'\n', &self.block[self.searched..self.filled]).is_some() {
            let block = std::mem::take(&mut self.block);
            self.context(cutter, &block[..self.filled]);
            self.block = block;
        }
    }

    /// Whether the block holds a whole record.
    pub fn has_record(&mut self, cutter: &Cutter) -> bool {
        if self.text.is_none() {
            return false;
        }
        self.name_first(cutter);
        if self.dividing.is_some() && self.long.is_none() {
            return self.scan(cutter) > 0;
        }
        let found = memchr::memchr(b'\n', &self.block[self.searched..self.filled]).is_some();
        if !found {
            self.searched = self.filled;
        }
        found
    }

    /// Delivers the whole records of the block. Returns `false` if the receiver wants no more.
    ///
    /// # Errors
    /// The errors of [`Outlet::long_line`].
    pub fn hand_out(&mut self, cutter: &Cutter) -> Result<bool> {
        if self.text.is_none() {
            return Ok(true);
        }
        if self.long.is_some() && !self.pass_long_line(cutter)? {
            return Ok(true);
        }
        self.name_first(cutter);
        if self.dividing.is_some() {
            return self.hand_out_joined(cutter);
        }
        let Some(newline) = memchr::memrchr(b'\n', &self.block[self.searched..self.filled]) else {
            self.searched = self.filled;
            if self.filled >= cutter.longest_block() {
                self.begin_long_line(cutter);
            }
            return Ok(true);
        };
        self.hand_out_first(cutter, self.searched + newline + 1)
    }

    /// Delivers the whole lines of the block: the open record ends, because no more bytes come for now. A line that
    /// continues it will be a record of its own.
    ///
    /// # Errors
    /// The errors of [`super::receiver::BatchReceiver::long_line`].
    pub fn end_record(&mut self, cutter: &Cutter) -> Result<RecordEnd> {
        if !self.hand_out(cutter)? {
            return Ok(RecordEnd::Unwanted);
        }
        let was_open = self.has_open_record();
        self.look_behind(cutter);
        self.dividing.iter_mut().for_each(|dividing| dividing.end_open(Closing::Quiet));
        Ok(match self.hand_out_ended(cutter)? {
            false => RecordEnd::Unwanted,
            true if was_open => RecordEnd::ByTime,
            true => RecordEnd::NotOpen,
        })
    }

    /// Finds whether the lines that are open at the end go on in the next content.
    fn look_behind(&mut self, cutter: &Cutter) {
        let envelope = self.origin.as_ref().map_or(Envelope::None, |origin| origin.envelope);
        let is_open = self.dividing.as_ref().is_some_and(|dividing| dividing.has_open_piece());
        self.continues = is_open && cutter.joint.goes_on(envelope);
    }

    /// Joins the lines of the block to records. Returns the number of bytes of the records that have ended.
    fn scan(&mut self, cutter: &Cutter) -> usize {
        let Some(dividing) = &mut self.dividing else { return 0 };
        dividing.scan(&self.block[..self.filled], cutter.size.max_line, &mut self.rest);
        dividing.ended_bytes()
    }

    fn hand_out_joined(&mut self, cutter: &Cutter) -> Result<bool> {
        self.scan(cutter);
        let is_long = self.unfinished() >= cutter.longest_block() as u64;
        if is_long {
            self.dividing.iter_mut().for_each(|dividing| dividing.end_open(Closing::LongLine));
        }
        if !self.hand_out_ended(cutter)? {
            return Ok(false);
        }
        if is_long {
            self.begin_long_line(cutter);
        }
        Ok(true)
    }

    /// Delivers the records that have ended.
    fn hand_out_ended(&mut self, cutter: &Cutter) -> Result<bool> {
        match self.dividing.as_ref().map_or(0, |dividing| dividing.ended_bytes()) {
            0 => Ok(true),
            ended => self.hand_out_first(cutter, ended),
        }
    }

    /// Delivers the first `complete` bytes of the block, which are whole lines or records.
    fn hand_out_first(&mut self, cutter: &Cutter, complete: usize) -> Result<bool> {
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

    /// Delivers all bytes of the block. If the last line has no newline, it is marked as a part of a line if `partial`
    /// is set, and counts as a whole line otherwise. Returns `false` if the receiver wants no more.
    ///
    /// # Errors
    /// The errors of [`Outlet::long_line`].
    pub fn end(&mut self, cutter: &Cutter, partial: bool) -> Result<bool> {
        if !self.begin(cutter, true)? {
            return Ok(false);
        }
        if self.long.is_some() && !self.pass_long_line(cutter)? {
            let rest = self.block[..std::mem::take(&mut self.filled)].to_vec();
            self.long.iter_mut().for_each(|long| long.add(&rest));
            self.set_aside(cutter, false, partial)?;
            return Ok(true);
        }
        let (block, filled) = (std::mem::take(&mut self.block), std::mem::take(&mut self.filled));
        self.searched = 0;
        if filled > 0 {
            self.context(cutter, &block[..filled]);
        }
        if let Some(dividing) = &mut self.dividing {
            dividing.scan(&block[..filled], cutter.size.max_line, &mut self.rest);
            self.look_behind(cutter);
        }
        if let Some(dividing) = &mut self.dividing {
            dividing.end(&block[..filled], cutter.size.max_line, &mut self.rest);
        }
        if filled == 0 { Ok(true) } else { self.hand_out_block(cutter, block, filled, partial) }
    }

    /// Returns the block to the pool, and keeps the unfinished line in memory of exactly its size.
    pub fn return_block(&mut self, cutter: &Cutter) {
        if self.block.len() > self.filled {
            let block = std::mem::take(&mut self.block);
            self.block = block[..self.filled].to_vec();
            if block.len() == cutter.size.bytes {
                cutter.pool.give(block);
            }
        }
    }

    /// Skips the first `bytes` bytes of the block. They are the line end of a line that was delivered without it.
    pub fn skip_bytes(&mut self, bytes: usize) {
        self.block.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
        self.searched = 0;
        self.offset += bytes as u64;
    }

    /// Records that the next bytes are the rest of a line whose first part was delivered. The rest is delivered as a
    /// part of a line as well.
    pub fn continue_line(&mut self) {
        self.rest = true;
    }

    /// Whether the block holds bytes that were not delivered.
    pub fn has_pending(&self) -> bool {
        self.filled > 0
    }

    /// The number of bytes at the start of the block that are the end of a line that was delivered without its end; `None` if
    /// more bytes are needed to know it.
    pub fn line_end_bytes(&self) -> Option<usize> {
        let (pending, end) = (self.pending(), self.line_end());
        let ends = [end.newline().to_vec(), [end.carriage_return(), end.newline()].concat()];
        if let Some(end) = ends.iter().find(|end| pending.starts_with(end)) {
            return Some(end.len());
        }
        let may_come = ends.iter().any(|end| end.starts_with(pending));
        (!may_come).then_some(0)
    }

    /// Whether the unfinished line ends within a character of UTF-16.
    pub fn is_within_unit(&self) -> bool {
        !self.unfinished().is_multiple_of(self.line_end().width() as u64)
    }

    /// The bytes that were read and not delivered.
    pub fn pending(&self) -> &[u8] {
        &self.block[..self.filled]
    }

    fn context(&mut self, cutter: &Cutter, beginning: &[u8]) -> Context {
        let (text, line_end) = (self.text, self.line_end());
        let (dividing, before) = (&mut self.dividing, &mut self.before);
        let name = || {
            let encoding = text.and_then(|text| text.encoding).map(str::to_owned);
            let origin = Origin { encoding, ..(cutter.name)(beginning) };
            if origin.envelope.is_container() && origin.rule != IdRule::Time {
                // Lines of several containers are mixed there.
                *dividing = None;
            } else if origin.envelope.is_container() && line_end == LineEnd::Byte {
                *before = cutter.joint.before(origin.envelope).map(Arc::from);
                let pieces = before.as_deref().unwrap_or_default();
                *dividing = Some(Box::new(Grouping::new(origin.envelope, pieces, cutter.rules.join.as_ref())));
            }
            Arc::new(origin)
        };
        let origin = Arc::clone(self.origin.get_or_insert_with(name));
        Context::new(origin).at(self.times.at(self.offset).unwrap_or(self.time_ms))
    }
}

impl Cutter<'_> {
    /// The maximum number of bytes that a block holds while no newline is found: the longest line with its line end, which has
    /// up to four bytes, and NULs whose run may go on; but at least the bytes of a fingerprint and the usual size of a block.
    fn longest_block(&self) -> usize {
        (self.size.max_line + 4 + GAP).max(FINGERPRINT_BYTES).max(self.size.bytes)
    }
}
