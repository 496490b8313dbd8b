//! The queue's side of the wire: a ROUTER socket in front of a [`SharedQueue`], speaking both dialogues of
//! `doc/protocol.md`.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use nix::sys::stat::{Mode, umask};

use crate::endpoint::{self, Endpoint};
use crate::error::{Error, Result};
use crate::lines;
use crate::queue::shared::SharedQueue;
use crate::queue::suspects::Waiting;
use crate::queue::{LeaseId, PeerId, Reserved};
use crate::stop::{Stop, Waker};
use crate::wire::{self, ErrorCode, Reply, Request};

/// The longest a peer of the batch dialogue is kept waiting for its reply, so that it can tell a queue with nothing to
/// hand out from one that is gone.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What a peer is told to wait before it asks again, when its own bound or the queue's memory is the reason.
const WAIT_AT_BOUND: Duration = Duration::from_millis(20);

/// A peer that holds nothing and has been silent this long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// The longest to stay for peers that were never told the end.
const LONGEST_LINGER: Duration = Duration::from_secs(10);

/// When a line is to be buried and its dead letter cannot be written, this is how long until it is tried again.
const BURY_AGAIN: Duration = Duration::from_secs(5);

/// Replies libzmq may hold for one peer that does not read them. Far more than a peer can ask for within the
/// millisecond or so in which libzmq does not look whether earlier ones were taken; leases bound how many are large.
const REPLIES_A_PEER: i32 = 256;

type Identity = Vec<u8>;

/// A bound socket.
pub struct Server {
    socket: zmq::Socket,
    endpoints: Vec<Endpoint>,
    // Dropped after the socket.
    _context: zmq::Context,
}

struct Peer {
    id: PeerId,
    /// The line it was given in the line dialogue; its next request acknowledges it.
    line: Option<LeaseId>,
    told_end: bool,
    last_seen: Instant,
}

enum Dialogue {
    Line,
    Batch,
}

/// A request that waits for something to hand out.
struct Parked {
    identity: Identity,
    dialogue: Dialogue,
    /// When it is answered all the same; `None` for the line dialogue, which has no word for "wait".
    until: Option<Instant>,
}

/// What a server counted besides lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Strangers {
    /// Messages of no dialogue, dropped.
    pub dropped: u64,
    /// Requests answered with an error.
    pub refused: u64,
}

impl Server {
    /// Listens on `endpoints`. Sockets in the file system get mode 0600.
    ///
    /// # Errors
    /// An endpoint that is in use or cannot be bound.
    pub fn bind(endpoints: &[Endpoint]) -> Result<Server> {
        let context = zmq::Context::new();
        let failed = |error: zmq::Error| Error::system("libzmq cannot make a socket").because(error);
        let socket = context.socket(zmq::ROUTER).map_err(failed)?;
        // A reply to a peer that is gone or does not read is an error, so that its lease can be taken back.
        socket.set_router_mandatory(true).map_err(failed)?;
        socket.set_sndhwm(REPLIES_A_PEER).map_err(failed)?;
        socket.set_rcvhwm(REPLIES_A_PEER).map_err(failed)?;
        socket.set_maxmsgsize(wire::MAX_REQUEST as i64).map_err(failed)?;
        socket.set_linger(1000).map_err(failed)?;
        let mut bound = Vec::new();
        for endpoint in endpoints {
            endpoint.check_free()?;
            socket.set_ipv6(endpoint.is_ipv6()).map_err(failed)?;
            let before = umask(Mode::from_bits_truncate(0o177));
            let result = socket.bind(&endpoint.to_string());
            umask(before);
            match result {
                Ok(()) => {}
                Err(zmq::Error::EADDRINUSE) => return Err(endpoint::in_use(endpoint)),
                Err(error) => return Err(Error::usage(format!("{endpoint}: cannot listen there")).because(error)),
            }
            // A port given as * is known only now.
            let address = socket.get_last_endpoint().ok().and_then(|address| address.ok());
            bound.push(address.and_then(|address| Endpoint::parse(&address).ok()).unwrap_or_else(|| endpoint.clone()));
        }
        Ok(Server { socket, endpoints: bound, _context: context })
    }

