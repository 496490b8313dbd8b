//! The arguments, as clap reads them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::keys::{KeygenArgs, QueueKeyArgs, WorkerKeyArgs};
use super::parse::{LibraryArgs, ParseArgs};
use super::pull::{EnvelopeArg, FromArg, from};
use super::report::ReportArgs;
use super::size;
use super::source::SourceArgs;
use super::wait::WaitArgs;
use crate::app::bench::BenchOptions;
use crate::app::pull::PullOptions;
use crate::app::replay::ReplayOptions;
use crate::app::serve::ServeOptions;
use crate::app::spawn::SpawnOptions;
use crate::app::{DEAD_LETTERS, DEAD_LETTERS_AGAIN, WorkOptions, Workers};
use crate::core::error::{Error, Result};
use crate::dead_letter::Reason;
use crate::net::address::Address;
use crate::net::endpoint::{self, Endpoint};
use crate::net::socket::SocketOptions;
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::sink::spec::SinkSpec;
use crate::source::receiver::BatchSize;

const EXIT_CODES: &str = "Exit codes: 0 every line accounted for, none dead-lettered; 1 finished, some lines \
dead-lettered; 2 usage or configuration; 3 could not finish, what is not acknowledged can be done again \
(quietly when the reader of standard output leaves, as head does).
Every flag can also be given as LOGATOR_NAME in the environment, or in the --config file.";

/// How the pattern of `logator grok` is known inside. It is an argument and no flag, so that a file that gives patterns
/// to `run` does not give it one.
pub const GROK_PATTERN: &str = "grok-pattern";

/// `logator COMMAND`
#[derive(Parser, Debug)]
#[command(name = "logator", version, about = "Turns logs into documents on every core, and proves that it lost none")]
#[command(after_help = EXIT_CODES)]
pub struct LogatorArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: Commands,
}

/// The commands of `logator`.
#[derive(Subcommand, Debug)]
pub enum Commands {
    /// Read, parse and store logs: queue and workers in one process
    Run(RunArgs),
    /// Measure lines a second for each number of workers
    Bench(BenchArgs),
    /// Try a pattern: what it captures from each line, as JSON
    Grok(GrokArgs),
    /// Make a pair of keys, with which queues and workers know each other and encrypt
    Keygen(KeygenArgs),
    /// Send dead letters through again, under the ids of their lines
    Replay(ReplayArgs),
}

/// `logator run`
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct RunArgs {
    /// What to read.
    #[command(flatten)]
    pub source: SourceArgs,
    /// How to parse.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// Sink (repeatable): ndjson:FILE[.gz|.zst], - (standard output), sqlite:FILE,
    /// mongodb://HOST/DB.COLLECTION, null:
    #[arg(long = "to", value_name = "SINK", value_parser = sink, default_value = "-")]
    pub sinks: Vec<SinkSpec>,
    /// Worker threads, auto for one a core, or MIN..MAX: more when reading gets ahead
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

/// `logator-queue`
#[derive(Parser, Debug)]
#[command(name = "logator-queue", version, about = "Reads logs and hands their lines to workers over ZeroMQ")]
#[command(after_help = EXIT_CODES)]
pub struct QueueArgs {
    /// What to read.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Where workers ask (repeatable): ipc://PATH or tcp://HOST:PORT [default: ipc:///tmp/logator; with --spawn it is done
    /// without when another queue has it]
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub bind: Vec<Endpoint>,
    /// Who may come in.
    #[command(flatten)]
    pub keys: QueueKeyArgs,
    /// Allow tcp:// beyond this machine without keys: unencrypted, and open to all who reach it
    #[arg(long)]
    pub insecure: bool,
    /// Start local workers, as many as cores unless told; what follows -- are their arguments
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "auto",
          value_parser = size::workers)]
    pub spawn: Option<Workers>,
    /// How long a worker may keep a batch without a sign of life
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = size::lease)]
    pub lease: Duration,
    /// How long to stay after the last line for workers that come late
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = size::seconds)]
    pub linger: Duration,
    /// How long workers may finish after SIGTERM or SIGINT
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = size::seconds)]
    pub drain: Duration,
    /// Where lines go that are too long or that workers are lost on; made at the first one
    #[arg(long, value_name = "FILE", default_value = DEAD_LETTERS)]
    pub dead_letters: PathBuf,
    /// How long to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
    /// Arguments of the workers that --spawn starts: -- -f combined --to mongodb://…
    #[arg(last = true, value_name = "WORKER_ARGUMENT", hide = true)]
    pub worker_arguments: Vec<OsString>,
}

