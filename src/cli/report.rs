//! The flags of what is told while a program works.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::files;
use crate::observe::console::{Console, Level, LogFormat};
use crate::observe::receipt::Receipt;
use crate::process::signals;

/// How to report.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Write the receipt as JSON
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// How messages are written
    #[arg(long, value_name = "text|json", default_value = "text")]
    pub log_format: LogFormatArg,
    /// What is said on standard error; SIGHUP reads it again from the --config file
    #[arg(long, value_name = "LEVEL", default_value = "info", overrides_with = "log_level")]
    pub log_level: LogLevelArg,
    /// Say nothing but errors, whatever --log-level is
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Take flags from this TOML file
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
    /// What went wrong
    Error,
    /// What may be about to
    Warn,
    /// What a user may want to know, and the receipt
    Info,
    /// What helps to find a fault
    Debug,
}

impl LogLevelArg {
    /// The same for a console.
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
    /// The console of `program`. Signals that come before its job has begun end it from here on with a sentence there and
    /// a receipt of nothing.
    pub fn begin(&self, program: &'static str) -> Console {
        self.begin_with(program, self.receipt.as_deref(), Receipt::of_nothing)
    }

    /// The same for a program whose account is another one, which `nothing` makes of the sentence, or goes to another
    /// `file`.
    pub fn begin_with<R: Serialize>(
        &self,
        program: &'static str,
        file: Option<&Path>,
        nothing: impl Fn(String) -> R + Send + 'static,
    ) -> Console {
        let console = self.console(program);
        let (say, file) = (console.clone(), file.map(Path::to_owned));
        let before_job = move |signal: &'static str| {
            let sentence = super::nothing_was_read(signal);
            say.error(&sentence);
            let file = file.as_deref().filter(|_| files::are_checked());
            if let Err(error) = super::write_json(file, &nothing(sentence)) {
                say.error(error.to_string());
            }
        };
        let say = console.clone();
        let ignored = move |signal: &'static str| say.warn(format!("{signal}: means nothing here and is ignored"));
        let registered = signals::before_job(before_job).and_then(|()| signals::on_ignored(ignored));
        registered.unwrap_or_else(|error| super::fail(program, &error));
        console
    }

    /// The console of `program`.
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