    /// Where it listens, ports filled in.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Answers requests until every line is accounted for, every known peer knows it, and `linger` is over; or until
    /// `abort` is requested. `on_finished` is called when the last line is accounted for, before the lingering.
    /// `waker` must be woken by the queue's `notify`.
    ///
    /// `write_letter` writes the dead letter of a line that workers are lost on. While it fails, the line stays in the
    /// queue, and the others go on.
    ///
    /// # Errors
    /// When the socket fails; and when nothing is left but lines whose dead letters cannot be written.
    pub fn serve(
        &self,
        queue: &SharedQueue,
        waker: &Waker,
        abort: &Stop,
        linger: Duration,
        on_finished: &mut dyn FnMut(),
        write_letter: &mut dyn FnMut(&Waiting) -> Result<()>,
    ) -> Result<Strangers> {
        let mut session = Session {
            socket: &self.socket,
            queue,
            peers: HashMap::new(),
            parked: VecDeque::new(),
            next_peer: 0,
            strangers: Strangers::default(),
        };
        let mut finished_at = None;
        let mut last_sweep = Instant::now();
        let mut bury_again = None;
        loop {
            if abort.is_requested() {
                return Ok(session.strangers);
            }
            queue.expire();
            let now = Instant::now();
            if bury_again.is_none_or(|at| at <= now) {
                bury_again = match bury(queue, write_letter) {
                    Ok(()) => None,
                    Err(error) if queue.only_condemned() => return Err(error),
                    Err(_) => Some(now + BURY_AGAIN),
                };
            }
            session.serve_parked()?;
            let now = Instant::now();
            if finished_at.is_none() && queue.is_finished() {
                finished_at = Some(now);
                on_finished();
            }
            if let Some(finished) = finished_at {
                let elapsed = now - finished;
                if elapsed >= LONGEST_LINGER.max(linger) || (elapsed >= linger && session.all_told_end()) {
                    return Ok(session.strangers);
                }
            }
            if now - last_sweep > FORGET_AFTER / 10 {
                session.forget_silent();
                last_sweep = now;
            }
            let timeout = session.timeout(finished_at.map(|finished| (finished, linger)));
            let timeout = timeout.into_iter().chain(bury_again.map(|at| at.saturating_duration_since(now))).min();
            self.wait(waker, abort, timeout)?;
            waker.clear();
            session.answer_waiting()?;
        }
    }

    fn wait(&self, waker: &Waker, abort: &Stop, timeout: Option<Duration>) -> Result<()> {
        // Rounded up: a wait that ends just before its deadline would be done again at once.
        let timeout = timeout.map_or(-1, |timeout| i64::try_from(timeout.as_millis()).map_or(i64::MAX, |ms| ms + 1));
        let mut items = [
            self.socket.as_poll_item(zmq::POLLIN),
            zmq::PollItem::from_fd(waker.descriptor(), zmq::POLLIN),
            zmq::PollItem::from_fd(abort.descriptor(), zmq::POLLIN),
        ];
        match zmq::poll(&mut items, timeout) {
            Ok(_) | Err(zmq::Error::EINTR) => Ok(()),
            Err(error) => Err(Error::wire("waiting for workers failed").because(error)),
        }
    }
}

/// Buries the lines that are condemned, as far as their dead letters can be written.
fn bury(queue: &SharedQueue, write_letter: &mut dyn FnMut(&Waiting) -> Result<()>) -> Result<()> {
    while let Some(line) = queue.condemned() {
        write_letter(&line)?;
        queue.bury();
    }
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        for path in self.endpoints.iter().filter_map(Endpoint::path) {
            let _ = std::fs::remove_file(path);
        }
    }
}

struct Session<'a> {
    socket: &'a zmq::Socket,
    queue: &'a SharedQueue,
    peers: HashMap<Identity, Peer>,
    parked: VecDeque<Parked>,
    next_peer: PeerId,
    strangers: Strangers,
}

/// Messages answered between two looks at the clock.
const MESSAGES_A_ROUND: usize = 256;

