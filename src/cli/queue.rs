//! The arguments of `logator-queue`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::keys::QueueKeyArgs;
use super::report::ReportArgs;
use super::scale::ScaleArgs;
use super::source::SourceArgs;
use super::wait::WaitArgs;
use super::{size, values};
use crate::app::serve::ServeOptions;
use crate::app::spawn::SpawnOptions;
use crate::app::{DEAD_LETTERS, Workers};
use crate::core::error::{Error, Result};
use crate::core::quantity;
use crate::net::endpoint::{self, Endpoint};

/// `logator-queue`
#[derive(Parser, Debug)]
#[command(name = "logator-queue", version, about = "Reads logs and hands out their lines to workers over ZeroMQ")]
pub struct QueueArgs {
    /// The inputs.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Endpoint at which workers ask for lines (repeatable) [default: ipc:///tmp/logator]
    ///
    /// ipc://PATH or tcp://HOST:PORT. With --spawn, the queue does without the default endpoint if another queue uses it.
    #[arg(long, value_name = "ENDPOINT", value_parser = values::endpoint)]
    pub bind: Vec<Endpoint>,
    /// The keys.
    #[command(flatten)]
    pub keys: QueueKeyArgs,
    /// Allow tcp:// endpoints that other machines can reach, without keys
    ///
    /// The connections are not encrypted, and every machine that reaches the endpoint gets lines.
    #[arg(long)]
    pub insecure: bool,
    /// Start local worker processes, by default one a core
    ///
    /// With MIN..MAX the number follows the load: it grows while lines wait and more processes raise the throughput, and shrinks
    /// when processes wait. The arguments after -- are the arguments of these workers.
    #[arg(long, value_name = "N|MIN..MAX", num_args = 0..=1, require_equals = true, default_missing_value = "auto",
          value_parser = size::worker_range)]
    pub spawn: Option<Workers>,
    /// Scaling, and the lines on the state of the job.
    #[command(flatten)]
    pub scale: ScaleArgs,
    /// Time after which a batch is taken from a worker that sends nothing
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = size::lease)]
    pub lease: Duration,
    /// Time that the queue stays after the last line, for late workers
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = quantity::seconds)]
    pub linger: Duration,
    /// Time that workers have after SIGTERM or SIGINT to finish the lines that were read
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = quantity::seconds)]
    pub drain: Duration,
    /// File for lines that are too long, and for lines on which workers are lost
    ///
    /// The first such line creates the file.
    #[arg(long, value_name = "FILE", default_value = DEAD_LETTERS)]
    pub dead_letters: PathBuf,
    /// The deadline.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// The messages and the receipt.
    #[command(flatten)]
    pub report: ReportArgs,
    /// Arguments of the workers that --spawn starts: -- -f combined --to mongodb://…
    #[arg(last = true, value_name = "WORKER_ARGUMENT", hide = true)]
    pub worker_arguments: Vec<OsString>,
}

impl QueueArgs {
    /// Returns the arguments of the workers that the queue starts. The workers read their own table of the same
    /// configuration file. The arguments after `--` override the file.
    pub(super) fn spawn_arguments(&self) -> Vec<OsString> {
        let own = |argument: &OsString| argument.to_string_lossy().starts_with("--config");
        let file = self.report.config.iter().filter(|_| !self.worker_arguments.iter().any(own));
        let file = file.flat_map(|file| ["--config".into(), file.clone().into_os_string()]);
        file.chain(self.worker_arguments.iter().cloned()).collect()
    }

    /// Returns the options of the queue.
    ///
    /// # Errors
    /// An endpoint that other machines can reach without keys, a wrong key, or worker arguments without `--spawn`.
    pub fn options(&self) -> Result<ServeOptions> {
        let may_reach_out = self.insecure || self.keys.is_given();
        self.bind.iter().try_for_each(|endpoint| endpoint.check_reach(may_reach_out))?;
        if self.spawn.is_none() && !self.worker_arguments.is_empty() {
            return Err(Error::usage("the arguments after -- are for the workers of --spawn, which is missing"));
        }
        let spawn = self.spawn.map(|workers| SpawnOptions {
            workers: workers.into(),
            scaling: self.scale.settings(),
            arguments: self.spawn_arguments(),
            curve_key: self.keys.curve_key.clone(),
        });
        // The workers that the queue starts ask at a private endpoint, so the default endpoint is optional.
        let optional = self.bind.is_empty() && self.spawn.is_some();
        let endpoints = match self.bind.is_empty() {
            true => vec![Endpoint::parse(endpoint::DEFAULT)?],
            false => self.bind.clone(),
        };
        Ok(ServeOptions {
            endpoints,
            optional,
            security: self.keys.open(self.spawn.is_some())?,
            lease: self.lease,
            linger: self.linger,
            drain: self.drain,
            dead_letters: self.dead_letters.clone(),
            deadline: self.wait.sink_deadline,
            spawn,
            status_interval: self.scale.status_interval,
        })
    }
}
