//! One end of PUSH/PULL: a socket that connects, listens, or both, its keys, and what libzmq reports of its
//! connections.
//!
//! Connections are taken up again by libzmq, with back-off. Messages are queued for peers that are connected and for no
//! others (`ZMQ_IMMEDIATE`), so that what nobody can take stays with the sender, who can count it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::core::error::{Error, Result};
use crate::net::address::Address;
use crate::net::auth::{MAX_PER_ROUND, MAX_REPORTED_KEYS, Security, ZapHandler};
use crate::net::bound::Bound;
use crate::net::endpoint::Endpoint;
use crate::net::keys::PublicKey;
use crate::net::monitor::{self, Monitor, Report};
use crate::sink::backoff::Backoff;

/// How long a peer may take to introduce itself; then libzmq closes the connection, or tries again.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Seconds of silence after which TCP asks whether a peer is there, and between two such questions.
const KEEPALIVE: i32 = 15;

/// The longest message that is taken. libzmq closes the connection of a peer that sends a longer one.
const LONGEST_MESSAGE: i64 = 16 << 20;

/// Messages that libzmq holds for a peer, or of a peer, unless reported_keys otherwise.
pub const HIGH_WATER: usize = 1000;

/// Bytes that the kernel is asked to hold of a TCP connection at each end: by PUSH of what is sent, by PULL of what is received.
/// Left to itself it holds megabytes (`tcp_rmem`, `tcp_wmem`), and all of them are lost when the receiver is killed.
const KERNEL_BUFFER: i32 = 128 << 10;

/// What a socket that is dropped without a word gives its peers to take what they were sent.
const LINGER_MS: i32 = 1000;

/// Where a socket connects and listens, and whom it trusts.
#[derive(Debug, Clone, Default)]
pub struct SocketOptions {
    /// Peers to connect to.
    pub connect: Vec<Address>,
    /// Where to listen for others.
    pub bind: Vec<Endpoint>,
    /// The keys of both sides where it listens; without them everybody who reaches an endpoint comes in.
    pub security: Option<Security>,
    /// Messages that libzmq holds for each peer; 0 for [`HIGH_WATER`].
    pub high_water: usize,
}

impl SocketOptions {
    /// Listens at an endpoint of this machine, without keys.
    ///
    /// # Errors
    /// An endpoint that is wrong, or open to other machines.
    pub(crate) fn bind_local(endpoint: &str) -> Result<SocketOptions> {
        Ok(SocketOptions { bind: vec![local(endpoint)?], ..SocketOptions::default() })
    }

    /// Connects to endpoints of this machine, without keys.
    ///
    /// # Errors
    /// An endpoint that is wrong, or on another machine.
    pub(crate) fn connect_local<S: AsRef<str>>(endpoints: impl IntoIterator<Item = S>) -> Result<SocketOptions> {
        let address = |endpoint: S| Ok(Address { endpoint: local(endpoint.as_ref())?, keys: None });
        let connect = endpoints.into_iter().map(address).collect::<Result<_>>()?;
        Ok(SocketOptions { connect, ..SocketOptions::default() })
    }
}

/// Sentences for the user.
pub type OnNotice = Box<dyn FnMut(String) + Send>;

/// A peer that libzmq has given up, and when it is connected to again.
struct Reconnect {
    address: usize,
    at: Instant,
}

/// A socket and what belongs to it. The order of the fields is that in which they are closed.
pub(crate) struct Socket {
    // As long as the socket is open, no other file can be taken for its own.
    bound: Bound,
    pub(crate) raw: zmq::Socket,
    monitor: Monitor,
    zap: ZapHandler,
    context: zmq::Context,
    connect: Vec<Address>,
    authorized_keys: Option<PathBuf>,
    reconnects: Vec<Reconnect>,
    backoff: Backoff,
    /// Connections whose handshake has failed and whose end is not reported yet.
    failed_handshakes: usize,
    peers: usize,
    /// Connections that have ended after they had begun.
    lost: u64,
    reported_keys: HashSet<PublicKey>,
    notices: HashSet<String>,
    on_notice: OnNotice,
}

