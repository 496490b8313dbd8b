//! The flags of what is told while a program works.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::console::{Console, LogFormat};

/// How to report.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Write the receipt as JSON
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// How messages are written
    #[arg(long, value_name = "text|json", default_value = "text")]
    pub log_format: LogFormatArg,
    /// Say nothing but errors
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

impl ReportArgs {
    /// The console of `program`.
    pub fn console(&self, program: &'static str) -> Console {
        let format = match self.log_format {
            LogFormatArg::Text => LogFormat::Text,
            LogFormatArg::Json => LogFormat::Json,
        };
        Console::new(program, format, self.quiet)
    }
}
