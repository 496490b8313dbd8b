//! Receives syslog over UDP, TCP and TLS.
//!
//! | part | what it owns |
//! |---|---|
//! | `address`, `options` | the address of an input, and the options |
//! | `listening`, `source` | an address as a source, and what its socket counts |
//! | `frame` | splits a stream of bytes into messages; pure |
//! | `udp` | datagrams, and how many the kernel dropped |
//! | `tcp`, `tls` | connections: one thread and one `epoll` for all; TLS with rustls |
//!
//! `outbox` decides when messages are delivered, and limits warnings that could occur thousands of times.
//! Each message is delivered unchanged as a line, in [`Envelope::Syslog`](crate::envelope::Envelope::Syslog). Workers
//! parse the priority, the time and the rest. All messages of a socket have one origin, which is new at each start. The
//! sockets are opened before anything is read, so that an address that cannot be used ends the program at once.

mod address;
pub mod frame;
mod listening;
mod options;
mod outbox;
mod source;
mod tcp;
mod tls;
mod udp;

pub use self::listening::KIND;