impl Socket {
    /// Opens a socket of `kind`.
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
            // On a PULL socket, the same would throw away what a peer sent before it went.
            socket.set_immediate(true).map_err(failed)?;
        }
        socket.set_linger(LINGER_MS).map_err(failed)?;
        socket.set_maxmsgsize(LONGEST_MESSAGE).map_err(failed)?;
        socket.set_reconnect_ivl(50).map_err(failed)?;
        socket.set_reconnect_ivl_max(2000).map_err(failed)?;
        socket.set_handshake_ivl(HANDSHAKE_TIMEOUT.as_millis() as i32).map_err(failed)?;
        // A machine that vanishes closes no connection. ZeroMQ's heartbeats will not do: whoever holds up a peer by not
        // reading on would not read them either, and what is on its way to him would be lost with the connection.
        socket.set_tcp_keepalive(1).map_err(failed)?;
        socket.set_tcp_keepalive_idle(KEEPALIVE).map_err(failed)?;
        socket.set_tcp_keepalive_intvl(KEEPALIVE).map_err(failed)?;
        socket.set_tcp_keepalive_cnt(3).map_err(failed)?;
        let monitor = Monitor::new(&context, &socket, monitor::CONNECTIONS).map_err(failed)?;
        let zap = ZapHandler::new(&context, &socket, options.security.as_ref())?;
        let mut bound = Bound::default();
        options.bind.iter().try_for_each(|endpoint| bound.bind(&socket, endpoint))?;
        if options.security.is_some() && !options.connect.is_empty() {
            // What listens already keeps its keys.
            socket.set_curve_server(false).map_err(failed)?;
            socket.set_zap_domain("").map_err(failed)?;
        }
        let opened = Socket {
            bound,
            raw: socket,
            monitor,
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

    /// Where it listens, ports filled in.
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.bound.endpoints
    }

    /// Where it listens and connects.
    pub(crate) fn all_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.connect.iter().map(|address| &address.endpoint).chain(&self.bound.endpoints)
    }

    /// Connections that are open and introduced.
    pub(crate) fn peers(&self) -> usize {
        self.peers
    }

    /// Connections that have ended so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// What else to wait for than the socket. [`handle_reports`](Self::handle_reports) takes what comes.
    pub(crate) fn poll_items(&self) -> impl Iterator<Item = zmq::PollItem<'_>> {
        self.zap.poll_item().into_iter().chain(std::iter::once(self.monitor.poll_item()))
    }

    /// How long to wait at most before the next [`handle_reports`](Self::handle_reports).
    pub(crate) fn until_reconnect(&self, now: Instant) -> Option<Duration> {
        self.reconnects.iter().map(|reconnect| reconnect.at.saturating_duration_since(now)).min()
    }

    /// Waits for room or messages (`events`; nothing for none), for libzmq's reports, and for the descriptors `others`;
    /// at most `timeout`. Answers which of `others` are ready.
    pub(crate) fn wait<const N: usize>(
        &mut self,
        events: Option<zmq::PollEvents>,
        others: [Option<std::os::fd::RawFd>; N],
        timeout: Option<Duration>,
    ) -> Result<[bool; N]> {
        let timeout = timeout.into_iter().chain(self.until_reconnect(Instant::now())).min();
        // Rounded up: a wait that ends just before its deadline would be done again at once.
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

    /// Takes what libzmq reports and asks.
    ///
    /// # Errors
    /// A socket that another user owns.
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
            let Some(report) = self.monitor.next() else { break };
            self.handle_report(report)?;
        }
        let now = Instant::now();
        let due: Vec<Reconnect> = self.reconnects.extract_if(.., |reconnect| reconnect.at <= now).collect();
        for Reconnect { address, .. } in due {
            let address = self.connect[address].clone();
            // What libzmq has given up may or may not still be known to it.
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
                    self.notify_once(format!("{place}: a peer is there again"));
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
                    self.notify_once(format!("{endpoint}: the peer is gone; it is tried again and again"));
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
                "{endpoint}: no handshake; what listens there uses no keys, or has another key than {}, which --queue-key \
                 names, or takes the other side of PUSH and PULL",
                keys.queue
            ),
            (_, None) => format!(
                "{endpoint}: no handshake; what listens there demands keys (--curve-key and --queue-key), or speaks \
                 another protocol, or takes the same side of PUSH and PULL"
            ),
        }
    }

    /// Closes the socket when its peers have been given what it holds, or after `linger`. `false` when `linger` ended
    /// it.
    pub(crate) fn close(self, linger: Duration) -> Result<bool> {
        let Socket { raw, monitor, zap, context, bound, .. } = self;
        let ms = i32::try_from(linger.as_millis()).unwrap_or(i32::MAX);
        raw.set_linger(ms).map_err(|error| Error::wire("the socket cannot be closed").because(error))?;
        let started = Instant::now();
        drop(bound);
        drop(raw);
        drop((monitor, zap));
        // Waits for what lingers.
        drop(context);
        Ok(started.elapsed() < linger)
    }
}

/// An endpoint as text, for those who may reach no further than this machine.
fn local(endpoint: &str) -> Result<Endpoint> {
    let endpoint = Endpoint::parse(endpoint)?;
    endpoint.check_reach(false)?;
    Ok(endpoint)
}
