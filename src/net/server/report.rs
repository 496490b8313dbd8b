//! What a server tells its caller: events while it serves, and counts at the end.

use crate::net::keys::PublicKey;

/// What a server counted besides lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rejections {
    /// Messages of no dialogue, dropped.
    pub dropped: u64,
    /// Requests answered with an error.
    pub refused: u64,
    /// Connections with a key that is not on the list.
    pub unauthorized: u64,
    /// Connections that did not introduce themselves as a peer must: no ZeroMQ, no key, or another queue's.
    pub failed_handshakes: u64,
}

/// What happens while a server serves.
#[derive(Debug)]
pub enum Event {
    /// The last line is accounted for; the server stays for late workers.
    Finished,
    /// A key that is not on the list was refused for the first time.
    Refused {
        /// The key.
        key: PublicKey,
        /// Where it came from.
        address: String,
    },
}
