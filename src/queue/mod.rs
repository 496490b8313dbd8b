//! The queue: the batches that are ready, the batches that are leased and until when, and the counts of finished lines.
//!
//! [`Queue`] is a pure state machine. Time is an argument, and peers are numbers. No method blocks, so every race can
//! be written as a test. [`shared::SharedQueue`] puts the queue behind a lock for readers and workers.
//!
//! A line can make every worker that takes it crash or hang. Such a worker is *lost*. The queue recognises such a line
//! by its leases, which expire ([`poison`]). The line is then *poison*. It stays poison until the program that runs the
//! queue has written its dead letter and [buries](Queue::bury) it.

mod counted;
mod expiry;
pub mod poison;
pub mod shared;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

pub use self::counted::{Counted, counted};
use self::poison::{Candidates, LeaseHistory, Poison, TrackedBatch};
use crate::core::batch::{BLOCK_BYTES, Batch};
use crate::core::records::HEADER;
use crate::observe::counters::{BYTES, LATE_ACKS, LINES, READ, REDELIVERED, Snapshot, Tally};

/// The number of one lease. A queue never uses a number twice.
pub type LeaseId = u64;

/// The number of the peer that asks: one connection of a server, or one thread of a process.
pub type PeerId = u64;

/// A peer's message that it has finished a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The lease.
    pub lease: LeaseId,
    /// The number of the batch's lines by result: stored, duplicate and so on.
    pub tally: Tally,
}

/// The limits of a queue.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The time to run: how long a lease is valid. `None` for peers in the queue's own process, because such a peer
    /// cannot be lost without the queue.
    pub lease: Option<Duration>,
    /// The queue is full while it holds at least this many bytes that are not leased.
    pub ready_bytes: usize,
    /// Peers wait while at least this many bytes are leased.
    pub leased_bytes: usize,
    /// The number of leases that a peer may hold at a time if it does not say how many it [can](Queue::allow) hold.
    pub leases_per_peer: usize,
    /// The size in bytes of the blocks that batches are slices of. A batch of less than half a block is copied when it
    /// is leased with a time to run.
    pub block_bytes: usize,
}

/// The number of leases that a peer may hold at a time if it does not say how many it can hold.
pub const LEASES_PER_PEER: u16 = 8;

/// The largest number of leases that a peer may hold at a time.
pub const MAX_LEASES: usize = 64;

impl Default for Limits {
    fn default() -> Self {
        Limits {
            lease: Some(Duration::from_secs(30)),
            ready_bytes: 8 << 20,
            leased_bytes: 16 << 20,
            leases_per_peer: usize::from(LEASES_PER_PEER),
            block_bytes: BLOCK_BYTES,
        }
    }
}

/// Tells whether a peer can take a line, given without its end.
pub type AcceptsLine = fn(&[u8]) -> bool;

/// The answer to a peer that asks for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// A batch, under a lease.
    Batch(LeaseId, Batch),
    /// There is no batch for this peer now: nothing is ready, or a limit is reached.
    Wait,
    /// The input has ended, and every line is acknowledged.
    Ended,
}

#[derive(Debug)]
struct Lease {
    lines: TrackedBatch,
    peer: PeerId,
    /// Whether the batch is a poison candidate.
    candidate: bool,
    /// When the lease began, counted from the queue's start.
    since: Duration,
    /// When the lease expires, counted from the queue's start; `Duration::MAX` if leases do not expire.
    deadline: Duration,
}

/// The leases that one peer holds.
#[derive(Debug, Clone, Copy, Default)]
struct PeerLeases {
    leases: usize,
    /// Whether the peer holds a poison candidate. Such a peer holds nothing else.
    candidate: bool,
}

/// The lease table and the counts. See the [module](self).
#[derive(Debug)]
pub struct Queue {
    limits: Limits,
    ready: VecDeque<TrackedBatch>,
    candidates: Candidates,
    /// Poison lines that wait for their burial.
    poison: VecDeque<Poison>,
    /// The poison line whose dead letter is being written.
    burying: Option<Poison>,
    /// The latest time at which a lease expired whose batch was no poison candidate.
    last_expiry: Option<Duration>,
    /// Bytes of all batches that are not leased: ready, poison candidates and poison.
    ready_bytes: usize,
    leases: HashMap<LeaseId, Lease>,
    leased_bytes: usize,
    deadlines: BTreeSet<(Duration, LeaseId)>,
    peers: HashMap<PeerId, PeerLeases>,
    /// The peers that have said how many leases they can hold.
    allowed: HashMap<PeerId, usize>,
    next_lease: LeaseId,
    input_open: bool,
    counts: Snapshot,
    /// Whether batches without a ticket are wanted in `settled`.
    keeps_settled: bool,
    /// Batches that were settled since the last [`take_settled`](Queue::take_settled).
    settled: Vec<Batch>,
}

