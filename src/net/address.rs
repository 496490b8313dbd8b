//! The address of a peer: its endpoint, and the keys of both sides.

use std::path::Path;
use std::sync::Arc;

use crate::core::error::{Error, Result};
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

impl Address {
    /// Returns the addresses of `endpoints`. `own` is the file of the own key pair. `queues` are the public keys of the peers,
    /// or the files that hold them: one for all endpoints, or one for each.
    ///
    /// # Errors
    /// A usage error if a key is missing or wrong.
    pub fn with_keys(endpoints: &[Endpoint], own: Option<&Path>, queues: &[String]) -> Result<Vec<Address>> {
        let own = match (own, queues) {
            (None, []) => None,
            (Some(path), [_, ..]) => Some(Arc::new(KeyPair::load(path)?)),
            (Some(_), []) => {
                return Err(Error::usage("--curve-key: --queue-key KEY|FILE is missing: the public key of the queue"));
            }
            (None, [_, ..]) => {
                return Err(Error::usage("--queue-key: --curve-key FILE is missing: this worker's own key"));
            }
        };
        let queues: Vec<PublicKey> = queues.iter().map(|text| PublicKey::named(text)).collect::<Result<_>>()?;
        if queues.len() > 1 && queues.len() != endpoints.len() {
            return Err(Error::usage(format!(
                "--queue-key: {} keys for {} queues; give one for all, or one for each --from",
                queues.len(),
                endpoints.len()
            )));
        }
        let keys = |index: usize| {
            let queue = queues.get(index).or(queues.first())?;
            Some(WorkerKeys { own: own.clone()?, queue: *queue })
        };
        let addresses = endpoints.iter().enumerate();
        Ok(addresses.map(|(index, endpoint)| Address { endpoint: endpoint.clone(), keys: keys(index) }).collect())
    }
}

/// The keys of a connection, seen from the side that connects.
#[derive(Debug, Clone)]
pub struct WorkerKeys {
    /// The own key pair.
    pub own: Arc<KeyPair>,
    /// The public key that the other side must prove to have.
    pub queue: PublicKey,
}
