//! The arguments of `logator-push`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};

use super::keys::{QueueKeyArgs, WorkerKeyArgs};
use super::report::ReportArgs;
use super::size;
use crate::app::push::{Confirm, PushOptions};
use crate::core::error::{Error, Result};
use crate::net::endpoint::Endpoint;
use crate::net::socket::{HIGH_WATER, SocketOptions};

/// `logator-push`
#[derive(Parser, Debug)]
#[command(name = "logator-push", version, about = "Sends the lines of standard input over a ZeroMQ PUSH socket")]
#[command(after_help = "PUSH and PULL have no acknowledgements: see doc/push-pull.md, and logator-queue for lossless \
delivery.
Exit codes: 0 every line sent; 1 some lines dropped as told, or too long; 2 usage; 3 some lines could not be sent.")]
pub struct PushArgs {
    /// What the envelope of each line calls it
    #[arg(value_name = "TYPE", id = "type", default_value = "syslog")]
    pub kind: String,
    /// Where to send and whom to trust.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// Send each line in an envelope, as zmqpush does: {"message":LINE,"type":TYPE,"@pid":PID} (the default)
    #[arg(long, conflicts_with = "raw")]
    pub json: bool,
    /// Send each line as it is
    #[arg(long)]
    pub raw: bool,
    /// How long what is left at the end may take
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = size::milliseconds)]
    pub linger: Duration,
    /// Lines that wait while nobody takes any (64 MiB of them at most)
    #[arg(long, value_name = "N", default_value = "100000", value_parser = size::count)]
    pub queue: usize,
    /// What to do when as many wait
    #[arg(long, value_name = "block|drop", default_value = "block")]
    pub on_full: OnFull,
    /// Answer OK on standard output at the start and for each line, as rsyslog's omprog wants it with
    /// confirmMessages="on": when the line is queued, or when a connection has taken it
    #[arg(long, value_name = "queued|delivered", num_args = 0..=1, require_equals = true, default_missing_value = "queued")]
    pub confirm: Option<ConfirmArg>,
    /// The longest line; longer ones are not sent
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = size::message)]
    pub max_line: usize,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// What push and pull connect to.
#[derive(Args, Debug)]
pub struct SocketArgs {
    /// Peer to connect to (repeatable): ipc://PATH or tcp://HOST:PORT
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub connect: Vec<Endpoint>,
    /// Where to listen for peers (repeatable): ipc://PATH or tcp://HOST:PORT
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub bind: Vec<Endpoint>,
    /// Messages held for each peer that is connected
    #[arg(long, value_name = "N", default_value_t = HIGH_WATER, value_parser = size::count)]
    pub hwm: usize,
    /// Encrypt, and demand keys: this side's own key, as logator keygen makes it
    #[arg(long, value_name = "FILE")]
    pub curve_key: Option<PathBuf>,
    /// With --connect: the public key of the peer, or its FILE.pub (repeatable: one for all, or one for each --connect)
    #[arg(long, value_name = "KEY|FILE")]
    pub queue_key: Vec<String>,
    /// With --bind: public keys of the peers that may come in, one a line; SIGHUP reads it again
    #[arg(long, value_name = "FILE")]
    pub authorized_keys: Option<PathBuf>,
    /// Allow tcp:// beyond this machine without keys: unencrypted, and open to all who reach it
    #[arg(long)]
    pub insecure: bool,
}

/// `--on-full`
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// Read no further until there is room
    Block,
    /// Throw away what comes and count it
    Drop,
}

/// `--confirm`
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmArg {
    /// When the line waits to be sent
    Queued,
    /// When libzmq has given it to a connection
    Delivered,
}

/// An endpoint of push and pull.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    if text.starts_with("kafka://") {
        return Err("this version does not speak to Kafka: an endpoint is ipc://PATH or tcp://HOST:PORT".to_owned());
    }
    Endpoint::parse(text).map_err(|error| error.to_string())
}

impl SocketArgs {
    /// The options of a socket.
    ///
    /// # Errors
    /// An endpoint that strangers could reach, keys that are wrong.
    pub fn options(&self) -> Result<SocketOptions> {
        let SocketArgs { connect, bind, hwm, curve_key, queue_key, authorized_keys, insecure } = self;
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

impl PushArgs {
    /// The options of the job.
    ///
    /// # Errors
    /// Flags that do not go together, an endpoint that strangers could reach, keys that are wrong.
    pub fn options(&self) -> Result<PushOptions> {
        let socket = self.socket.options()?;
        if !socket.connect.is_empty() && !socket.bind.is_empty() {
            return Err(Error::usage("--connect and --bind: one of the two"));
        }
        let confirm = match self.confirm {
            None => Confirm::No,
            Some(ConfirmArg::Queued) => Confirm::Queued,
            Some(ConfirmArg::Delivered) if socket.connect.is_empty() => {
                return Err(Error::usage(
                    "--confirm=delivered needs --connect: with --bind libzmq does not tell one peer from another",
                ));
            }
            Some(ConfirmArg::Delivered) => Confirm::Delivered,
        };
        Ok(PushOptions {
            socket,
            kind: (!self.raw).then(|| self.kind.clone()),
            linger: self.linger,
            queue: self.queue,
            drops: self.on_full == OnFull::Drop,
            confirm,
            max_line: self.max_line,
        })
    }
}
