//! The options of reading: inputs, and the options of their kinds.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::options::{DataArgs, OptionSet};
use crate::app::{SOURCES, SourceOptions};
use crate::core::error::Result;
use crate::core::option_spec::{OptionSpec, OptionValues};
use crate::core::quantity;
use crate::process::job_files::JobFiles;
use crate::source::describing::{self, Describing};
use crate::source::kind::Place;
use crate::source::{self, ReadOptions};

/// The inputs of a job, and how they are read.
#[derive(Args, Debug)]
pub struct SourceArgs {
    /// The names of inputs.
    #[arg(value_name = "INPUT", id = "input", help = list(Place::Input), long_help = description(Place::Input))]
    pub inputs: Vec<String>,
    /// The options of all kinds of sources.
    #[command(flatten)]
    pub options: DataArgs<InputOptions>,
    /// Maximum number of bytes of lines that wait or are in work [default of logator-queue: 24MiB]
    ///
    /// Read buffers, connections and documents need more memory.
    #[arg(long, value_name = "BYTES", value_parser = quantity::memory)]
    pub max_memory: Option<usize>,
    /// Directory that records the settled lines, so that another run delivers only the others
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// The options of INPUT.
#[derive(Debug, Clone)]
pub struct InputOptions;

impl OptionSet for InputOptions {
    fn specs() -> Vec<OptionSpec> {
        SOURCES.options(Place::Input).into_iter().chain(source::OPTIONS).chain(describing::OPTIONS).collect()
    }
}

/// Returns what documents tell of the sources with the names `inputs`.
///
/// # Errors
/// A usage error for a wrong value.
pub(super) fn describing(values: &OptionValues, inputs: &[String]) -> Result<Describing> {
    Describing::of(values, inputs, |name| std::env::var(name).ok())
}

/// Returns the sentence of the help that lists what may stand at `place`.
pub(super) fn list(place: Place) -> String {
    SOURCES.help(place).0
}

/// Returns all sentences of the help for `place`.
pub(super) fn description(place: Place) -> String {
    let (list, more) = SOURCES.help(place);
    format!("{list}\n\n{more}")
}

impl SourceArgs {
    /// Returns the options of the source. `files` are the files of the job.
    ///
    /// # Errors
    /// A usage error for a wrong value.
    pub fn options(&self, files: Arc<JobFiles>) -> Result<SourceOptions> {
        Ok(SourceOptions {
            inputs: self.inputs.clone(),
            values: self.options.values.clone(),
            read: ReadOptions {
                describing: describing(&self.options.values, &self.inputs)?,
                ..ReadOptions::of(&self.options.values)?
            },
            state: self.state.clone(),
            max_memory: self.max_memory,
            files,
        })
    }
}
