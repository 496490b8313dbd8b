//! `--confirm=delivered`: one line at a time. A line is answered when a connection has taken it from libzmq.
//!
//! libzmq does not tell which messages it has sent. But a socket with room for one message has room for the next message
//! only after a connection has taken the first. For that reason each endpoint has its own socket here. libzmq reports a
//! connection that breaks meanwhile, and the line is then sent again.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use super::inbox::Inbox;
use super::input::Encoding;
use super::options::PushOptions;
use super::replies::Replies;
use super::sending::{NOTICE, Sending};
use super::sent::Sent;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::address::Address;
use crate::net::push::Pusher;
use crate::net::push::backlog::Backlog;
use crate::net::socket::SocketOptions;
use crate::observe::console::Console;

/// The answer for a line that no peer took.
const NOT_DELIVERED: &str = "nobody took the line in time; it may be sent again";

/// The time to wait for one of several sockets before the next one gets its turn.
const A_TURN: Duration = Duration::from_millis(20);

/// Delivers the lines of an inbox.
pub(super) struct DeliveredPush<'a> {
    sockets: Sockets,
    encoding: Encoding,
    inbox: &'a Inbox,
    stop: &'a Stop,
    replies: Replies,
    linger: Duration,
    /// The lines that are delivered next.
    backlog: Backlog,
    sent: Sent,
}

impl<'a> DeliveredPush<'a> {
    /// Opens a socket for each endpoint. Each socket connects; none listens.
    pub(super) fn new(
        options: &PushOptions,
        encoding: Encoding,
        inbox: &'a Inbox,
        stop: &'a Stop,
        console: &Console,
    ) -> Result<DeliveredPush<'a>> {
        let open = |address: &Address| {
            let socket = SocketOptions { connect: vec![address.clone()], high_water: 1, ..SocketOptions::default() };
            let console = console.clone();
            Pusher::open(&socket, Box::new(move |sentence| console.say(sentence)))
        };
        let pushers = options.socket.connect.iter().map(open).collect::<Result<_>>()?;
        let (sockets, replies) = (Sockets { pushers, turn: 0 }, Replies::new(true));
        let (backlog, sent) = (Backlog::default(), Sent::default());
        Ok(DeliveredPush { sockets, encoding, inbox, stop, replies, linger: options.linger, backlog, sent })
    }

    /// Delivers the lines that wait. Returns whether there were none, and whether the readers have ended.
    fn deliver_waiting(&mut self) -> Result<(bool, bool)> {
        let DeliveredPush { sockets, encoding, replies, linger, backlog, sent, .. } = self;
        let mut opened = self.inbox.open();
        sent.take(&mut opened.added, replies);
        std::mem::swap(backlog, &mut opened.backlog);
        let ended = opened.ended;
        drop(opened);
        replies.flush();
        let none = backlog.lines() == 0;
        backlog.send(|line| {
            match sockets.deliver(encoding.message(line), *linger)? {
                true => {
                    sent.sent += 1;
                    replies.ok(1);
                }
                false => {
                    sent.refused += 1;
                    replies.refuse(1, NOT_DELIVERED);
                }
            }
            replies.flush();
            Ok::<_, Error>(true)
        })?;
        Ok((none, ended))
    }
}

impl Sending for DeliveredPush<'_> {
    fn addresses(&self) -> Vec<String> {
        Vec::new()
    }

    fn work(&mut self) -> Result<()> {
        self.deliver_waiting().map(drop)
    }

    fn wait(&mut self, descriptors: [Option<RawFd>; 2]) -> Result<[bool; 2]> {
        self.sockets.wait(descriptors, None)
    }

    fn run(mut self) -> Result<Sent> {
        loop {
            let (none, ended) = self.deliver_waiting()?;
            if none && (ended || !self.sockets.wait_for_lines(self.inbox, self.stop)?) {
                break;
            }
        }
        for pusher in self.sockets.pushers {
            pusher.close(self.linger)?;
        }
        Ok(self.sent)
    }
}

/// The sockets, one for each endpoint.
struct Sockets {
    pushers: Vec<Pusher>,
    /// Counts up; its remainder is the index of the next socket to try.
    turn: usize,
}

impl Sockets {
    /// Waits for lines or the end of the readers. Returns `false` if a stop was requested and the readers do not end.
    fn wait_for_lines(&mut self, inbox: &Inbox, stop: &Stop) -> Result<bool> {
        // After a request to stop, the descriptor of `stop` stays readable and would end every wait at once.
        let (stops, most) = match stop.is_requested() {
            true => {
                inbox.stop();
                (None, Some(NOTICE))
            }
            false => (Some(stop.descriptor()), None),
        };
        let [news, stops] = self.wait([Some(inbox.news()), stops], most)?;
        Ok(news || stops || most.is_none())
    }

    /// Waits until one of the descriptors is readable or the first socket has something to handle; at most for `time`.
    fn wait(&mut self, descriptors: [Option<RawFd>; 2], time: Option<Duration>) -> Result<[bool; 2]> {
        match self.pushers.first_mut() {
            Some(first) => first.socket().wait(None, descriptors, time),
            None => Err(Error::internal("there is no endpoint to push to")),
        }
    }

    /// Sends a message over the first connection that takes it within `time`. Returns whether a connection took it.
    fn deliver(&mut self, message: &[u8], time: Duration) -> Result<bool> {
        let deadline = Instant::now() + time;
        loop {
            let several = self.pushers.len() > 1;
            for _ in 0..self.pushers.len() {
                let index = self.turn % self.pushers.len();
                self.turn += 1;
                let pusher = &mut self.pushers[index];
                pusher.socket().handle_reports()?;
                if pusher.try_push(message)? && taken(pusher, deadline)? {
                    return Ok(true);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            // This wait happens only while no peer takes lines, so its few wake-ups do not matter.
            let turn = if several { left.min(A_TURN) } else { left };
            let index = self.turn % self.pushers.len();
            self.turn += usize::from(several);
            self.pushers[index].socket().wait(Some(zmq::POLLOUT), [], Some(turn))?;
        }
    }
}

/// Waits until the connection has taken the message. Returns `false` if the connection broke, or after `deadline`.
fn taken(pusher: &mut Pusher, deadline: Instant) -> Result<bool> {
    let socket = pusher.socket();
    let lost = socket.lost();
    loop {
        let room = socket.raw.get_events().map_err(|error| Error::wire("the socket fails").because(error))?;
        // A broken connection is reported before a new connection can give room again.
        socket.handle_reports()?;
        if socket.lost() != lost {
            return Ok(false);
        }
        if room.contains(zmq::POLLOUT) {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        socket.wait(Some(zmq::POLLOUT), [], Some(left))?;
    }
}
