//! The options of messages and of the receipt.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::outcome::{fail, nothing_was_read};
use super::receipt_file::{files_are_checked, write_json};
use crate::observe::console::{Console, Level, LogFormat};
use crate::observe::receipt::Receipt;
use crate::process::signals;

/// The messages and the receipt of a program.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Write the receipt as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// Format of the messages
    #[arg(long, value_name = "text|json", default_value = "text")]
    pub log_format: LogFormatArg,
    /// Lowest level of messages on standard error
    ///
    /// SIGHUP makes the program read this level again from the --config file.
    #[arg(long, value_name = "LEVEL", default_value = "info", overrides_with = "log_level")]
    pub log_level: LogLevelArg,
    /// Print only errors, whatever --log-level is
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Take options from this TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `--log-format`
#[derive(ValueEnum, Debug, Clone, Copy)]
pub enum LogFormatArg {
    /// Sentences
    Text,
    /// One JSON object a line
    Json,
}

/// `--log-level`
#[derive(ValueEnum, Debug, Clone, Copy)]
pub enum LogLevelArg {
    /// Failures
    Error,
    /// Conditions that may lead to a failure
    Warn,
    /// Progress and the receipt
    Info,
    /// Details that help to find a fault
    Debug,
}

impl LogLevelArg {
    /// Returns the level of the console.
    pub(super) fn level(self) -> Level {
        match self {
            LogLevelArg::Error => Level::Error,
            LogLevelArg::Warn => Level::Warn,
            LogLevelArg::Info => Level::Info,
            LogLevelArg::Debug => Level::Debug,
        }
    }
}

impl ReportArgs {
    /// Returns the console of `program`. A signal that comes before the job starts now ends the program, with a message and an
    /// empty receipt.
    pub fn begin(&self, program: &'static str) -> Console {
        self.begin_with(program, self.receipt.as_deref(), Receipt::of_nothing)
    }

    /// Returns the console of a program with another kind of receipt, or with another `file` for it. `nothing` makes the
    /// empty receipt from the message.
    pub fn begin_with<R: Serialize>(
        &self,
        program: &'static str,
        file: Option<&Path>,
        nothing: impl Fn(String) -> R + Send + 'static,
    ) -> Console {
        let console = self.console(program);
        let (say, file) = (console.clone(), file.map(Path::to_owned));
        let before_job = move |signal: &'static str| {
            let sentence = nothing_was_read(signal);
            say.error(&sentence);
            let file = file.as_deref().filter(|_| files_are_checked());
            if let Err(error) = write_json(file, &nothing(sentence)) {
                say.error(error.to_string());
            }
        };
        let say = console.clone();
        let ignored = move |signal: &'static str| say.warn(format!("{signal}: this program ignores the signal"));
        let registered = signals::before_job(before_job).and_then(|()| signals::on_ignored(ignored));
        registered.unwrap_or_else(|error| fail(program, &error));
        console
    }

    /// Returns the console of `program`, with the format and level of the options.
    fn console(&self, program: &'static str) -> Console {
        let format = match self.log_format {
            LogFormatArg::Text => LogFormat::Text,
            LogFormatArg::Json => LogFormat::Json,
        };
        let console = Console::new(program, format, self.quiet).with_details();
        if !self.quiet {
            console.set_level(self.log_level.level());
        }
        console
    }
}
