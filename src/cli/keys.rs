//! The options of keys, and the keys that they name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::core::error::{Error, Result};
use crate::net::address::Address;
use crate::net::auth::Security;
use crate::net::endpoint::Endpoint;
use crate::net::keys::{Authorized, KeyPair};

/// `logator keygen`
#[derive(Args, Debug)]
pub struct KeygenArgs {
    /// File for the pair of keys; its name without the extension is the name of the key
    #[arg(value_name = "FILE", id = "key-file", default_value = "logator.key")]
    pub file: PathBuf,
}

/// The keys of a queue.
#[derive(Args, Debug)]
pub struct QueueKeyArgs {
    /// Encrypt connections and accept only workers with an authorized key
    ///
    /// FILE holds the queue's own key pair (see logator keygen).
    #[arg(long, value_name = "FILE")]
    pub curve_key: Option<PathBuf>,
    /// File with the public keys of the workers that may connect, one a line
    ///
    /// SIGHUP makes the queue read the file again.
    #[arg(long, value_name = "FILE")]
    pub authorized_keys: Option<PathBuf>,
}

/// The keys of a worker.
#[derive(Args, Debug)]
pub struct WorkerKeyArgs {
    /// Encrypt connections; FILE holds this worker's own key pair (see logator keygen)
    #[arg(long, value_name = "FILE")]
    pub curve_key: Option<PathBuf>,
    /// Public key of the queue, or its FILE.pub (repeatable)
    ///
    /// Give one key for all queues, or one for each --from.
    #[arg(long, value_name = "KEY|FILE")]
    pub queue_key: Vec<String>,
}

impl QueueKeyArgs {
    /// Whether only peers with an authorized key may connect.
    pub fn is_given(&self) -> bool {
        self.curve_key.is_some() || self.authorized_keys.is_some()
    }

    /// Reads the key files. The workers that a queue starts itself (`spawns`) connect with the key of the queue.
    ///
    /// # Errors
    /// A usage error if a key is missing or wrong.
    pub fn open(&self, spawns: bool) -> Result<Option<Security>> {
        match (&self.curve_key, &self.authorized_keys) {
            (None, None) => Ok(None),
            (Some(key), Some(list)) => Self::security(key, list, spawns).map(Some),
            (Some(key), None) if spawns => Self::security(key, Path::new("/dev/null"), spawns).map(Some),
            (Some(_), None) => {
                Err(Error::usage("--curve-key: --authorized-keys FILE is missing; without it no worker could connect"))
            }
            (None, Some(_)) => Err(Error::usage(
                "--authorized-keys: --curve-key FILE is missing; without the queue's own key nothing is encrypted",
            )),
        }
    }

    fn security(key: &Path, list: &Path, spawns: bool) -> Result<Security> {
        let pair = KeyPair::load(key)?;
        let own = spawns.then(|| pair.public());
        Ok(Security { pair, authorized: Arc::new(Authorized::load(list, own)?) })
    }
}

impl WorkerKeyArgs {
    /// Whether connections are encrypted.
    pub fn is_given(&self) -> bool {
        self.curve_key.is_some() || !self.queue_key.is_empty()
    }

    /// Returns the addresses of the queues with their keys.
    ///
    /// # Errors
    /// A usage error if a key is missing or wrong.
    pub fn addresses(&self, endpoints: &[Endpoint]) -> Result<Vec<Address>> {
        Address::with_keys(endpoints, self.curve_key.as_deref(), &self.queue_key)
    }
}
