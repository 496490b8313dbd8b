//! The addresses of syslog inputs, such as `syslog+udp://HOST:PORT`.

use std::fmt;
use std::io;

use crate::core::error::{Error, Result};

/// How messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Each datagram is a message.
    Udp,
    /// A stream of messages.
    Tcp,
    /// An encrypted stream of messages.
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

/// An address to listen at: `syslog+udp://HOST:PORT`. The host is a name, an address such as `[::1]`, or `*` for all
/// addresses of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// How messages are sent.
    pub transport: Transport,
    /// The host as the user wrote it, without brackets.
    pub host: String,
    /// The port; with 0 the kernel chooses a port.
    pub port: u16,
}

impl Address {
    /// Whether `text` begins like a syslog address.
    pub fn is_one(text: &str) -> bool {
        Transport::ALL.iter().any(|(_, scheme, _)| text.starts_with(scheme))
    }

    /// Parses a syslog address.
    ///
    /// # Errors
    /// A usage error that says what is wrong.
    pub fn parse(text: &str) -> Result<Address> {
        let scheme = Transport::ALL.into_iter().find(|(_, scheme, _)| text.starts_with(scheme));
        let (transport, scheme, port) = scheme.ok_or_else(|| Error::usage(format!("{text}: not a syslog address")))?;
        let place = &text[scheme.len()..];
        let wrong = |what: &str| {
            Error::usage(format!("{text}: {what}; it is written {scheme}HOST:PORT, for instance {scheme}*:{port}"))
        };
        let (host, rest) = match place.strip_prefix('[') {
            Some(inside) => match inside.split_once(']') {
                Some(parts) => parts,
                None => return Err(wrong("a [ is not closed")),
            },
            None => match place.find(':') {
                Some(colon) => place.split_at(colon),
                None => (place, ""),
            },
        };
        if host.is_empty() || host.contains(['/', ' ']) {
            return Err(wrong("there is no host"));
        }
        let port = match rest {
            "" => Some(port),
            rest => rest.strip_prefix(':').and_then(|digits| digits.parse().ok()),
        };
        let Some(port) = port else {
            return Err(wrong("the port is not a number from 0 to 65535 (write an IPv6 address in brackets)"));
        };
        Ok(Address { transport, host: host.to_owned(), port })
    }

    /// Calls `bind` with the host and the port. For `*` it tries IPv6 first, and IPv4 if that fails.
    pub(super) fn bind<T>(&self, bind: impl Fn(&str, u16) -> io::Result<T>) -> Result<T> {
        let result = match self.host.as_str() {
            // A socket on `::` receives IPv4 and IPv6.
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
            let address = Address::parse(text).expect("it is well formed");
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
            let error = Address::parse(text).expect_err("it is malformed").to_string();
            assert!(error.contains("it is written syslog+"), "{error}");
        }
        assert!(!Address::is_one("syslog://x") && !Address::is_one("/var/log/syslog"));
    }
}