impl Queue {
    /// Creates an empty queue. Leases are numbered from `first_lease` on. A random first number makes sure that an ack
    /// for an earlier queue matches no lease of this queue.
    pub fn new(limits: Limits, first_lease: LeaseId) -> Self {
        Queue {
            limits,
            ready: VecDeque::new(),
            candidates: Candidates::default(),
            poison: VecDeque::new(),
            burying: None,
            last_expiry: None,
            ready_bytes: 0,
            leases: HashMap::new(),
            leased_bytes: 0,
            deadlines: BTreeSet::new(),
            peers: HashMap::new(),
            allowed: HashMap::new(),
            next_lease: first_lease,
            input_open: true,
            counts: Snapshot::default(),
            keeps_settled: false,
            settled: Vec::new(),
        }
    }

    /// Collects also the settled batches without a ticket for [`take_settled`](Self::take_settled) from here on.
    pub fn keep_settled(&mut self) {
        self.keeps_settled = true;
    }

    /// Returns the batches that were settled since the last call. A batch is settled when all its records were
    /// acknowledged, filtered or buried.
    pub fn take_settled(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.settled)
    }

    fn settle(&mut self, batch: Batch) {
        self.settled.extend(Some(batch).filter(|batch| self.keeps_settled || batch.ticket.is_some()));
    }

    /// Puts in a batch from a reader.
    pub fn offer(&mut self, batch: Batch) {
        counted(&batch).iter().for_each(|(counter, number)| self.counts.add(counter, *number));
        self.ready_bytes += batch.data.len();
        self.ready.push_back(TrackedBatch::new(batch));
    }

    /// Counts a line that the reader wrote to the dead letters itself. `bytes` is its length with its line end.
    pub fn count_dead_letter(&mut self, bytes: u64) {
        let read = [(&READ, 1), (&LINES, 1), (&BYTES, bytes)];
        read.iter().for_each(|(counter, number)| self.counts.add(counter, *number));
        self.counts.add_tally(Tally { dead_lettered: 1, ..Tally::default() });
    }

    /// Returns whether readers should go on.
    pub fn wants_input(&self) -> bool {
        self.ready_bytes < self.limits.ready_bytes
    }

    /// Returns whether readers that wait for room should go on. They wait until a quarter of the room is free, so that
    /// they are not woken for each batch.
    pub fn has_ample_room(&self) -> bool {
        self.ready_bytes <= self.limits.ready_bytes - self.limits.ready_bytes / 4
    }

    /// Returns whether readers may put in more batches.
    pub fn input_is_open(&self) -> bool {
        self.input_open
    }

    /// Ends the input: no `offer` follows.
    pub fn end_input(&mut self) {
        self.input_open = false;
    }

    /// Returns whether the input has ended and every line is accounted for.
    pub fn is_finished(&self) -> bool {
        self.only_poison() && self.poison.is_empty() && self.burying.is_none()
    }

    /// Returns whether the input has ended and no lines are left, or only poison lines.
    pub fn only_poison(&self) -> bool {
        !self.input_open && self.ready.is_empty() && self.candidates.waiting.is_empty() && self.leases.is_empty()
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> &Snapshot {
        &self.counts
    }

    /// Returns the number of leases.
    pub fn leased(&self) -> usize {
        self.leases.len()
    }

    /// Returns all batches that are not accounted for.
    fn outstanding(&self) -> impl Iterator<Item = &TrackedBatch> {
        let leased = self.leases.values().map(|lease| &lease.lines);
        let poison = self.poison.iter().chain(&self.burying).map(|poison| &poison.line);
        self.ready.iter().chain(&self.candidates.waiting).chain(poison).chain(leased)
    }

    /// Returns the number of records that are not accounted for.
    pub fn outstanding_lines(&self) -> u64 {
        self.outstanding().map(|waiting| u64::from(waiting.batch.records)).sum()
    }

    /// Returns the number of their lines.
    pub fn outstanding_text_lines(&self) -> u64 {
        self.outstanding().map(|waiting| counted(&waiting.batch)[1].1).sum()
    }

    /// Returns the bytes that are not leased, and the bytes that are.
    pub fn held_bytes(&self) -> (usize, usize) {
        (self.ready_bytes, self.leased_bytes)
    }

    /// Lets `peer` hold `leases` leases at a time, but no more than [`MAX_LEASES`].
    pub fn allow(&mut self, peer: PeerId, leases: usize) {
        match leases.clamp(1, MAX_LEASES) {
            leases if leases == self.limits.leases_per_peer => drop(self.allowed.remove(&peer)),
            leases => drop(self.allowed.insert(peer, leases)),
        }
    }

    /// Returns the number of leases that `peer` may hold at a time.
    pub fn allowed(&self, peer: PeerId) -> usize {
        self.allowed.get(&peer).copied().unwrap_or(self.limits.leases_per_peer)
    }

    /// Returns the time to run of a new lease; `None` if leases do not expire.
    pub fn lease_time(&self) -> Option<Duration> {
        self.limits.lease
    }

    /// Hands out the next batch.
    pub fn reserve(&mut self, peer: PeerId, now: Duration) -> Reserved {
        self.reserve_next(peer, now, None)
    }

    /// Hands out the next line that `accepts` returns true for, as a batch of its own. The lines before it are counted
    /// as filtered.
    pub fn reserve_line(&mut self, peer: PeerId, now: Duration, accepts: AcceptsLine) -> Reserved {
        self.reserve_next(peer, now, Some(accepts))
    }

    /// Hands out the next batch, or a line of it. Poison candidates go first: they have waited longest.
    fn reserve_next(&mut self, peer: PeerId, now: Duration, line: Option<AcceptsLine>) -> Reserved {
        if let Some(answer) = self.refusal(peer) {
            return answer;
        }
        loop {
            let candidate = self.candidates.can_lease_next(line.is_some());
            if candidate && self.peers.contains_key(&peer) {
                // The peer has to finish its leases first. Meanwhile another peer can take the poison candidate.
                return Reserved::Wait;
            }
            let Some(mut next) = self.pop_next(candidate) else { break };
            if let Some(accepts) = line {
                if let Some(mut first) = next.split_first() {
                    if !candidate {
                        // The expired leases were leases of the whole batch. Another line of the batch may have been
                        // the cause.
                        first.history = LeaseHistory::default();
                    }
                    let rest = std::mem::replace(&mut next, first);
                    self.push_front(rest, candidate);
                }
                if next.batch.framing.has(HEADER, 0) || !next.batch.records().any(|record| accepts(record.bytes)) {
                    let filtered = u64::from(next.batch.records);
                    self.counts.add_tally(Tally { filtered, ..Tally::default() });
                    self.settle(next.batch);
                    continue;
                }
            }
            return self.lease(next, candidate, peer, now);
        }
        if self.is_finished() { Reserved::Ended } else { Reserved::Wait }
    }

    fn refusal(&self, peer: PeerId) -> Option<Reserved> {
        if self.is_finished() {
            return Some(Reserved::Ended);
        }
        let held = self.peers.get(&peer).copied().unwrap_or_default();
        let full = self.leased_bytes >= self.limits.leased_bytes || held.leases >= self.allowed(peer);
        (full || held.candidate).then_some(Reserved::Wait)
    }

    fn pop_next(&mut self, candidate: bool) -> Option<TrackedBatch> {
        let next = if candidate { self.candidates.waiting.pop_front() } else { self.ready.pop_front() }?;
        self.ready_bytes -= next.batch.data.len();
        Some(next)
    }

    fn push_front(&mut self, waiting: TrackedBatch, candidate: bool) {
        self.ready_bytes += waiting.batch.data.len();
        match candidate {
            true => self.candidates.waiting.push_front(waiting),
            false => self.ready.push_front(waiting),
        }
    }

    fn lease(&mut self, mut lines: TrackedBatch, candidate: bool, peer: PeerId, now: Duration) -> Reserved {
        let small = lines.batch.is_single() || lines.batch.data.len() < self.limits.block_bytes / 2;
        if small && self.limits.lease.is_some() {
            // A peer in another process may keep a few lines for long. Without a copy, these lines would keep a whole
            // block in memory, but only their own bytes would be counted.
            lines.copy_out();
        }
        let id = self.next_lease;
        self.next_lease = self.next_lease.wrapping_add(1);
        let deadline = self.deadline(now);
        let batch = lines.batch.clone();
        self.leased_bytes += batch.data.len();
        self.deadlines.insert((deadline, id));
        let held = self.peers.entry(peer).or_default();
        held.leases += 1;
        held.candidate |= candidate;
        if candidate {
            self.candidates.note_leased(&batch);
        }
        self.leases.insert(id, Lease { lines, peer, candidate, since: now, deadline });
        Reserved::Batch(id, batch)
    }

    fn deadline(&self, now: Duration) -> Duration {
        self.limits.lease.map_or(Duration::MAX, |lease| now.saturating_add(lease))
    }

    fn remove_lease(&mut self, id: LeaseId) -> Option<Lease> {
        let lease = self.leases.remove(&id)?;
        self.deadlines.remove(&(lease.deadline, id));
        self.leased_bytes -= lease.lines.batch.data.len();
        if let Some(held) = self.peers.get_mut(&lease.peer) {
            held.leases -= 1;
            if held.leases == 0 {
                self.peers.remove(&lease.peer);
            }
        }
        if lease.candidate {
            self.candidates.note_returned();
        }
        Some(lease)
    }

    /// Finishes a lease. Returns `false` if the lease is gone: its batch went to another peer, and that peer's ack
    /// counts.
    pub fn ack(&mut self, ack: &Ack) -> bool {
        let Some(lease) = self.remove_lease(ack.lease) else {
            self.counts.add(&LATE_ACKS, 1);
            return false;
        };
        self.counts.add_tally(ack.tally);
        self.settle(lease.lines.batch);
        true
    }

    /// Starts the time to run of a lease anew. Returns `false` if the lease is gone.
    pub fn touch(&mut self, id: LeaseId, now: Duration) -> bool {
        let deadline = self.deadline(now);
        let Some(lease) = self.leases.get_mut(&id) else { return false };
        self.deadlines.remove(&(lease.deadline, id));
        lease.deadline = deadline;
        self.deadlines.insert((deadline, id));
        true
    }

    /// Gives a lease back. Its batch is the next to be handed out. Returns `false` if the lease is gone.
    pub fn release(&mut self, id: LeaseId) -> bool {
        let Some(lease) = self.remove_lease(id) else { return false };
        self.counts.add(&REDELIVERED, 1);
        self.push_front(lease.lines, lease.candidate);
        true
    }

    /// Gives back all leases of `peer`, and returns their number.
    pub fn release_all(&mut self, peer: PeerId) -> usize {
        self.allowed.remove(&peer);
        let held = self.leases.iter().filter(|(_, lease)| lease.peer == peer);
        let mut ids: Vec<LeaseId> = held.map(|(&id, _)| id).collect();
        // The latest lease goes first, because each batch is put at the front. Then the earliest batch is in front.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.iter().filter(|&&id| self.release(id)).count()
    }

    /// Takes back the batches of a stream of a source that are not leased, in the order of their hand-outs, and no longer
    /// counts them as read. Poison stays, because it waits for its dead letter.
    pub fn recall(&mut self, source: u16, stream: u32) -> Vec<Batch> {
        let is_wanted = |waiting: &TrackedBatch| {
            waiting.batch.ticket.is_some_and(|ticket| (ticket.source, ticket.stream) == (source, stream))
        };
        let mut recalled = Vec::new();
        for waiting in [&mut self.ready, &mut self.candidates.waiting] {
            let (wanted, others): (VecDeque<_>, VecDeque<_>) = std::mem::take(waiting).into_iter().partition(is_wanted);
            *waiting = others;
            recalled.extend(wanted.into_iter().map(|tracked| tracked.batch));
        }
        recalled.sort_by_key(|batch| (batch.ticket, batch.offset));
        for batch in &recalled {
            self.ready_bytes -= batch.data.len();
            counted(batch).into_iter().for_each(|(counter, number)| self.counts.subtract(counter, number));
        }
        recalled
    }

    /// Returns when the next lease expires, counted from the queue's start; `None` if no lease can.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|&(deadline, _)| deadline).filter(|&deadline| deadline < Duration::MAX)
    }
}
