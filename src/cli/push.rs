//! The arguments of `logator-push`.

use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::options::{DataArgs, OptionSet};
use super::report::ReportArgs;
use super::socket::SocketArgs;
use super::source::description;
use crate::app::SOURCES;
use crate::app::push::{Confirm, PushOptions};
use crate::core::error::{Error, Result};
use crate::core::option_spec::OptionSpec;
use crate::core::quantity;
use crate::process::job_files::JobFiles;
use crate::source::kind::Place;

/// The sentence of the help of `--from`.
const FROM: &str = "Input to send in place of standard input (repeatable)";

/// `logator-push`
#[derive(Parser, Debug)]
#[command(name = "logator-push", version, about = "Sends the lines of standard input over a ZeroMQ PUSH socket")]
pub struct PushArgs {
    /// Type of the lines, in their envelope
    #[arg(value_name = "TYPE", id = "type", default_value = "syslog")]
    pub kind: String,
    /// The names of inputs.
    #[arg(long = "from", value_name = "INPUT", id = "from", help = FROM, long_help = format!("{FROM}\n\n{}", description(Place::Push)))]
    pub inputs: Vec<String>,
    /// The options of all kinds of sources.
    #[command(flatten)]
    pub sources: DataArgs<PushedOptions>,
    /// The endpoints and keys.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// Send each line in an envelope, as zmqpush does (the default)
    ///
    /// The envelope is {"message":LINE,"type":TYPE,"@pid":PID}.
    #[arg(long, conflicts_with = "raw")]
    pub json: bool,
    /// Send each line unchanged, without an envelope
    #[arg(long)]
    pub raw: bool,
    /// Time to send the remaining lines at the end
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = quantity::milliseconds)]
    pub linger: Duration,
    /// Maximum number of lines that wait in memory while no peer takes any (64 MiB at most)
    #[arg(long, value_name = "N", default_value = "100000", value_parser = quantity::count)]
    pub queue: usize,
    /// What to do with new lines when the queue is full
    #[arg(long, value_name = "block|drop", default_value = "block")]
    pub on_full: OnFull,
    /// Answer OK on standard output at the start and for each line
    ///
    /// rsyslog's omprog needs these answers with confirmMessages="on".
    #[arg(long, value_name = "queued|delivered", num_args = 0..=1, require_equals = true, default_missing_value = "queued")]
    pub confirm: Option<ConfirmArg>,
    /// Longest line; longer lines are not sent
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = quantity::message)]
    pub max_line: usize,
    /// The messages and the receipt.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// The options of `--from`.
#[derive(Debug, Clone)]
pub struct PushedOptions;

impl OptionSet for PushedOptions {
    fn specs() -> Vec<OptionSpec> {
        SOURCES.options(Place::Push)
    }
}

/// `--on-full`
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// Stop reading until there is room
    Block,
    /// Drop them and count them
    Drop,
}

/// `--confirm`
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmArg {
    /// When the line is in the queue
    Queued,
    /// When a connection has taken the line from libzmq
    Delivered,
}

impl PushArgs {
    /// Returns the options of the job. `files` are the files of the job.
    ///
    /// # Errors
    /// Options that contradict each other, an endpoint that other machines can reach without keys, or a wrong key.
    pub fn options(&self, files: Arc<JobFiles>) -> Result<PushOptions> {
        if self.confirm.is_some() && !self.inputs.is_empty() {
            return Err(Error::usage("--confirm and --from: only lines of standard input are answered"));
        }
        let socket = self.socket.options()?;
        if !socket.connect.is_empty() && !socket.bind.is_empty() {
            return Err(Error::usage("--connect and --bind: give only one of the two"));
        }
        let confirm = match self.confirm {
            None => Confirm::No,
            Some(ConfirmArg::Queued) => Confirm::Queued,
            Some(ConfirmArg::Delivered) if socket.connect.is_empty() => {
                return Err(Error::usage(
                    "--confirm=delivered needs --connect: with --bind libzmq does not tell one peer from another",
                ));
            }
            Some(ConfirmArg::Delivered) => Confirm::Delivered,
        };
        Ok(PushOptions {
            inputs: self.inputs.clone(),
            values: self.sources.values.clone(),
            files,
            socket,
            kind: (!self.raw).then(|| self.kind.clone()),
            linger: self.linger,
            queue: self.queue,
            drops: self.on_full == OnFull::Drop,
            confirm,
            max_line: self.max_line,
        })
    }
}
