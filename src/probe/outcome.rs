//! Outcomes of requests: the hops of a request, and the classes of its errors.

use super::phases::Phases;

/// A request that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// What [`Engine::start`](super::engine::Engine::start) was given.
    pub tag: u64,
    /// The requests that were sent: one, and one more for each redirect that was followed.
    pub hops: Vec<Hop>,
}

/// One request to one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Hop {
    /// The time at which it was started, in nanoseconds since 1970.
    pub started_at: i64,
    /// The method with which it was sent.
    pub method: String,
    /// The address, without a user's name and password.
    pub url: String,
    /// The time of each phase.
    pub phases: Phases,
    /// Whether it used a connection that was made for an earlier request.
    pub reused: bool,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The bytes of the answer: its head, and its body as it was transferred.
    pub bytes_received: u64,
    /// The bytes of the body as it was transferred.
    pub body_bytes: u64,
    /// The bytes of the request.
    pub bytes_sent: u64,
    /// The address and the port of the server (or proxy) that was connected.
    pub remote: Option<(String, u16)>,
    /// The version of HTTP: `1.1`, `2`.
    pub http_version: Option<&'static str>,
    /// What the TLS connection was made with, as far as it came.
    pub tls: Option<Tls>,
    /// Why the hop counts as an error.
    pub error: Option<Fault>,
}

/// What a TLS connection was made with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// The version: `TLSv1.3`.
    pub version: Option<String>,
    /// The cipher suite: `TLS_AES_256_GCM_SHA384`.
    pub cipher: Option<String>,
    /// The protocol that both sides agreed on (ALPN): `h2`, `http/1.1`.
    pub alpn: Option<String>,
    /// The time until which the server's certificate is valid, in seconds since 1970.
    pub certificate_expiry: Option<i64>,
}

/// An error of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its class.
    pub class: ErrorClass,
    /// A sentence for people, without secrets.
    pub text: String,
}

/// The classes of errors. [`ErrorClass::keyword`] is what documents hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorClass {
    /// libcurl cannot request this URL.
    Url,
    /// The name has no address, or its server did not answer.
    Dns,
    /// The time was over during the look-up of the name.
    TimeoutDns,
    /// The server refused the connection.
    Refused,
    /// There is no way to the server.
    Unreachable,
    /// The time was over before the TCP connection was there.
    TimeoutConnect,
    /// The time was over before the TLS connection was there.
    TimeoutTls,
    /// The server's certificate is not valid, or not for this server.
    TlsVerify,
    /// The TLS connection cannot be made.
    Tls,
    /// The time was over before the first byte of the answer.
    TimeoutFirstByte,
    /// The time was over before the last byte of the answer.
    TimeoutTransfer,
    /// The server cut the connection.
    Reset,
    /// The server closed the connection before the end of its answer.
    Closed,
    /// The answer is not HTTP.
    Protocol,
    /// A redirect cannot be followed.
    Redirect,
    /// The status is not the expected one.
    Http,
    /// The proxy refused.
    Proxy,
    /// This machine is at a limit of its own: sockets, ports, memory.
    Local,
    /// Anything else.
    Other,
}

impl ErrorClass {
    /// All classes, in the order in which a request meets them.
    pub const ALL: [ErrorClass; 19] = [
        ErrorClass::Url,
        ErrorClass::Dns,
        ErrorClass::TimeoutDns,
        ErrorClass::Refused,
        ErrorClass::Unreachable,
        ErrorClass::TimeoutConnect,
        ErrorClass::TimeoutTls,
        ErrorClass::TlsVerify,
        ErrorClass::Tls,
        ErrorClass::TimeoutFirstByte,
        ErrorClass::TimeoutTransfer,
        ErrorClass::Reset,
        ErrorClass::Closed,
        ErrorClass::Protocol,
        ErrorClass::Redirect,
        ErrorClass::Http,
        ErrorClass::Proxy,
        ErrorClass::Local,
        ErrorClass::Other,
    ];

    /// Returns the class as a document holds it.
    pub fn keyword(self) -> &'static str {
        match self {
            ErrorClass::Url => "url",
            ErrorClass::Dns => "dns",
            ErrorClass::TimeoutDns => "timeout-dns",
            ErrorClass::Refused => "refused",
            ErrorClass::Unreachable => "unreachable",
            ErrorClass::TimeoutConnect => "timeout-connect",
            ErrorClass::TimeoutTls => "timeout-tls",
            ErrorClass::TlsVerify => "tls-verify",
            ErrorClass::Tls => "tls",
            ErrorClass::TimeoutFirstByte => "timeout-first-byte",
            ErrorClass::TimeoutTransfer => "timeout-transfer",
            ErrorClass::Reset => "reset",
            ErrorClass::Closed => "closed",
            ErrorClass::Protocol => "protocol",
            ErrorClass::Redirect => "redirect",
            ErrorClass::Http => "http",
            ErrorClass::Proxy => "proxy",
            ErrorClass::Local => "local",
            ErrorClass::Other => "other",
        }
    }
}
