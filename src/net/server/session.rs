//! The peers of one queue, and both dialogues with them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::authenticator::Authenticator;
use super::report::Event;
use super::workers::Workers;
use crate::core::error::{Error, Result};
use crate::net::keys::PublicKey;
use crate::net::wire::{self, Answer, Ask, ErrorCode, QueueState, Reply, Request};
use crate::observe::counters::{DROPPED_MESSAGES, REFUSED_REQUESTS, Snapshot};
use crate::observe::details::Seldom;
use crate::queue::shared::SharedQueue;
use crate::queue::{LeaseId, PeerId, Reserved};

/// How long a finished queue waits at most for peers that do not know yet that it has ended.
pub(super) const LONGEST_LINGER: Duration = Duration::from_secs(10);

/// How long a request of the batch dialogue waits for its reply at most. A peer can then tell an idle queue from a
/// queue that is gone.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long a peer is told to wait when it holds the maximum number of leases, or when the maximum number of bytes is
/// leased.
const WAIT_AT_BOUND: Duration = Duration::from_millis(20);

/// A peer that holds nothing is forgotten after this time without a message.
const FORGET_AFTER: Duration = Duration::from_secs(600);

static NEW_WORKERS: Seldom = Seldom::new();
static LEFT_WORKERS: Seldom = Seldom::new();
static REFUSED: Seldom = Seldom::new();
static RETURNED_BATCHES: Seldom = Seldom::new();

type Identity = Vec<u8>;

struct Peer {
    id: PeerId,
    /// The line that the peer got in the line dialogue. Its next request acknowledges the line.
    line: Option<LeaseId>,
    knows_end: bool,
    /// Whether a request of the peer waits for its reply.
    is_pending: bool,
    /// Whether the peer has sent a report of its process. It sends the last one with BYE.
    reports: bool,
    last_seen: Instant,
}

enum Dialogue {
    Line,
    Batch,
}

/// A request that waits for something to hand out.
struct Pending {
    identity: Identity,
    dialogue: Dialogue,
    /// The time at which the request is answered in any case; `None` for the line dialogue, which has no reply that
    /// says "wait".
    until: Option<Instant>,
}

/// The largest number of messages that are answered before the server checks the time again.
const MAX_MESSAGES_PER_ROUND: usize = 256;

/// The largest number of frames in a message of a dialogue, with the sender's identity and the empty frame.
const MAX_FRAMES: usize = 4;

/// How many pending requests are tried without success before the others are left for later. Most of them wait for the
/// same reason.
const MAX_FAILED_TRIES: usize = 64;

pub(super) struct Session<'a> {
    auth: &'a Authenticator,
    queue: &'a SharedQueue,
    peers: HashMap<Identity, Peer>,
    pending: VecDeque<Pending>,
    /// The earliest time at which a pending request has to be answered.
    next_due: Option<Instant>,
    next_peer: PeerId,
    /// The counts of rejected messages and connections.
    counts: Snapshot,
    /// Refused keys that were reported.
    reported_keys: HashSet<PublicKey>,
    last_cleanup: Instant,
    /// The identity of the queue.
    identity: u64,
    /// The reports of worker processes.
    workers: &'a Workers,
}

impl<'a> Session<'a> {
    pub(super) fn new(auth: &'a Authenticator, queue: &'a SharedQueue, identity: u64, workers: &'a Workers) -> Self {
        Session {
            auth,
            queue,
            identity,
            workers,
            peers: HashMap::new(),
            pending: VecDeque::new(),
            next_due: None,
            next_peer: 0,
            counts: Snapshot::default(),
            reported_keys: HashSet::new(),
            last_cleanup: Instant::now(),
        }
    }

    pub(super) fn counts(self) -> Snapshot {
        self.counts
    }

