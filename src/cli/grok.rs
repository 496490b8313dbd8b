//! The arguments of `logator grok`.

use std::path::PathBuf;

use clap::Args;

use super::config::GROK_PATTERN;
use super::parse::LibraryArgs;

/// `logator grok`
#[derive(Args, Debug)]
pub struct GrokArgs {
    /// Grok pattern, such as '%{IP:client} %{GREEDYDATA:rest}'
    #[arg(value_name = "PATTERN", id = GROK_PATTERN, index = 1)]
    pub pattern: String,
    /// Files, directories, globs, or - for standard input (the default)
    ///
    /// Files with gzip, zstd, bzip2 or xz are decompressed.
    #[arg(value_name = "FILE", id = "input", index = 2)]
    pub inputs: Vec<String>,
    /// Show how far the pattern matches a line that does not match
    #[arg(long)]
    pub explain: bool,
    /// The definitions that the pattern may use.
    #[command(flatten)]
    pub library: LibraryArgs,
    /// Take options from this TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
