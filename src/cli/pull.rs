//! The arguments of `logator-pull`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::args::{endpoint, sink};
use super::parse::ParseArgs;
use super::push::SocketArgs;
use super::report::ReportArgs;
use super::size;
use super::wait::WaitArgs;
use crate::app::pull::PullOptions;
use crate::app::{DEAD_LETTERS, WorkOptions, Workers};
use crate::core::error::Result;
use crate::envelope::Envelope;
use crate::net::endpoint::Endpoint;
use crate::sink::spec::SinkSpec;

/// `logator-pull`
#[derive(Parser, Debug)]
#[command(name = "logator-pull", version, about = "Receives lines over a ZeroMQ PULL socket and writes or stores them")]
#[command(
    after_help = "Without --to, --format, --pattern and --envelope, lines are written to standard output as they \
come. PUSH and PULL have no acknowledgements: see doc/push-pull.md, and logator-queue for lossless delivery.
Exit codes: 0 ended by a signal, everything received is written or stored; 1 the same, some lines dead-lettered; 2 usage; \
3 something received could not be stored (quietly when the reader of standard output leaves)."
)]
pub struct PullArgs {
    /// Where lines come from and whom to trust.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// How to parse.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// Store documents in this sink (repeatable): ndjson:FILE[.gz|.zst], - (standard output), sqlite:FILE,
    /// mongodb://HOST/DB.COLLECTION, null:
    #[arg(long = "to", value_name = "SINK", value_parser = sink)]
    pub sinks: Vec<SinkSpec>,
    /// How lines are wrapped: json, as logator-push and zmqpush do it, keeps type and @pid as fields
    #[arg(long, value_name = "none|json")]
    pub envelope: Option<EnvelopeArg>,
    /// The longest line that is stored; longer ones are dead letters
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = size::message)]
    pub max_line: usize,
    /// The most bytes of lines that are received and not stored yet, which are lost if this process is killed; while as many wait,
    /// nothing is received (without --to: 256KiB wait to be written)
    #[arg(long, value_name = "BYTES", default_value = size::PULL_MEMORY, value_parser = size::memory)]
    pub max_memory: usize,
    /// Worker threads, auto for one a core, or MIN..MAX: more when receiving gets ahead
    #[arg(short = 'j', long, value_name = "N|auto|MIN..MAX", default_value = "auto", value_parser = size::worker_range)]
    pub jobs: Workers,
    /// Where lines go that cannot be stored; made at the first one
    #[arg(long, value_name = "FILE", default_value = DEAD_LETTERS)]
    pub dead_letters: PathBuf,
    /// How long to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Where a worker's lines come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromArg {
    /// A queue.
    Queue(Endpoint),
    /// `pull+…`: a peer that pushes.
    Pull(Endpoint),
}

impl FromArg {
    pub(super) fn endpoint(&self) -> &Endpoint {
        match self {
            FromArg::Queue(endpoint) | FromArg::Pull(endpoint) => endpoint,
        }
    }
}

/// Reads `--from`.
pub(super) fn from(text: &str) -> Result<FromArg, String> {
    match text.strip_prefix("pull+") {
        Some(text) => endpoint(text).map(FromArg::Pull),
        None => endpoint(text).map(FromArg::Queue),
    }
}

/// `--envelope`
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvelopeArg {
    /// They are not
    None,
    /// {"message":LINE,"type":TYPE,"@pid":PID}
    Json,
}

impl EnvelopeArg {
    pub(super) fn envelope(self) -> Envelope {
        match self {
            EnvelopeArg::None => Envelope::None,
            EnvelopeArg::Json => Envelope::Json,
        }
    }
}

impl PullArgs {
    /// The options of the job.
    ///
    /// # Errors
    /// An endpoint that strangers could reach, keys that are wrong.
    pub fn options(&self) -> Result<PullOptions> {
        let envelope = self.envelope.map_or(Envelope::None, EnvelopeArg::envelope);
        let socket = self.socket.options()?;
        Ok(PullOptions { socket, envelope, max_line: self.max_line, max_memory: self.max_memory })
    }

    /// The options of the workers; `None` when lines are only written.
    pub fn work_options(&self) -> Option<WorkOptions> {
        let parses = !self.parse.formats.is_empty() || !self.parse.patterns.is_empty() || self.envelope.is_some();
        if !parses && self.sinks.is_empty() {
            return None;
        }
        let sinks = if self.sinks.is_empty() { vec![SinkSpec::Stdout] } else { self.sinks.clone() };
        Some(self.parse.options(&sinks, self.jobs, self.dead_letters.clone(), self.wait.sink_deadline))
    }
}
