//! One queue, as a worker sees it: a socket, and what to do when nothing comes out of it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::address::Address;
use crate::net::endpoint::Endpoint;
use crate::net::monitor::{self, Monitor, Report};
use crate::net::wire::{self, Reply, Request};
use crate::sink::backoff::Backoff;

/// A worker without a queue says so after this time.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// How long a peer may take to introduce itself; then libzmq tries again.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a greeting may take; a queue that is slower learns of the worker by its first request.
const HELLO: Duration = Duration::from_millis(500);

/// What libzmq reports when one side uses keys and the other does not.
const MECHANISM_MISMATCH: u32 = 0x1100_0002;

/// A socket and its monitor.
struct OpenSocket {
    /// A DEALER that keeps to REQ's envelope: so a worker that is told to stop can still say goodbye over the
    /// connection on which a question of it waits, and what is handed out meanwhile goes back at once.
    socket: zmq::Socket,
    monitor: Monitor,
    /// Somebody accepted the connection.
    reached: bool,
    /// The handshake is done, or a reply came.
    connected: bool,
    /// A stop has cut the wait for a reply short, which may still come.
    unanswered: bool,
}

/// How hard to try for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Until there is one, or a stop is requested.
    UntilStopped,
    /// Once, unless a stop is requested.
    Never,
    /// Once, in spite of a stop, and saying nothing.
    NeverDespiteStop,
}

enum Attempt {
    Reply(Reply),
    Failed(Failure),
    Stopped,
}