impl Session<'_> {
    fn answer_waiting(&mut self) -> Result<()> {
        for _ in 0..MESSAGES_A_ROUND {
            match self.socket.recv_multipart(zmq::DONTWAIT) {
                Ok(frames) => self.answer(frames)?,
                Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => break,
                Err(error) => return Err(Error::wire("receiving from workers failed").because(error)),
            }
        }
        Ok(())
    }

    fn answer(&mut self, mut frames: Vec<Vec<u8>>) -> Result<()> {
        if frames.len() < 3 || !frames[1].is_empty() {
            self.strangers.dropped += 1;
            return Ok(());
        }
        let identity = std::mem::take(&mut frames[0]);
        match &frames[2..] {
            [_anything] => self.answer_line(identity),
            [magic, body] if magic.starts_with(wire::MAGIC_ANY_VERSION) => {
                let request = if magic == wire::MAGIC {
                    Request::decode(body).map_err(|error| (ErrorCode::Malformed, error.to_string()))
                } else {
                    let theirs = String::from_utf8_lossy(magic).into_owned();
                    Err((ErrorCode::Version, format!("this queue speaks logator1, not {theirs}")))
                };
                match request {
                    Ok(request) => self.answer_batch(identity, request),
                    Err((code, sentence)) => {
                        self.strangers.refused += 1;
                        self.reply(&identity, &Reply::Error(code, sentence)).map(drop)
                    }
                }
            }
            _ => {
                self.strangers.dropped += 1;
                Ok(())
            }
        }
    }

    fn peer(&mut self, identity: &Identity) -> &mut Peer {
        if !self.peers.contains_key(identity) {
            let peer = Peer { id: self.next_peer, line: None, told_end: false, last_seen: Instant::now() };
            self.next_peer += 1;
            self.peers.insert(identity.clone(), peer);
        }
        let peer = self.peers.get_mut(identity).expect("it was just put in");
        peer.last_seen = Instant::now();
        peer
    }

    fn answer_line(&mut self, identity: Identity) -> Result<()> {
        if self.is_parked(&identity) {
            // A REQ socket cannot ask twice; whoever does gets one answer.
            self.strangers.dropped += 1;
            return Ok(());
        }
        if let Some(lease) = self.peer(&identity).line.take() {
            let tally = crate::receipt::Tally { stored: 1, ..Default::default() };
            self.queue.ack(&[crate::queue::Ack { lease, tally }]);
        }
        self.hand_out(Parked { identity, dialogue: Dialogue::Line, until: None }, true)
    }

    fn answer_batch(&mut self, identity: Identity, request: Request) -> Result<()> {
        let peer = self.peer(&identity).id;
        let count = |accepted: usize| Reply::Ok(u16::try_from(accepted).unwrap_or(u16::MAX));
        match request {
            Request::Reserve { wait, acks } => {
                self.queue.ack(&acks);
                let until = Some(Instant::now() + wait.min(LONGEST_WAIT));
                let may_wait = !wait.is_zero() && !self.is_parked(&identity);
                self.hand_out(Parked { identity, dialogue: Dialogue::Batch, until }, may_wait)
            }
            Request::Touch(leases) => {
                let reply = count(self.queue.touch(&leases));
                self.reply(&identity, &reply).map(drop)
            }
            Request::Release(leases) => {
                let reply = count(self.queue.release(&leases));
                self.reply(&identity, &reply).map(drop)
            }
            Request::Bye(acks) => {
                let reply = count(self.queue.ack(&acks));
                self.queue.release_all(peer);
                self.peers.remove(&identity);
                self.reply(&identity, &reply).map(drop)
            }
        }
    }

    fn is_parked(&self, identity: &Identity) -> bool {
        self.parked.iter().any(|parked| parked.identity == *identity)
    }

    /// Answers a request for work, or parks it.
    fn hand_out(&mut self, request: Parked, may_wait: bool) -> Result<()> {
        if !self.try_hand_out(&request)? {
            if may_wait {
                self.parked.push_back(request);
            } else if matches!(request.dialogue, Dialogue::Batch) {
                self.reply(&request.identity, &Reply::Wait(WAIT_AT_BOUND))?;
            }
        }
        Ok(())
    }

    /// Whether `request` got its answer: work or the end.
    fn try_hand_out(&mut self, request: &Parked) -> Result<bool> {
        let Some(peer) = self.peers.get(&request.identity).map(|peer| peer.id) else { return Ok(true) };
        let reserved = match request.dialogue {
            Dialogue::Line => self.queue.reserve_line(peer),
            Dialogue::Batch => self.queue.reserve(peer),
        };
        match reserved {
            Reserved::Wait => Ok(false),
            Reserved::End => {
                let told = match request.dialogue {
                    Dialogue::Line => self.send(&request.identity, [zmq::Message::new()])?,
                    Dialogue::Batch => self.reply(&request.identity, &Reply::End)?,
                };
                match self.peers.get_mut(&request.identity) {
                    Some(peer) if told => peer.told_end = true,
                    _ => drop(self.peers.remove(&request.identity)),
                }
                Ok(true)
            }
            Reserved::Batch(lease, batch) => {
                let taken = match request.dialogue {
                    Dialogue::Line => {
                        let line = lines::lines(&batch.data).next().map_or(&[][..], |line| line.bytes);
                        self.send(&request.identity, [zmq::Message::from(line)])?
                    }
                    Dialogue::Batch => {
                        let data = zmq::Message::from(&batch.data[..]);
                        let ttr = self.queue.lease_time().unwrap_or(Duration::MAX);
                        let header = Reply::Batch { lease, ttr, batch }.encode();
                        self.send(
                            &request.identity,
                            [zmq::Message::from(&wire::MAGIC[..]), zmq::Message::from(header), data],
                        )?
                    }
                };
                if !taken {
                    self.queue.release(&[lease]);
                    self.peers.remove(&request.identity);
                } else if matches!(request.dialogue, Dialogue::Line)
                    && let Some(peer) = self.peers.get_mut(&request.identity)
                {
                    peer.line = Some(lease);
                }
                Ok(true)
            }
        }
    }

    /// Answers parked requests, oldest first, as far as there is work, and those that have waited long enough.
    fn serve_parked(&mut self) -> Result<()> {
        let now = Instant::now();
        for _ in 0..self.parked.len() {
            let Some(request) = self.parked.pop_front() else { break };
            if self.try_hand_out(&request)? {
                continue;
            }
            if request.until.is_some_and(|until| until <= now) {
                self.reply(&request.identity, &Reply::Wait(Duration::ZERO))?;
            } else {
                self.parked.push_back(request);
            }
        }
        Ok(())
    }

    fn reply(&self, identity: &Identity, reply: &Reply) -> Result<bool> {
        self.send(identity, [zmq::Message::from(&wire::MAGIC[..]), zmq::Message::from(reply.encode())])
    }

    /// Sends a reply; `false` when the peer is gone or does not read.
    fn send<const N: usize>(&self, identity: &Identity, frames: [zmq::Message; N]) -> Result<bool> {
        let envelope = [zmq::Message::from(&identity[..]), zmq::Message::new()];
        match self.socket.send_multipart(envelope.into_iter().chain(frames), zmq::DONTWAIT) {
            Ok(()) => Ok(true),
            Err(zmq::Error::EHOSTUNREACH | zmq::Error::EAGAIN) => Ok(false),
            Err(error) => Err(Error::wire("answering a worker failed").because(error)),
        }
    }

    fn all_told_end(&self) -> bool {
        self.peers.values().all(|peer| peer.told_end)
    }

    fn forget_silent(&mut self) {
        let parked: Vec<&Identity> = self.parked.iter().map(|parked| &parked.identity).collect();
        self.peers.retain(|identity, peer| {
            peer.line.is_some() || peer.last_seen.elapsed() < FORGET_AFTER || parked.contains(&identity)
        });
    }

    /// How long nothing needs to be done unless somebody asks.
    fn timeout(&self, finished: Option<(Instant, Duration)>) -> Option<Duration> {
        let now = Instant::now();
        let parked = self.parked.iter().filter_map(|parked| parked.until).map(|until| until - now).min();
        let linger = finished.map(|(finished, linger)| {
            let bound = if self.all_told_end() { linger } else { LONGEST_LINGER.max(linger) };
            bound.saturating_sub(now - finished)
        });
        [parked, linger, self.queue.until_next_deadline()].into_iter().flatten().min()
    }
}
