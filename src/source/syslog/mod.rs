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

mod address;
pub mod frame;
mod listening;
mod options;
mod outbox;
mod source;
mod tcp;
mod tls;
mod udp;

pub use self::address::{Address, Transport};
pub use self::listening::Listening;
pub use self::options::{Options, TlsFiles};
