//! The arguments of `logator replay`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::parse::ParseArgs;
use super::report::ReportArgs;
use super::store::StoreArgs;
use super::wait::WaitArgs;
use crate::app::replay::ReplayOptions;
use crate::app::{DEAD_LETTERS_AGAIN, WorkOptions};
use crate::core::quantity;
use crate::dead_letter::Reason;
use crate::process::job_files::JobFiles;

/// `logator replay`
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// Files of dead letters, directories, globs, or - for standard input
    ///
    /// Files with gzip, zstd, bzip2 or xz are decompressed.
    #[arg(value_name = "DEAD_LETTERS", id = "input", required = true)]
    pub inputs: Vec<String>,
    /// The formats and patterns.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// The sinks and the worker threads.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Replay only letters with this reason (repeatable)
    ///
    /// By default, letters with any reason except poison and undecodable are replayed. The other letters go to the --dead-letters file.
    #[arg(long = "reason", value_name = "REASON", id = "reason")]
    pub reasons: Vec<ReasonArg>,
    /// Longest line of a letter, in bytes
    ///
    /// Give the --max-line of the run that wrote the letters.
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = quantity::bytes)]
    pub max_line: usize,
    /// File for letters that fail again or are not replayed
    ///
    /// This file cannot be one of the inputs. The first such letter creates the file.
    #[arg(long, value_name = "FILE", default_value = DEAD_LETTERS_AGAIN)]
    pub dead_letters: PathBuf,
    /// The deadline.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// The messages and the receipt.
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
    /// The match took too many steps
    Limit,
    /// No pattern matched
    Unmatched,
    /// The document was too large for the store
    Oversize,
    /// Workers were lost on the line
    Poison,
    /// The record was not in the form that the input names
    Undecodable,
}

impl ReasonArg {
    /// Returns the reason as it stands in a dead letter.
    fn reason(self) -> Reason {
        match self {
            ReasonArg::Rejected => Reason::Rejected,
            ReasonArg::TooLong => Reason::TooLong,
            ReasonArg::Limit => Reason::Limit,
            ReasonArg::Unmatched => Reason::Unmatched,
            ReasonArg::Oversize => Reason::Oversize,
            ReasonArg::Poison => Reason::Poison,
            ReasonArg::Undecodable => Reason::Undecodable,
        }
    }
}

impl ReplayArgs {
    /// Returns the options of the workers.
    pub fn work_options(&self) -> WorkOptions {
        let StoreArgs { sinks, jobs, in_flight } = &self.store;
        let options = self.parse.options(sinks, *jobs, self.dead_letters.clone(), self.wait.sink_deadline);
        WorkOptions { in_flight: in_flight.in_flight, ..options }
    }

    /// Returns the options of the replay. `files` are the files of the job.
    pub fn replay_options(&self, files: Arc<JobFiles>) -> ReplayOptions {
        let reasons = self.reasons.iter().map(|reason| reason.reason()).collect();
        ReplayOptions { inputs: self.inputs.clone(), reasons, max_line: self.max_line, files }
    }
}
