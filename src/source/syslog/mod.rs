//! Receiving syslog over UDP, TCP and TLS.
//!
//! | part | what it owns |
//! |---|---|
//! | `frame` | telling messages apart in a stream of bytes; pure |
//! | `udp` | datagrams, and how many the kernel dropped |
//! | `tcp` | connections: one thread and one `epoll` for all of them |
//! | `outbox` | when messages are handed on; warnings that come by the thousand |
//! | `tls` | the same behind rustls |
//!
//! Messages are handed on as they came, one a line, in [`Envelope::Syslog`]: workers read priority, time and the rest. All
//! messages of a source have one origin, new at each start. Sockets are opened before anything is read, so that an
//! address that cannot be had ends the program at once.

pub mod frame;
mod outbox;
mod tcp;
mod tls;
mod udp;

use std::fmt;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::outbox::Outbox;
use super::inputs::Input;
use super::live::{self, Entered, Live, Messages, Say, timeout};
use super::reader::{BatchReceiver, BatchSize};
use crate::core::error::{Error, Result};
use crate::envelope::Envelope;
use crate::observe::receipt::{SourceCount, grouped};

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram a message.
    Udp,
    /// A stream of messages.
    Tcp,
    /// The same, encrypted.
    Tls,
}

impl Transport {
    const ALL: [(Transport, &'static str, u16); 3] = [
        (Transport::Udp, "syslog+udp://", 514),
        (Transport::Tcp, "syslog+tcp://", 514),
        (Transport::Tls, "syslog+tls://", 6514),
    ];

    fn scheme(self) -> &'static str {
        Transport::ALL.iter().find(|(transport, ..)| *transport == self).map_or("", |(_, scheme, _)| scheme)
    }
}

/// Where to listen: `syslog+udp://HOST:PORT`. A host is a name, an address, `[::1]`, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// How messages travel.
    pub transport: Transport,
    /// The host as it is written, without brackets.
    pub host: String,
    /// The port; 0 lets the kernel choose one.
    pub port: u16,
}

impl Address {
    /// Reads `text`; `None` when it is no address of this kind.
    ///
    /// # Errors
    /// A usage error when it is one that is malformed.
    pub fn parse(text: &str) -> Option<Result<Address>> {
        let (transport, scheme, port) = Transport::ALL.into_iter().find(|(_, scheme, _)| text.starts_with(scheme))?;
        let place = &text[scheme.len()..];
        let wrong = |what: &str| {
            Error::usage(format!("{text}: {what}; it is written {scheme}HOST:PORT, for instance {scheme}*:{port}"))
        };
        let (host, rest) = match place.strip_prefix('[') {
            Some(inside) => match inside.split_once(']') {
                Some(parts) => parts,
                None => return Some(Err(wrong("a [ is not closed"))),
            },
            None => match place.find(':') {
                Some(colon) => place.split_at(colon),
                None => (place, ""),
            },
        };
        if host.is_empty() || host.contains(['/', ' ']) {
            return Some(Err(wrong("there is no host")));
        }
        let port = match rest {
            "" => Some(port),
            rest => rest.strip_prefix(':').and_then(|digits| digits.parse().ok()),
        };
        let Some(port) = port else {
            return Some(Err(wrong("the port is no number from 0 to 65535 (an IPv6 address stands in brackets)")));
        };
        Some(Ok(Address { transport, host: host.to_owned(), port }))
    }

    /// Tries `bind` on the addresses it stands for.
    fn bind<T>(&self, bind: impl Fn(&str, u16) -> io::Result<T>) -> Result<T> {
        let result = match self.host.as_str() {
            // Both families where there are two.
            "*" => bind("::", self.port).or_else(|error| match error.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                _ => bind("0.0.0.0", self.port),
            }),
            host => bind(host, self.port),
        };
        result.map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::PermissionDenied if self.port < 1024 => {
                    "ports below 1024 need a privilege: CAP_NET_BIND_SERVICE (systemd: \
                     AmbientCapabilities=CAP_NET_BIND_SERVICE), or another port"
                }
                io::ErrorKind::AddrInUse => "another process has the port",
                _ => "cannot listen there",
            };
            Error::input(format!("{self}: {why}")).because(error)
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { transport, host, port } = self;
        let scheme = transport.scheme();
        if host.contains(':') { write!(f, "{scheme}[{host}]:{port}") } else { write!(f, "{scheme}{host}:{port}") }
    }
}

