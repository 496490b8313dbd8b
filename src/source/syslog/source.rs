//! One syslog socket, and the counts of what it received.

use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use crate::observe::counters::{Counters, Words, counters};
use crate::source::say::Say;

/// How long messages that the kernel already has are still read after the stop was requested.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Source {
    /// The address with the real port.
    pub(super) name: String,
    pub(super) socket: Socket,
    pub(super) connections: usize,
    pub(super) idle: Duration,
    pub(super) counts: Counters,
    pub(super) say: Say,
}

#[derive(Debug)]
pub(super) enum Socket {
    Udp(UdpSocket),
    Tcp(TcpListener, Option<Arc<rustls::ServerConfig>>),
}

counters! {
    /// The counters of a socket.
    pub COUNTERS of Source;
    RECEIVED = 256, "received", "messages", "Messages received.", words(Words::Always("{} messages received"));
    DROPPED = 257, "dropped", "messages", "Datagrams that the kernel dropped because its buffer was full. Unknown if the input has no datagrams, or if the system does not tell the number.", words(Words::Always("{} dropped by the kernel before they were read"));
    CONNECTIONS = 258, "connections", "connections", "Connections that were accepted.", words(Words::NotZero("over {} connections"));
    REFUSED = 259, "refused", "connections", "Connections that were refused or closed: too many connections, malformed data, or a failed handshake.", words(Words::NotZero("; {} refused or closed"));
    IDLE = 260, "idle", "connections", "Idle connections that were closed to make room for others.", words(Words::NotZero("; {} idle ones closed for others"));
    WRONG_COUNTS = 261, "wrong_counts", "counts", "Counts of bytes of the octet counting that were wrong. The next message was looked for behind each of them.", words(Words::NotZero("; {} counts of bytes were wrong"));
}
