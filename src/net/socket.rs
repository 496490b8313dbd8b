//! One end of PUSH/PULL: a socket that connects, listens or both, its keys, and the messages about its connections and
//! refused keys.
//!
//! libzmq reconnects by itself, with a growing delay. It queues messages only for peers that are connected
//! (`ZMQ_IMMEDIATE`). A message that no peer can take stays with the sender, and the sender can count it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::core::backoff::Backoff;
use crate::core::error::{Error, Result};
use crate::net::address::Address;
use crate::net::auth::{MAX_PER_ROUND, MAX_REPORTED_KEYS, Security, ZapHandler};
use crate::net::bound::Bound;
use crate::net::endpoint::Endpoint;
use crate::net::keys::PublicKey;
use crate::net::monitor::{self, MonitoredSocket, Report};

/// How long a handshake may take. After this time libzmq closes the connection, or tries again.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// After this many seconds of silence TCP probes the peer. It is also the time between two probes.
const KEEPALIVE: i32 = 15;

/// The longest message in bytes. libzmq closes the connection of a peer that sends a longer one.
const LONGEST_MESSAGE: i64 = 16 << 20;

/// The number of messages that libzmq holds for each connection by default.
pub const HIGH_WATER: usize = 1000;

/// The number of bytes of a TCP connection that the kernel should hold at each end: a PUSH socket limits the bytes to
/// be sent, a PULL socket the received ones. Without this limit the kernel holds megabytes (`tcp_rmem`, `tcp_wmem`).
/// All of them are lost when the receiver is killed.
const KERNEL_BUFFER: i32 = 128 << 10;

/// How long a socket that was dropped without [`close`](Socket::close) goes on sending, in milliseconds.
const LINGER_MS: i32 = 1000;

/// The peers, endpoints and keys of a socket.
#[derive(Debug, Clone, Default)]
pub struct SocketOptions {
    /// The peers to connect to.
    pub connect: Vec<Address>,
    /// The endpoints to listen on.
    pub bind: Vec<Endpoint>,
    /// The keys of the endpoints that it listens on. Without keys everybody who reaches an endpoint is let in.
    pub security: Option<Security>,
    /// The number of messages that libzmq holds for each peer; 0 stands for [`HIGH_WATER`].
    pub high_water: usize,
}

impl SocketOptions {
    /// Listens on an endpoint of this machine, without keys.
    ///
    /// # Errors
    /// The endpoint is wrong, or open to other machines.
    pub(crate) fn bind_local(endpoint: &str) -> Result<SocketOptions> {
        Ok(SocketOptions { bind: vec![local(endpoint)?], ..SocketOptions::default() })
    }

    /// Connects to endpoints of this machine, without keys.
    ///
    /// # Errors
    /// An endpoint is wrong, or on another machine.
    pub(crate) fn connect_local<S: AsRef<str>>(endpoints: impl IntoIterator<Item = S>) -> Result<SocketOptions> {
        let address = |endpoint: S| Ok(Address { endpoint: local(endpoint.as_ref())?, keys: None });
        let connect = endpoints.into_iter().map(address).collect::<Result<_>>()?;
        Ok(SocketOptions { connect, ..SocketOptions::default() })
    }
}

/// A function that shows a sentence to the user.
pub type OnNotice = Box<dyn FnMut(String) + Send>;

/// A peer that libzmq does not try to reach any more, and when to connect to it again.
struct Reconnect {
    address: usize,
    at: Instant,
}

/// A socket with its keys. The fields are closed in this order.
pub(crate) struct Socket {
    // The socket files are removed while the socket is still open. Until then no other process can put its own socket
    // at one of the paths.
    bound: Bound,
    pub(crate) raw: MonitoredSocket,
    zap: ZapHandler,
    context: zmq::Context,
    connect: Vec<Address>,
    authorized_keys: Option<PathBuf>,
    reconnects: Vec<Reconnect>,
    backoff: Backoff,
    /// Connections whose handshake has failed, and whose end libzmq has not reported yet.
    failed_handshakes: usize,
    peers: usize,
    /// The number of connections that were established and have ended.
    lost: u64,
    reported_keys: HashSet<PublicKey>,
    notices: HashSet<String>,
    on_notice: OnNotice,
}

