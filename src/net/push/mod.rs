//! Sending lines over a ZeroMQ PUSH socket, one message for each line.
//!
//! PUSH has no acknowledgements. A message that a [`Pusher`] has taken is on its way to a peer that was connected at
//! that moment. It is lost if either process or the connection ends before the peer has read it. See
//! `doc/push-pull.md`.

pub mod backlog;
pub mod envelope;

use std::time::{Duration, Instant};

use crate::core::error::{Error, Result};
use crate::net::endpoint::Endpoint;
use crate::net::socket::{OnNotice, Socket, SocketOptions};

/// Listens on an endpoint of this machine, sends each of `lines` as a message to the peers that pull, and returns the number of
/// messages. It returns when the last message has left for a peer, and waits as long as nobody takes messages.
///
/// ```
/// use logator::net::pull::Puller;
/// use logator::net::push;
///
/// # fn main() -> logator::core::error::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let endpoint = format!("ipc://{}/lines", folder.path().display());
/// # let there = endpoint.clone();
/// let server = std::thread::spawn(move || push::serve(&there, ["first", "second"]));
///
/// let messages: Vec<_> = Puller::connect([&endpoint])?.take(2).collect::<Result<_, _>>()?;
/// assert_eq!(messages, [b"first", &b"second"[..]]);
/// assert_eq!(server.join().unwrap()?, 2);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The endpoint is wrong, in use, or open to other machines; or the socket fails.
pub fn serve<L: AsRef<[u8]>>(endpoint: &str, lines: impl IntoIterator<Item = L>) -> Result<u64> {
    let mut pusher = Pusher::bind(endpoint)?;
    let mut messages = 0;
    for line in lines {
        pusher.push(line.as_ref())?;
        messages += 1;
    }
    pusher.close(Duration::MAX)?;
    Ok(messages)
}

/// Sends messages to the PULL sockets that are connected, in turn.
///
/// ```
/// use std::time::Duration;
/// use logator::net::pull::Puller;
/// use logator::net::push::Pusher;
///
/// # fn main() -> logator::core::error::Result<()> {
/// let mut pusher = Pusher::bind("tcp://127.0.0.1:*")?;
/// let address = pusher.endpoints()[0].to_string();
/// let mut puller = Puller::connect([address])?;
/// pusher.push(b"a line")?;
/// assert_eq!(puller.next_within(Duration::from_secs(10))?.as_deref(), Some(&b"a line"[..]));
/// # Ok(())
/// # }
/// ```
pub struct Pusher {
    socket: Socket,
}

impl Pusher {
    /// Listens on an endpoint of this machine: `ipc://PATH` (mode 0600) or `tcp://127.0.0.1:PORT`.
    ///
    /// # Errors
    /// The endpoint is wrong, in use, or open to other machines ([`Pusher::open`] takes those, with keys).
    pub fn bind(endpoint: &str) -> Result<Pusher> {
        Pusher::open(&SocketOptions::bind_local(endpoint)?, Box::new(drop))
    }

    /// Connects to endpoints of this machine. Their sockets may appear later, and come and go.
    ///
    /// # Errors
    /// An endpoint is wrong, belongs to another user, or is on another machine ([`Pusher::open`] takes those, with
    /// keys).
    pub fn connect<S: AsRef<str>>(endpoints: impl IntoIterator<Item = S>) -> Result<Pusher> {
        Pusher::open(&SocketOptions::connect_local(endpoints)?, Box::new(drop))
    }

    /// Connects and listens as `options` say. `on_notice` gets sentences for the user about peers that leave and about
    /// handshakes that fail.
    ///
    /// # Errors
    /// An endpoint is in use, cannot be bound, or belongs to another user.
    pub fn open(options: &SocketOptions, on_notice: OnNotice) -> Result<Pusher> {
        Ok(Pusher { socket: Socket::open(zmq::PUSH, options, on_notice)? })
    }

    /// Returns the endpoints that the socket listens on, with their port numbers.
    pub fn endpoints(&self) -> &[Endpoint] {
        self.socket.endpoints()
    }

    /// Sends a message if a peer is connected and has room. Returns `false` otherwise.
    ///
    /// # Errors
    /// The socket fails.
    #[inline]
    pub fn try_push(&mut self, message: &[u8]) -> Result<bool> {
        match self.socket.raw.send(message, zmq::DONTWAIT) {
            Ok(()) => Ok(true),
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => Ok(false),
            Err(error) => Err(Error::wire("a message cannot be sent").because(error)),
        }
    }

    /// Sends a message. Waits until a peer takes it.
    ///
    /// # Errors
    /// The socket fails.
    pub fn push(&mut self, message: &[u8]) -> Result<()> {
        while !self.try_push(message)? {
            self.socket.wait(Some(zmq::POLLOUT), [], None)?;
        }
        Ok(())
    }

    /// Sends a message. Returns `false` if no peer takes it within `time`.
    ///
    /// # Errors
    /// The socket fails.
    pub fn push_within(&mut self, message: &[u8], time: Duration) -> Result<bool> {
        let started = Instant::now();
        while !self.try_push(message)? {
            let left = time.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            self.socket.wait(Some(zmq::POLLOUT), [], Some(left))?;
        }
        Ok(true)
    }

    /// Closes the socket when everything is sent, or after `linger`. Returns `false` if `linger` has ended first. A
    /// pusher that is only dropped goes on sending for a second.
    ///
    /// # Errors
    /// The socket fails.
    pub fn close(self, linger: Duration) -> Result<bool> {
        self.socket.close(linger)
    }

    pub(crate) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }
}
