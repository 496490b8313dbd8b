//! Cuts a content into batches. [`Content`] holds the bytes that were read and not delivered yet. [`Cutter`] holds the
//! limits and the receiver of the batches.
//!
//! A reader reads a content into a block. The block is delivered up to its last newline, and the bytes after that
//! newline are copied to the next block. Batches are slices of blocks, so only two kinds of lines are copied: lines
//! that cross the end of a block, and lines that arrive a few at a time. A block is used again when the last batch on
//! it is acknowledged.
//!
//! If lines are joined to records, or if lines must stay together, they stay in the block until a later line shows that they
//! are complete ([`Dividing`]).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::block_pool::{Block, BlockPool};
use super::dividing::{Alone, Dividing, Part};
use super::grouping::Grouping;
use super::heading::Heading;
use super::joiner::{Joining, RecordEnd};
use super::joint::Joint;
use super::origin::FINGERPRINT_BYTES;
use super::outlet::Outlet;
use super::overlong::Overlong;
use super::receiver::{BatchSize, LongLine};
use super::record_rules::RecordRules;
use super::split::split;
use crate::core::batch::{Batch, Ids};
use crate::core::context::{Context, Origin};
use crate::core::envelope::Envelope;
use crate::core::error::Result;
use crate::core::lines::without_carriage_return;
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
}

/// The state of one content: the bytes that were read and not delivered yet.
#[derive(Default)]
pub struct Content {
    origin: Option<Arc<Origin>>,
    /// The time of the bytes that were read last, in milliseconds since 1970.
    time_ms: i64,
    /// The offset in the content of the first byte that was not delivered. The block begins there.
    offset: u64,
    /// The number of lines that were delivered.
    lines: u64,
    block: Vec<u8>,
    filled: usize,
    /// The number of bytes at the start of the block that hold no newline, as far as was searched.
    searched: usize,
    /// A line that is longer than the limit and has not ended yet. The block does not hold its bytes.
    long: Option<Overlong>,
    /// Whether the next bytes are the rest of a line whose first part was delivered.
    rest: bool,
    /// The records of the block, if a record is not simply a line.
    dividing: Option<Box<dyn Dividing>>,
    heading: Heading,
    /// The pieces of a line that the content before left open.
    before: Option<Arc<[u8]>>,
    /// Whether the open lines at the end of the block go on in the next content.
    continues: bool,
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

    /// Whether the content has an origin. The origin is set by the first delivery and does not change after that.
    pub fn is_named(&self) -> bool {
        self.origin.is_some()
    }

