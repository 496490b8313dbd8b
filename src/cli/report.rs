//! The flags of what is told while a program works.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::console::{Console, Level, LogFormat};

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
    /// The console of `program`.
    pub fn console(&self, program: &'static str) -> Console {
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
