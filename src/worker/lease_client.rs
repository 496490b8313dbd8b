//! [`LeaseClient`]: how a worker gets its batches, from queues over the wire or from the queue of its own process.

use std::sync::Arc;
use std::time::Duration;

use crate::core::batch::Batch;
use crate::core::error::Result;
use crate::core::stop::Stop;
use crate::observe::receipt::Tally;
use crate::queue::shared::SharedQueue;
use crate::queue::{Ack, LeaseId, PeerId, Reserved};

/// A lease, and the queue that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The index of the queue among those that the worker asks.
    pub queue: usize,
    /// The lease in that queue.
    pub lease: LeaseId,
}

/// The answer to a request for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A batch.
    Batch {
        /// The lease of the batch, for the acknowledgement.
        ticket: Ticket,
        /// The time to run (TTR): the time until the lease runs out.
        ttr: Duration,
        /// The lines of the batch.
        batch: Batch,
    },
    /// No work at the moment. Ask again after this time, or when a batch is done.
    Wait(Duration),
    /// There is no more work.
    End,
    /// A stop was requested.
    Stopped,
}

/// The connection of a worker to its queue or queues.
pub trait LeaseClient: Send {
    /// Announces the worker before it asks for work. A queue that ends soon then waits to tell the worker so.
    fn hello(&mut self) -> Result<()> {
        Ok(())
    }

    /// Sends `acks`, then asks for a batch. With `may_wait` the call may block while there is no work. Without
    /// `may_wait` it must not block, because the caller holds unacknowledged batches.
    fn next(&mut self, acks: Vec<(Ticket, Tally)>, may_wait: bool) -> Result<Next>;

    /// Returns the number of a batch: how many batches were handed out before it to this process. `None` if the client does not
    /// know it; batches then have the order in which they arrive.
    fn number(&self, _ticket: &Ticket) -> Option<u64> {
        None
    }

    /// Returns how many leases the queues give to one worker at most.
    fn most_leases(&self) -> usize {
        usize::MAX
    }

    /// Extends the leases: their time to run starts anew.
    fn touch(&mut self, tickets: &[Ticket]) -> Result<()>;

    /// Gives leases back to the queue.
    fn release(&mut self, tickets: &[Ticket]) -> Result<()>;

    /// Sends the last acks and ends the connection.
    fn bye(&mut self, acks: Vec<(Ticket, Tally)>);
}

/// A lease client for the queue of the worker's own process.
pub struct LocalLeaseClient {
    queue: Arc<SharedQueue>,
    peer: PeerId,
    stop: Stop,
}

impl LocalLeaseClient {
    /// Returns a lease client for the worker called `peer`. The code that requests `stop` must also
    /// [wake](SharedQueue::wake_workers) the workers of the queue, or [stop](SharedQueue::stop) it.
    pub fn new(queue: Arc<SharedQueue>, peer: PeerId, stop: Stop) -> Self {
        LocalLeaseClient { queue, peer, stop }
    }
}

fn leases(tickets: &[Ticket]) -> Vec<LeaseId> {
    tickets.iter().map(|ticket| ticket.lease).collect()
}

/// Returns the acks in the form of one queue.
pub(crate) fn queue_acks(acks: &[(Ticket, Tally)]) -> Vec<Ack> {
    acks.iter().map(|&(ticket, tally)| Ack { lease: ticket.lease, tally }).collect()
}

impl LeaseClient for LocalLeaseClient {
    fn next(&mut self, acks: Vec<(Ticket, Tally)>, may_wait: bool) -> Result<Next> {
        self.queue.ack(&queue_acks(&acks));
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

    /// All batches of the queue go to workers of this process.
    fn number(&self, ticket: &Ticket) -> Option<u64> {
        Some(self.queue.handed_out_before(ticket.lease))
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