/// Why there is no reply.
enum Failure {
    /// The queue is not there, or not any more.
    Unreachable(&'static str),
    /// Somebody is there and the two do not come together. It is tried again all the same: people mend such things.
    Incompatible(String),
}

/// A queue.
pub(super) struct Connection {
    context: zmq::Context,
    address: Address,
    open_socket: Option<OpenSocket>,
    stop: Stop,
    say: Box<dyn Fn(String) + Send>,
    /// It was said that the queue is gone.
    lost: bool,
    /// What was said of why the two do not come together.
    refused: Vec<String>,
    backoff: Backoff,
    /// It said that there is no more.
    pub(super) ended: bool,
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
            ended: false,
        }
    }

    /// Whether there is, or may be, a connection.
    pub(super) fn is_open(&self) -> bool {
        self.open_socket.is_some()
    }

    fn endpoint(&self) -> &Endpoint {
        &self.address.endpoint
    }

    /// Lets the queue know that this worker is there, if the queue is there already.
    pub(super) fn hello(&mut self) -> Result<()> {
        self.request(&Request::Touch(Vec::new()), HELLO, Retry::Never).map(drop)
    }

    /// What to say of a reply that answers no question of ours.
    pub(super) fn unexpected(&self, reply: &Reply) -> Error {
        match reply {
            Reply::Error(_, sentence) => Error::wire(format!("{}: the queue refuses: {sentence}", self.endpoint())),
            _ => Error::wire(format!("{}: the queue answers another question", self.endpoint())),
        }
    }

    /// Sends a request and returns the reply; `None` when stopped, or when there is none and `retry` does not insist.
    /// `patience` is how long a queue that is connected may take.
    pub(super) fn request(&mut self, request: &Request, timeout: Duration, retry: Retry) -> Result<Option<Reply>> {
        // Of two answers to the same question nobody could tell which is which.
        let asks_again = matches!(request, Request::Reserve { .. });
        let mut kept = self.open_socket.take().filter(|open| !(asks_again && open.unanswered));
        loop {
            let open = match kept.take() {
                Some(open) => open,
                None => match self.open(retry)? {
                    Some(open) => open,
                    None => return Ok(None),
                },
            };
            match self.attempt(open, request, timeout, retry)? {
                Attempt::Reply(reply) => {
                    self.backoff = new_backoff();
                    self.refused.clear();
                    if std::mem::take(&mut self.lost) {
                        (self.say)(format!("{}: the queue answers", self.endpoint()));
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

    /// Waits, but no longer than until a stop.
    fn pause(&self, time: Duration) {
        let mut items = [zmq::PollItem::from_fd(self.stop.descriptor(), zmq::POLLIN)];
        let _ = zmq::poll(&mut items, time.as_millis() as i64);
    }

    /// Says once that the queue is not there.
    fn report_unreachable(&mut self, why: &str) {
        if !std::mem::replace(&mut self.lost, true) {
            (self.say)(format!("{}: {why}; waiting for it", self.endpoint()));
        }
    }

    /// Says why the two do not come together, when that is news.
    fn report_incompatible(&mut self, why: String) {
        self.lost = true;
        if !self.refused.contains(&why) {
            (self.say)(format!("{}: {why}. It is tried again and again", self.endpoint()));
            self.refused.push(why);
        }
    }

    /// Connects. Waits for a socket in the file system to appear: only then can its owner be checked. `None` when
    /// stopped, or when there is nothing to connect to and `retry` does not insist.
    fn open(&mut self, retry: Retry) -> Result<Option<OpenSocket>> {
        let started = Instant::now();
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(2));
        while !self.endpoint().check_owner()? {
            if retry != Retry::UntilStopped || self.stop.is_requested() {
                return Ok(None);
            }
            if started.elapsed() > REPORT_AFTER {
                self.report_unreachable("no queue is there");
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
            // A machine that vanishes closes no connection.
            socket.set_heartbeat_ivl(5_000).map_err(failed)?;
            socket.set_heartbeat_timeout(15_000).map_err(failed)?;
        }
        let monitor = Monitor::new(&self.context, &socket, monitor::CONNECTIONS).map_err(failed)?;
        socket
            .connect(&self.endpoint().to_string())
            .map_err(|error| Error::usage(format!("{}: cannot be connected to", self.endpoint())).because(error))?;
        Ok(Some(OpenSocket { socket, monitor, reached: false, connected: false, unanswered: false }))
    }

    /// Sends once and waits for the reply, a break of the connection, a stop, or the end of patience. The line is kept
    /// only if the reply came, or may come after a stop.
    fn attempt(&mut self, mut open: OpenSocket, request: &Request, timeout: Duration, retry: Retry) -> Result<Attempt> {
        if open.socket.send_multipart([b"", &wire::MAGIC[..], &request.encode()], zmq::DONTWAIT).is_err() {
            return Ok(Attempt::Failed(Failure::Unreachable("the queue cannot be asked")));
        }
        let mut asked = Instant::now();
        // A question that is not kept waiting for work is answered at once, and the answer may be a lease: a stop does
        // not cut it short.
        let waits = matches!(request, Request::Reserve { wait, .. } if !wait.is_zero());
        loop {
            let ends_at_stop = retry != Retry::NeverDespiteStop && (waits || !open.connected);
            // Before there is a connection, silence means nothing.
            let bound = match (open.connected || retry != Retry::UntilStopped, self.lost) {
                (true, _) => Some(timeout),
                (false, false) => Some(REPORT_AFTER),
                (false, true) => None,
            };
            let remaining = bound.map(|bound| bound.saturating_sub(asked.elapsed()));
            if remaining == Some(Duration::ZERO) {
                if open.connected || retry != Retry::UntilStopped {
                    return Ok(Attempt::Failed(Failure::Unreachable("the queue does not answer")));
                }
                self.report_unreachable(if open.reached {
                    "what listens there says nothing"
                } else {
                    "no queue is there"
                });
                continue;
            }
            let mut items = [
                open.socket.as_poll_item(zmq::POLLIN),
                open.monitor.poll_item(),
                zmq::PollItem::from_fd(self.stop.descriptor(), zmq::POLLIN),
            ];
            let watched = if ends_at_stop { 3 } else { 2 };
            match zmq::poll(&mut items[..watched], remaining.map_or(-1, |time| time.as_millis() as i64 + 1)) {
                Ok(_) | Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(Error::wire("waiting for the queue failed").because(error)),
            }
            if let Some(reply) = receive(&open.socket, self.endpoint())? {
                open.connected = true;
                // What follows a question that was cut short is answered with a number, and that question is not.
                if std::mem::take(&mut open.unanswered) && !matches!(reply, Reply::Ok(_) | Reply::Error(..)) {
                    continue;
                }
                self.open_socket = Some(open);
                return Ok(Attempt::Reply(reply));
            }
            while let Some(report) = open.monitor.next() {
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

    /// What a report of libzmq means.
    fn interpret(&self, report: &Report) -> ConnectionEvent {
        use zmq::SocketEvent as E;
        let refused = |why: String| ConnectionEvent::Broken(Failure::Incompatible(why));
        match (report.event, &self.address.keys) {
            (E::CONNECTED, _) => ConnectionEvent::Reached,
            (E::HANDSHAKE_SUCCEEDED, _) => ConnectionEvent::Connected,
            (E::DISCONNECTED, _) => ConnectionEvent::Broken(Failure::Unreachable("the queue is gone")),
            (E::HANDSHAKE_FAILED_AUTH, Some(keys)) => refused(format!(
                "the queue refuses this worker's key; put {} in its --authorized-keys file and send it SIGHUP",
                keys.own.public()
            )),
            (E::HANDSHAKE_FAILED_PROTOCOL, Some(_)) if report.value == MECHANISM_MISMATCH => refused(
                "the queue there uses no keys, and this worker demands them; start the queue with --curve-key".into(),
            ),
            (E::HANDSHAKE_FAILED_NO_DETAIL, Some(keys)) => refused(format!(
                "the queue there closes the connection while keys are exchanged; most likely it has another key than \
                 {}, which --queue-key names",
                keys.queue
            )),
            (E::HANDSHAKE_FAILED_PROTOCOL, Some(_)) => {
                refused("what listens there speaks another protocol; it is no logator queue".into())
            }
            // Which of the two it is depends on who finds out first.
            (E::HANDSHAKE_FAILED_NO_DETAIL | E::HANDSHAKE_FAILED_PROTOCOL | E::HANDSHAKE_FAILED_AUTH, None) => refused(
                "the queue there demands keys, or it is no queue; give this worker --curve-key and --queue-key".into(),
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

/// Takes a reply if one is there.
fn receive(socket: &zmq::Socket, endpoint: &Endpoint) -> Result<Option<Reply>> {
    let mut frames = Vec::with_capacity(4);
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
    if !frames.next().is_some_and(|delimiter| delimiter.is_empty()) {
        return Err(strange("its replies do not begin with an empty frame".into()));
    }
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