/// `logator-worker`
#[derive(Parser, Debug)]
#[command(name = "logator-worker", version, about = "Asks queues for lines, parses them and stores the documents")]
#[command(after_help = EXIT_CODES)]
pub struct WorkerArgs {
    /// Queue to ask (repeatable): ipc://PATH or tcp://HOST:PORT; or peer that pushes lines, as logator-push does:
    /// pull+ipc://PATH or pull+tcp://HOST:PORT
    #[arg(long, value_name = "ENDPOINT", value_parser = from, default_value = endpoint::DEFAULT)]
    pub from: Vec<FromArg>,
    /// How lines of pull+ endpoints are wrapped: json, as logator-push and zmqpush do it, keeps type and @pid as fields
    #[arg(long, value_name = "none|json", default_value = "none")]
    pub envelope: EnvelopeArg,
    /// pull+ endpoints: the most bytes of lines that are received and not stored yet, which are lost if this process is killed; while
    /// as many wait, nothing is received. A queue bounds what its workers hold by its own --max-memory
    #[arg(long, value_name = "BYTES", default_value = size::PULL_MEMORY, value_parser = size::memory)]
    pub max_memory: usize,
    /// Whom to trust.
    #[command(flatten)]
    pub keys: WorkerKeyArgs,
    /// Allow tcp:// beyond this machine without keys, unencrypted
    #[arg(long)]
    pub insecure: bool,
    /// How to parse.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// Sink (repeatable): mongodb://HOST/DB.COLLECTION, sqlite:FILE, ndjson:FILE[.gz|.zst], - (standard output), null:
    #[arg(long = "to", value_name = "SINK", value_parser = sink, default_value = "mongodb://localhost/logator.logs")]
    pub sinks: Vec<SinkSpec>,
    /// Worker threads, or auto for one a core
    #[arg(short = 'j', long, value_name = "N|auto", default_value = "auto", value_parser = size::workers)]
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
    /// The folder of the queue that has started this worker. Standard input is a pipe then, whose other end that queue
    /// holds
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub spawned_by: Option<PathBuf>,
}

/// What a worker does.
#[derive(Debug)]
pub enum WorkerJob {
    /// It asks queues.
    Ask(Vec<Address>),
    /// It takes what is pushed.
    Pull(PullOptions),
}

/// `logator bench`
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// Files to read, again in each run
    #[arg(value_name = "INPUT", id = "input", required = true)]
    pub inputs: Vec<String>,
    /// How to parse.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// Sink; every run stores under ids of its own
    #[arg(long = "to", value_name = "SINK", value_parser = sink, default_value = "null:")]
    pub sinks: Vec<SinkSpec>,
    /// Numbers of workers to compare, as 1,2,4 (default: 1 and one a core)
    #[arg(short = 'j', long, value_name = "N,…", value_delimiter = ',', value_parser = size::workers)]
    pub jobs: Vec<Workers>,
    /// Counted runs for each number of workers, after one that is not counted
    #[arg(long, value_name = "N", default_value = "5", value_parser = size::count)]
    pub runs: usize,
    /// Take flags from this TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `logator grok`
