//! The arguments of `logator grok`.

use std::path::PathBuf;

use clap::Args;

use super::config::GROK_PATTERN;
use super::parse::LibraryArgs;
use crate::core::error::Result;
use crate::source::multiline::Multiline;
use crate::source::record_rules::RecordRules;

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
    /// Which lines form a record: auto, none, a rule, as for logator run
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = Multiline::parse)]
    pub multiline: Multiline,
    /// The definitions that the pattern may use.
    #[command(flatten)]
    pub library: LibraryArgs,
    /// Take options from this TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl GrokArgs {
    /// Returns how lines become records.
    ///
    /// # Errors
    /// A wrong pattern.
    pub fn records(&self) -> Result<RecordRules> {
        Ok(RecordRules::of_logs(self.multiline.rule()?))
    }
}
