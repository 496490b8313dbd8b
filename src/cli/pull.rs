//! The arguments of `logator-pull`.

use clap::Parser;

use super::parse::ParseArgs;
use super::report::ReportArgs;
use super::socket::SocketArgs;
use super::store::DeadLetterArgs;
use super::values::EnvelopeArg;
use super::wait::WaitArgs;
use super::{size, values};
use crate::app::pull::PullOptions;
use crate::app::{WorkOptions, Workers};
use crate::core::error::Result;
use crate::core::quantity;
use crate::sink::SinkSpec;

/// `logator-pull`
#[derive(Parser, Debug)]
#[command(name = "logator-pull", version, about = "Receives lines over a ZeroMQ PULL socket and writes or stores them")]
pub struct PullArgs {
    /// The endpoints and keys.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The formats and patterns.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// Sink for the documents (repeatable; each document goes to each sink)
    #[arg(long = "to", value_name = "SINK", value_parser = values::sink)]
    pub sinks: Vec<SinkSpec>,
    /// Wrapping of the lines
    ///
    /// logator-push and zmqpush send json. The type and @pid become fields of the document.
    #[arg(long, value_name = "auto|none|json")]
    pub envelope: Option<EnvelopeArg>,
    /// Longest line that is stored; longer lines become dead letters
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = quantity::message)]
    pub max_line: usize,
    /// Maximum number of bytes of lines that are received and not yet stored
    ///
    /// At this limit the program receives nothing more. These lines are lost if the process is killed. Without --to, up to
    /// 256KiB wait to be written.
    #[arg(long, value_name = "BYTES", default_value = size::PULL_MEMORY, value_parser = quantity::memory)]
    pub max_memory: usize,
    /// Number of worker threads
    ///
    /// auto starts one thread a core. MIN..MAX starts MIN threads, and up to MAX when receiving is faster than storing.
    #[arg(short = 'j', long, value_name = "N|auto|MIN..MAX", default_value = "auto", value_parser = size::worker_range)]
    pub jobs: Workers,
    /// The dead letters.
    #[command(flatten)]
    pub dead_letters: DeadLetterArgs,
    /// The deadline.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// The messages and the receipt.
    #[command(flatten)]
    pub report: ReportArgs,
}

impl PullArgs {
    /// Returns the options of the job.
    ///
    /// # Errors
    /// An endpoint that other machines can reach without keys, or a wrong key.
    pub fn options(&self) -> Result<PullOptions> {
        let envelope = self.envelope.unwrap_or(EnvelopeArg::Auto).envelope();
        let socket = self.socket.options()?;
        Ok(PullOptions { socket, envelope, max_line: self.max_line, max_memory: self.max_memory })
    }

    /// Returns the options of the workers; `None` if lines are only written to standard output.
    pub fn work_options(&self) -> Option<WorkOptions> {
        let parses = !self.parse.formats.is_empty() || !self.parse.patterns.is_empty() || self.envelope.is_some();
        if !parses && self.sinks.is_empty() {
            return None;
        }
        let standard_output = || SinkSpec::parse("-").into_iter().collect();
        let sinks = if self.sinks.is_empty() { standard_output() } else { self.sinks.clone() };
        Some(self.parse.options(&sinks, self.jobs, self.dead_letters.dead_letters.clone(), self.wait.sink_deadline))
    }
}
