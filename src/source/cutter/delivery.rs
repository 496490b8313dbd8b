//! Delivers the bytes of a block as batches, and lines that are too long one by one.

use std::sync::Arc;

use bytes::Bytes;

use super::{Content, Cutter, SMALL_PART};
use crate::core::batch::{Batch, Ids};
use crate::core::context::Context;
use crate::core::error::Result;
use crate::core::record::IdRule;
use crate::source::block_pool::Block;
use crate::source::dividing::{Alone, Part};
use crate::source::overlong::Overlong;
use crate::source::receiver::LongLine;
use crate::source::split::split;

impl Content {
    /// Delivers the first `complete` bytes of `block`. They are whole lines, except that the last line may lack its
    /// newline. In that case `partial` says whether it is only a part of a line.
    pub(super) fn hand_out_block(
        &mut self,
        cutter: &Cutter,
        block: Vec<u8>,
        complete: usize,
        partial: bool,
    ) -> Result<bool> {
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
        let partial = partial && !self.line_end().ends(&data);
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
                if !self.cut(cutter, self.whole(context, &data.slice(start..line.start), false), None, size) {
                    return Ok(false);
                }
                let end = memchr::memchr(b'\n', &data[line.start..]).map_or(complete, |at| line.start + at + 1);
                self.set_aside_whole(cutter, context, &data[line.start..end], partial && end == complete)?;
                start = end;
            }
        }
        Ok(self.cut(cutter, self.whole(context, &data.slice(start..), partial), None, size))
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
        let continues = std::mem::take(&mut self.continues);
        let mut start = 0;
        for group in records.chunk_by(|one, other| one.alone.is_none() && other.alone.is_none()) {
            let length: usize = group.iter().map(|record| record.length as usize).sum();
            let part = data.slice(start..start + length);
            start += part.len();
            let alone = group.first().and_then(|record| record.alone);
            let partial = alone == Some(Alone::Rest) || (partial && start == data.len());
            let is_long = alone == Some(Alone::Long) || self.line_end().without(&part).len() > cutter.size.max_line;
            if alone.is_some() && is_long {
                self.set_aside_whole(cutter, context, &part, partial)?;
            } else {
                let continues = continues && start == data.len();
                let whole = Batch { continues, ..self.whole(context, &part, partial) };
                if !self.cut(cutter, whole, Some(group), size) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Returns the next bytes, `data`, as a batch whose records are not counted yet.
    fn whole(&self, context: &Context, data: &Bytes, partial: bool) -> Batch {
        let batch = Batch::of(context.clone(), self.offset, 0, data.clone()).with_partial(partial);
        match context.origin.rule {
            IdRule::Time => batch.identified(Ids::Times),
            _ => batch,
        }
    }

    /// Delivers `whole` as batches (see [`split`]). Its records are `records`, or its lines. Returns `false` if the receiver wants
    /// no more.
    fn cut(&mut self, cutter: &Cutter, whole: Batch, records: Option<&[Part]>, block: usize) -> bool {
        let times = self.times.take_until(self.offset + whole.data.len() as u64);
        let batches = split(cutter.size, &whole, records, block);
        for batch in batches.flat_map(|batch| times.divide(batch)) {
            let batch = match &self.before {
                Some(before) if batch.offset == 0 => {
                    let context = Context { header: Some(Arc::clone(before)), ..batch.context };
                    Batch { context, ..batch }
                }
                _ => batch,
            };
            let batch = Batch { line: self.newlines.line(), ..batch };
            let newlines = batch.newlines();
            let (end, records) = (batch.offset + batch.data.len() as u64, u64::from(batch.records));
            // The header of a container's content is something else: the pieces that the content before it left open.
            let rule = cutter.rules.header.as_deref().filter(|_| !batch.context.origin.envelope.is_container());
            let wanted = match rule {
                Some(rule) => self.heading.batch(rule, batch, cutter.receiver),
                None => cutter.receiver.batch(batch),
            };
            if !wanted {
                return false;
            }
            self.offset = end;
            self.lines += records;
            self.newlines.add(newlines);
        }
        true
    }

    /// Sets aside `line`, which is too long for a batch. It is given with its line end, if it has one.
    fn set_aside_whole(&mut self, cutter: &Cutter, context: &Context, line: &[u8], partial: bool) -> Result<()> {
        let long = LongLine::of(context.clone(), self.offset, line, cutter.size.max_line, partial);
        let long = LongLine { line: self.newlines.line(), ..long };
        let newlines = self.line_end().count(line);
        self.newlines.add(newlines);
        self.offset += line.len() as u64;
        self.lines += 1;
        let rule = cutter.rules.header.as_deref().filter(|_| !long.context.origin.envelope.is_container());
        cutter.receiver.long_line(self.heading.long_line(rule, long))
    }

    /// Starts a line that is too long: the whole block holds its beginning. From now on only its hash and checksum are
    /// kept.
    pub(super) fn begin_long_line(&mut self, cutter: &Cutter) {
        let block = std::mem::take(&mut self.block);
        let (held, rest) = block[..self.filled].split_at(self.passable());
        self.searched = 0;
        self.dividing.iter_mut().for_each(|dividing| dividing.forget_line());
        let context = self.context(cutter, held);
        self.long = Some(Overlong::new(context, held, cutter.size.max_line));
        (self.block, self.filled) = (rest.to_vec(), rest.len());
    }

    /// The number of bytes of the block that can be passed to a long line: without a run of NULs that may go on, and without half
    /// a unit of UTF-16.
    fn passable(&self) -> usize {
        let width = self.line_end().width();
        self.filled.saturating_sub(self.open_nuls) / width * width
    }

    /// Adds the new bytes to the long line. Returns `true` if the line has ended and was set aside. The block then
    /// holds the bytes that follow the line.
    pub(super) fn pass_long_line(&mut self, cutter: &Cutter) -> Result<bool> {
        let passable = self.passable();
        let Some(long) = &mut self.long else { return Ok(true) };
        let line_end = long.line_end();
        let filled = &self.block[..self.filled];
        let newline = line_end.find(filled);
        let end = newline.unwrap_or(passable);
        long.add(&self.block[..end]);
        self.block.copy_within(end..self.filled, 0);
        self.filled -= end;
        self.searched = 0;
        if newline.is_some() {
            self.set_aside(cutter, true, false)?;
        }
        Ok(newline.is_some())
    }

    pub(super) fn set_aside(&mut self, cutter: &Cutter, closed: bool, partial: bool) -> Result<()> {
        let Some(long) = self.long.take() else { return Ok(()) };
        let partial = std::mem::take(&mut self.rest) || partial;
        let line = LongLine { line: self.newlines.line(), ..long.finish(self.offset, closed, partial) };
        self.newlines.add(u64::from(closed));
        self.offset += line.length_with_end;
        self.lines += 1;
        let rule = cutter.rules.header.as_deref().filter(|_| !line.context.origin.envelope.is_container());
        cutter.receiver.long_line(self.heading.long_line(rule, line))
    }
}
