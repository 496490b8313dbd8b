//! The arguments of `logator bench`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::parse::ParseArgs;
use super::{size, values};
use crate::app::Workers;
use crate::app::bench::BenchOptions;
use crate::core::quantity;
use crate::sink::{SinkSpec, registry};

/// `logator bench`
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// Files that each run reads
    #[arg(value_name = "INPUT", id = "input", required = true)]
    pub inputs: Vec<String>,
    /// The formats and patterns.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// Sink for the documents (repeatable)
    ///
    /// The documents of different runs have different ids.
    #[arg(long = "to", value_name = "SINK", value_parser = values::sink, default_value = "null:")]
    pub sinks: Vec<SinkSpec>,
    /// Numbers of workers to compare, such as 1,2,4 (default: 1, and one a core)
    #[arg(short = 'j', long, value_name = "N,…", value_delimiter = ',', value_parser = size::workers)]
    pub jobs: Vec<Workers>,
    /// Counted runs for each number of workers
    ///
    /// One more run comes first and is not counted.
    #[arg(long, value_name = "N", default_value = "5", value_parser = quantity::count)]
    pub runs: usize,
    /// Take options from this TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl BenchArgs {
    /// Returns the options of the measurement.
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
        arguments.extend(self.parse.keep_ansi.then(|| "--keep-ansi".to_owned()));
        let message = self.parse.message.message.to_possible_value().map(|value| value.get_name().to_owned());
        arguments.extend(message.map(|value| format!("--message={value}")));
        let mut arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
        arguments.extend(self.parse.library.arguments());
        arguments.extend(self.parse.dates.arguments());
        arguments.extend(self.parse.sink_options.values.arguments(&registry::options()));
        BenchOptions { arguments, sinks: self.sinks.clone(), workers, runs: self.runs }
    }
}
