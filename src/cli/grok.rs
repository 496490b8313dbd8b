//! The arguments of `logator grok`.

use std::path::PathBuf;

use clap::Args;

use super::config::GROK_PATTERN;
use super::dates::DateArgs;
use super::options::{DataArgs, OptionSet};
use super::parse::{LibraryArgs, MessageArgs};
use super::source::{InputOptions, describing};
use crate::app::grok::GrokOptions;
use crate::core::error::Result;
use crate::core::option_spec::{OptionSpec, OptionValues};
use crate::source::{ReadOptions, describing};

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
    /// The text of the record.
    #[command(flatten)]
    pub message: MessageArgs,
    /// The fields of the source.
    #[command(flatten)]
    pub source: DataArgs<DescribingOptions>,
    /// The definitions that the pattern may use.
    #[command(flatten)]
    pub library: LibraryArgs,
    /// What the user says about dates.
    #[command(flatten)]
    pub dates: DateArgs,
    /// Take options from this TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The options that describe sources.
#[derive(Debug, Clone)]
pub struct DescribingOptions;

impl OptionSet for DescribingOptions {
    fn specs() -> Vec<OptionSpec> {
        describing::OPTIONS.to_vec()
    }
}

impl GrokArgs {
    /// Returns the options of the command.
    ///
    /// # Errors
    /// A usage error for a wrong value.
    pub fn options(&self) -> Result<GrokOptions> {
        let read = ReadOptions {
            describing: describing(&self.source.values, &self.inputs)?,
            ..ReadOptions::of(&OptionValues::defaults(&InputOptions::specs()))?
        };
        Ok(GrokOptions {
            pattern: self.pattern.clone(),
            library: self.library.options(),
            dates: self.dates.options(),
            read,
            message: self.message.rule(),
            explain: self.explain,
        })
    }
}
