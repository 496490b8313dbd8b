//! Where a worker gets its batches: from queues over the wire, or from the queue of its own process.

use std::sync::Arc;
use std::time::Duration;

use crate::core::batch::Batch;
use crate::core::error::Result;
use crate::core::stop::Stop;
use crate::observe::receipt::Tally;
use crate::queue::shared::SharedQueue;
use crate::queue::{Ack, LeaseId, PeerId, Reserved};

/// A lease, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Index of the queue among those a worker asks.
    pub queue: usize,
    /// The lease there.
    pub lease: LeaseId,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Work.
    Batch {
        /// What to acknowledge it by.
        ticket: Ticket,
        /// How long the lease is good.
        ttr: Duration,
        /// The lines.
        batch: Batch,
    },
    /// Nothing now; ask again after this time, or when a batch is done.
    Wait(Duration),
    /// There is no more.
    End,
    /// A stop was requested.
    Stopped,
}

/// A worker's way to its queue or queues.
pub trait LeaseClient: Send {
    /// Makes the worker known before it asks, so that a queue that ends soon waits to tell it.
    fn hello(&mut self) -> Result<()> {
        Ok(())
    }

    /// Acknowledges, then asks for a batch. With `may_wait` it may take as long as there is none; without, it must not
    /// wait for work, because the caller has unacknowledged work of its own.
    fn next(&mut self, acks: Vec<(Ticket, Tally)>, may_wait: bool) -> Result<Next>;

    /// Starts the leases' time anew.
    fn touch(&mut self, tickets: &[Ticket]) -> Result<()>;

    /// Gives leases back.
    fn release(&mut self, tickets: &[Ticket]) -> Result<()>;

    /// Acknowledges for the last time.
    fn bye(&mut self, acks: Vec<(Ticket, Tally)>);
}

/// The queue of the worker's own process.
pub struct LocalLeaseClient {
    queue: Arc<SharedQueue>,
    peer: PeerId,
    stop: Stop,
    /// Not called upon yet.
    reserve: bool,
}

impl LocalLeaseClient {
    /// A lease client for the worker called `peer`. Whoever requests `stop` must also [stop](SharedQueue::stop) the queue. A
    /// worker in `reserve` gets nothing until the queue is full for the first time.
    pub fn new(queue: Arc<SharedQueue>, peer: PeerId, stop: Stop, reserve: bool) -> Self {
        LocalLeaseClient { queue, peer, stop, reserve }
    }
}

fn leases(tickets: &[Ticket]) -> Vec<LeaseId> {
    tickets.iter().map(|ticket| ticket.lease).collect()
}

/// Acks as one queue knows them.
pub(crate) fn queue_acks(acks: &[(Ticket, Tally)]) -> Vec<Ack> {
    acks.iter().map(|&(ticket, tally)| Ack { lease: ticket.lease, tally }).collect()
}

impl LeaseClient for LocalLeaseClient {
    fn next(&mut self, acks: Vec<(Ticket, Tally)>, may_wait: bool) -> Result<Next> {
        self.queue.ack(&queue_acks(&acks));
        if std::mem::take(&mut self.reserve) {
            self.queue.wait_for_backlog(|| self.stop.is_requested());
        }
        if self.stop.is_requested() {
            return Ok(Next::Stopped);
        }
        let reserved = match may_wait {
            true => self.queue.reserve_waiting(self.peer, || self.stop.is_requested()),
            false => self.queue.reserve(self.peer),
        };
        Ok(match reserved {
            Reserved::Batch(lease, batch) => {
                Next::Batch { ticket: Ticket { queue: 0, lease }, ttr: Duration::MAX, batch }
            }
            Reserved::Wait => Next::Wait(Duration::ZERO),
            Reserved::Ended => Next::End,
        })
    }

    fn touch(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.queue.touch(&leases(tickets));
        Ok(())
    }

    fn release(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.queue.release(&leases(tickets));
        Ok(())
    }

    fn bye(&mut self, acks: Vec<(Ticket, Tally)>) {
        self.queue.ack(&queue_acks(&acks));
        self.queue.release_all(self.peer);
    }
}
