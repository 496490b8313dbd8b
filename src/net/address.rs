//! The address of a peer: its endpoint, and the keys of both sides.

use std::sync::Arc;

use crate::net::endpoint::Endpoint;
use crate::net::keys::{KeyPair, PublicKey};

/// The endpoint of a peer to connect to, and the keys that tell the peer from a stranger.
#[derive(Debug, Clone)]
pub struct Address {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The keys of both sides. Without keys the connection is not encrypted.
    pub keys: Option<WorkerKeys>,
}

/// The keys of a connection, seen from the side that connects.
#[derive(Debug, Clone)]
pub struct WorkerKeys {
    /// The own key pair.
    pub own: Arc<KeyPair>,
    /// The public key that the other side must prove to have.
    pub queue: PublicKey,
}
