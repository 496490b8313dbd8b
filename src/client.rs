//! A worker's side of the wire: asks queues for batches, and finds them again when they are gone.
//!
//! Requests and replies alternate on a REQ socket. When the connection breaks, or no reply comes in time, the socket is
//! thrown away and the request sent over a new one ("lazy pirate"); libzmq itself retries connecting, with jittered
//! back-off. Sending a request again is harmless: acks that were counted are ignored, and a batch whose reply was lost
//! comes back when its lease has run out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::queue::{Ack, LeaseId};
use crate::receipt::Tally;
use crate::sink::backoff::Backoff;
use crate::stop::Stop;
use crate::wire::{self, Reply, Request};
use crate::worker::feed::{Feed, Next, Ticket, queue_acks};

/// How long a worker without work waits for some before it asks again.
const WAIT: Duration = Duration::from_secs(5);

/// The same when several queues are asked in turn.
const WAIT_AMONG_SEVERAL: Duration = Duration::from_millis(250);

/// How much longer than agreed a reply may take before the queue is taken for lost.
const GRACE: Duration = Duration::from_secs(10);

/// How long a worker that ends waits for the queue to take its last acks.
const FAREWELL: Duration = Duration::from_secs(3);

/// How long a greeting may take; a queue that is slower learns of the worker by its first request.
const HELLO: Duration = Duration::from_millis(500);

/// A worker without a queue says so after this time.
const SAY_AFTER: Duration = Duration::from_secs(1);

/// Speaks with one or more queues, in turn.
pub struct Client {
    connections: Vec<Connection>,
    turn: usize,
    stop: Stop,
    /// Acks of which a stop has left unknown whether their queues have them. They go with the farewell; a queue that
    /// has them already ignores them.
    unsure: Vec<(Ticket, Tally)>,
}

impl Client {
    /// A client of the queues at `endpoints`. Nothing is connected yet. `say` gets the sentences for the user.
    pub fn new(
        context: &zmq::Context,
        endpoints: &[Endpoint],
        stop: Stop,
        say: impl Fn(String) + Clone + Send + 'static,
    ) -> Client {
        let connection = |endpoint: &Endpoint| Connection {
            context: context.clone(),
            endpoint: endpoint.clone(),
            line: None,
            stop: stop.clone(),
            say: Box::new(say.clone()),
            lost: false,
            ended: false,
        };
        Client { connections: endpoints.iter().map(connection).collect(), turn: 0, stop, unsure: Vec::new() }
    }
}