/// The files TLS needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those it is signed with, in PEM.
    pub certificate: PathBuf,
    /// Its key in PEM.
    pub key: PathBuf,
    /// Who signs the certificates that senders must show; without it they need none.
    pub client_ca: Option<PathBuf>,
}

/// How to receive.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most connections of a source at a time.
    pub connections: usize,
    /// How long nothing must have come over a connection for it to be closed when another one needs its place.
    pub idle: Duration,
    /// Bytes that the kernel is asked to keep of datagrams that have not been read.
    pub udp_buffer: usize,
    /// For `syslog+tls://`.
    pub tls: Option<TlsFiles>,
    /// Where sentences go.
    pub say: Say,
}

/// [`Options::idle`] unless told otherwise.
const IDLE: Duration = Duration::from_secs(60);

impl Default for Options {
    fn default() -> Self {
        Options { connections: 1000, idle: IDLE, udp_buffer: 8 << 20, tls: None, say: Say::default() }
    }
}

/// The sources that listen.
#[derive(Debug, Clone, Default)]
pub struct Listening {
    sources: Vec<Arc<Source>>,
}

#[derive(Debug)]
struct Source {
    address: Address,
    /// With the port it has.
    name: String,
    socket: Socket,
    connections: usize,
    idle: Duration,
    account: Account,
    say: Say,
    /// Counts as a reader from the moment it listens, until that has read.
    entered: Mutex<Option<Entered>>,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Tcp(TcpListener, Option<Arc<rustls::ServerConfig>>),
}

