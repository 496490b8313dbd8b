//! A worker's side of the wire: asks queues for batches, reconnects to a queue that was gone, and says why a
//! queue refuses its key.
//!
//! Requests and replies alternate. If the connection breaks, or no reply comes in time, the worker closes the socket
//! and sends the request again over a new one (the "lazy pirate" pattern). libzmq reconnects by itself, with a growing
//! random delay. Sending a request twice does no harm. The queue ignores an ack that it has already counted. A batch
//! whose reply was lost is handed out again when its lease has expired.

mod backlog;
mod connection;
mod frames;
mod lines;
mod mechanism;
mod reporter;

use std::sync::Arc;
use std::time::Duration;

pub use self::backlog::Backlog;
use self::connection::{Connection, Retry};
pub use self::lines::Lines;
pub use self::reporter::Reporter;
use crate::core::error::Result;
use crate::core::stop::Stop;
use crate::net::address::Address;
use crate::net::wire::{Answer, Ask, Request};
use crate::observe::receipt::Tally;
use crate::queue::{Ack, LeaseId, MAX_LEASES};
use crate::worker::lease_client::{LeaseClient, Next, Ticket, queue_acks};

/// How long a request of a worker without work waits at the queue.
const WAIT: Duration = Duration::from_secs(10);

/// How long such a request waits when the worker asks several queues in turn.
const WAIT_AMONG_SEVERAL: Duration = Duration::from_millis(250);

/// How much longer than agreed a reply may take before the worker takes the queue for lost.
const GRACE: Duration = Duration::from_secs(10);

/// How long a worker that ends waits until the queue has taken its last acks.
const FAREWELL: Duration = Duration::from_secs(3);

/// The client of one or more queues, which it asks in turn.
pub struct Client {
    connections: Vec<Connection>,
    turn: usize,
    stop: Stop,
    /// Acks that were not confirmed when a stop ended the wait. They are sent once more with BYE. A queue that has
    /// counted them ignores them.
    unconfirmed: Vec<(Ticket, Tally)>,
    /// Makes the reports of this process.
    reporter: Option<Arc<Reporter>>,
}

impl Client {
    /// Creates a client of the queues at `addresses`. It does not connect yet. `say` gets the sentences for the user.
    pub fn new(
        context: &zmq::Context,
        addresses: &[Address],
        stop: Stop,
        say: impl Fn(String) + Clone + Send + 'static,
    ) -> Client {
        let connection =
            |address: &Address| Connection::new(context.clone(), address.clone(), stop.clone(), Box::new(say.clone()));
        Client {
            connections: addresses.iter().map(connection).collect(),
            turn: 0,
            stop,
            unconfirmed: Vec::new(),
            reporter: None,
        }
    }
}

impl Client {
    /// Sends the reports of `reporter` along with requests.
    pub fn reporting(self, reporter: Arc<Reporter>) -> Client {
        Client { reporter: Some(reporter), ..self }
    }

    /// Keeps in `backlog` how much waits in each queue, as its latest reply says.
    pub fn noting(mut self, backlog: &Arc<Backlog>) -> Client {
        for (index, connection) in self.connections.iter_mut().enumerate() {
            connection.note_backlog_in(Arc::clone(backlog), index);
        }
        self
    }

    /// Lets `stop` end the waits of this client.
    pub fn stopping_with(mut self, stop: &Stop) -> Client {
        self.stop = stop.clone();
        self.connections.iter_mut().for_each(|connection| connection.stop_with(stop.clone()));
        self
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
        // The other queues must not have to wait for a queue that is gone.
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
            let report = self.reporter.as_ref().and_then(|reporter| reporter.due(index));
            let request = Request { ask: Ask::Reserve { wait, acks }, leases: Some(MAX_LEASES as u16), report };
            match connection.request(&request, wait + GRACE, retry)? {
                Some(Answer::Batch { lease, ttr, batch }) => {
                    self.acknowledge(all_acks)?;
                    return Ok(Next::Batch { ticket: Ticket { queue: index, lease }, ttr, batch });
                }
                Some(Answer::Wait(pause_there)) => pause = pause.min(pause_there),
                Some(Answer::End) => connection.ended = true,
                Some(answer) => return Err(connection.unexpected(&answer)),
                None if self.stop.is_requested() => {
                    self.unconfirmed.extend(sent.into_iter().chain(all_acks));
                    return Ok(Next::Stopped);
                }
                None => {}
            }
        }
        // Acks for a queue that has ended are dropped: it has counted all lines.
        let ended = self.connections.iter().all(|connection| connection.ended);
        Ok(if ended { Next::End } else { Next::Wait(pause) })
    }

    fn most_leases(&self) -> usize {
        MAX_LEASES
    }

    fn touch(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.send_to_each(tickets, Ask::Touch, GRACE, Retry::Never)
    }

    fn release(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.send_to_each(tickets, Ask::Release, FAREWELL, Retry::NeverDespiteStop)
    }

    fn bye(&mut self, acks: Vec<(Ticket, Tally)>) {
        let mut all_acks = std::mem::take(&mut self.unconfirmed);
        all_acks.extend(acks);
        for (index, connection) in self.connections.iter_mut().enumerate() {
            let acks = take_acks(&mut all_acks, index);
            if connection.is_open() || !acks.is_empty() {
                // If the queue does not take these acks, nothing more can be done. The queue then hands the lines to
                // another worker, and the sink recognises their documents as duplicates.
                let report = self.reporter.as_ref().map(|reporter| reporter.report());
                let request = Request { ask: Ask::Bye(acks), leases: None, report };
                let _ = connection.request(&request, FAREWELL, Retry::NeverDespiteStop);
            }
        }
    }
}

/// Removes the acks for the queue at `index` from `acks`, and returns them.
fn take_acks(acks: &mut Vec<(Ticket, Tally)>, index: usize) -> Vec<Ack> {
    let ours: Vec<_> = acks.extract_if(.., |(ticket, _)| ticket.queue == index).collect();
    queue_acks(&ours)
}

impl Client {
    /// Sends acks to the queues that were not asked for work this time.
    fn acknowledge(&mut self, mut acks: Vec<(Ticket, Tally)>) -> Result<()> {
        for (index, connection) in self.connections.iter_mut().enumerate() {
            let acks = take_acks(&mut acks, index);
            if acks.is_empty() || connection.ended {
                continue;
            }
            let request = Ask::Reserve { wait: Duration::ZERO, acks }.into();
            // The queue may reply with a batch. It is given back at once: the worker has a batch from another queue.
            if let Some(Answer::Batch { lease, .. }) = connection.request(&request, GRACE, Retry::Never)? {
                connection.request(&Ask::Release(vec![lease]).into(), GRACE, Retry::Never)?;
            }
        }
        Ok(())
    }

    fn send_to_each(
        &mut self,
        tickets: &[Ticket],
        ask: fn(Vec<LeaseId>) -> Ask,
        timeout: Duration,
        retry: Retry,
    ) -> Result<()> {
        for (index, connection) in self.connections.iter_mut().enumerate() {
            let leases: Vec<LeaseId> =
                tickets.iter().filter(|ticket| ticket.queue == index).map(|ticket| ticket.lease).collect();
            if !leases.is_empty() && !connection.ended {
                connection.request(&ask(leases).into(), timeout, retry)?;
            }
        }
        Ok(())
    }
}
