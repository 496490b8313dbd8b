//! The connection of a worker to one queue: requests, replies, and reconnects after a failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backlog::Backlog;
use super::frames::{Message, NO_MAGIC, Received, receive, strange};
use super::mechanism::{self, Mechanism};
use crate::core::backoff::Backoff;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::address::Address;
use crate::net::endpoint::Endpoint;
use crate::net::monitor::{self, MonitoredSocket, Report};
use crate::net::wire::{Answer, Ask, Reply, Request};

/// A worker without a queue tells the user after this time.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// How long a handshake may take. After this time libzmq tries again.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a worker waits for the reply to its greeting. A slower queue learns about the worker from its first
/// request.
const HELLO: Duration = Duration::from_millis(500);

/// The value of libzmq's report when one side uses keys and the other does not.
const MECHANISM_MISMATCH: u32 = 0x1100_0002;

const NO_KEYS: &str = "the queue uses no keys, but this worker requires them; start the queue with --curve-key";

/// A socket, and what is known about its connection.
struct OpenSocket {
    /// A DEALER socket that sends the same frames as REQ. REQ cannot send while it waits for a reply, and a DEALER can:
    /// a worker that is told to stop can say BYE while its RESERVE waits. The queue then takes back at once a batch
    /// that it has just handed out.
    socket: MonitoredSocket,
    /// Whether the connection was accepted.
    reached: bool,
    /// Whether the handshake is done, or a reply has arrived.
    connected: bool,
    /// Whether a stop has ended the wait for a reply. The reply may still arrive.
    unanswered: bool,
}

/// How often to try until there is a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Again and again, until there is a reply or a stop is requested.
    UntilStopped,
    /// Once. A stop ends the wait.
    Never,
    /// Once. A stop does not end the wait, and failures are not reported.
    NeverDespiteStop,
}

enum Attempt {
    Reply(Received),
    Failed(Failure),
    Stopped,
}

/// The reason why there is no reply.
enum Failure {
    /// The queue is not there, or has gone.
    Unreachable(&'static str),
    /// The peer and this worker have different keys or protocols. The worker tries again, because the user may correct
    /// that.
    Incompatible(String),
}

/// The connection to a queue.
pub(super) struct Connection {
    context: zmq::Context,
    address: Address,
    open_socket: Option<OpenSocket>,
    stop: Stop,
    say: Box<dyn Fn(String) + Send>,
    /// Whether the user was told that the queue is gone.
    lost: bool,
    /// The incompatibilities that were reported to the user.
    refused: Vec<String>,
    backoff: Backoff,
    /// The identity of the queue, after its first reply.
    queue: Option<u64>,
    /// Whether the queue has said that there is no more work.
    pub(super) ended: bool,
    /// Where the backlog of the queue is kept, with the number of the queue.
    backlog: Option<(Arc<Backlog>, usize)>,
}

impl Connection {
    pub(super) fn new(context: zmq::Context, address: Address, stop: Stop, say: Box<dyn Fn(String) + Send>) -> Self {
        Connection {
            context,
            address,
            open_socket: None,
            stop,
            say,
            lost: false,
            refused: Vec::new(),
            backoff: new_backoff(),
            queue: None,
            ended: false,
            backlog: None,
        }
    }

    /// Keeps the backlog of the queue in `backlog`, under the number `index`.
    pub(super) fn note_backlog_in(&mut self, backlog: Arc<Backlog>, index: usize) {
        self.backlog = Some((backlog, index));
    }

    /// Lets `stop` end the waits for the queue.
    pub(super) fn stop_with(&mut self, stop: Stop) {
        self.stop = stop;
    }

    /// Returns whether a socket is open. It may not be connected yet.
    pub(super) fn is_open(&self) -> bool {
        self.open_socket.is_some()
    }

    fn endpoint(&self) -> &Endpoint {
        &self.address.endpoint
    }

    /// Tells the queue about this worker, if the queue can be reached.
    pub(super) fn hello(&mut self) -> Result<()> {
        self.request(&Ask::Touch(Vec::new()).into(), HELLO, Retry::Never).map(drop)
    }

