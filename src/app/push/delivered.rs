//! `--confirm=delivered`: one line at a time. A line is answered when a connection has taken it from libzmq.
//!
//! libzmq does not tell which messages it has sent. But a socket with room for one message has room for the next message
//! only after a connection has taken the first. For that reason each endpoint has its own socket here. libzmq reports a
//! connection that breaks meanwhile, and the line is then sent again.

use std::time::{Duration, Instant};

use super::inbox::Inbox;
use super::input::Encoding;
use super::options::PushOptions;
use super::replies::Replies;
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

/// The time after a stop in which readers hand on what they have. A reader that waits for a pipe does not end.
const NOTICE: Duration = Duration::from_secs(2);

/// The time to wait for one of several sockets before the next one gets its turn.
const A_TURN: Duration = Duration::from_millis(20);

/// Opens a socket for each endpoint. Each socket connects; none listens.
pub(super) fn open(options: &PushOptions, console: &Console) -> Result<Vec<Pusher>> {
    let open = |address: &Address| {
        let socket = SocketOptions { connect: vec![address.clone()], high_water: 1, ..SocketOptions::default() };
        let console = console.clone();
        Pusher::open(&socket, Box::new(move |sentence| console.say(sentence)))
    };
    options.socket.connect.iter().map(open).collect()
}

/// Sends the lines of `inbox`.
pub(super) fn push(
    options: &PushOptions,
    pushers: Vec<Pusher>,
    mut encoding: Encoding,
    inbox: &Inbox,
    stop: &Stop,
) -> Result<Sent> {
    let mut sockets = Sockets { pushers, turn: 0 };
    let mut replies = Replies::new(true);
    let mut sent = Sent::default();
    let mut backlog = Backlog::default();
    loop {
        let mut opened = inbox.open();
        sent.take(&mut opened.added, &mut replies);
        std::mem::swap(&mut backlog, &mut opened.backlog);
        let ended = opened.ended;
        drop(opened);
        replies.flush();
        if backlog.lines() == 0 {
            if ended || !sockets.wait_for_lines(inbox, stop)? {
                break;
            }
            continue;
        }
        backlog.send(|line| {
            match sockets.deliver(encoding.message(line), options.linger)? {
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
    }
    for pusher in sockets.pushers {
        pusher.close(options.linger)?;
    }
    Ok(sent)
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
        let Some(first) = self.pushers.first_mut() else {
            return Err(Error::internal("there is no endpoint to push to"));
        };
        // After a request to stop, the descriptor of `stop` stays readable and would end every wait at once.
        let (stops, most) = match stop.is_requested() {
            true => {
                inbox.stop();
                (None, Some(NOTICE))
            }
            false => (Some(stop.descriptor()), None),
        };
        let [news, stops] = first.socket().wait(None, [Some(inbox.news()), stops], most)?;
        Ok(news || stops || most.is_none())
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
