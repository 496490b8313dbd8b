//! The events and counts that a server reports to its caller.

use crate::net::keys::PublicKey;

/// The messages and connections that a server rejected.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rejections {
    /// Messages that belong to no dialogue, and messages of peers that are not authorized any more. They were dropped.
    pub dropped: u64,
    /// Requests that were answered with an error.
    pub refused: u64,
    /// Connections with a key that is not on the list.
    pub unauthorized: u64,
    /// Connections whose handshake failed: the peer speaks no ZeroMQ, has no key, or has the key of another queue.
    pub failed_handshakes: u64,
}

/// An event while a server serves.
#[derive(Debug)]
pub enum Event {
    /// The last line is accounted for. The server goes on for peers that do not know it yet.
    Finished,
    /// A key that is not on the list was refused for the first time.
    Refused {
        /// The key.
        key: PublicKey,
        /// The peer's network address.
        address: String,
    },
}