    /// Returns the error for a reply that does not fit the request.
    pub(super) fn unexpected(&self, answer: &Answer) -> Error {
        match answer {
            Answer::Error(_, sentence) => Error::wire(format!("{}: the queue refuses: {sentence}", self.endpoint())),
            _ => Error::wire(format!("{}: the queue's reply does not fit the request", self.endpoint())),
        }
    }

    /// Sends a request of the batch dialogue and returns the reply. Returns `None` after a stop, or if `retry` allows no
    /// further try. `timeout` is how long a connected queue may take.
    pub(super) fn request(&mut self, request: &Request, timeout: Duration, retry: Retry) -> Result<Option<Answer>> {
        match self.exchange(&Message::Request(request), Some(timeout), retry)? {
            Some(Received::Reply(reply)) => {
                self.note_queue(&reply);
                Ok(Some(reply.answer))
            }
            Some(Received::Line(_)) => Err(strange(self.endpoint(), NO_MAGIC)),
            None => Ok(None),
        }
    }

    /// Acknowledges the line before and waits for the next one, in the line dialogue. An empty line is the end of the work.
    /// Returns `None` after a stop.
    pub(super) fn line(&mut self) -> Result<Option<Vec<u8>>> {
        match self.exchange(&Message::Line, None, Retry::UntilStopped)? {
            Some(Received::Line(line)) => Ok(Some(line)),
            Some(Received::Reply(reply)) => Err(self.unexpected(&reply.answer)),
            None => Ok(None),
        }
    }

    /// Sends the request of the line dialogue, and leaves its reply unanswered. Returns `false` if there is no connection.
    pub(super) fn send_line(&mut self) -> Result<bool> {
        let Some(open) = &mut self.open_socket else { return Ok(false) };
        let gone =
            |error| Error::wire(format!("{}: sending to the queue failed", self.address.endpoint)).because(error);
        open.socket.send_multipart(Message::Line.frames(), zmq::DONTWAIT).map_err(gone)?;
        open.unanswered = true;
        Ok(true)
    }

