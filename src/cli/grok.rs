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
use crate::source::encodings::{self, EncodingRule};
use crate::source::multiline::{self, MULTILINE, Multiline};
use crate::source::record_rules::RecordRules;
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
    /// Keep the sequences that control a terminal, such as colours
    #[arg(long)]
    pub keep_ansi: bool,
    /// How the inputs are read.
    #[command(flatten)]
    pub source: DataArgs<ReadingOptions>,
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

/// The options of reading.
#[derive(Debug, Clone)]
pub struct ReadingOptions;

impl OptionSet for ReadingOptions {
    fn specs() -> Vec<OptionSpec> {
        [&[multiline::OPTION, encodings::OPTION][..], &describing::OPTIONS].concat()
    }
}

impl GrokArgs {
    /// Returns the options of the command.
    ///
    /// # Errors
    /// A usage error for a wrong value.
    pub fn options(&self) -> Result<GrokOptions> {
        let values = &self.source.values;
        let multiline = values.parsed(MULTILINE, Multiline::parse)?.unwrap_or_default();
        let read = ReadOptions {
            describing: describing(values, &self.inputs)?,
            records: RecordRules::of_logs(multiline.rule()?),
            encoding: values.parsed("encoding", EncodingRule::parse)?.unwrap_or_default(),
            ..ReadOptions::of(&OptionValues::defaults(&InputOptions::specs()))?
        };
        Ok(GrokOptions {
            pattern: self.pattern.clone(),
            library: self.library.options(),
            dates: self.dates.options(),
            read,
            message: self.message.rule(),
            keep_ansi: self.keep_ansi,
            explain: self.explain,
        })
    }
}
