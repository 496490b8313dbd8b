//! The queue: what is ready, what is out on lease and until when, and what became of it.
//!
//! [`Queue`] is a pure state machine. Time is an argument, peers are numbers, and nothing in it blocks, so that every
//! race can be written down as a test. [`shared::SharedQueue`] puts it behind a lock for readers and workers.
//!
//! A line that workers are lost on is found by its leases, which run out ([`poison`]). It is *poison* then, and
//! stays so until whoever runs the queue has written its dead letter and [buries](Queue::bury) it.

mod expiry;
pub mod poison;
pub mod shared;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use self::poison::{Candidates, LeaseHistory, Poison, TrackedBatch};
use crate::core::batch::Batch;
use crate::observe::receipt::Tally;
use crate::source::reader::BatchSize;

/// The name of one lease. Never used twice.
pub type LeaseId = u64;

/// Who asked: one connection of a server, one thread of a process.
pub type PeerId = u64;

/// What a peer says of a lease it has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The lease.
    pub lease: LeaseId,
    /// What became of its lines.
    pub tally: Tally,
}

/// The bounds of a queue.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Time to run: how long a lease is good. Peers of one process have none, they cannot be lost alone.
    pub lease: Option<Duration>,
    /// Readers wait while this many bytes are ready.
    pub ready_bytes: usize,
    /// Peers wait while this many bytes are out on lease.
    pub leased_bytes: usize,
    /// Leases one peer may hold at a time.
    pub leases_per_peer: usize,
    /// The size of the blocks that batches are slices of. A batch that is smaller than half of that is copied when it goes
    /// out on a lease that has a time to run.
    pub block_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            lease: Some(Duration::from_secs(30)),
            ready_bytes: 8 << 20,
            leased_bytes: 16 << 20,
            leases_per_peer: 8,
            block_bytes: BatchSize::default().bytes,
        }
    }
}

/// Tells whether a peer can take a line, given without its end.
pub type AcceptsLine = fn(&[u8]) -> bool;

/// The answer to a peer that asks for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// Work, under a lease.
    Batch(LeaseId, Batch),
    /// Nothing now: nothing is ready, or a bound is reached.
    Wait,
    /// Everything is acknowledged and nothing more will come.
    Ended,
}

#[derive(Debug)]
struct Lease {
    lines: TrackedBatch,
    peer: PeerId,
    /// Whether the lines are a poison candidate.
    candidate: bool,
    /// When it was given, since the queue's start.
    since: Duration,
    /// Since the queue's start; `Duration::MAX` where leases do not run out.
    deadline: Duration,
}

/// What one peer holds.
#[derive(Debug, Clone, Copy, Default)]
struct PeerLeases {
    leases: usize,
    /// Whether it is a poison candidate, which is held alone.
    candidate: bool,
}

/// The lease table and the accounts. See the [module](self).
#[derive(Debug)]
pub struct Queue {
    limits: Limits,
    ready: VecDeque<TrackedBatch>,
    candidates: Candidates,
    /// Single lines that workers are lost on, to be buried.
    poison: VecDeque<Poison>,
    /// The one of them whose dead letter is being written.
    burying: Option<Poison>,
    /// The latest time at which a lease ran out that was not a poison candidate's.
    last_expiry: Option<Duration>,
    /// Of all that is not out on lease: ready, poison candidate and poison.
    ready_bytes: usize,
    leases: HashMap<LeaseId, Lease>,
    leased_bytes: usize,
    deadlines: BTreeSet<(Duration, LeaseId)>,
    peers: HashMap<PeerId, PeerLeases>,
    next_lease: LeaseId,
    input_open: bool,
    counts: Counts,
    /// Settled since it was last asked; `None` where nobody asks.
    settled: Option<Vec<Batch>>,
}

/// Everything a queue counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines taken in.
    pub read: u64,
    /// Bytes taken in.
    pub bytes: u64,
    /// What became of lines.
    pub tally: Tally,
    /// Leases that ran out, and those given back.
    pub redelivered: u64,
    /// Lines that were buried, because workers were lost on them; part of the dead-lettered.
    pub buried: u64,
    /// Acks of leases that were gone.
    pub late_acks: u64,
}