    /// Sends a message and returns the reply. Without a `timeout`, a connected queue may take any time.
    fn exchange(&mut self, message: &Message, timeout: Option<Duration>, retry: Retry) -> Result<Option<Received>> {
        // With two requests for work on one socket, nobody could tell which reply belongs to which request.
        let asks_again = message.asks_for_work();
        let mut kept = self.open_socket.take().filter(|open| !(asks_again && open.unanswered));
        loop {
            let open = match kept.take() {
                Some(open) => open,
                None => match self.open(retry)? {
                    Some(open) => open,
                    None => return Ok(None),
                },
            };
            match self.attempt(open, message, timeout, retry)? {
                Attempt::Reply(reply) => {
                    self.backoff = new_backoff();
                    self.refused.clear();
                    if std::mem::take(&mut self.lost) {
                        (self.say)(format!("{}: the queue answers again", self.endpoint()));
                    }
                    return Ok(Some(reply));
                }
                Attempt::Stopped => return Ok(None),
                Attempt::Failed(trouble) => {
                    if retry != Retry::NeverDespiteStop {
                        match trouble {
                            Failure::Unreachable(why) => self.report_unreachable(why),
                            Failure::Incompatible(why) => self.report_incompatible(why),
                        }
                    }
                    if retry != Retry::UntilStopped {
                        return Ok(None);
                    }
                    let delay = self.backoff.next_delay();
                    log::debug!("{}: no reply; a new connection in {} ms", self.endpoint(), delay.as_millis());
                    self.pause(delay);
                    if self.stop.is_requested() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Tells the user when another queue answers than before. That queue knows none of the earlier leases.
    fn note_queue(&mut self, reply: &Reply) {
        let Some(state) = reply.queue else { return };
        if let Some((backlog, index)) = &self.backlog {
            backlog.set(*index, if reply.answer == Answer::End { 0 } else { state.backlog });
        }
        let before = self.queue.replace(state.identity);
        if before.is_some_and(|before| before != state.identity) {
            (self.say)(format!("{}: another queue answers now; its batches are worked on", self.endpoint()));
        }
    }

    /// Sleeps for `time`, or until a stop.
    fn pause(&self, time: Duration) {
        let mut items = [zmq::PollItem::from_fd(self.stop.descriptor(), zmq::POLLIN)];
        let _ = zmq::poll(&mut items, time.as_millis() as i64);
    }

    /// Tells the user once that the queue is not there.
    fn report_unreachable(&mut self, why: &str) {
        if !std::mem::replace(&mut self.lost, true) {
            (self.say)(format!("{}: {why}; waiting for it", self.endpoint()));
        }
    }

    /// Tells the user why the two sides are incompatible, unless the user was told the same before.
    fn report_incompatible(&mut self, why: String) {
        self.lost = true;
        if !self.refused.contains(&why) {
            (self.say)(format!("{}: {why}. The worker tries again and again", self.endpoint()));
            self.refused.push(why);
        }
    }

    /// Connects. First waits until the socket file appears, because only then its owner can be checked. Returns `None`
    /// after a stop, or if there is no file and `retry` allows no further try.
    fn open(&mut self, retry: Retry) -> Result<Option<OpenSocket>> {
        let started = Instant::now();
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(2));
        while !self.endpoint().check_owner()? {
            if retry != Retry::UntilStopped || self.stop.is_requested() {
                return Ok(None);
            }
            if started.elapsed() > REPORT_AFTER {
                self.report_unreachable("there is no queue");
            }
            self.pause(backoff.next_delay());
        }
        let failed = |error: zmq::Error| Error::system("libzmq cannot make a socket").because(error);
        let socket = self.context.socket(zmq::DEALER).map_err(failed)?;
        socket.set_linger(0).map_err(failed)?;
        socket.set_ipv6(self.endpoint().is_ipv6()).map_err(failed)?;
        socket.set_reconnect_ivl(50).map_err(failed)?;
        socket.set_reconnect_ivl_max(2000).map_err(failed)?;
        socket.set_handshake_ivl(HANDSHAKE_TIMEOUT.as_millis() as i32).map_err(failed)?;
        if let Some(keys) = &self.address.keys {
            socket.set_curve_serverkey(keys.queue.as_bytes()).map_err(failed)?;
            socket.set_curve_publickey(keys.own.public().as_bytes()).map_err(failed)?;
            socket.set_curve_secretkey(keys.own.secret()).map_err(failed)?;
        }
        if self.endpoint().path().is_none() {
            // A machine that loses power closes no connection.
            socket.set_heartbeat_ivl(5_000).map_err(failed)?;
            socket.set_heartbeat_timeout(15_000).map_err(failed)?;
        }
        let socket = MonitoredSocket::new(&self.context, socket, monitor::CONNECTIONS).map_err(failed)?;
        socket
            .connect(&self.endpoint().to_string())
            .map_err(|error| Error::usage(format!("{}: cannot be connected to", self.endpoint())).because(error))?;
        Ok(Some(OpenSocket { socket, reached: false, connected: false, unanswered: false }))
    }

    /// Sends the message once. Waits until a reply arrives, the connection breaks, a stop is requested, or `timeout` is
    /// over. Keeps the socket only if the reply has arrived, or may still arrive after a stop.
    fn attempt(
        &mut self,
        mut open: OpenSocket,
        message: &Message,
        timeout: Option<Duration>,
        retry: Retry,
    ) -> Result<Attempt> {
        if open.socket.send_multipart(message.frames(), zmq::DONTWAIT).is_err() {
            return Ok(Attempt::Failed(Failure::Unreachable("sending to the queue failed")));
        }
        let mut asked = Instant::now();
        // The queue answers at once unless the request agrees to wait. The reply may be a lease, so a stop must not end
        // such a short wait.
        let waits = message.may_wait();
        loop {
            let ends_at_stop = retry != Retry::NeverDespiteStop && (waits || !open.connected);
            // Without a connection, silence says nothing about the queue.
            let bound = match (open.connected || retry != Retry::UntilStopped, self.lost) {
                (true, _) => timeout,
                (false, false) => Some(REPORT_AFTER),
                (false, true) => None,
            };
            let remaining = bound.map(|bound| bound.saturating_sub(asked.elapsed()));
            if remaining == Some(Duration::ZERO) {
                if open.connected || retry != Retry::UntilStopped {
                    return Ok(Attempt::Failed(Failure::Unreachable("the queue does not answer")));
                }
                self.report_unreachable(if open.reached {
                    "the peer accepts the connection, but says nothing"
                } else {
                    "there is no queue"
                });
                continue;
            }
            let mut items = [
                open.socket.as_poll_item(zmq::POLLIN),
                open.socket.poll_report(),
                zmq::PollItem::from_fd(self.stop.descriptor(), zmq::POLLIN),
            ];
            let watched = if ends_at_stop { 3 } else { 2 };
            match zmq::poll(&mut items[..watched], remaining.map_or(-1, |time| time.as_millis() as i64 + 1)) {
                Ok(_) | Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(Error::wire("waiting for the queue failed").because(error)),
            }
            if let Some(reply) = receive(&open.socket, self.endpoint())? {
                open.connected = true;
                // This may be the late reply to the request for work whose wait was ended by a stop. The requests that
                // follow a stop are answered with a number, so any other reply is skipped.
                if std::mem::take(&mut open.unanswered) && reply.holds_work() {
                    continue;
                }
                self.open_socket = Some(open);
                return Ok(Attempt::Reply(reply));
            }
            while let Some(report) = open.socket.next_report() {
                match self.interpret(&report) {
                    ConnectionEvent::Reached => open.reached = true,
                    ConnectionEvent::Connected => {
                        open.connected = true;
                        asked = Instant::now();
                    }
                    ConnectionEvent::Broken(trouble) => return Ok(Attempt::Failed(trouble)),
                    ConnectionEvent::Other => {}
                }
            }
            if ends_at_stop && self.stop.is_requested() {
                if open.connected {
                    open.unanswered = true;
                    self.open_socket = Some(open);
                }
                return Ok(Attempt::Stopped);
            }
        }
    }

    /// Returns the meaning of a report of libzmq.
    fn interpret(&self, report: &Report) -> ConnectionEvent {
        use zmq::SocketEvent as E;
        let refused = |why: String| ConnectionEvent::Broken(Failure::Incompatible(why));
        match (report.event, &self.address.keys) {
            (E::CONNECTED, _) => ConnectionEvent::Reached,
            (E::HANDSHAKE_SUCCEEDED, _) => ConnectionEvent::Connected,
            (E::DISCONNECTED, _) => ConnectionEvent::Broken(Failure::Unreachable("the queue is gone")),
            (E::HANDSHAKE_FAILED_AUTH, Some(keys)) => refused(format!(
                "the queue refuses this worker's key; put {} into the queue's --authorized-keys file and send the queue SIGHUP",
                keys.own.public()
            )),
            (E::HANDSHAKE_FAILED_PROTOCOL, Some(_)) if report.value == MECHANISM_MISMATCH => refused(NO_KEYS.into()),
            (E::HANDSHAKE_FAILED_NO_DETAIL, Some(keys)) => {
                let other_key = format!(
                    "the queue closes the connection during the exchange of keys; most likely it has another key than \
                     {}, which --queue-key names",
                    keys.queue
                );
                // A queue without keys closes the connection, and libzmq learns why only if the queue's greeting comes first.
                let is_said = self.refused.contains(&other_key);
                match !is_said && mechanism::of_peer(self.endpoint()) == Some(Mechanism::Null) {
                    true => refused(NO_KEYS.into()),
                    false => refused(other_key),
                }
            }
            (E::HANDSHAKE_FAILED_PROTOCOL, Some(_)) => {
                refused("the peer speaks another protocol, and is no logator queue".into())
            }
            // Which of these events libzmq reports depends on the side that notices the failure first.
            (E::HANDSHAKE_FAILED_NO_DETAIL | E::HANDSHAKE_FAILED_PROTOCOL | E::HANDSHAKE_FAILED_AUTH, None) => refused(
                "the queue requires keys, or the peer is no queue; give this worker --curve-key and --queue-key".into(),
            ),
            _ => ConnectionEvent::Other,
        }
    }
}

enum ConnectionEvent {
    Reached,
    Connected,
    Broken(Failure),
    Other,
}

fn new_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(10), Duration::from_secs(2))
}
