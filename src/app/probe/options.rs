//! The options of `logator-probe`.

use std::path::PathBuf;

use crate::core::option_spec::OptionValues;
use crate::core::wait::Deadline;
use crate::probe::engine::EngineOptions;
use crate::probe::prober::Repeat;
use crate::sink::SinkSpec;

/// What is requested, how, and where the documents go.
#[derive(Debug, Clone)]
pub struct ProbeOptions {
    /// The file with the URLs.
    pub file: PathBuf,
    /// Whether a line that cannot be read is an error.
    pub strict: bool,
    /// How requests are made.
    pub engine: EngineOptions,
    /// The maximum number of occurrences that wait for a request.
    pub queue: usize,
    /// How often each URL is requested.
    pub repeat: Repeat,
    /// Whether a line is printed for each request.
    pub verbose: bool,
    /// The sinks. Each document goes to each sink.
    pub sinks: Vec<SinkSpec>,
    /// The options of the kinds of sinks.
    pub sink_options: OptionValues,
    /// The maximum number of bytes of documents that are not stored yet.
    pub max_memory: usize,
    /// The file for documents that a sink refuses.
    pub dead_letters: PathBuf,
    /// The longest wait for a sink that does not respond.
    pub deadline: Deadline,
}