/// What a source has received so far.
#[derive(Debug, Default)]
struct Account {
    received: AtomicU64,
    dropped: AtomicU64,
    drops_known: AtomicBool,
    connections: AtomicU64,
    refused: AtomicU64,
    idle: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Listening {
    /// Opens a socket for each syslog address of `inputs`. Each is a reader of `live` from now on: what is sent to it
    /// before anybody reads is waited for as well.
    ///
    /// # Errors
    /// When an address cannot be had, or a file of TLS cannot be used.
    pub fn open(inputs: &[Input], options: &Options, live: &Live) -> Result<Listening> {
        let addresses = inputs.iter().filter_map(|input| match input {
            Input::Syslog(address) => Some(address),
            _ => None,
        });
        let sources =
            addresses.map(|address| Source::open(address, options, live).map(Arc::new)).collect::<Result<_>>()?;
        Ok(Listening { sources })
    }

    /// Whether senders connect to any.
    pub fn connects(&self) -> bool {
        self.sources.iter().any(|source| matches!(source.socket, Socket::Tcp(..)))
    }

    /// Returns the addresses at which the sources listen, ports filled in.
    pub fn addresses(&self) -> Vec<String> {
        self.sources.iter().map(|source| source.name.clone()).collect()
    }

    /// What each has received so far.
    pub fn counts(&self) -> Vec<SourceCount> {
        self.sources.iter().map(|source| source.count()).collect()
    }

    /// Receives at `address` until the stop of `live` is requested or `receiver` wants no more.
    ///
    /// # Errors
    /// When the socket fails, or a message that is too long cannot be set aside.
    pub(super) fn read(
        &self,
        address: &Address,
        live: &Live,
        size: &BatchSize,
        receiver: &dyn BatchReceiver,
    ) -> Result<()> {
        let source = self.source(address);
        let source = source.ok_or_else(|| Error::internal(format!("{address}: nobody listens there")))?;
        let _entered = source.enter();
        let origin = live::origin(&source.name).wrapped(Envelope::Syslog);
        let mut outbox = Outbox::new(Messages::new(receiver, size, origin), &source.account);
        match &source.socket {
            Socket::Udp(socket) => udp::receive(socket, source, live, size.max_line, &mut outbox),
            Socket::Tcp(listener, tls) => {
                tcp::receive(listener, tls.as_ref(), source, live, size.max_line, &mut outbox)
            }
        }?;
        match source.account.received.load(Ordering::Relaxed) - outbox.handed() {
            0 => Ok(()),
            lost => Err(Error::input(format!(
                "{}: {} messages were received, and could not be handed on before the end",
                source.name,
                grouped(lost)
            ))),
        }
    }

    /// The source at `address` will not be read.
    pub(super) fn leave(&self, address: &Address) {
        drop(self.source(address).map(|source| source.enter()));
    }

    fn source(&self, address: &Address) -> Option<&Source> {
        self.sources.iter().map(Arc::as_ref).find(|source| source.address == *address)
    }
}

impl Source {
    fn open(address: &Address, options: &Options, live: &Live) -> Result<Source> {
        let tls = match (address.transport, &options.tls) {
            (Transport::Tls, Some(files)) => Some(tls::config(files)?),
            (Transport::Tls, None) => {
                return Err(Error::usage(format!("{address}: TLS needs --tls-cert FILE and --tls-key FILE")));
            }
            _ => None,
        };
        let failed = |error: io::Error| Error::input(format!("{address}: cannot listen there")).because(error);
        let (socket, bound) = match address.transport {
            Transport::Udp => {
                let socket = address.bind(|host, port| UdpSocket::bind((host, port)))?;
                udp::enlarge(&socket, address, options);
                let bound = socket.local_addr().map_err(failed)?;
                (Socket::Udp(socket), bound)
            }
            Transport::Tcp | Transport::Tls => {
                let listener = address.bind(|host, port| TcpListener::bind((host, port)))?;
                listener.set_nonblocking(true).map_err(failed)?;
                let bound = listener.local_addr().map_err(failed)?;
                (Socket::Tcp(listener, tls), bound)
            }
        };
        let entered = Mutex::new(Some(live.enter()));
        let name = Address { port: bound.port(), ..address.clone() }.to_string();
        options.say.say(format!("{name}: listening"));
        let (connections, idle, say) = (options.connections, options.idle, options.say.clone());
        Ok(Source {
            address: address.clone(),
            name,
            socket,
            connections,
            idle,
            account: Account::default(),
            say,
            entered,
        })
    }

    fn enter(&self) -> Option<Entered> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn count(&self) -> SourceCount {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Account { received, dropped, drops_known, connections, refused, idle } = &self.account;
        SourceCount {
            name: self.name.clone(),
            received: get(received),
            dropped: drops_known.load(Ordering::Relaxed).then(|| get(dropped)),
            connections: get(connections),
            refused: get(refused),
            idle: get(idle),
        }
    }
}

/// How long what has been received already is looked for after the stop was requested.
const LAST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, shown) in [
            ("syslog+udp://127.0.0.1:5514", "syslog+udp://127.0.0.1:5514"),
            ("syslog+udp://localhost", "syslog+udp://localhost:514"),
            ("syslog+tcp://*", "syslog+tcp://*:514"),
            ("syslog+tls://[::1]", "syslog+tls://[::1]:6514"),
            ("syslog+tcp://[fe80::1]:0", "syslog+tcp://[fe80::1]:0"),
        ] {
            let address = Address::parse(text).expect("it is one").expect("it is well formed");
            assert_eq!(address.to_string(), shown);
        }
        for text in [
            "syslog+udp://",
            "syslog+udp://:514",
            "syslog+udp://h:x",
            "syslog+tcp://h:65536",
            "syslog+tcp://::1:1",
            "syslog+tcp://[::1",
            "syslog+tcp://[::1]5",
            "syslog+tcp://h/x",
        ] {
            let error = Address::parse(text).expect("it is one").expect_err("it is malformed").to_string();
            assert!(error.contains("it is written syslog+"), "{error}");
        }
        assert!(Address::parse("syslog://x").is_none() && Address::parse("/var/log/syslog").is_none());
    }
}
