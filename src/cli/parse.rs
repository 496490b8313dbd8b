//! The flags of how lines are parsed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::app::{LibraryOptions, RuleSpec, WorkOptions, Workers};
use crate::core::wait::Deadline;
use crate::sink::spec::SinkSpec;
use crate::worker::parser::Unmatched;

/// How to parse.
#[derive(Args, Debug)]
pub struct ParseArgs {
    /// Format by name (repeatable, tried in order), or auto: told from the lines (the default)
    #[arg(short = 'f', long = "format", value_name = "FORMAT", id = "format")]
    pub formats: Vec<String>,
    /// Grok pattern, as '%{IP:client} %{GREEDYDATA:rest}' (repeatable, tried after the formats)
    #[arg(short = 'p', long = "pattern", value_name = "PATTERN", id = "pattern")]
    pub patterns: Vec<String>,
    /// Which patterns there are.
    #[command(flatten)]
    pub library: LibraryArgs,
    /// What to do with a line that matches nothing
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    pub unmatched: UnmatchedArg,
}

/// Which patterns there are.
#[derive(Args, Debug)]
pub struct LibraryArgs {
    /// Field names of the Elastic Common Schema, as Logstash's ecs_compatibility => v1
    #[arg(long)]
    pub ecs: bool,
    /// Folder of pattern files, Logstash's for example (repeatable)
    #[arg(long, value_name = "DIR", id = "patterns-dir")]
    pub patterns_dir: Vec<PathBuf>,
    /// One definition more, stronger than those of files (repeatable)
    #[arg(long, value_name = "NAME=REGEX", id = "pattern-definition")]
    pub pattern_definition: Vec<String>,
}

/// `--unmatched`
#[derive(ValueEnum, Debug, Clone, Copy)]
pub enum UnmatchedArg {
    /// Store it as message, tagged _grokparsefailure
    Keep,
    /// Set it aside
    DeadLetter,
    /// Drop it and count it as filtered
    Drop,
}

impl ParseArgs {
    /// The options of workers that store in `sinks`.
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
            unmatched: match self.unmatched {
                UnmatchedArg::Keep => Unmatched::Keep,
                UnmatchedArg::DeadLetter => Unmatched::DeadLetter,
                UnmatchedArg::Drop => Unmatched::Drop,
            },
            sinks: sinks.to_vec(),
            dead_letters,
            workers,
            deadline,
        }
    }
}

impl LibraryArgs {
    /// The options of a library.
    pub fn options(&self) -> LibraryOptions {
        let LibraryArgs { ecs, patterns_dir, pattern_definition } = self;
        LibraryOptions { ecs: *ecs, directories: patterns_dir.clone(), definitions: pattern_definition.clone() }
    }

    /// The arguments that say the same.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = self.ecs.then(|| "--ecs".into()).into_iter().collect();
        for directory in &self.patterns_dir {
            arguments.extend([OsString::from("--patterns-dir"), directory.clone().into()]);
        }
        arguments.extend(self.pattern_definition.iter().map(|text| format!("--pattern-definition={text}").into()));
        arguments
    }
}
