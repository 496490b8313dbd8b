//! The arguments of `logator-worker`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;

use super::keys::WorkerKeyArgs;
use super::options::{DataArgs, OptionSet};
use super::parse::ParseArgs;
use super::report::ReportArgs;
use super::scale::{InFlightArgs, ScaleArgs};
use super::source::describing;
use super::store::DeadLetterArgs;
use super::values::FromArg;
use super::wait::WaitArgs;
use super::{size, values};
use crate::app::{SOURCES, SourceOptions, WorkOptions, Workers};
use crate::core::error::{Error, Result};
use crate::core::option_spec::OptionSpec;
use crate::core::quantity;
use crate::net::address::Address;
use crate::net::endpoint;
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::process::job_files::JobFiles;
use crate::sink::SinkSpec;
use crate::source::kind::Place;
use crate::source::{ReadOptions, describing};

/// The sentence of the help of `--from`.
const FROM: &str = "Queue to ask for lines (repeatable): ipc://PATH or tcp://HOST:PORT";

/// `logator-worker`
#[derive(Parser, Debug)]
#[command(name = "logator-worker", version, about = "Asks queues for lines, parses the lines and stores the documents")]
pub struct WorkerArgs {
    /// Queues and sources.
    #[arg(long, value_name = "ENDPOINT", value_parser = values::from, default_value = endpoint::DEFAULT, help = FROM,
          long_help = format!("{FROM}\n\n{}", SOURCES.help(Place::From).1))]
    pub from: Vec<FromArg>,
    /// The options of the sources.
    #[command(flatten)]
    pub sources: DataArgs<FromOptions>,
    /// Maximum number of bytes of lines from pull+ endpoints that are received and not yet stored
    ///
    /// At this limit the worker receives nothing more. These lines are lost if the process is killed. The limit does not
    /// apply to lines from a queue; the queue has its own --max-memory.
    #[arg(long, value_name = "BYTES", default_value = size::PULL_MEMORY, value_parser = quantity::memory)]
    pub max_memory: usize,
    /// The keys.
    #[command(flatten)]
    pub keys: WorkerKeyArgs,
    /// Allow tcp:// endpoints on other machines without keys; such connections are not encrypted
    #[arg(long)]
    pub insecure: bool,
    /// The formats and patterns.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// Sink for the documents (repeatable; each document goes to each sink)
    #[arg(long = "to", value_name = "SINK", value_parser = values::sink, default_value = "mongodb://localhost/logator.logs")]
    pub sinks: Vec<SinkSpec>,
    /// Number of worker threads
    ///
    /// auto starts one thread a core. With MIN..MAX the number follows the load: it grows while lines wait in the queue and
    /// more threads raise the throughput, and shrinks when threads wait.
    #[arg(short = 'j', long, value_name = "N|auto|MIN..MAX", default_value = "auto", value_parser = size::worker_range)]
    pub jobs: Workers,
    /// The number of batches in flight.
    #[command(flatten)]
    pub in_flight: InFlightArgs,
    /// Scaling, and the lines on the state of the job.
    #[command(flatten)]
    pub scale: ScaleArgs,
    /// The dead letters.
    #[command(flatten)]
    pub dead_letters: DeadLetterArgs,
    /// The deadline.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// The messages and the receipt.
    #[command(flatten)]
    pub report: ReportArgs,
    /// The private folder of the queue that started this worker. Standard input is then a pipe, and the queue holds its other
    /// end
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub spawned_by: Option<PathBuf>,
}

/// The job of a worker.
#[derive(Debug)]
pub enum WorkerJob {
    /// The worker asks the queues at these addresses.
    Ask(Vec<Address>),
    /// The worker receives lines from these sources, and keeps this number of bytes of them at most.
    Receive(Box<SourceOptions>, usize),
}

/// The options of the sources of `--from`.
#[derive(Debug, Clone)]
pub struct FromOptions;

impl OptionSet for FromOptions {
    fn specs() -> Vec<OptionSpec> {
        SOURCES.options(Place::From).into_iter().chain(describing::OPTIONS).collect()
    }
}

/// Whether a command line contains the option `--receipt`.
pub(super) fn names_receipt<'a>(arguments: impl IntoIterator<Item = &'a OsString>) -> bool {
    arguments.into_iter().any(|argument| argument.to_string_lossy().starts_with("--receipt"))
}

impl WorkerArgs {
    /// Returns the file of the receipt. A worker that a queue started writes a receipt only if its own command line says so,
    /// because environment and file may mean the receipt of the queue.
    pub fn receipt(&self) -> Option<&Path> {
        let named = || names_receipt(&std::env::args_os().collect::<Vec<_>>());
        self.report.receipt.as_deref().filter(|_| self.spawned_by.is_none() || named())
    }

    /// Returns the console of the program.
    pub fn begin(&self) -> Console {
        self.report.begin_with("logator-worker", self.receipt(), Receipt::of_nothing)
    }

    /// Returns the job and the options of the workers. `files` are the files of the job.
    ///
    /// # Errors
    /// An endpoint on another machine without keys, a wrong key, or options that contradict each other.
    pub fn options(&self, files: Arc<JobFiles>) -> Result<(WorkerJob, WorkOptions)> {
        let (mut queues, mut names) = (Vec::new(), Vec::new());
        for from in &self.from {
            match from {
                FromArg::Queue(endpoint) => queues.push(endpoint.clone()),
                FromArg::Source(name) => names.push(name.clone()),
            }
        }
        let mut values = self.sources.values.clone();
        let wraps = values.text("envelope") == Some("json");
        let job = match (&queues[..], &names[..]) {
            (_, []) if wraps => {
                return Err(Error::usage(
                    "--envelope: that is for pull+ endpoints; a queue says how its lines are wrapped",
                ));
            }
            (_, []) => {
                let may_reach_out = self.insecure || self.keys.is_given();
                queues.iter().try_for_each(|endpoint| endpoint.check_reach(may_reach_out))?;
                WorkerJob::Ask(self.keys.addresses(&queues)?)
            }
            ([_, ..], _) => {
                return Err(Error::usage(
                    "--from: queues do not go together with pull+ endpoints or topics of Kafka, which this worker reads itself; \
                     start a worker for each",
                ));
            }
            ([], _) => {
                values.insert("insecure", [self.insecure.to_string().into()]);
                values.insert("curve-key", self.keys.curve_key.clone().map(PathBuf::into_os_string));
                values.insert("queue-key", self.keys.queue_key.iter().map(OsString::from));
                let read = ReadOptions { describing: describing(&values, &names)?, ..ReadOptions::default() };
                let from = SourceOptions { inputs: names, values, read, files, ..SourceOptions::default() };
                WorkerJob::Receive(Box::new(from), self.max_memory)
            }
        };
        let (letters, deadline) = (self.dead_letters.dead_letters.clone(), self.wait.sink_deadline);
        let options = WorkOptions {
            scaling: self.scale.settings(),
            in_flight: self.in_flight.in_flight,
            status_interval: self.scale.status_interval,
            ..self.parse.options(&self.sinks, self.jobs, letters, deadline)
        };
        Ok((job, options))
    }
}