#[derive(Args, Debug)]
#[command(after_help = "A line that does not match is {\"tags\":[\"_grokparsefailure\"]}, one that was given up \
{\"tags\":[\"_groktimeout\"]}.
With --explain the former also has \"explain\": the beginning of the pattern that matches, the byte of the line at which
that ends, and the part that does not match there.
Exit codes: 0 all lines were read; 2 usage, or a pattern that is wrong; 3 an input could not be read to its end.")]
pub struct GrokArgs {
    /// Grok pattern, as '%{IP:client} %{GREEDYDATA:rest}'
    #[arg(value_name = "PATTERN", id = GROK_PATTERN)]
    pub pattern: String,
    /// Files, directories, globs, or - for standard input (the default); gzip, zstd, bzip2 and xz are recognised
    #[arg(value_name = "FILE", id = "input")]
    pub inputs: Vec<String>,
    /// Say how far the pattern got with a line that does not match
    #[arg(long)]
    pub explain: bool,
    /// Which patterns there are.
    #[command(flatten)]
    pub library: LibraryArgs,
    /// Take flags from this TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `logator replay`
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct ReplayArgs {
    /// Files of dead letters, directories, globs, or - for standard input; gzip, zstd, bzip2 and xz are recognised
    #[arg(value_name = "DEAD_LETTERS", id = "input", required = true)]
    pub inputs: Vec<String>,
    /// How to parse.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// Sink (repeatable): ndjson:FILE[.gz|.zst], - (standard output), sqlite:FILE,
    /// mongodb://HOST/DB.COLLECTION, null:
    #[arg(long = "to", value_name = "SINK", value_parser = sink, default_value = "-")]
    pub sinks: Vec<SinkSpec>,
    /// Send only letters of this reason (repeatable; default: all but poison); the others are kept
    #[arg(long = "reason", value_name = "REASON", id = "reason")]
    pub reasons: Vec<ReasonArg>,
    /// Worker threads, auto for one a core, or MIN..MAX: more when reading gets ahead
    #[arg(short = 'j', long, value_name = "N|auto|MIN..MAX", default_value = "auto", value_parser = size::worker_range)]
    pub jobs: Workers,
    /// Longest line in bytes that a letter may hold: what the run had that wrote the letters
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = size::bytes)]
    pub max_line: usize,
    /// Where letters go that fail again or are not sent; not the file that is read
    #[arg(long, value_name = "FILE", default_value = DEAD_LETTERS_AGAIN)]
    pub dead_letters: PathBuf,
    /// How long to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `--reason`
#[derive(ValueEnum, Debug, Clone, Copy)]
pub enum ReasonArg {
    /// A store refused the document
    Rejected,
    /// The line was longer than --max-line
    TooLong,
    /// Matching took too many steps
    Limit,
    /// No pattern matched
    Unmatched,
    /// The document was larger than the store takes
    Oversize,
    /// Workers were lost on the line
    Poison,
}

pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(|error| error.to_string())
}

pub(super) fn sink(text: &str) -> Result<SinkSpec, String> {
    SinkSpec::parse(text).map_err(|error| error.to_string())
}

impl RunArgs {
    /// The options of the workers.
    pub fn work_options(&self) -> WorkOptions {
        self.parse.options(&self.sinks, self.jobs, self.dead_letters.clone(), self.wait.sink_deadline)
    }
}

impl ReplayArgs {
    /// The options of the workers.
    pub fn work_options(&self) -> WorkOptions {
        self.parse.options(&self.sinks, self.jobs, self.dead_letters.clone(), self.wait.sink_deadline)
    }

    /// What is replayed.
    ///
    /// # Errors
    /// Files of the job that cannot be.
    pub fn replay_options(&self) -> Result<ReplayOptions> {
        let reason = |reason: &ReasonArg| match reason {
            ReasonArg::Rejected => Reason::Rejected,
            ReasonArg::TooLong => Reason::TooLong,
            ReasonArg::Limit => Reason::Limit,
            ReasonArg::Unmatched => Reason::Unmatched,
            ReasonArg::Oversize => Reason::Oversize,
            ReasonArg::Poison => Reason::Poison,
        };
        let reasons = self.reasons.iter().map(reason).collect();
        Ok(ReplayOptions { inputs: self.inputs.clone(), reasons, max_line: self.max_line, files: self.files()? })
    }
}

impl QueueArgs {
    /// The arguments of the workers that it starts. They have a table of their own in the same file; what follows -- is
    /// stronger.
    pub(super) fn spawn_arguments(&self) -> Vec<OsString> {
        let own = |argument: &OsString| argument.to_string_lossy().starts_with("--config");
        let file = self.report.config.iter().filter(|_| !self.worker_arguments.iter().any(own));
        let file = file.flat_map(|file| ["--config".into(), file.clone().into_os_string()]);
        file.chain(self.worker_arguments.iter().cloned()).collect()
    }