    pub(super) fn serve_auth(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<()> {
        self.auth.serve(&mut self.reported_keys, &mut self.counts, on_event)
    }

    pub(super) fn answer_messages(&mut self) -> Result<()> {
        let mut frames = Vec::new();
        for _ in 0..MAX_MESSAGES_PER_ROUND {
            match self.receive(&mut frames) {
                Ok(true) => self.answer(std::mem::take(&mut frames))?,
                Ok(false) => {}
                Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => break,
                Err(error) => return Err(Error::wire("receiving from workers failed").because(error)),
            }
        }
        Ok(())
    }

    /// Receives one message. Returns `false` if the message has too many frames or its sender is not authorized any
    /// more. Frames beyond the limit are dropped as they arrive.
    fn receive(&mut self, frames: &mut Vec<Vec<u8>>) -> Result<bool, zmq::Error> {
        frames.clear();
        let mut allowed = true;
        let mut count = 0;
        loop {
            // The frames of a message arrive together.
            let mut message = match self.auth.socket.recv_msg(if count == 0 { zmq::DONTWAIT } else { 0 }) {
                Err(zmq::Error::EINTR) if count > 0 => continue,
                received => received?,
            };
            count += 1;
            let more = message.get_more();
            if count == 2 {
                allowed = self.auth.still_allows(&mut message);
            }
            if count <= MAX_FRAMES {
                frames.push(message.to_vec());
            }
            if !more {
                break;
            }
        }
        let ours = allowed && count <= MAX_FRAMES;
        if !ours {
            self.counts.add(&DROPPED_MESSAGES, 1);
        }
        Ok(ours)
    }

    fn answer(&mut self, mut frames: Vec<Vec<u8>>) -> Result<()> {
        if frames.len() < 3 || !frames[1].is_empty() {
            self.counts.add(&DROPPED_MESSAGES, 1);
            return Ok(());
        }
        let identity = std::mem::take(&mut frames[0]);
        match &frames[2..] {
            [_anything] => self.answer_line(identity),
            [magic, body] if magic.starts_with(wire::MAGIC_ANY_VERSION) => {
                let request = if magic == wire::MAGIC {
                    Request::decode(body).map_err(|error| (ErrorCode::Malformed, error.to_string()))
                } else {
                    Err((ErrorCode::Version, wire::versions("this queue", "the worker", magic)))
                };
                match request {
                    Ok(request) => self.answer_batch(identity, request),
                    Err((code, sentence)) => {
                        self.counts.add(&REFUSED_REQUESTS, 1);
                        REFUSED.tell(1, |times, _| {
                            format!("{times} requests were refused, the last one because: {sentence}")
                        });
                        // A peer of another version understands an error in frames of its own version.
                        let reply = Reply { answer: Answer::Error(code, sentence), queue: None };
                        let magic = zmq::Message::from(&magic[..]);
                        self.send(&identity, [magic, zmq::Message::from(reply.encode())]).map(drop)
                    }
                }
            }
            _ => {
                self.counts.add(&DROPPED_MESSAGES, 1);
                Ok(())
            }
        }
    }

    fn peer(&mut self, identity: &Identity) -> &mut Peer {
        if !self.peers.contains_key(identity) {
            let peer = Peer {
                id: self.next_peer,
                line: None,
                knows_end: false,
                is_pending: false,
                reports: false,
                last_seen: Instant::now(),
            };
            self.next_peer += 1;
            let (number, others) = (peer.id, self.peers.len());
            NEW_WORKERS.tell(1, |came, _| {
                format!("{came} workers are new, the last one is number {number}; {others} were there before")
            });
            self.peers.insert(identity.clone(), peer);
        }
        let peer = self.peers.get_mut(identity).expect("it was just put in");
        peer.last_seen = Instant::now();
        peer
    }

    fn answer_line(&mut self, identity: Identity) -> Result<()> {
        if self.is_pending(&identity) {
            // A REQ socket cannot send a second request before the reply. A peer that does so gets one reply.
            self.counts.add(&DROPPED_MESSAGES, 1);
            return Ok(());
        }
        if let Some(lease) = self.peer(&identity).line.take() {
            // The peer asks for more, so it has the line. The line dialogue does not say whether the peer stored it.
            let tally = crate::observe::receipt::Tally { delivered: 1, ..Default::default() };
            self.queue.ack(&[crate::queue::Ack { lease, tally }]);
        }
        self.hand_out(Pending { identity, dialogue: Dialogue::Line, until: None }, true)
    }

    fn answer_batch(&mut self, identity: Identity, request: Request) -> Result<()> {
        let Request { ask, leases, report } = request;
        let peer = self.peer(&identity);
        peer.reports |= report.is_some();
        let peer = peer.id;
        if let Some(report) = report {
            self.workers.note(report);
        }
        if let Some(leases) = leases {
            self.queue.allow(peer, leases.into());
        }
        let count = |accepted: usize| Answer::Ok(u16::try_from(accepted).unwrap_or(u16::MAX));
        let answer = match ask {
            Ask::Reserve { wait, acks } => {
                self.queue.ack(&acks);
                let until = Some(Instant::now() + wait.min(LONGEST_WAIT));
                let may_wait = !wait.is_zero() && !self.is_pending(&identity);
                return self.hand_out(Pending { identity, dialogue: Dialogue::Batch, until }, may_wait);
            }
            Ask::Touch(leases) => count(self.queue.touch(&leases)),
            Ask::Release(leases) => count(self.queue.release(&leases)),
            Ask::Bye(acks) => {
                let answer = count(self.queue.ack(&acks));
                self.queue.release_all(peer);
                self.peers.remove(&identity);
                let others = self.peers.len();
                LEFT_WORKERS.tell(1, |went, _| {
                    format!("{went} workers have left, the last one was number {peer}; {others} are there")
                });
                // A DEALER peer may say BYE while its RESERVE waits.
                self.pending.retain(|pending| pending.identity != identity);
                answer
            }
        };
        self.reply(&identity, answer).map(drop)
    }

    fn is_pending(&self, identity: &Identity) -> bool {
        self.peers.get(identity).is_some_and(|peer| peer.is_pending)
    }

    /// Answers a request for work. If there is no work and it may wait, the request becomes pending.
    fn hand_out(&mut self, request: Pending, may_wait: bool) -> Result<()> {
        if !self.try_hand_out(&request)? {
            if may_wait {
                self.keep_pending(request);
            } else if matches!(request.dialogue, Dialogue::Batch) {
                self.reply(&request.identity, Answer::Wait(WAIT_AT_BOUND))?;
            }
        }
        Ok(())
    }

    /// Answers `request` if there is work or the queue has ended. Returns whether it was answered.
    fn try_hand_out(&mut self, request: &Pending) -> Result<bool> {
        let Some(peer) = self.peers.get(&request.identity).map(|peer| peer.id) else { return Ok(true) };
        let reserved = match request.dialogue {
            // In the line dialogue an empty reply means the end. Therefore an empty line cannot be sent.
            Dialogue::Line => self.queue.reserve_line(peer, |line| !line.is_empty()),
            Dialogue::Batch => self.queue.reserve(peer),
        };
        match reserved {
            Reserved::Wait => Ok(false),
            Reserved::Ended => {
                let told = match request.dialogue {
                    Dialogue::Line => self.send(&request.identity, [zmq::Message::new()])?,
                    Dialogue::Batch => self.reply(&request.identity, Answer::End)?,
                };
                match self.peers.get_mut(&request.identity) {
                    Some(peer) if told => peer.knows_end = true,
                    _ => drop(self.peers.remove(&request.identity)),
                }
                Ok(true)
            }
            Reserved::Batch(lease, batch) => {
                let taken = match request.dialogue {
                    Dialogue::Line => {
                        // Records that belong together, such as the lines of a container, are one frame.
                        let line = batch.without_last_end();
                        self.send(&request.identity, [zmq::Message::from(line)])?
                    }
                    Dialogue::Batch => {
                        let data = zmq::Message::from(&batch.data[..]);
                        let ttr = self.queue.lease_time().unwrap_or(Duration::MAX);
                        let header = self.message(&request.identity, Answer::Batch { lease, ttr, batch });
                        self.send(&request.identity, [zmq::Message::from(&wire::MAGIC[..]), header, data])?
                    }
                };
                if !taken {
                    RETURNED_BATCHES.tell(1, |times, _| {
                        format!(
                            "{times} batches could not be sent and came back: their workers are gone or do not read"
                        )
                    });
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

    fn keep_pending(&mut self, request: Pending) {
        if let Some(peer) = self.peers.get_mut(&request.identity) {
            peer.is_pending = true;
        }
        self.next_due = self.next_due.into_iter().chain(request.until).min();
        self.pending.push_back(request);
    }

    fn note_answered(&mut self, identity: &Identity) {
        if let Some(peer) = self.peers.get_mut(identity) {
            peer.is_pending = false;
        }
    }

    /// Answers pending requests while there is work, the oldest first. Then answers those whose time is over.
    pub(super) fn answer_pending(&mut self) -> Result<()> {
        let mut failed_tries = 0;
        for _ in 0..self.pending.len() {
            if failed_tries == MAX_FAILED_TRIES || !(self.queue.has_ready() || self.queue.is_finished()) {
                break;
            }
            let Some(request) = self.pending.pop_front() else { break };
            if self.try_hand_out(&request)? {
                self.note_answered(&request.identity);
            } else {
                self.pending.push_back(request);
                failed_tries += 1;
            }
        }
        let now = Instant::now();
        if self.next_due.is_some_and(|due| due <= now) {
            for _ in 0..self.pending.len() {
                let Some(request) = self.pending.pop_front() else { break };
                if request.until.is_some_and(|until| until <= now) {
                    self.note_answered(&request.identity);
                    self.reply(&request.identity, Answer::Wait(Duration::ZERO))?;
                } else {
                    self.pending.push_back(request);
                }
            }
            self.next_due = self.pending.iter().filter_map(|pending| pending.until).min();
        }
        self.workers.note_numbers(self.peers.len(), self.pending.len());
        Ok(())
    }

    fn reply(&self, identity: &Identity, answer: Answer) -> Result<bool> {
        self.send(identity, [zmq::Message::from(&wire::MAGIC[..]), self.message(identity, answer)])
    }

    /// Returns frame 1 of a reply.
    fn message(&self, identity: &Identity, answer: Answer) -> zmq::Message {
        let (backlog, leases) = self.queue.backlog(self.peers.get(identity).map(|peer| peer.id));
        let (backlog, leases) = (backlog as u64, u16::try_from(leases).unwrap_or(u16::MAX));
        let queue = Some(QueueState { identity: self.identity, backlog, leases });
        zmq::Message::from(Reply { answer, queue }.encode())
    }

    /// Sends a reply. Returns `false` if the peer is gone or does not read.
    fn send<const N: usize>(&self, identity: &Identity, frames: [zmq::Message; N]) -> Result<bool> {
        let envelope = [zmq::Message::from(&identity[..]), zmq::Message::new()];
        match self.auth.socket.send_multipart(envelope.into_iter().chain(frames), zmq::DONTWAIT) {
            Ok(()) => Ok(true),
            Err(zmq::Error::EHOSTUNREACH | zmq::Error::EAGAIN) => Ok(false),
            Err(error) => Err(Error::wire("answering a worker failed").because(error)),
        }
    }

    /// Whether a peer may still send the last report of its process.
    pub(super) fn awaits_reports(&self) -> bool {
        self.peers.values().any(|peer| peer.reports)
    }

    pub(super) fn all_know_end(&self) -> bool {
        self.peers.values().all(|peer| peer.knows_end)
    }

    /// Forgets the peers that hold nothing and have sent nothing for long.
    pub(super) fn forget_silent_peers(&mut self, now: Instant) {
        if now - self.last_cleanup > FORGET_AFTER / 10 {
            self.last_cleanup = now;
            let queue = self.queue;
            self.peers.retain(|_, peer| {
                let stays = peer.line.is_some() || peer.is_pending || now - peer.last_seen < FORGET_AFTER;
                if !stays {
                    queue.release_all(peer.id);
                }
                stays
            });
        }
    }

    /// Returns how long the server may sleep if no message arrives.
    pub(super) fn timeout(&self, finished: Option<(Instant, Duration)>) -> Option<Duration> {
        let now = Instant::now();
        let pending = self.next_due.map(|due| due.saturating_duration_since(now));
        let linger = finished.map(|(finished, linger)| {
            let bound = if self.all_know_end() { linger } else { LONGEST_LINGER.max(linger) };
            bound.saturating_sub(now - finished)
        });
        [pending, linger, self.queue.until_next_deadline()].into_iter().flatten().min()
    }
}
