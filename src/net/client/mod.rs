//! A worker's side of the wire: asks queues for batches, and finds them again when they are gone.
//!
//! Requests and replies alternate. When the connection breaks, or no reply comes in time, the socket is thrown away and
//! the request sent over a new one ("lazy pirate"); libzmq itself retries connecting, with jittered back-off. Sending a
//! request again is harmless: acks that were counted are ignored, and a batch whose reply was lost comes back when its
//! lease has run out.

mod connection;

use std::time::Duration;

use self::connection::{Connection, Retry};
use crate::core::error::Result;
use crate::core::stop::Stop;
use crate::net::address::Address;
use crate::net::wire::{Reply, Request};
use crate::observe::receipt::Tally;
use crate::queue::{Ack, LeaseId};
use crate::worker::lease_client::{LeaseClient, Next, Ticket, queue_acks};

/// How long a worker without work waits for some before it asks again.
const WAIT: Duration = Duration::from_secs(10);

/// The same when several queues are asked in turn.
const WAIT_AMONG_SEVERAL: Duration = Duration::from_millis(250);

/// How much longer than agreed a reply may take before the queue is taken for lost.
const GRACE: Duration = Duration::from_secs(10);

/// How long a worker that ends waits for the queue to take its last acks.
const FAREWELL: Duration = Duration::from_secs(3);

/// Speaks with one or more queues, in turn.
pub struct Client {
    connections: Vec<Connection>,
    turn: usize,
    stop: Stop,
    /// Acks of which a stop has left unknown whether their queues have them. They go with the farewell; a queue that
    /// has them already ignores them.
    unconfirmed: Vec<(Ticket, Tally)>,
}

impl Client {
    /// A client of the queues at `addresses`. Nothing is connected yet. `say` gets the sentences for the user.
    pub fn new(
        context: &zmq::Context,
        addresses: &[Address],
        stop: Stop,
        say: impl Fn(String) + Clone + Send + 'static,
    ) -> Client {
        let connection =
            |address: &Address| Connection::new(context.clone(), address.clone(), stop.clone(), Box::new(say.clone()));
        Client { connections: addresses.iter().map(connection).collect(), turn: 0, stop, unconfirmed: Vec::new() }
    }
}

impl LeaseClient for Client {
    fn hello(&mut self) -> Result<()> {
        for connection in &mut self.connections {
            connection.hello()?;
        }
        Ok(())
    }

    fn next(&mut self, acks: Vec<(Ticket, Tally)>, may_wait: bool) -> Result<Next> {
        let open = self.connections.iter().filter(|connection| !connection.ended).count();
        let wait = match (may_wait, open) {
            (false, _) => Duration::ZERO,
            (true, 0..=1) => WAIT,
            (true, _) => WAIT_AMONG_SEVERAL,
        };
        // A queue that is lost must not keep the others waiting.
        let retry = if open > 1 { Retry::Never } else { Retry::UntilStopped };
        let mut all_acks = acks;
        if self.stop.is_requested() {
            self.unconfirmed.append(&mut all_acks);
            return Ok(Next::Stopped);
        }
        let mut pause = Duration::from_millis(250);
        for _ in 0..self.connections.len() {
            let index = self.turn % self.connections.len();
            self.turn += 1;
            let connection = &mut self.connections[index];
            if connection.ended {
                continue;
            }
            let sent: Vec<_> = all_acks.extract_if(.., |(ticket, _)| ticket.queue == index).collect();
            let acks = queue_acks(&sent);
            match connection.request(&Request::Reserve { wait, acks }, wait + GRACE, retry)? {
                Some(Reply::Batch { lease, ttr, batch }) => {
                    self.acknowledge(all_acks)?;
                    return Ok(Next::Batch { ticket: Ticket { queue: index, lease }, ttr, batch });
                }
                Some(Reply::Wait(pause_there)) => pause = pause.min(pause_there),
                Some(Reply::End) => connection.ended = true,
                Some(reply) => return Err(connection.unexpected(&reply)),
                None if self.stop.is_requested() => {
                    self.unconfirmed.extend(sent.into_iter().chain(all_acks));
                    return Ok(Next::Stopped);
                }
                None => {}
            }
        }
        // Those of queues that have ended meanwhile count for nothing.
        let ended = self.connections.iter().all(|connection| connection.ended);
        Ok(if ended { Next::End } else { Next::Wait(pause) })
    }

    fn touch(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.send_to_each(tickets, Request::Touch, GRACE, Retry::Never)
    }

    fn release(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.send_to_each(tickets, Request::Release, FAREWELL, Retry::NeverDespiteStop)
    }

    fn bye(&mut self, acks: Vec<(Ticket, Tally)>) {
        let mut all_acks = std::mem::take(&mut self.unconfirmed);
        all_acks.extend(acks);
        for (index, connection) in self.connections.iter_mut().enumerate() {
            let acks = take_acks(&mut all_acks, index);
            if connection.is_open() || !acks.is_empty() {
                // Nothing more can be done for acks a queue does not take: it gives the lines to another worker, and
                // the sink knows them.
                let _ = connection.request(&Request::Bye(acks), FAREWELL, Retry::NeverDespiteStop);
            }
        }
    }
}

/// Takes the acks that belong to the queue at `index`.
fn take_acks(acks: &mut Vec<(Ticket, Tally)>, index: usize) -> Vec<Ack> {
    let ours: Vec<_> = acks.extract_if(.., |(ticket, _)| ticket.queue == index).collect();
    queue_acks(&ours)
}

impl Client {
    /// Acknowledges to queues that were not asked for work this time.
    fn acknowledge(&mut self, mut acks: Vec<(Ticket, Tally)>) -> Result<()> {
        for (index, connection) in self.connections.iter_mut().enumerate() {
            let acks = take_acks(&mut acks, index);
            if acks.is_empty() || connection.ended {
                continue;
            }
            let request = Request::Reserve { wait: Duration::ZERO, acks };
            // What it hands out on this occasion is given back at once: the turn is another queue's.
            if let Some(Reply::Batch { lease, .. }) = connection.request(&request, GRACE, Retry::Never)? {
                connection.request(&Request::Release(vec![lease]), GRACE, Retry::Never)?;
            }
        }
        Ok(())
    }

    fn send_to_each(
        &mut self,
        tickets: &[Ticket],
        request: fn(Vec<LeaseId>) -> Request,
        timeout: Duration,
        retry: Retry,
    ) -> Result<()> {
        for (index, connection) in self.connections.iter_mut().enumerate() {
            let leases: Vec<LeaseId> =
                tickets.iter().filter(|ticket| ticket.queue == index).map(|ticket| ticket.lease).collect();
            if !leases.is_empty() && !connection.ended {
                connection.request(&request(leases), timeout, retry)?;
            }
        }
        Ok(())
    }
}