    /// The options of the queue.
    ///
    /// # Errors
    /// An endpoint that strangers could reach.
    pub fn options(&self) -> Result<ServeOptions> {
        let may_reach_out = self.insecure || self.keys.is_given();
        self.bind.iter().try_for_each(|endpoint| endpoint.check_reach(may_reach_out))?;
        if self.spawn.is_none() && !self.worker_arguments.is_empty() {
            return Err(Error::usage("what follows -- is for the workers of --spawn, which is missing"));
        }
        let spawn = self.spawn.map(|workers| SpawnOptions {
            workers: workers.most,
            arguments: self.spawn_arguments(),
            curve_key: self.keys.curve_key.clone(),
        });
        // Workers of its own ask elsewhere: nobody needs the usual place, which another queue may have.
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
        })
    }
}

/// Whether a command line names a receipt.
pub(super) fn says_receipt<'a>(arguments: impl IntoIterator<Item = &'a OsString>) -> bool {
    arguments.into_iter().any(|argument| argument.to_string_lossy().starts_with("--receipt"))
}

impl WorkerArgs {
    /// Where the receipt goes. That of a worker which a queue has started goes nowhere unless its own command line says
    /// so: environment and file may mean the receipt of the queue.
    pub fn receipt(&self) -> Option<&Path> {
        let said = || says_receipt(&std::env::args_os().collect::<Vec<_>>());
        self.report.receipt.as_deref().filter(|_| self.spawned_by.is_none() || said())
    }

    /// The console, as the other programs make theirs.
    pub fn begin(&self) -> Console {
        self.report.begin_with("logator-worker", self.receipt(), Receipt::of_nothing)
    }

    /// The options of the workers.
    ///
    /// # Errors
    /// An endpoint that strangers could have, keys that are wrong.
    pub fn options(&self) -> Result<(WorkerJob, WorkOptions)> {
        let may_reach_out = self.insecure || self.keys.is_given();
        let endpoints: Vec<Endpoint> = self.from.iter().map(|from| from.endpoint().clone()).collect();
        endpoints.iter().try_for_each(|endpoint| endpoint.check_reach(may_reach_out))?;
        let pulled = self.from.iter().filter(|from| matches!(from, FromArg::Pull(_))).count();
        let envelope = self.envelope.envelope();
        let addresses = self.keys.addresses(&endpoints)?;
        let job = match pulled {
            0 if !envelope.is_none() => {
                return Err(Error::usage(
                    "--envelope: that is for pull+ endpoints; a queue says how its lines are wrapped",
                ));
            }
            0 => WorkerJob::Ask(addresses),
            _ if pulled < endpoints.len() => {
                return Err(Error::usage(
                    "--from: queues and pull+ endpoints do not go together: queues have an end, and what is pushed has \
                     none; start a worker for each",
                ));
            }
            _ => {
                let socket = SocketOptions { connect: addresses, ..SocketOptions::default() };
                let max_line = BatchSize::default().max_line;
                WorkerJob::Pull(PullOptions { socket, envelope, max_line, max_memory: self.max_memory })
            }
        };
        Ok((job, self.parse.options(&self.sinks, self.jobs, self.dead_letters.clone(), self.wait.sink_deadline)))
    }
}

impl BenchArgs {
    /// The options of the measurement.
    pub fn options(&self) -> BenchOptions {
        let all = Workers::one_a_core().most;
        let mut workers: Vec<usize> = self.jobs.iter().map(|jobs| jobs.most).collect();
        if workers.is_empty() {
            workers = if all > 1 { vec![1, all] } else { vec![1] };
        }
        let mut arguments = self.inputs.clone();
        for (flag, values) in [("--format", &self.parse.formats), ("--pattern", &self.parse.patterns)] {
            arguments.extend(values.iter().map(|value| format!("{flag}={value}")));
        }
        let unmatched = self.parse.unmatched.to_possible_value().map(|value| value.get_name().to_owned());
        arguments.extend(unmatched.map(|value| format!("--unmatched={value}")));
        let mut arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
        arguments.extend(self.parse.library.arguments());
        BenchOptions { arguments, sinks: self.sinks.clone(), workers, runs: self.runs }
    }
}
