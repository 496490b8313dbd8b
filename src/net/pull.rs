//! Receiving lines over a ZeroMQ PULL socket.

use std::time::{Duration, Instant};

use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::endpoint::Endpoint;
use crate::net::socket::{OnNotice, Socket, SocketOptions};

/// Receives the messages of the PUSH sockets that are connected: an iterator that waits for the next one.
///
/// ```
/// use logator::net::pull::Puller;
/// use logator::net::push::Pusher;
///
/// # fn main() -> logator::core::error::Result<()> {
/// let mut puller = Puller::bind("tcp://127.0.0.1:*")?;
/// let mut pusher = Pusher::connect([puller.endpoints()[0].to_string()])?;
/// pusher.push(b"first")?;
/// pusher.push(b"second")?;
/// let messages: Vec<_> = puller.by_ref().take(2).collect::<Result<_, _>>()?;
/// assert_eq!(messages, [b"first".to_vec(), b"second".to_vec()]);
/// # Ok(())
/// # }
/// ```
pub struct Puller {
    socket: Socket,
    message: zmq::Message,
    stop: Option<Stop>,
}

impl Puller {
    /// Listens on an endpoint of this machine: `ipc://PATH` (mode 0600) or `tcp://127.0.0.1:PORT`.
    ///
    /// # Errors
    /// The endpoint is wrong, in use, or open to other machines ([`Puller::open`] takes those, with keys).
    pub fn bind(endpoint: &str) -> Result<Puller> {
        Puller::open(&SocketOptions::bind_local(endpoint)?, Box::new(drop))
    }

    /// Connects to endpoints of this machine. Their sockets may appear later, and come and go.
    ///
    /// # Errors
    /// An endpoint is wrong, belongs to another user, or is on another machine ([`Puller::open`] takes those, with
    /// keys).
    pub fn connect<S: AsRef<str>>(endpoints: impl IntoIterator<Item = S>) -> Result<Puller> {
        Puller::open(&SocketOptions::connect_local(endpoints)?, Box::new(drop))
    }

    /// Connects and listens as `options` say. `on_notice` gets sentences for the user about peers that leave and about
    /// handshakes that fail.
    ///
    /// # Errors
    /// An endpoint is in use, cannot be bound, or belongs to another user.
    pub fn open(options: &SocketOptions, on_notice: OnNotice) -> Result<Puller> {
        Ok(Puller { socket: Socket::open(zmq::PULL, options, on_notice)?, message: zmq::Message::new(), stop: None })
    }

    /// Ends the iterator and every wait when `stop` is requested. Messages that were received before come first.
    pub fn until(self, stop: Stop) -> Puller {
        Puller { stop: Some(stop), ..self }
    }

    /// Returns the endpoints that the socket listens on, with their port numbers.
    pub fn endpoints(&self) -> &[Endpoint] {
        self.socket.endpoints()
    }

    /// Returns the endpoints that the socket connects to and listens on.
    pub(crate) fn all_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.socket.all_endpoints()
    }

    /// Returns the next message; `None` if there is none now. The next call overwrites the message.
    ///
    /// # Errors
    /// The socket fails.
    #[inline]
    pub fn receive(&mut self) -> Result<Option<&[u8]>> {
        match self.socket.raw.recv(&mut self.message, zmq::DONTWAIT) {
            Ok(()) => Ok(Some(&self.message)),
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => Ok(None),
            Err(error) => Err(Error::wire("a message cannot be received").because(error)),
        }
    }

    /// Returns the next message; `None` if there is none within `time`, or if a stop was requested.
    ///
    /// # Errors
    /// The socket fails, or a socket file belongs to another user.
    pub fn next_within(&mut self, time: Duration) -> Result<Option<Vec<u8>>> {
        let deadline = Instant::now().checked_add(time);
        loop {
            if let Some(message) = self.receive()? {
                return Ok(Some(message.to_vec()));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) || self.is_stopped() {
                return Ok(None);
            }
            self.wait(left)?;
        }
    }

    /// Waits until there may be a message, a stop is requested, or `time` is over.
    ///
    /// # Errors
    /// The errors of [`next_within`](Self::next_within).
    pub fn wait(&mut self, time: Option<Duration>) -> Result<()> {
        let stop = self.stop.as_ref().map(Stop::descriptor);
        self.socket.wait(Some(zmq::POLLIN), [stop], time).map(drop)
    }

    /// Waits until there may be a message or `time` is over, even if a stop was requested.
    pub(crate) fn wait_for_more(&mut self, time: Duration) -> Result<()> {
        self.socket.wait(Some(zmq::POLLIN), [], Some(time)).map(drop)
    }

    /// Returns the number of connections.
    pub(crate) fn peers(&self) -> usize {
        self.socket.peers()
    }

    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(Stop::is_requested)
    }
}

impl Iterator for Puller {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_within(Duration::MAX).transpose()
    }
}
