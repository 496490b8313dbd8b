//! The options for syslog.

use std::path::PathBuf;
use std::time::Duration;

use crate::source::say::Say;

/// The files for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and the certificates that sign it, in PEM.
    pub certificate: PathBuf,
    /// The key of the certificate, in PEM.
    pub key: PathBuf,
    /// The certificates that must sign those of the senders. Without this file, senders need no certificate.
    pub client_ca: Option<PathBuf>,
}

/// The options for syslog.
#[derive(Debug, Clone)]
pub struct Options {
    /// The maximum number of connections of a socket at a time.
    pub connections: usize,
    /// A connection may be closed for a new one if nothing came over it for this time.
    pub idle: Duration,
    /// The size of the kernel's buffer for unread datagrams, in bytes.
    pub udp_buffer: usize,
    /// The files for `syslog+tls://`.
    pub tls: Option<TlsFiles>,
    /// The receiver of sentences for the user.
    pub say: Say,
}

/// The default of [`Options::idle`].
const IDLE: Duration = Duration::from_secs(60);

impl Default for Options {
    fn default() -> Self {
        Options { connections: 1000, idle: IDLE, udp_buffer: 8 << 20, tls: None, say: Say::default() }
    }
}