impl Feed for Client {
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
        let manner = if open > 1 { Manner::Once } else { Manner::Patient };
        let mut all_acks = acks;
        if self.stop.is_requested() {
            self.unsure.append(&mut all_acks);
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
            match connection.request(&Request::Reserve { wait, acks }, wait + GRACE, manner)? {
                Some(Reply::Batch { lease, ttr, batch }) => {
                    self.acknowledge(all_acks)?;
                    return Ok(Next::Batch { ticket: Ticket { queue: index, lease }, ttr, batch });
                }
                Some(Reply::Wait(pause_there)) => pause = pause.min(pause_there),
                Some(Reply::End) => connection.ended = true,
                Some(reply) => return Err(connection.unexpected(&reply)),
                None if self.stop.is_requested() => {
                    self.unsure.extend(sent.into_iter().chain(all_acks));
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
        self.each(tickets, Request::Touch, GRACE, Manner::Once)
    }

    fn release(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.each(tickets, Request::Release, FAREWELL, Manner::Farewell)
    }

    fn bye(&mut self, acks: Vec<(Ticket, Tally)>) {
        let mut all_acks = std::mem::take(&mut self.unsure);
        all_acks.extend(acks);
        for (index, connection) in self.connections.iter_mut().enumerate() {
            let acks = take_acks(&mut all_acks, index);
            if connection.line.is_some() || !acks.is_empty() {
                // Nothing more can be done for acks a queue does not take: it gives the lines to another worker, and
                // the sink knows them.
                let _ = connection.request(&Request::Bye(acks), FAREWELL, Manner::Farewell);
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
            if let Some(Reply::Batch { lease, .. }) = connection.request(&request, GRACE, Manner::Once)? {
                connection.request(&Request::Release(vec![lease]), GRACE, Manner::Once)?;
            }
        }
        Ok(())
    }

    fn each(
        &mut self,
        tickets: &[Ticket],
        request: fn(Vec<LeaseId>) -> Request,
        patience: Duration,
        manner: Manner,
    ) -> Result<()> {
        for (index, connection) in self.connections.iter_mut().enumerate() {
            let leases: Vec<LeaseId> =
                tickets.iter().filter(|ticket| ticket.queue == index).map(|ticket| ticket.lease).collect();
            if !leases.is_empty() && !connection.ended {
                connection.request(&request(leases), patience, manner)?;
            }
        }
        Ok(())
    }
}

/// A socket and its monitor.
struct Line {
    socket: zmq::Socket,
    monitor: zmq::Socket,
    /// As far as the monitor has told.
    connected: bool,
}

/// How hard to try for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Until there is one, or a stop is requested.
    Patient,
    /// Once, unless a stop is requested.
    Once,
    /// Once, in spite of a stop, and saying nothing.
    Farewell,
}

/// One queue, as a worker sees it.
struct Connection {
    context: zmq::Context,
    endpoint: Endpoint,
    line: Option<Line>,
    stop: Stop,
    say: Box<dyn Fn(String) + Send>,
    /// It was said that the queue is gone.
    lost: bool,
    /// It said that there is no more.
    ended: bool,
}

impl Connection {
    /// Lets the queue know that this worker is there, if the queue is there already.
    fn hello(&mut self) -> Result<()> {
        self.request(&Request::Touch(Vec::new()), HELLO, Manner::Once).map(drop)
    }

    /// What to say of a reply that answers no question of ours.
    fn unexpected(&self, reply: &Reply) -> Error {
        match reply {
            Reply::Error(_, sentence) => Error::wire(format!("{}: the queue refuses: {sentence}", self.endpoint)),
            _ => Error::wire(format!("{}: the queue answers another question", self.endpoint)),
        }
    }

    /// Sends a request and returns the reply; `None` when stopped, or when there is none and `manner` does not insist.
    /// `patience` is how long a queue that is connected may take.
    fn request(&mut self, request: &Request, patience: Duration, manner: Manner) -> Result<Option<Reply>> {
        loop {
            let line = match self.line.take() {
                Some(line) => line,
                None => match self.open(manner)? {
                    Some(line) => line,
                    None => return Ok(None),
                },
            };
            match self.attempt(line, request, patience, manner)? {
                Attempt::Reply(reply) => {
                    if std::mem::take(&mut self.lost) {
                        (self.say)(format!("{}: the queue answers", self.endpoint));
                    }
                    return Ok(Some(reply));
                }
                Attempt::Stopped => return Ok(None),
                Attempt::Lost(why) => {
                    if manner != Manner::Farewell {
                        self.say_lost(why);
                    }
                    if manner != Manner::Patient {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Says once that the queue is not there.
    fn say_lost(&mut self, why: &str) {
        if !std::mem::replace(&mut self.lost, true) {
            (self.say)(format!("{}: {why}; waiting for it", self.endpoint));
        }
    }

    /// Connects. Waits for a socket in the file system to appear: only then can its owner be checked. `None` when
    /// stopped, or when there is nothing to connect to and `manner` does not insist.
    fn open(&mut self, manner: Manner) -> Result<Option<Line>> {
        let started = Instant::now();
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(2));
        while !self.endpoint.check_owner()? {
            if manner != Manner::Patient || self.stop.is_requested() {
                return Ok(None);
            }
            if started.elapsed() > SAY_AFTER {
                self.say_lost("no queue is there");
            }
            let mut items = [zmq::PollItem::from_fd(self.stop.descriptor(), zmq::POLLIN)];
            let _ = zmq::poll(&mut items, backoff.next_delay().as_millis() as i64);
        }
        let failed = |error: zmq::Error| Error::system("libzmq cannot make a socket").because(error);
        let socket = self.context.socket(zmq::REQ).map_err(failed)?;
        socket.set_linger(0).map_err(failed)?;
        socket.set_ipv6(self.endpoint.is_ipv6()).map_err(failed)?;
        socket.set_reconnect_ivl(50).map_err(failed)?;
        socket.set_reconnect_ivl_max(2000).map_err(failed)?;
        if self.endpoint.path().is_none() {
            // A machine that vanishes closes no connection.
            socket.set_heartbeat_ivl(5_000).map_err(failed)?;
            socket.set_heartbeat_timeout(15_000).map_err(failed)?;
        }
        // Numbered, because a name may be monitored by one socket only.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("inproc://monitor-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let events = zmq::SocketEvent::CONNECTED.to_raw() | zmq::SocketEvent::DISCONNECTED.to_raw();
        socket.monitor(&name, i32::from(events)).map_err(failed)?;
        let monitor = self.context.socket(zmq::PAIR).map_err(failed)?;
        monitor.set_linger(0).map_err(failed)?;
        monitor.connect(&name).map_err(failed)?;
        socket
            .connect(&self.endpoint.to_string())
            .map_err(|error| Error::usage(format!("{}: cannot be connected to", self.endpoint)).because(error))?;
        Ok(Some(Line { socket, monitor, connected: false }))
    }

    /// Sends once and waits for the reply, a break of the connection, a stop, or the end of patience. The line is kept
    /// only if the reply came.
    fn attempt(&mut self, mut line: Line, request: &Request, patience: Duration, manner: Manner) -> Result<Attempt> {
        if line.socket.send_multipart([&wire::MAGIC[..], &request.encode()], zmq::DONTWAIT).is_err() {
            return Ok(Attempt::Lost("the queue cannot be asked"));
        }
        let mut asked = Instant::now();
        // A question that is not kept waiting for work is answered at once, and the answer may be a lease: a stop does
        // not cut it short.
        let waits = matches!(request, Request::Reserve { wait, .. } if !wait.is_zero());
        loop {
            let heeds_stop = manner != Manner::Farewell && (waits || !line.connected);
            // Before there is a connection, silence means nothing.
            let bound = match (line.connected || manner != Manner::Patient, self.lost) {
                (true, _) => Some(patience),
                (false, false) => Some(SAY_AFTER),
                (false, true) => None,
            };
            let remaining = bound.map(|bound| bound.saturating_sub(asked.elapsed()));
            if remaining == Some(Duration::ZERO) {
                if line.connected || manner != Manner::Patient {
                    return Ok(Attempt::Lost("the queue does not answer"));
                }
                self.say_lost("no queue is there");
                continue;
            }
            let mut items = [
                line.socket.as_poll_item(zmq::POLLIN),
                line.monitor.as_poll_item(zmq::POLLIN),
                zmq::PollItem::from_fd(self.stop.descriptor(), zmq::POLLIN),
            ];
            let watched = if heeds_stop { 3 } else { 2 };
            match zmq::poll(&mut items[..watched], remaining.map_or(-1, |time| time.as_millis() as i64 + 1)) {
                Ok(_) | Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(Error::wire("waiting for the queue failed").because(error)),
            }
            if let Some(reply) = receive(&line.socket, &self.endpoint)? {
                line.connected = true;
                self.line = Some(line);
                return Ok(Attempt::Reply(reply));
            }
            while let Ok(event) = line.monitor.recv_multipart(zmq::DONTWAIT) {
                let code = event.first().and_then(|frame| frame.first_chunk()).map(|code| u16::from_ne_bytes(*code));
                if code == Some(zmq::SocketEvent::CONNECTED.to_raw()) {
                    line.connected = true;
                    asked = Instant::now();
                } else if code == Some(zmq::SocketEvent::DISCONNECTED.to_raw()) {
                    return Ok(Attempt::Lost("the queue is gone"));
                }
            }
            if heeds_stop && self.stop.is_requested() {
                return Ok(Attempt::Stopped);
            }
        }
    }
}

enum Attempt {
    Reply(Reply),
    Lost(&'static str),
    Stopped,
}

/// Takes a reply if one is there.
fn receive(socket: &zmq::Socket, endpoint: &Endpoint) -> Result<Option<Reply>> {
    let mut frames = Vec::with_capacity(3);
    loop {
        match socket.recv_msg(if frames.is_empty() { zmq::DONTWAIT } else { 0 }) {
            Ok(message) => {
                let more = message.get_more();
                frames.push(message);
                if !more {
                    break;
                }
            }
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) if frames.is_empty() => return Ok(None),
            Err(zmq::Error::EINTR) => {}
            Err(error) => return Err(Error::wire(format!("{endpoint}: receiving failed")).because(error)),
        }
    }
    let strange = |why: String| Error::wire(format!("{endpoint}: what answers there is no logator queue ({why})"));
    let mut frames = frames.into_iter();
    let magic = frames.next();
    if magic.as_deref() != Some(&wire::MAGIC[..]) {
        return Err(strange("its replies do not begin with logator1".into()));
    }
    let Some(body) = frames.next() else { return Err(strange("its reply is too short".into())) };
    let data = frames.next().map(|message| Bytes::from_owner(Data(message)));
    Reply::decode(&body, data).map(Some).map_err(|error| strange(error.to_string()))
}

/// A received frame as the owner of its bytes: a batch is used where libzmq put it.
struct Data(zmq::Message);

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