impl Queue {
    /// An empty queue. Leases are numbered from `first_lease` on; a number drawn at random keeps the acks of workers
    /// that knew an earlier queue from meaning anything here.
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
            next_lease: first_lease,
            input_open: true,
            counts: Counts::default(),
            settled: None,
        }
    }

    /// Keeps what is settled, for [`take_settled`](Self::take_settled).
    pub fn keep_settled(&mut self) {
        self.settled.get_or_insert_default();
    }

    /// What was acknowledged or passed over since it was last asked.
    pub fn take_settled(&mut self) -> Vec<Batch> {
        self.settled.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes in a batch from a reader.
    pub fn offer(&mut self, batch: Batch) {
        self.counts.read += u64::from(batch.lines);
        self.counts.bytes += batch.data.len() as u64;
        self.ready_bytes += batch.data.len();
        self.ready.push_back(TrackedBatch::new(batch));
    }

    /// Counts lines that the reader itself set aside, `bytes` long with their ends.
    pub fn count_dead_letter(&mut self, bytes: u64) {
        self.counts.read += 1;
        self.counts.bytes += bytes;
        self.counts.tally.dead_lettered += 1;
    }

    /// Whether readers should go on.
    pub fn wants_input(&self) -> bool {
        self.ready_bytes < self.limits.ready_bytes
    }

    /// Whether more may be offered.
    pub fn input_is_open(&self) -> bool {
        self.input_open
    }

    /// No `offer` will follow.
    pub fn end_input(&mut self) {
        self.input_open = false;
    }

    /// Whether every line taken in is accounted for and none will come.
    pub fn is_finished(&self) -> bool {
        self.only_poison() && self.poison.is_empty() && self.burying.is_none()
    }

    /// Whether nothing but poison lines is left, or not even that.
    pub fn only_poison(&self) -> bool {
        !self.input_open && self.ready.is_empty() && self.candidates.waiting.is_empty() && self.leases.is_empty()
    }

    /// The counts so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many leases are out.
    pub fn leased(&self) -> usize {
        self.leases.len()
    }

    /// All lines that are not accounted for.
    fn outstanding(&self) -> impl Iterator<Item = &TrackedBatch> {
        let leased = self.leases.values().map(|lease| &lease.lines);
        let poison = self.poison.iter().chain(&self.burying).map(|poison| &poison.line);
        self.ready.iter().chain(&self.candidates.waiting).chain(poison).chain(leased)
    }

    /// Lines that were taken in and are not accounted for: ready, out on lease, or to be buried.
    pub fn outstanding_lines(&self) -> u64 {
        self.outstanding().map(|waiting| u64::from(waiting.batch.lines)).sum()
    }

    /// Bytes that wait to be handed out, and bytes out on lease.
    pub fn held_bytes(&self) -> (usize, usize) {
        (self.ready_bytes, self.leased_bytes)
    }

    /// The time to run of a lease, for the peer that gets one.
    pub fn lease_time(&self) -> Option<Duration> {
        self.limits.lease
    }

    /// Hands out the next batch.
    pub fn reserve(&mut self, peer: PeerId, now: Duration) -> Reserved {
        self.reserve_next(peer, now, None)
    }

    /// Hands out the next line that `accepts` returns true for, as a batch of its own. The lines before it are counted as
    /// filtered.
    pub fn reserve_line(&mut self, peer: PeerId, now: Duration, accepts: AcceptsLine) -> Reserved {
        self.reserve_next(peer, now, Some(accepts))
    }

    /// Poison candidates go first: what they hold up is known to be late.
    fn reserve_next(&mut self, peer: PeerId, now: Duration, line: Option<AcceptsLine>) -> Reserved {
        if let Some(answer) = self.refusal(peer) {
            return answer;
        }
        loop {
            let candidate = self.candidates.can_lease_next(line.is_some());
            if candidate && self.peers.contains_key(&peer) {
                // It has to finish what it holds first. Others may take the poison candidate meanwhile.
                return Reserved::Wait;
            }
            let Some(mut next) = self.pop_next(candidate) else { break };
            if let Some(accepts) = line {
                if let Some(mut first) = next.split_first_line() {
                    if !candidate {
                        // What is known is known against the batch, and may be the fault of any of its lines.
                        first.history = LeaseHistory::default();
                    }
                    let rest = std::mem::replace(&mut next, first);
                    self.push_front(rest, candidate);
                }
                if !crate::core::lines::lines(&next.batch.data).any(|line| accepts(line.bytes)) {
                    self.counts.tally.filtered += 1;
                    self.settled.iter_mut().for_each(|settled| settled.push(next.batch.clone()));
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
        let full = self.leased_bytes >= self.limits.leased_bytes || held.leases >= self.limits.leases_per_peer;
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
        let small = lines.batch.lines == 1 || lines.batch.data.len() < self.limits.block_bytes / 2;
        if small && self.limits.lease.is_some() {
            // A peer elsewhere may keep a few lines for long, and each peer lines of another block: then the blocks would be
            // held, of which only those few lines are counted.
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

    /// Finishes a lease. `false` when it is gone: its batch went to another peer, which accounts for it.
    pub fn ack(&mut self, ack: &Ack) -> bool {
        let Some(lease) = self.remove_lease(ack.lease) else {
            self.counts.late_acks += 1;
            return false;
        };
        self.counts.tally += ack.tally;
        if let Some(settled) = &mut self.settled {
            settled.push(lease.lines.batch);
        }
        true
    }

    /// Starts the time to run of a lease anew. `false` when it is gone.
    pub fn touch(&mut self, id: LeaseId, now: Duration) -> bool {
        let deadline = self.deadline(now);
        let Some(lease) = self.leases.get_mut(&id) else { return false };
        self.deadlines.remove(&(lease.deadline, id));
        lease.deadline = deadline;
        self.deadlines.insert((deadline, id));
        true
    }

    /// Gives a lease back: its batch is the next to be handed out. `false` when it is gone.
    pub fn release(&mut self, id: LeaseId) -> bool {
        let Some(lease) = self.remove_lease(id) else { return false };
        self.counts.redelivered += 1;
        self.push_front(lease.lines, lease.candidate);
        true
    }

    /// Gives back all that `peer` holds; how many that were.
    pub fn release_all(&mut self, peer: PeerId) -> usize {
        let mut ids: Vec<LeaseId> =
            self.leases.iter().filter(|(_, lease)| lease.peer == peer).map(|(&id, _)| id).collect();
        // Later leases first, so that the earliest batch ends up in front.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.iter().filter(|&&id| self.release(id)).count()
    }

    /// When the next lease runs out, since the queue's start; `None` when none can.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|&(deadline, _)| deadline).filter(|&deadline| deadline < Duration::MAX)
    }
}
