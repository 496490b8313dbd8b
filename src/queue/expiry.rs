//! Leases whose time has run out, and the lines that workers are lost on.

use std::time::Duration;

use super::poison::{Poison, TrackedBatch, Verdict};
use super::{Lease, LeaseId, Queue};
use crate::core::batch::Batch;

impl Queue {
    /// Takes back the leases whose time has run out; how many that were.
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
        // Later leases first, so that the earliest batch ends up in front.
        again.into_iter().rev().for_each(|lines| self.push_front(lines, false));
        count
    }

    /// Takes back a lease whose time has run out. Its batch goes to `again` if it is to be handed out as it is.
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
        self.counts.redelivered += 1;
        true
    }

    /// Lets off once each poison line that may have been taken down by a batch which was out from `since` to `until`.
    fn retry_doubtful(&mut self, since: Duration, until: Duration) {
        for _ in 0..self.poison.len() {
            let Some(mut poison) = self.poison.pop_front() else { break };
            let together = since < poison.until && poison.since < until;
            if together && !poison.line.history.retried {
                poison.line.history.retried = true;
                self.counts.redelivered += 1;
                self.candidates.waiting.push_back(poison.line);
            } else {
                self.poison.push_back(poison);
            }
        }
    }

    /// The next line to be buried: a batch of that line alone, and what is known against it. Its dead letter has to be
    /// durable before it is [buried](Queue::bury).
    ///
    /// None is told while a lease is out that may turn out to have run out with it.
    pub fn poison(&self) -> Option<&TrackedBatch> {
        let Poison { line, until, .. } = self.poison.front()?;
        // Whoever was heard of since has outlived the line.
        let heard = |lease: &Lease| lease.deadline.saturating_sub(self.limits.lease.unwrap_or_default());
        let open = |lease: &Lease| !lease.candidate && lease.since < *until && heard(lease) < *until;
        (line.history.retried || !self.leases.values().any(open)).then_some(line)
    }

    /// Takes the line that [`poison`](Queue::poison) tells, so that its dead letter can be written while the queue goes
    /// on: nothing lets it off any more. It has to be [buried](Queue::bury) or [put back](Queue::cancel_burial).
    pub fn begin_burial(&mut self) -> Option<TrackedBatch> {
        if self.burying.is_none() {
            self.poison()?;
            self.burying = self.poison.pop_front();
        }
        self.burying.as_ref().map(|poison| poison.line.clone())
    }

    /// The dead letter of the line that is being buried could not be written: it is poison as before.
    pub fn cancel_burial(&mut self) {
        if let Some(poison) = self.burying.take() {
            self.poison.push_front(poison);
        }
    }

    /// Buries the line whose burial was begun, or otherwise the one that [`poison`](Queue::poison) tells, and gives it
    /// back: it is accounted for as dead-lettered.
    pub fn bury(&mut self) -> Option<Batch> {
        self.begin_burial()?;
        let Poison { line, .. } = self.burying.take()?;
        self.ready_bytes -= line.batch.data.len();
        self.counts.tally.dead_lettered += 1;
        self.counts.buried += 1;
        self.settled.iter_mut().for_each(|settled| settled.push(line.batch.clone()));
        Some(line.batch)
    }
}
