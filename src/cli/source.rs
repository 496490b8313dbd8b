//! The flags of what is read, and how.

use std::path::PathBuf;

use clap::Args;

use super::size;
use crate::jobs::SourceOptions;
use crate::source::ReadOptions;
use crate::source::origin::OriginRule;
use crate::source::reader::BatchSize;

/// What to read.
#[derive(Args, Debug)]
pub struct SourceArgs {
    /// Files, directories, globs, or - for standard input (the default); gzip, zstd, bzip2 and xz are recognised
    #[arg(value_name = "INPUT", id = "input")]
    pub inputs: Vec<String>,
    /// The most lines in a batch
    #[arg(long, value_name = "N", default_value = "2000", value_parser = size::count)]
    pub batch_lines: usize,
    /// The most bytes in a batch
    #[arg(long, value_name = "BYTES", default_value = "256KiB", value_parser = size::bytes)]
    pub batch_bytes: usize,
    /// The longest line; longer ones are dead letters
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = size::bytes)]
    pub max_line: usize,
    /// The most bytes of lines that wait and are in work (a queue: 24MiB unless said); what is being read, connections
    /// and documents come on top
    #[arg(long, value_name = "BYTES", value_parser = size::memory)]
    pub max_memory: Option<usize>,
    /// What names an input in its documents' ids: fingerprint (how its content begins), path, or a name of yours
    #[arg(long, value_name = "fingerprint|path|NAME", default_value = "fingerprint")]
    pub origin: String,
    /// Remember in this directory what is done: another run delivers only the rest
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

impl SourceArgs {
    /// The options of a source.
    pub fn options(&self) -> SourceOptions {
        let size = BatchSize { lines: self.batch_lines, bytes: self.batch_bytes, max_line: self.max_line };
        SourceOptions {
            inputs: self.inputs.clone(),
            read: ReadOptions { size, origin: OriginRule::parse(&self.origin), memory: None, live: None },
            state: self.state.clone(),
            max_memory: self.max_memory,
        }
    }
}
