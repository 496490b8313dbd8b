//! Poison candidates: batches whose leases expired so often that one of their lines may make workers crash or hang.
//!
//! A poison candidate is cut into parts, and the parts again, until the line is alone. Each step costs a worker and the
//! time of a lease. Therefore one expiry is enough to cut a part, and there are up to 64 parts: a batch of 2,000 lines
//! needs two steps. The other lines are acknowledged by the peers that get them.
//!
//! A lost worker loses all its leases. Therefore a poison candidate goes only to a peer that holds nothing else. Each
//! candidate may cost a worker, so only a few are leased at a time. A candidate of a single line is leased while no
//! other candidate is. When its lease expires, no other candidate can be the cause.
//!
//! A batch that is no candidate yet can still be the cause: the worker threads of one process are several peers, and
//! they are lost together. If such a batch's lease overlapped with the line's lease and expired too, the line is handed
//! out once more.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::core::batch::Batch;

/// The number of expired leases that makes a batch a poison candidate.
const BATCH_EXPIRIES: u32 = 3;

/// The number of expired leases that makes a batch of one line a poison candidate. The third lease of the line is then
/// a lease of a candidate, and no other candidate is leased during that time.
const LINE_EXPIRIES: u32 = 2;

/// The largest number of parts that a poison candidate is cut into.
const MAX_PARTS: usize = 64;

/// The largest number of poison candidates that are leased at a time.
const MAX_LEASED: usize = 4;

/// The leases of a batch that expired. Leases that were given back do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaseHistory {
    /// The number of leases that expired.
    pub expired: u32,
    /// How long the expired leases were held, summed up.
    pub held: Duration,
    /// Whether the line was handed out once more because another batch may have been the cause.
    pub(super) retried: bool,
}

/// A batch in the queue, with its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedBatch {
    /// The lines.
    pub batch: Batch,
    /// The leases of these lines that expired.
    pub history: LeaseHistory,
    /// The memory that the lines keep.
    pub(super) backing: Backing,
}

/// The memory that a batch keeps. A batch is a slice of something larger: of the block that its reader filled, or of
/// the batch that it was split from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backing {
    /// A slice of a reader's block.
    Block,
    /// A slice of a copy of this many bytes.
    Copy(usize),
}

/// A poison line, and when its last lease began and expired.
#[derive(Debug)]
pub(super) struct Poison {
    pub(super) line: TrackedBatch,
    pub(super) since: Duration,
    pub(super) until: Duration,
}

/// The decision about a batch whose lease expired.
pub(super) enum Verdict {
    /// The batch is handed out again.
    Retry(TrackedBatch),
    /// The batch is a poison candidate, and was cut into these parts.
    Candidate(Vec<TrackedBatch>),
    /// The batch is a single line, and the line is poison.
    Poison(TrackedBatch),
}

impl TrackedBatch {
    /// Creates a tracked batch without a history.
    pub(super) fn new(batch: Batch) -> TrackedBatch {
        TrackedBatch { batch, history: LeaseHistory::default(), backing: Backing::Block }
    }

    /// Copies the lines into memory of their own. They then keep exactly the bytes that the queue counts.
    pub(super) fn copy_out(&mut self) {
        let length = self.batch.data.len();
        if self.backing != Backing::Copy(length) {
            self.batch.data = Bytes::copy_from_slice(&self.batch.data);
            self.backing = Backing::Copy(length);
        }
    }

    /// Takes off the first line, and copies it. Returns `None` if there is only one line. The rest is copied as well if
    /// it would keep more than twice its own bytes in memory.
    pub(super) fn split_first(&mut self) -> Option<TrackedBatch> {
        let first = self.batch.split_first()?;
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

    /// Notes a lease that expired after `held`, and decides about the batch. `candidate` says whether the batch was a
    /// poison candidate already.
    pub(super) fn verdict(mut self, held: Duration, candidate: bool) -> Verdict {
        self.history.expired = self.history.expired.saturating_add(1);
        self.history.held = self.history.held.saturating_add(held);
        let enough = if self.batch.is_single() { LINE_EXPIRIES } else { BATCH_EXPIRIES };
        match candidate {
            false if self.history.expired < enough => Verdict::Retry(self),
            true if self.batch.is_single() => Verdict::Poison(self),
            _ => Verdict::Candidate(self.parts()),
        }
    }

    /// Cuts the lines into up to [`MAX_PARTS`] parts of about equal size. Each part is a copy: it may wait for long,
    /// and must not keep the reader's whole block in memory.
    fn parts(self) -> Vec<TrackedBatch> {
        let TrackedBatch { batch: mut rest, history, .. } = self;
        let records = (rest.records as usize).div_ceil(MAX_PARTS);
        let mut parts = Vec::new();
        while rest.records > 0 {
            let mut part = TrackedBatch { batch: rest.split_at_least(records), history, backing: Backing::Block };
            part.copy_out();
            parts.push(part);
        }
        parts
    }
}

/// The poison candidates that are not leased, and the number of those that are.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) waiting: VecDeque<TrackedBatch>,
    leased: usize,
    /// Whether the leased candidate is a single line.
    is_line_leased: bool,
}

impl Candidates {
    /// Returns whether the next candidate may be leased. `line` says that only its first line would be.
    pub(super) fn can_lease_next(&self, line: bool) -> bool {
        match self.waiting.front() {
            Some(next) if line || next.batch.is_single() => self.leased == 0,
            Some(_) => self.leased < MAX_LEASED && !self.is_line_leased,
            None => false,
        }
    }

    /// Notes that a candidate was leased as `batch`.
    pub(super) fn note_leased(&mut self, batch: &Batch) {
        self.leased += 1;
        self.is_line_leased = batch.is_single();
    }

    /// Notes that the lease of a candidate has ended.
    pub(super) fn note_returned(&mut self) {
        self.leased -= 1;
        self.is_line_leased = false;
    }
}
