//! The options for syslog.

use std::path::PathBuf;
use std::time::Duration;

use crate::core::error::Result;
use crate::core::option_spec::{Group, OptionSpec, OptionValues};
use crate::core::quantity;

/// The role of the files for TLS.
const KEY_FILE: &str = "key file";

/// The options as the user gives them.
pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec::path(
        "tls-cert",
        "FILE",
        Group::Network,
        "Certificate of syslog+tls:// inputs in PEM, followed by the certificates of its issuers",
    )
    .requires(&["tls-key"])
    .reads(KEY_FILE)
    .rare(),
    OptionSpec::path("tls-key", "FILE", Group::Network, "Private key of the --tls-cert in PEM")
        .requires(&["tls-cert"])
        .reads(KEY_FILE)
        .rare(),
    OptionSpec::path(
        "tls-client-ca",
        "FILE",
        Group::Network,
        "Accept a TLS sender only with a certificate that one of these certificates signed (PEM)",
    )
    .requires(&["tls-cert"])
    .reads(KEY_FILE)
    .rare(),
    OptionSpec::text("max-connections", "N", Group::Network, "Maximum number of open connections of a syslog input")
        .default("1000")
        .check(|text| quantity::count(text).map(drop))
        .rare(),
    OptionSpec::text(
        "idle-connection",
        "SECONDS",
        Group::Network,
        "Idle time after which a syslog connection may be closed to accept another one at --max-connections",
    )
    .default("60")
    .check(|text| quantity::seconds(text).map(drop))
    .hidden(),
    OptionSpec::text(
        "udp-buffer",
        "BYTES",
        Group::Network,
        "Kernel buffer for unread datagrams of a syslog+udp:// input, in bytes",
    )
    .default("8MiB")
    .check(|text| quantity::bytes(text).map(drop))
    .rare(),
];

/// The files for TLS.
#[derive(Debug, Clone)]
pub(super) struct TlsFiles {
    /// The certificate and the certificates that sign it, in PEM.
    pub(super) certificate: PathBuf,
    /// The key of the certificate, in PEM.
    pub(super) key: PathBuf,
    /// The certificates that must sign those of the senders. Without this file, senders need no certificate.
    pub(super) client_ca: Option<PathBuf>,
}

/// The options for syslog.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// The maximum number of connections of a socket at a time.
    pub(super) connections: usize,
    /// A connection may be closed for a new one if nothing came over it for this time.
    pub(super) idle: Duration,
    /// The size of the kernel's buffer for unread datagrams, in bytes.
    pub(super) udp_buffer: usize,
    /// The files for `syslog+tls://`.
    pub(super) tls: Option<TlsFiles>,
}

impl Options {
    /// Returns the options that the user gave.
    pub(super) fn of(values: &OptionValues) -> Result<Options> {
        let files = values.path("tls-cert").zip(values.path("tls-key"));
        let client_ca = values.path("tls-client-ca");
        Ok(Options {
            connections: values.get("max-connections", quantity::count)?,
            idle: values.get("idle-connection", quantity::seconds)?,
            udp_buffer: values.get("udp-buffer", quantity::bytes)?,
            tls: files.map(|(certificate, key)| TlsFiles { certificate, key, client_ca }),
        })
    }
}
