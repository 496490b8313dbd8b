//! `--confirm=delivered`: one line at a time, each answered when libzmq has given it to a connection.
//!
//! libzmq does not say what it has sent. But a socket that may hold one message has room for another only when the
//! connection has taken the first to write it; so each endpoint has a socket of its own here. A connection that breaks
//! meanwhile is reported, and then the line is sent again.

use std::time::{Duration, Instant};

use super::{Encoding, Input, PushOptions, READY, Replies, Sent};
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::address::Address;
use crate::net::push::Pusher;
use crate::net::push::backlog::Backlog;
use crate::net::socket::SocketOptions;
use crate::observe::console::Console;
use crate::observe::service_manager::Manager;

const NOT_DELIVERED: &str = "nobody took the line in time; it may be sent again";

/// How long all sockets together are waited for at a time, when there are several.
const A_TURN: Duration = Duration::from_millis(20);

pub(super) fn push(
    options: &PushOptions,
    mut encoding: Encoding,
    mut input: Input,
    stop: &Stop,
    console: &Console,
    manager: &Manager,
) -> Result<Sent> {
    let open = |address: &Address| {
        let socket = SocketOptions { connect: vec![address.clone()], high_water: 1, ..SocketOptions::default() };
        let console = console.clone();
        Pusher::open(&socket, Box::new(move |sentence| console.say(sentence)))
    };
    let pushers = options.socket.connect.iter().map(open).collect::<Result<Vec<_>>>()?;
    // Each socket connects; none listens.
    manager.ready(READY, &[]);
    let mut lanes = Lanes { pushers, turn: 0 };
    let mut replies = Replies::new(true);
    let mut backlog = Backlog::new(options.max_line);
    let mut sent = Sent::default();
    let mut ends = false;
    while !ends {
        replies.flush();
        ends = stop.is_requested() || input.ended;
        let added = if ends {
            backlog.end()
        } else if let [true, _] = lanes.wait_for_input(&input, stop)? {
            backlog.add(input.read()?)
        } else {
            continue;
        };
        sent.take(added, &mut replies);
        backlog.send(|line| {
            match lanes.deliver(encoding.message(line), options.linger)? {
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
    for pusher in lanes.pushers {
        pusher.close(options.linger)?;
    }
    Ok(sent)
}

/// A socket for each endpoint.
struct Lanes {
    pushers: Vec<Pusher>,
    turn: usize,
}

impl Lanes {
    fn wait_for_input(&mut self, input: &Input, stop: &Stop) -> Result<[bool; 2]> {
        use std::os::fd::AsRawFd;
        let Some(first) = self.pushers.first_mut() else {
            return Err(Error::internal("there is no endpoint to push to"));
        };
        first.socket().wait(None, [Some(input.file.as_raw_fd()), Some(stop.descriptor())], None)
    }

    /// Sends a line over the next connection that takes it.
    fn deliver(&mut self, message: &[u8], time: Duration) -> Result<bool> {
        let deadline = Instant::now() + time;
        loop {
            let several = self.pushers.len() > 1;
            for _ in 0..self.pushers.len() {
                let lane = self.turn % self.pushers.len();
                self.turn += 1;
                let pusher = &mut self.pushers[lane];
                pusher.socket().handle_reports()?;
                if pusher.try_push(message)? && taken(pusher, deadline)? {
                    return Ok(true);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            // Only while nobody is there: a few wake-ups are nothing beside what is wrong then.
            let turn = if several { left.min(A_TURN) } else { left };
            let lane = self.turn % self.pushers.len();
            self.turn += usize::from(several);
            self.pushers[lane].socket().wait(Some(zmq::POLLOUT), [], Some(turn))?;
        }
    }
}

/// Waits until the connection has taken the message; `false` when it broke, or the time is over.
fn taken(pusher: &mut Pusher, deadline: Instant) -> Result<bool> {
    let socket = pusher.socket();
    let lost = socket.lost();
    loop {
        let room = socket.raw.get_events().map_err(|error| Error::wire("the socket fails").because(error))?;
        // Reported before a new connection could give room again.
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
