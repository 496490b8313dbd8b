//! Sending lines: a ZeroMQ PUSH socket, a message a line.
//!
//! PUSH has no acknowledgements. What a [`Pusher`] has taken is on its way to a peer that was connected at that moment;
//! it is lost when either process, or the connection, ends before the peer has read it. `doc/push-pull.md` says more.

pub mod backlog;
pub mod envelope;

use std::time::{Duration, Instant};

use crate::core::error::{Error, Result};
use crate::net::endpoint::Endpoint;
use crate::net::socket::{OnNotice, Socket, SocketOptions};

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
    /// Listens at an endpoint of this machine: `ipc://PATH` (mode 0600) or `tcp://127.0.0.1:PORT`.
    ///
    /// # Errors
    /// An endpoint that is wrong, in use, or open to other machines ([`Pusher::open`] takes those, with keys).
    pub fn bind(endpoint: &str) -> Result<Pusher> {
        Pusher::open(&SocketOptions::bind_local(endpoint)?, Box::new(drop))
    }

    /// Connects to endpoints of this machine; their sockets may appear later, and come and go.
    ///
    /// # Errors
    /// An endpoint that is wrong, another user's, or on another machine ([`Pusher::open`] takes those, with keys).
    pub fn connect<S: AsRef<str>>(endpoints: impl IntoIterator<Item = S>) -> Result<Pusher> {
        Pusher::open(&SocketOptions::connect_local(endpoints)?, Box::new(drop))
    }

    /// Connects and listens as `options` say. `say` gets sentences for the user: about peers that do not come together
    /// with this socket, and such that go.
    ///
    /// # Errors
    /// An endpoint that is in use, cannot be bound, or is another user's.
    pub fn open(options: &SocketOptions, on_notice: OnNotice) -> Result<Pusher> {
        Ok(Pusher { socket: Socket::open(zmq::PUSH, options, on_notice)? })
    }

    /// Where it listens, ports filled in.
    pub fn endpoints(&self) -> &[Endpoint] {
        self.socket.endpoints()
    }

    /// Hands a message to a peer that is connected and has room; `false` when there is none.
    ///
    /// # Errors
    /// When the socket fails.
    #[inline]
    pub fn try_push(&mut self, message: &[u8]) -> Result<bool> {
        match self.socket.raw.send(message, zmq::DONTWAIT) {
            Ok(()) => Ok(true),
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => Ok(false),
            Err(error) => Err(Error::wire("a message cannot be sent").because(error)),
        }
    }

    /// Sends a message, waiting for a peer that takes it.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn push(&mut self, message: &[u8]) -> Result<()> {
        while !self.try_push(message)? {
            self.socket.wait(Some(zmq::POLLOUT), [], None)?;
        }
        Ok(())
    }

    /// Sends a message; `false` when no peer takes it within `time`.
    ///
    /// # Errors
    /// When the socket fails.
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

    /// Ends when the peers have been given everything, or after `linger`; `false` when that cut it short. A pusher that
    /// is only dropped gives them a second.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn close(self, linger: Duration) -> Result<bool> {
        self.socket.close(linger)
    }

    pub(crate) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }
}
