//! The events that a server reports to its caller.

use crate::net::keys::PublicKey;

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
