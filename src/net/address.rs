//! Where a peer is, and the keys of both sides.

use std::sync::Arc;

use crate::net::endpoint::Endpoint;
use crate::net::keys::{KeyPair, PublicKey};

/// Where a queue is, and how to tell it from a stranger's.
#[derive(Debug, Clone)]
pub struct Address {
    /// Where.
    pub endpoint: Endpoint,
    /// The keys of both sides; without them the connection is not encrypted.
    pub keys: Option<WorkerKeys>,
}

/// What a worker shows, and what it demands.
#[derive(Debug, Clone)]
pub struct WorkerKeys {
    /// Its own pair.
    pub own: Arc<KeyPair>,
    /// The queue's public key.
    pub queue: PublicKey,
}