impl Socket {
    /// Opens a socket of type `kind`.
    pub(crate) fn open(kind: zmq::SocketType, options: &SocketOptions, on_notice: OnNotice) -> Result<Socket> {
        let failed = |error: zmq::Error| Error::system("libzmq cannot make a socket").because(error);
        let context = zmq::Context::new();
        let socket = context.socket(kind).map_err(failed)?;
        let high_water = if options.high_water == 0 { HIGH_WATER } else { options.high_water };
        let high_water = i32::try_from(high_water).unwrap_or(i32::MAX);
        socket.set_sndhwm(high_water).map_err(failed)?;
        socket.set_rcvhwm(high_water).map_err(failed)?;
        match kind {
            zmq::PUSH => socket.set_sndbuf(KERNEL_BUFFER).map_err(failed)?,
            _ => socket.set_rcvbuf(KERNEL_BUFFER).map_err(failed)?,
        }
        if kind == zmq::PUSH {
            // On a PULL socket the same option would drop messages that a peer sent before it left.
            socket.set_immediate(true).map_err(failed)?;
        }
        socket.set_linger(LINGER_MS).map_err(failed)?;
        socket.set_maxmsgsize(LONGEST_MESSAGE).map_err(failed)?;
        socket.set_reconnect_ivl(50).map_err(failed)?;
        socket.set_reconnect_ivl_max(2000).map_err(failed)?;
        socket.set_handshake_ivl(HANDSHAKE_TIMEOUT.as_millis() as i32).map_err(failed)?;
        // A machine that loses power closes no connection, so the connection needs probes. ZeroMQ's heartbeats do not
        // fit: a receiver that is slow on purpose does not read them, and the messages in transit would be lost with
        // the connection.
        socket.set_tcp_keepalive(1).map_err(failed)?;
        socket.set_tcp_keepalive_idle(KEEPALIVE).map_err(failed)?;
        socket.set_tcp_keepalive_intvl(KEEPALIVE).map_err(failed)?;
        socket.set_tcp_keepalive_cnt(3).map_err(failed)?;
        let socket = MonitoredSocket::new(&context, socket, monitor::CONNECTIONS).map_err(failed)?;
        let zap = ZapHandler::new(&context, &socket, options.security.as_ref())?;
        let mut bound = Bound::default();
        options.bind.iter().try_for_each(|endpoint| bound.bind(&socket, endpoint))?;
        if options.security.is_some() && !options.connect.is_empty() {
            // The endpoints that the socket already listens on keep their keys.
            socket.set_curve_server(false).map_err(failed)?;
            socket.set_zap_domain("").map_err(failed)?;
        }
        let opened = Socket {
            bound,
            raw: socket,
            zap,
            context,
            connect: options.connect.clone(),
            authorized_keys: options.security.as_ref().map(|security| security.authorized.path().to_owned()),
            reconnects: Vec::new(),
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(5)),
            failed_handshakes: 0,
            peers: 0,
            lost: 0,
            reported_keys: HashSet::new(),
            notices: HashSet::new(),
            on_notice,
        };
        for address in &opened.connect {
            address.endpoint.check_owner()?;
            opened.connect_to(address)?;
        }
        Ok(opened)
    }

    fn connect_to(&self, address: &Address) -> Result<()> {
        let Address { endpoint, keys } = address;
        let failed = |error: zmq::Error| Error::usage(format!("{endpoint}: cannot be connected to")).because(error);
        self.raw.set_ipv6(endpoint.is_ipv6()).map_err(failed)?;
        if let Some(keys) = keys {
            self.raw.set_curve_serverkey(keys.queue.as_bytes()).map_err(failed)?;
            self.raw.set_curve_publickey(keys.own.public().as_bytes()).map_err(failed)?;
            self.raw.set_curve_secretkey(keys.own.secret()).map_err(failed)?;
        }
        self.raw.connect(&endpoint.to_string()).map_err(failed)
    }

    /// Returns the endpoints that the socket listens on, with their port numbers.
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.bound.endpoints
    }

    /// Returns the endpoints that the socket connects to and listens on.
    pub(crate) fn all_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.connect.iter().map(|address| &address.endpoint).chain(&self.bound.endpoints)
    }

    /// Returns the number of connections with a finished handshake.
    pub(crate) fn peers(&self) -> usize {
        self.peers
    }

    /// Returns the number of connections that have ended so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns the poll items for libzmq's questions and reports. [`handle_reports`](Self::handle_reports) handles
    /// them.
    pub(crate) fn poll_items(&self) -> impl Iterator<Item = zmq::PollItem<'_>> {
        self.zap.poll_item().into_iter().chain(std::iter::once(self.raw.poll_report()))
    }

    /// Returns how long it is until the next reconnect, which [`handle_reports`](Self::handle_reports) does; `None`
    /// without one.
    pub(crate) fn until_reconnect(&self, now: Instant) -> Option<Duration> {
        self.reconnects.iter().map(|reconnect| reconnect.at.saturating_duration_since(now)).min()
    }

    /// Waits for `events` of the socket (`None` for none), for libzmq's reports, or until one of the descriptors
    /// `others` is readable; at most for `timeout`. Returns which of `others` are readable.
    pub(crate) fn wait<const N: usize>(
        &mut self,
        events: Option<zmq::PollEvents>,
        others: [Option<std::os::fd::RawFd>; N],
        timeout: Option<Duration>,
    ) -> Result<[bool; N]> {
        let timeout = timeout.into_iter().chain(self.until_reconnect(Instant::now())).min();
        // The time is rounded up, because a time-out that ends just before the deadline would be followed by another
        // one at once.
        let timeout = timeout.map_or(-1, |time| i64::try_from(time.as_millis()).map_or(i64::MAX, |ms| ms + 1));
        let given = others.iter().flatten().map(|&other| zmq::PollItem::from_fd(other, zmq::POLLIN));
        let mut items: Vec<zmq::PollItem> = given.collect();
        let count = items.len();
        items.extend(self.poll_items());
        items.extend(events.map(|events| self.raw.as_poll_item(events)));
        match zmq::poll(&mut items, timeout) {
            Ok(_) | Err(zmq::Error::EINTR) => {}
            Err(error) => return Err(Error::wire("waiting for peers failed").because(error)),
        }
        let mut ready = items[..count].iter().map(|item| !item.get_revents().is_empty());
        let ready = others.map(|other| other.is_some() && ready.next().unwrap_or(false));
        drop(items);
        self.handle_reports()?;
        Ok(ready)
    }

    /// Handles libzmq's questions and reports, and reconnects to peers whose delay is over.
    ///
    /// # Errors
    /// A socket file belongs to another user.
    pub(crate) fn handle_reports(&mut self) -> Result<()> {
        let Socket { zap, reported_keys, on_notice, authorized_keys, .. } = self;
        zap.serve(&mut |key, address| {
            if let Some(key) = key
                && reported_keys.len() < MAX_REPORTED_KEYS
                && reported_keys.insert(key)
            {
                let list = authorized_keys.as_ref().map(|list| list.display().to_string()).unwrap_or_default();
                let address = String::from_utf8_lossy(address);
                on_notice(format!("a peer at {address} was refused: its key {key} is not in {list}"));
            }
        })?;
        for _ in 0..MAX_PER_ROUND {
            let Some(report) = self.raw.next_report() else { break };
            self.handle_report(report)?;
        }
        let now = Instant::now();
        let due: Vec<Reconnect> = self.reconnects.extract_if(.., |reconnect| reconnect.at <= now).collect();
        for Reconnect { address, .. } in due {
            let address = self.connect[address].clone();
            // libzmq may still know an endpoint that it does not try to reach any more.
            let _ = self.raw.disconnect(&address.endpoint.to_string());
            self.connect_to(&address)?;
        }
        Ok(())
    }

    fn handle_report(&mut self, report: Report) -> Result<()> {
        use zmq::SocketEvent as E;
        let Report { event, place, .. } = report;
        let own_address = self.connect.iter().position(|address| address.endpoint.to_string() == place);
        match event {
            E::CONNECTED => {
                if let Some(address) = own_address {
                    self.connect[address].endpoint.check_owner()?;
                }
            }
            E::HANDSHAKE_SUCCEEDED => {
                self.peers += 1;
                self.backoff.reset();
                if self.lost > 0 {
                    self.notify_once(format!("{place}: a peer is connected again"));
                }
            }
            E::HANDSHAKE_FAILED_AUTH | E::HANDSHAKE_FAILED_PROTOCOL | E::HANDSHAKE_FAILED_NO_DETAIL => {
                self.failed_handshakes += 1;
                if let Some(address) = own_address {
                    self.notify_once(self.refusal_reason(event, address));
                    if event != E::HANDSHAKE_FAILED_NO_DETAIL {
                        // libzmq does not try again.
                        let at = Instant::now() + self.backoff.next_delay();
                        self.reconnects.push(Reconnect { address, at });
                    }
                }
            }
            E::DISCONNECTED if self.failed_handshakes > 0 => self.failed_handshakes -= 1,
            E::DISCONNECTED => {
                self.peers = self.peers.saturating_sub(1);
                self.lost += 1;
                if let Some(address) = own_address {
                    let endpoint = &self.connect[address].endpoint;
                    self.notify_once(format!("{endpoint}: the peer is gone; trying to reconnect"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn notify_once(&mut self, sentence: String) {
        if self.notices.len() < MAX_REPORTED_KEYS && self.notices.insert(sentence.clone()) {
            (self.on_notice)(sentence);
        }
    }

    fn refusal_reason(&self, event: zmq::SocketEvent, address: usize) -> String {
        let Address { endpoint, keys } = &self.connect[address];
        match (event, keys) {
            (zmq::SocketEvent::HANDSHAKE_FAILED_AUTH, Some(keys)) => format!(
                "{endpoint}: the peer refuses this key; put {} in its --authorized-keys file",
                keys.own.public()
            ),
            (_, Some(keys)) => format!(
                "{endpoint}: the handshake failed: the peer uses no keys, or has another key than {} (--queue-key), or is \
                 on the same side of PUSH and PULL",
                keys.queue
            ),
            (_, None) => format!(
                "{endpoint}: the handshake failed: the peer requires keys (--curve-key and --queue-key), or speaks another \
                 protocol, or is on the same side of PUSH and PULL"
            ),
        }
    }

    /// Closes the socket when everything is sent, or after `linger`. Returns `false` if `linger` has ended first.
    pub(crate) fn close(self, linger: Duration) -> Result<bool> {
        let Socket { raw, zap, context, bound, .. } = self;
        let ms = i32::try_from(linger.as_millis()).unwrap_or(i32::MAX);
        raw.set_linger(ms).map_err(|error| Error::wire("the socket cannot be closed").because(error))?;
        let started = Instant::now();
        drop(bound);
        drop(raw);
        drop(zap);
        // This waits until everything is sent.
        drop(context);
        Ok(started.elapsed() < linger)
    }
}

/// Reads an endpoint. Refuses an endpoint that other machines can reach.
fn local(endpoint: &str) -> Result<Endpoint> {
    let endpoint = Endpoint::parse(endpoint)?;
    endpoint.check_reach(false)?;
    Ok(endpoint)
}
