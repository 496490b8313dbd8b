//! A connection to the Engine: a socket whose reader waits for data, for the request to stop, or for a moment.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, UnixAddr, connect, socket,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::address::Address;
use crate::core::stop::Stop;

/// The longest time until a connection is there.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a reader that has read everything waits before it waits in `poll`. The Engine sends each line by itself; a reader that
/// wakes up for each of them takes the processor from the Engine.
const GATHER: Duration = Duration::from_micros(500);

/// The result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// This many bytes.
    Data(usize),
    /// The peer has closed the connection.
    End,
    /// Nothing came in time.
    Nothing,
    /// The stop was requested.
    Stopped,
}

enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// See the [module](self).
pub struct Connection {
    socket: Socket,
    stop: Stop,
    /// Data was read since the reader last found nothing.
    is_busy: bool,
}

impl Connection {
    /// Connects to an Engine. `tls` is the configuration for an address with certificates.
    ///
    /// # Errors
    /// Connecting fails or takes too long, or the stop was requested.
    pub fn open(address: &Address, tls: Option<&Arc<ClientConfig>>, stop: &Stop) -> io::Result<Connection> {
        let until = Instant::now() + CONNECT;
        let socket = match address {
            Address::Unix(path) => {
                let place = UnixAddr::new(path)?;
                Socket::Unix(UnixStream::from(connected(AddressFamily::Unix, &place, stop, until)?))
            }
            Address::Tcp { host, port, .. } => {
                let stream = TcpStream::from(connected_to_any(host, *port, stop, until)?);
                stream.set_nodelay(true)?;
                match tls {
                    None => Socket::Tcp(stream),
                    Some(config) => {
                        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                        let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                        Socket::Tls(Box::new(StreamOwned::new(client, stream)))
                    }
                }
            }
        };
        Ok(Connection { socket, stop: stop.clone(), is_busy: false })
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Unix(stream) => stream.as_fd(),
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Tls(stream) => stream.sock.as_fd(),
        }
    }

    /// Reads what is there. If nothing is there, waits until `until`; without a time, waits for ever.
    ///
    /// # Errors
    /// The errors of the socket.
    pub fn read(&mut self, room: &mut [u8], until: Option<Instant>) -> io::Result<Got> {
        loop {
            if self.stop.is_requested() {
                return Ok(Got::Stopped);
            }
            let read = match &mut self.socket {
                Socket::Unix(stream) => stream.read(room),
                Socket::Tcp(stream) => stream.read(room),
                Socket::Tls(stream) => stream.read(room),
            };
            match read {
                Ok(0) => return Ok(Got::End),
                Ok(length) => {
                    self.is_busy = true;
                    return Ok(Got::Data(length));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && std::mem::take(&mut self.is_busy) => {
                    std::thread::sleep(GATHER);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !wait(self.as_fd(), PollFlags::POLLIN, &self.stop, until)? {
                        return Ok(if self.stop.is_requested() { Got::Stopped } else { Got::Nothing });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes all `bytes`.
    ///
    /// # Errors
    /// The errors of the socket, or a time-out at `until`.
    #[allow(clippy::disallowed_methods, reason = "what was not written is written in the next round")]
    pub fn write(&mut self, mut bytes: &[u8], until: Instant) -> io::Result<()> {
        loop {
            let written = match &mut self.socket {
                _ if bytes.is_empty() => match &mut self.socket {
                    Socket::Tls(stream) => stream.flush().map(|()| 0),
                    Socket::Unix(_) | Socket::Tcp(_) => return Ok(()),
                },
                Socket::Unix(stream) => stream.write(bytes),
                Socket::Tcp(stream) => stream.write(bytes),
                Socket::Tls(stream) => stream.write(bytes),
            };
            match written {
                Ok(0) if bytes.is_empty() => return Ok(()),
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // The handshake of TLS reads as well.
                    let wanted = match &self.socket {
                        Socket::Tls(stream) if !stream.conn.wants_write() => PollFlags::POLLIN,
                        _ => PollFlags::POLLOUT,
                    };
                    if !wait(self.as_fd(), wanted, &self.stop, Some(until))? {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits until `descriptor` is ready. Returns `false` at `until`, and when the stop is requested.
fn wait(descriptor: BorrowedFd<'_>, wanted: PollFlags, stop: &Stop, until: Option<Instant>) -> io::Result<bool> {
    loop {
        let timeout = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            None => PollTimeout::NONE,
            Some(left) if left.is_zero() => return Ok(false),
            Some(left) => {
                let ms = left.as_micros().div_ceil(1000).min(60_000);
                PollTimeout::from(u16::try_from(ms).unwrap_or(60_000))
            }
        };
        let mut waited = [PollFd::new(descriptor, wanted), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waited, timeout) {
            Ok(_) if stop.is_requested() => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn connected_to_any(host: &str, port: u16, stop: &Stop, until: Instant) -> io::Result<OwnedFd> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        let connected = match address {
            SocketAddr::V4(place) => connected(AddressFamily::Inet, &SockaddrIn::from(place), stop, until),
            SocketAddr::V6(place) => connected(AddressFamily::Inet6, &SockaddrIn6::from(place), stop, until),
        };
        match connected {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A connected socket that does not block.
fn connected(family: AddressFamily, place: &dyn SockaddrLike, stop: &Stop, until: Instant) -> io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let it = socket(family, SockType::Stream, flags, None)?;
    loop {
        match connect(it.as_raw_fd(), place) {
            Ok(()) | Err(Errno::EISCONN) => return Ok(it),
            Err(Errno::EINPROGRESS | Errno::EALREADY) => {
                if !wait(it.as_fd(), PollFlags::POLLOUT, stop, Some(until))? {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let it = TcpStream::from(it);
                return match it.take_error()? {
                    Some(error) => Err(error),
                    None => Ok(it.into()),
                };
            }
            // The queue of a socket of the file system is full.
            Err(Errno::EAGAIN) => {
                let soon = Instant::now() + Duration::from_millis(50);
                if Instant::now() >= until || stop.is_requested() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                wait(stop.as_fd(), PollFlags::POLLIN, stop, Some(soon))?;
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
