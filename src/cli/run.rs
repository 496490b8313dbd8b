//! The arguments of `logator run`.

use std::path::PathBuf;

use clap::Args;

use super::parse::ParseArgs;
use super::report::ReportArgs;
use super::source::SourceArgs;
use super::wait::WaitArgs;
use super::{size, values};
use crate::app::{DEAD_LETTERS, WorkOptions, Workers};
use crate::sink::spec::SinkSpec;

/// `logator run`
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The inputs.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The formats and patterns.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// Sink for the documents (repeatable; each document goes to each sink)
    ///
    /// ndjson:FILE[.gz|.zst], - (standard output), sqlite:FILE, mongodb://HOST/DB.COLLECTION, or null:
    #[arg(long = "to", value_name = "SINK", value_parser = values::sink, default_value = "-")]
    pub sinks: Vec<SinkSpec>,
    /// Number of worker threads
    ///
    /// auto starts one thread a core. MIN..MAX starts MIN threads, and up to MAX when reading is faster than storing.
    #[arg(short = 'j', long, value_name = "N|auto|MIN..MAX", default_value = "auto", value_parser = size::worker_range)]
    pub jobs: Workers,
    /// File for the lines that cannot be stored
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
}

impl RunArgs {
    /// Returns the options of the workers.
    pub fn work_options(&self) -> WorkOptions {
        self.parse.options(&self.sinks, self.jobs, self.dead_letters.clone(), self.wait.sink_deadline)
    }
}
