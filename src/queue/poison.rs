//! Poison candidates: batches whose leases ran out so often that one of their lines may be what workers are lost on.
//!
//! A poison candidate is cut into parts until the line is alone. A part needs one expiry to be cut further, and there are many
//! parts, because each step costs a worker and the time of a lease: a batch of 2,000 lines is down to single lines in
//! two steps. What is not guilty is acknowledged and done with.
//!
//! A worker that is lost takes down whatever it holds, so a poison candidate is handed out alone: to a peer that holds nothing
//! else. Only a few are out at a time, because each may cost a worker. A single line is out with no other poison candidate
//! beside it: when its lease runs out, no other poison candidate can have been the reason. A batch that nobody poison candidates yet can:
//! worker threads of one process are several peers, and go together. So when another lease ran out that was out at the
//! same time, the line is tried once more.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::core::batch::Batch;

/// Expiries that make a poison candidate of a batch.
const BATCH_EXPIRIES: u32 = 3;

/// The same of a batch of one line: the third lease is the one that it is alone in.
const LINE_EXPIRIES: u32 = 2;

/// Parts that a poison candidate is cut into.
const PARTS: usize = 64;

/// Poison candidates out at a time.
const MOST_OUT: usize = 4;

/// What is known against a batch: leases that ran out while a worker held it. Leases given back are no suspicion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// How many ran out.
    pub expired: u32,
    /// How long they were out, all together.
    pub held: Duration,
    /// Whether it was let off once, because something else may have been the reason.
    pub(super) doubted: bool,
}

/// A batch that is not out on lease, and its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The lines.
    pub batch: Batch,
    /// What is known against them.
    pub record: Record,
    /// Bytes of memory that the lines keep from being used otherwise.
    pub(super) memory: Memory,
}

/// What a batch holds in memory. A batch is a slice of something larger: of the block that its reader read it into, or
/// of what it was split from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// A slice of a reader's block.
    Block,
    /// A slice of a copy of so many bytes.
    Own(usize),
}

/// A line that workers are lost on, and when the lease began and ended that told so.
#[derive(Debug)]
pub(super) struct Poison {
    pub(super) line: Waiting,
    pub(super) since: Duration,
    pub(super) until: Duration,
}

/// What is to become of a batch whose lease ran out.
pub(super) enum Verdict {
    /// It is handed out again.
    Again(Waiting),
    /// It is a poison candidate, in these parts.
    Candidate(Vec<Waiting>),
    /// It is one line, and workers are lost on it.
    Poison(Waiting),
}

impl Waiting {
    /// A batch that nothing is known against.
    pub(super) fn new(batch: Batch) -> Waiting {
        Waiting { batch, record: Record::default(), memory: Memory::Block }
    }

    /// Gives the lines memory of their own. What is counted of them is what they hold from here on.
    pub(super) fn copy_out(&mut self) {
        let length = self.batch.data.len();
        if self.memory != Memory::Own(length) {
            self.batch.data = Bytes::copy_from_slice(&self.batch.data);
            self.memory = Memory::Own(length);
        }
    }

    /// Takes the first line off, with memory of its own; `None` when there is but one line. What is left never holds
    /// more than twice what is counted of it.
    pub(super) fn split_first_line(&mut self) -> Option<Waiting> {
        let first = self.batch.split_first_line()?;
        let mut first = Waiting { batch: first, record: self.record, memory: Memory::Block };
        first.copy_out();
        let small = match self.memory {
            Memory::Block => true,
            Memory::Own(bytes) => self.batch.data.len() * 2 < bytes,
        };
        if small {
            self.copy_out();
        }
        Some(first)
    }

    /// Notes a lease that ran out after `held`, and decides. `poison candidate` tells whether the batch was one already.
    pub(super) fn verdict(mut self, held: Duration, candidate: bool) -> Verdict {
        self.record.expired = self.record.expired.saturating_add(1);
        self.record.held = self.record.held.saturating_add(held);
        let enough = if self.batch.lines == 1 { LINE_EXPIRIES } else { BATCH_EXPIRIES };
        match candidate {
            false if self.record.expired < enough => Verdict::Again(self),
            true if self.batch.lines == 1 => Verdict::Poison(self),
            _ => Verdict::Candidate(self.parts()),
        }
    }

    /// The lines in up to [`PARTS`] parts of about equal size, each with memory of its own: a part may wait for long, and
    /// is not to keep the whole block alive that it was read in.
    fn parts(self) -> Vec<Waiting> {
        let Waiting { batch, record, .. } = self;
        let lines = (batch.lines as usize).div_ceil(PARTS);
        let mut parts = Vec::new();
        let (mut start, mut count, mut index) = (0, 0, 0);
        let mut part = |start: usize, end: usize, lines: usize| {
            let data = Bytes::copy_from_slice(&batch.data[start..end]);
            let memory = Memory::Own(data.len());
            parts.push(Waiting { batch: batch.part(index, start, lines as u32, data), record, memory });
            index += lines;
        };
        for newline in memchr::memchr_iter(b'\n', &batch.data) {
            count += 1;
            if count == lines {
                part(start, newline + 1, count);
                (start, count) = (newline + 1, 0);
            }
        }
        if start < batch.data.len() {
            // The last line may lack its newline.
            let open = batch.data.last().is_some_and(|&byte| byte != b'\n');
            part(start, batch.data.len(), count + usize::from(open));
        }
        parts
    }
}

/// The poison candidates that wait, and how many are out.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) waiting: VecDeque<Waiting>,
    out: usize,
    /// Whether the one that is out is a single line.
    line_out: bool,
}

impl Candidates {
    /// Whether the next one may be handed out, or its first line if `line`.
    pub(super) fn may_go(&self, line: bool) -> bool {
        match self.waiting.front() {
            Some(next) if line || next.batch.lines == 1 => self.out == 0,
            Some(_) => self.out < MOST_OUT && !self.line_out,
            None => false,
        }
    }

    /// Notes that `batch` went out.
    pub(super) fn went(&mut self, batch: &Batch) {
        self.out += 1;
        self.line_out = batch.lines == 1;
    }

    /// Notes that one came back.
    pub(super) fn came_back(&mut self) {
        self.out -= 1;
        self.line_out = false;
    }
}
