//! Leases that expire, and the burial of poison lines.

use std::time::Duration;

use super::poison::{Poison, TrackedBatch, Verdict};
use super::{Lease, LeaseId, Queue};
use crate::core::batch::Batch;
use crate::observe::counters::{BURIED, REDELIVERED, Tally};

impl Queue {
    /// Takes back the leases that have expired by `now`, and returns their number.
    pub fn expire(&mut self, now: Duration) -> usize {
        let mut expired = Vec::new();
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            expired.push(id);
        }
        let mut again = Vec::new();
        let count = expired.iter().filter(|&&id| self.expire_lease(id, &mut again)).count();
        // The latest lease goes first, because each batch is put at the front. Then the earliest batch is in front.
        again.into_iter().rev().for_each(|lines| self.push_front(lines, false));
        count
    }

    /// Takes back an expired lease. If its batch is to be handed out again as it is, the batch goes to `again`.
    fn expire_lease(&mut self, id: LeaseId, again: &mut Vec<TrackedBatch>) -> bool {
        let Some(lease) = self.remove_lease(id) else { return false };
        let (since, until) = (lease.since, lease.deadline);
        if !lease.candidate {
            self.last_expiry = self.last_expiry.max(Some(until));
            self.retry_doubtful(since, until);
        }
        match lease.lines.verdict(lease.deadline.saturating_sub(lease.since), lease.candidate) {
            Verdict::Retry(lines) => again.push(lines),
            Verdict::Candidate(parts) => {
                self.ready_bytes += parts.iter().map(|part| part.batch.data.len()).sum::<usize>();
                self.candidates.waiting.extend(parts);
            }
            Verdict::Poison(line) => {
                self.ready_bytes += line.batch.data.len();
                self.poison.push_back(Poison { line, since, until });
                if let Some(other) = self.last_expiry {
                    self.retry_doubtful(Duration::ZERO, other);
                }
                return true;
            }
        }
        self.counts.add(&REDELIVERED, 1);
        true
    }

    /// Hands out once more each poison line whose last lease overlapped with another expired lease. The other lease was
    /// held from `since` to `until`, and its batch may be the reason why the worker was lost.
    fn retry_doubtful(&mut self, since: Duration, until: Duration) {
        for _ in 0..self.poison.len() {
            let Some(mut poison) = self.poison.pop_front() else { break };
            let together = since < poison.until && poison.since < until;
            if together && !poison.line.history.retried {
                poison.line.history.retried = true;
                self.counts.add(&REDELIVERED, 1);
                self.candidates.waiting.push_back(poison.line);
            } else {
                self.poison.push_back(poison);
            }
        }
    }

    /// Returns the next line to bury, as a batch of its own, with its history. The line's dead letter must be durable
    /// before the line is [buried](Queue::bury).
    ///
    /// Returns `None` while another lease overlaps with the line's last lease and may still expire: the batch of that
    /// lease may be the cause.
    pub fn poison(&self) -> Option<&TrackedBatch> {
        let Poison { line, until, .. } = self.poison.front()?;
        // A peer that sent a message after the end of the line's last lease was not lost on this line.
        let heard = |lease: &Lease| lease.deadline.saturating_sub(self.limits.lease.unwrap_or_default());
        let open = |lease: &Lease| !lease.candidate && lease.since < *until && heard(lease) < *until;
        (line.history.retried || !self.leases.values().any(open)).then_some(line)
    }

    /// Begins the burial of the line that [`poison`](Queue::poison) returns. The queue goes on while the caller writes
    /// the dead letter. From now on the line is not handed out again. The caller has to [bury](Queue::bury) it or to
    /// [cancel the burial](Queue::cancel_burial).
    pub fn begin_burial(&mut self) -> Option<TrackedBatch> {
        if self.burying.is_none() {
            self.poison()?;
            self.burying = self.poison.pop_front();
        }
        self.burying.as_ref().map(|poison| poison.line.clone())
    }

    /// Cancels the burial, because the dead letter could not be written. The line is poison as before.
    pub fn cancel_burial(&mut self) {
        if let Some(poison) = self.burying.take() {
            self.poison.push_front(poison);
        }
    }

    /// Buries the line whose burial was begun, or else the line that [`poison`](Queue::poison) returns. Counts the line
    /// as dead-lettered, and returns it.
    pub fn bury(&mut self) -> Option<Batch> {
        self.begin_burial()?;
        let Poison { line, .. } = self.burying.take()?;
        self.ready_bytes -= line.batch.data.len();
        let records = u64::from(line.batch.records);
        self.counts.add_tally(Tally { dead_lettered: records, ..Tally::default() });
        self.counts.add(&BURIED, records);
        self.settle(line.batch.clone());
        Some(line.batch)
    }
}
