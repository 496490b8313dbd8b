//! The options of the sockets of `logator-push` and `logator-pull`.

use std::path::PathBuf;

use clap::Args;

use super::keys::{QueueKeyArgs, WorkerKeyArgs};
use super::values::{self, PeerArg};
use crate::core::error::{Error, Result};
use crate::core::quantity;
use crate::net::endpoint::Endpoint;
use crate::net::socket::{HIGH_WATER, SocketOptions};

/// The endpoints and keys of a PUSH or PULL socket.
#[derive(Args, Debug)]
pub struct SocketArgs {
    /// Peer to connect to (repeatable): ipc://PATH or tcp://HOST:PORT
    #[arg(long, value_name = "ENDPOINT", value_parser = values::peer)]
    pub connect: Vec<PeerArg>,
    /// Endpoint at which to listen for peers (repeatable): ipc://PATH or tcp://HOST:PORT
    #[arg(long, value_name = "ENDPOINT", value_parser = values::push_endpoint)]
    pub bind: Vec<Endpoint>,
    /// Maximum number of messages that libzmq holds for each connected peer
    #[arg(long, value_name = "N", default_value_t = HIGH_WATER, value_parser = quantity::count)]
    pub hwm: usize,
    /// Encrypt connections and require keys; FILE holds this program's own key pair (see logator keygen)
    #[arg(long, value_name = "FILE")]
    pub curve_key: Option<PathBuf>,
    /// Public key of the peer, or its FILE.pub (for --connect; repeatable)
    ///
    /// Give one key for all peers, or one for each --connect.
    #[arg(long, value_name = "KEY|FILE")]
    pub queue_key: Vec<String>,
    /// File with the public keys of the peers that may connect, one a line (for --bind)
    ///
    /// SIGHUP makes the program read the file again.
    #[arg(long, value_name = "FILE")]
    pub authorized_keys: Option<PathBuf>,
    /// Allow tcp:// endpoints beyond this machine without keys
    ///
    /// The connections are not encrypted, and every machine that reaches the endpoint is accepted.
    #[arg(long)]
    pub insecure: bool,
}

impl SocketArgs {
    /// Returns the name and the reason of an option that has no meaning for a topic of Kafka.
    pub(super) fn foreign_to_topics(&self) -> Option<(&'static str, &'static str)> {
        const KEYS: &str = "the address of Kafka has the login and the settings of TLS";
        [
            (!self.bind.is_empty(), "--bind", "kafka:// is only connected to"),
            (self.curve_key.is_some(), "--curve-key", KEYS),
            (!self.queue_key.is_empty(), "--queue-key", KEYS),
            (self.authorized_keys.is_some(), "--authorized-keys", KEYS),
            (self.insecure, "--insecure", KEYS),
            (self.hwm != HIGH_WATER, "--hwm", "that is for ZeroMQ; --max-memory bounds what waits for Kafka"),
        ]
        .into_iter()
        .find_map(|(given, name, why)| given.then_some((name, why)))
    }

    /// Returns the options of the socket.
    ///
    /// # Errors
    /// An endpoint that other machines can reach without keys, a wrong key, or no endpoint.
    pub fn options(&self) -> Result<SocketOptions> {
        let SocketArgs { connect, bind, hwm, curve_key, queue_key, authorized_keys, insecure } = self;
        let connect = &connect.iter().map(PeerArg::endpoint).collect::<Result<Vec<_>>>()?;
        if connect.is_empty() && bind.is_empty() {
            return Err(Error::usage(
                "--connect ENDPOINT or --bind ENDPOINT is missing: ipc://PATH or tcp://HOST:PORT",
            ));
        }
        let refuse = |flag: &str, why: &str| Err(Error::usage(format!("{flag}: {why}")));
        match (curve_key.is_some(), connect.is_empty(), bind.is_empty()) {
            (_, true, _) if !queue_key.is_empty() => return refuse("--queue-key", "that is for --connect"),
            (_, _, true) if authorized_keys.is_some() => return refuse("--authorized-keys", "that is for --bind"),
            (true, false, _) if queue_key.is_empty() => {
                return refuse("--curve-key", "--queue-key KEY|FILE is missing: the public key of the peer");
            }
            _ => {}
        }
        let all = connect.iter().chain(bind);
        all.clone().try_for_each(|endpoint| endpoint.check_reach(*insecure || curve_key.is_some()))?;
        let worker = WorkerKeyArgs {
            curve_key: curve_key.clone().filter(|_| !connect.is_empty()),
            queue_key: queue_key.clone(),
        };
        let queue = QueueKeyArgs {
            curve_key: curve_key.clone().filter(|_| !bind.is_empty()),
            authorized_keys: authorized_keys.clone(),
        };
        Ok(SocketOptions {
            connect: worker.addresses(connect)?,
            bind: bind.clone(),
            security: queue.open(false)?,
            high_water: *hwm,
        })
    }
}