    /// The free part of the block, which the next bytes are read into. It is never empty.
    pub fn room(&mut self, cutter: &Cutter) -> &mut [u8] {
        if let (None, Some(rule)) = (&self.dividing, &cutter.rules.join) {
            self.dividing = Some(Box::new(Joining::new(rule)));
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
        self.dividing.iter_mut().for_each(|dividing| dividing.end_open());
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
            self.dividing.iter_mut().for_each(|dividing| dividing.end_open());
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
        if self.long.is_some() && !self.pass_long_line(cutter)? {
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

    /// The bytes that were read and not delivered.
    pub fn pending(&self) -> &[u8] {
        &self.block[..self.filled]
    }

    fn context(&mut self, cutter: &Cutter, beginning: &[u8]) -> Context {
        let (dividing, before) = (&mut self.dividing, &mut self.before);
        let name = || {
            let origin = (cutter.name)(beginning);
            if origin.envelope.is_container() && origin.rule == IdRule::Time {
                *before = cutter.joint.before(origin.envelope).map(Arc::from);
                let pieces = before.as_deref().unwrap_or_default();
                *dividing = Some(Box::new(Grouping::new(origin.envelope, pieces)));
            }
            Arc::new(origin)
        };
        let origin = Arc::clone(self.origin.get_or_insert_with(name));
        Context::new(origin).at(self.time_ms)
    }

    /// Delivers the first `complete` bytes of `block`. They are whole lines, except that the last line may lack its
    /// newline. In that case `partial` says whether it is only a part of a line.
    fn hand_out_block(&mut self, cutter: &Cutter, block: Vec<u8>, complete: usize, partial: bool) -> Result<bool> {
        let context = self.context(cutter, &block[..complete]);
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
        if let Some(dividing) = &mut self.dividing {
            let records = dividing.take_ended();
            return self.hand_out_records(cutter, &context, &data, &records, size, partial);
        }
        if !std::mem::take(&mut self.rest) {
            return self.hand_out_lines(cutter, &context, &data, size, partial);
        }
        // The rest of the line gets a batch of its own, because only the last line of a batch can be marked as a part.
        let rest = memchr::memchr(b'\n', &data).map_or(complete, |newline| newline + 1);
        Ok(self.hand_out_lines(cutter, &context, &data.slice(..rest), size, true)?
            && self.hand_out_lines(cutter, &context, &data.slice(rest..), size, partial)?)
    }

    /// Delivers the lines `data`, which are a slice of a block of `size` bytes. If `partial` is set, the last line is
    /// only a part of a line.
    fn hand_out_lines(
        &mut self,
        cutter: &Cutter,
        context: &Context,
        data: &Bytes,
        size: usize,
        partial: bool,
    ) -> Result<bool> {
        let (max_line, complete) = (cutter.size.max_line, data.len());
        let mut start = 0;
        if complete > max_line {
            // Only a block that is larger than the limit for lines can hold a line that is too long.
            for line in crate::core::lines::lines(data) {
                if line.bytes.len() <= max_line {
                    continue;
                }
                if !self.cut(cutter, context, &data.slice(start..line.start), None, size, false, false) {
                    return Ok(false);
                }
                let end = memchr::memchr(b'\n', &data[line.start..]).map_or(complete, |at| line.start + at + 1);
                self.set_aside_whole(cutter, context, &data[line.start..end], partial && end == complete)?;
                start = end;
            }
        }
        Ok(self.cut(cutter, context, &data.slice(start..), None, size, partial, false))
    }

    /// Delivers `records`, which are the bytes `data`, a slice of a block of `size` bytes. If `partial` is set, the last
    /// line is only a part of a line.
    fn hand_out_records(
        &mut self,
        cutter: &Cutter,
        context: &Context,
        data: &Bytes,
        records: &[Part],
        size: usize,
        partial: bool,
    ) -> Result<bool> {
        let mut start = 0;
        for group in records.chunk_by(|one, other| one.alone.is_none() && other.alone.is_none()) {
            let length: usize = group.iter().map(|record| record.length as usize).sum();
            let part = data.slice(start..start + length);
            start += part.len();
            let alone = group.first().and_then(|record| record.alone);
            let continues = self.continues && start == data.len();
            let partial = alone == Some(Alone::Rest) || (partial && start == data.len());
            let bare = part.strip_suffix(b"\n").unwrap_or(&part);
            let is_long = alone == Some(Alone::Long) || without_carriage_return(bare).len() > cutter.size.max_line;
            if alone.is_some() && is_long {
                self.set_aside_whole(cutter, context, &part, partial)?;
            } else if !self.cut(cutter, context, &part, Some(group), size, partial, continues) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Delivers `data` as batches (see [`split`]). Returns `false` if the receiver wants no more.
    fn cut(
        &mut self,
        cutter: &Cutter,
        context: &Context,
        data: &Bytes,
        records: Option<&[Part]>,
        block: usize,
        partial: bool,
        continues: bool,
    ) -> bool {
        let whole = Batch::of(context.clone(), self.offset, 0, data.clone()).with_partial(partial);
        let whole = Batch { continues, ..whole };
        let are_lines = self.dividing.as_ref().is_none_or(|dividing| dividing.records_are_lines());
        for batch in split(cutter.size, &whole, records, are_lines, block) {
            let batch = match context.origin.rule {
                IdRule::Time => batch.identified(Ids::Times),
                _ => batch,
            };
            let batch = match &self.before {
                Some(before) if batch.offset == 0 => {
                    let context = Context { header: Some(Arc::clone(before)), ..batch.context };
                    Batch { context, ..batch }
                }
                _ => batch,
            };
            let (end, records) = (batch.offset + batch.data.len() as u64, u64::from(batch.records));
            let wanted = match cutter.rules.header.as_deref() {
                Some(rule) => self.heading.batch(rule, batch, cutter.receiver),
                None => cutter.receiver.batch(batch),
            };
            if !wanted {
                return false;
            }
            self.offset = end;
            self.lines += records;
        }
        true
    }

    /// Sets aside `line`, which is too long for a batch. It is given with its line end, if it has one.
    fn set_aside_whole(&mut self, cutter: &Cutter, context: &Context, line: &[u8], partial: bool) -> Result<()> {
        let long = LongLine::of(context.clone(), self.offset, line, cutter.size.max_line, partial);
        self.offset += line.len() as u64;
        self.lines += 1;
        cutter.receiver.long_line(self.heading.long_line(cutter.rules.header.as_deref(), long))
    }

    /// Starts a line that is too long: the whole block holds its beginning. From now on only its hash and checksum are
    /// kept.
    fn begin_long_line(&mut self, cutter: &Cutter) {
        let block = std::mem::take(&mut self.block);
        let held = &block[..std::mem::take(&mut self.filled)];
        self.searched = 0;
        self.dividing.iter_mut().for_each(|dividing| dividing.forget_line());
        let context = self.context(cutter, held);
        self.long = Some(Overlong::new(context, held, cutter.size.max_line));
    }

    /// Adds the new bytes to the long line. Returns `true` if the line has ended and was set aside. The block then
    /// holds the bytes that follow the line.
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
        cutter.receiver.long_line(self.heading.long_line(cutter.rules.header.as_deref(), line))
    }
}

impl Cutter<'_> {
    /// The maximum number of bytes that a block holds while no newline is found: the longest line with its carriage
    /// return and one byte more, but at least the bytes of a fingerprint and the usual size of a block.
    fn longest_block(&self) -> usize {
        (self.size.max_line + 2).max(FINGERPRINT_BYTES).max(self.size.bytes)
    }
}
