//! How syslog is received.

use std::path::PathBuf;
use std::time::Duration;

use crate::source::say::Say;

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
