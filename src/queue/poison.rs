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
const MAX_PARTS: usize = 64;

/// Poison candidates out at a time.
const MAX_LEASED: usize = 4;

/// What is known against a batch: leases that ran out while a worker held it. Leases given back are no suspicion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaseHistory {
    /// How many ran out.
    pub expired: u32,
    /// How long they were out, all together.
    pub held: Duration,
    /// Whether it was let off once, because something else may have been the reason.
    pub(super) retried: bool,
}

/// A batch that is not out on lease, and its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedBatch {
    /// The lines.
    pub batch: Batch,
    /// What is known against them.
    pub history: LeaseHistory,
    /// Bytes of memory that the lines keep from being used otherwise.
    pub(super) backing: Backing,
}

/// What a batch holds in memory. A batch is a slice of something larger: of the block that its reader read it into, or
/// of what it was split from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backing {
    /// A slice of a reader's block.
    Block,
    /// A slice of a copy of so many bytes.
    Copy(usize),
}

/// A line that workers are lost on, and when the lease began and ended that told so.
#[derive(Debug)]
pub(super) struct Poison {
    pub(super) line: TrackedBatch,
    pub(super) since: Duration,
    pub(super) until: Duration,
}

/// What is to become of a batch whose lease ran out.
pub(super) enum Verdict {
    /// It is handed out again.
    Retry(TrackedBatch),
    /// It is a poison candidate, in these parts.
    Candidate(Vec<TrackedBatch>),
    /// It is one line, and workers are lost on it.
    Poison(TrackedBatch),
}

impl TrackedBatch {
    /// A batch that nothing is known against.
    pub(super) fn new(batch: Batch) -> TrackedBatch {
        TrackedBatch { batch, history: LeaseHistory::default(), backing: Backing::Block }
    }

    /// Gives the lines memory of their own. What is counted of them is what they hold from here on.
    pub(super) fn copy_out(&mut self) {
        let length = self.batch.data.len();
        if self.backing != Backing::Copy(length) {
            self.batch.data = Bytes::copy_from_slice(&self.batch.data);
            self.backing = Backing::Copy(length);
        }
    }

    /// Takes the first line off, with memory of its own; `None` when there is but one line. What is left never holds
    /// more than twice what is counted of it.
    pub(super) fn split_first_line(&mut self) -> Option<TrackedBatch> {
        let first = self.batch.split_first_line()?;
        let mut first = TrackedBatch { batch: first, history: self.history, backing: Backing::Block };
        first.copy_out();
        let small = match self.backing {
            Backing::Block => true,
            Backing::Copy(bytes) => self.batch.data.len() * 2 < bytes,
        };
        if small {
            self.copy_out();
        }
        Some(first)
    }

    /// Notes a lease that ran out after `held`, and decides. `poison candidate` tells whether the batch was one already.
    pub(super) fn verdict(mut self, held: Duration, candidate: bool) -> Verdict {
        self.history.expired = self.history.expired.saturating_add(1);
        self.history.held = self.history.held.saturating_add(held);
        let enough = if self.batch.lines == 1 { LINE_EXPIRIES } else { BATCH_EXPIRIES };
        match candidate {
            false if self.history.expired < enough => Verdict::Retry(self),
            true if self.batch.lines == 1 => Verdict::Poison(self),
            _ => Verdict::Candidate(self.parts()),
        }
    }

    /// The lines in up to [`MAX_PARTS`] parts of about equal size, each with memory of its own: a part may wait for long, and
    /// is not to keep the whole block alive that it was read in.
    fn parts(self) -> Vec<TrackedBatch> {
        let TrackedBatch { batch, history, .. } = self;
        let lines = (batch.lines as usize).div_ceil(MAX_PARTS);
        let mut parts = Vec::new();
        let (mut start, mut count, mut index) = (0, 0, 0);
        let mut part = |start: usize, end: usize, lines: usize| {
            let data = Bytes::copy_from_slice(&batch.data[start..end]);
            let backing = Backing::Copy(data.len());
            parts.push(TrackedBatch { batch: batch.part(index, start, lines as u32, data), history, backing });
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
    pub(super) waiting: VecDeque<TrackedBatch>,
    leased: usize,
    /// Whether the one that is out is a single line.
    is_line_leased: bool,
}

impl Candidates {
    /// Whether the next one may be handed out, or its first line if `line`.
    pub(super) fn can_lease_next(&self, line: bool) -> bool {
        match self.waiting.front() {
            Some(next) if line || next.batch.lines == 1 => self.leased == 0,
            Some(_) => self.leased < MAX_LEASED && !self.is_line_leased,
            None => false,
        }
    }

    /// Notes that `batch` went out.
    pub(super) fn note_leased(&mut self, batch: &Batch) {
        self.leased += 1;
        self.is_line_leased = batch.lines == 1;
    }

    /// Notes that one came back.
    pub(super) fn note_returned(&mut self) {
        self.leased -= 1;
        self.is_line_leased = false;
    }
}
