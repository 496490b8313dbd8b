//! The options of parsing: formats, patterns and definitions.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::dates::DateArgs;
use super::options::{DataArgs, OptionSet};
use crate::app::{LibraryOptions, RuleSpec, WorkOptions, Workers};
use crate::core::option_spec::OptionSpec;
use crate::core::wait::Deadline;
use crate::event::MessageRule;
use crate::sink::{SinkSpec, registry};
use crate::worker::parser::Unmatched;

/// The options of all kinds of sinks.
#[derive(Debug, Clone)]
pub struct SinkOptions;

impl OptionSet for SinkOptions {
    fn specs() -> Vec<OptionSpec> {
        registry::options()
    }
}

/// The formats and patterns of a job, and the options of its sinks.
#[derive(Args, Debug)]
pub struct ParseArgs {
    /// Name of a format, such as combined (repeatable, tried in order) [default: auto]
    ///
    /// auto detects the format from the lines.
    #[arg(short = 'f', long = "format", value_name = "FORMAT", id = "format")]
    pub formats: Vec<String>,
    /// Grok pattern, such as '%{IP:client} %{GREEDYDATA:rest}' (repeatable)
    ///
    /// Patterns are tried in order, after the formats.
    #[arg(short = 'p', long = "pattern", value_name = "PATTERN", id = "pattern")]
    pub patterns: Vec<String>,
    /// The definitions.
    #[command(flatten)]
    pub library: LibraryArgs,
    /// What the user says about dates.
    #[command(flatten)]
    pub dates: DateArgs,
    /// What to do with a line that no format or pattern matches
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    pub unmatched: UnmatchedArg,
    /// Keep the sequences that control a terminal, such as colours
    ///
    /// Without it, patterns and fields do not see them.
    #[arg(long)]
    pub keep_ansi: bool,
    /// The text of the record.
    #[command(flatten)]
    pub message: MessageArgs,
    /// The options of the sinks.
    #[command(flatten)]
    pub sink_options: DataArgs<SinkOptions>,
}

/// The definitions that patterns may use.
#[derive(Args, Debug)]
pub struct LibraryArgs {
    /// Use the field names of the Elastic Common Schema, as Logstash does with ecs_compatibility => v1
    #[arg(long)]
    pub ecs: bool,
    /// Directory of pattern files, such as those of Logstash (repeatable)
    #[arg(long, value_name = "DIR", id = "patterns-dir")]
    pub patterns_dir: Vec<PathBuf>,
    /// Add a definition, which overrides those of files (repeatable)
    #[arg(long, value_name = "NAME=REGEX", id = "pattern-definition")]
    pub pattern_definition: Vec<String>,
}

/// When documents have the text of their records.
#[derive(Args, Debug)]
pub struct MessageArgs {
    /// When a document has the whole record in the field message, beside its other fields
    ///
    /// If the record has a field of that name, it is event.original.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub message: MessageArg,
}

/// `--message`
#[derive(ValueEnum, Debug, Clone, Copy)]
pub enum MessageArg {
    /// If the match does not span the record, and if a part of it could not be read
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl MessageArgs {
    /// Returns the rule.
    pub fn rule(&self) -> MessageRule {
        match self.message {
            MessageArg::Auto => MessageRule::Auto,
            MessageArg::Always => MessageRule::Always,
            MessageArg::Never => MessageRule::Never,
        }
    }
}

/// `--unmatched`
#[derive(ValueEnum, Debug, Clone, Copy)]
pub enum UnmatchedArg {
    /// Store it as the field message, with the tag _grokparsefailure
    Keep,
    /// Write it to the --dead-letters file
    DeadLetter,
    /// Drop it and count it as filtered
    Drop,
}

impl ParseArgs {
    /// Returns the options of workers that store in `sinks`.
    pub fn options(
        &self,
        sinks: &[SinkSpec],
        workers: Workers,
        dead_letters: PathBuf,
        deadline: Deadline,
    ) -> WorkOptions {
        let formats = self.formats.iter().filter(|name| *name != "auto").cloned().map(RuleSpec::Format);
        let patterns = self.patterns.iter().cloned().map(RuleSpec::Pattern);
        WorkOptions {
            rules: formats.chain(patterns).collect(),
            library: self.library.options(),
            dates: self.dates.options(),
            unmatched: match self.unmatched {
                UnmatchedArg::Keep => Unmatched::Keep,
                UnmatchedArg::DeadLetter => Unmatched::DeadLetter,
                UnmatchedArg::Drop => Unmatched::Drop,
            },
            keep_ansi: self.keep_ansi,
            message: self.message.rule(),
            sinks: sinks.to_vec(),
            sink_options: self.sink_options.values.clone(),
            dead_letters,
            workers,
            deadline,
            ..WorkOptions::default()
        }
    }
}

impl LibraryArgs {
    /// Returns the options of a library of definitions.
    pub fn options(&self) -> LibraryOptions {
        let LibraryArgs { ecs, patterns_dir, pattern_definition } = self;
        LibraryOptions { ecs: *ecs, directories: patterns_dir.clone(), definitions: pattern_definition.clone() }
    }

    /// Returns the command-line arguments with the same meaning.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = self.ecs.then(|| "--ecs".into()).into_iter().collect();
        for directory in &self.patterns_dir {
            arguments.extend([OsString::from("--patterns-dir"), directory.clone().into()]);
        }
        arguments.extend(self.pattern_definition.iter().map(|text| format!("--pattern-definition={text}").into()));
        arguments
    }
}
