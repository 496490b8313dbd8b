//! The options of storing that several programs have in common.

use std::path::PathBuf;

use clap::Args;

use super::scale::InFlightArgs;
use super::{size, values};
use crate::app::{DEAD_LETTERS, Workers};
use crate::sink::SinkSpec;

/// The sinks and the worker threads of a job that reads its inputs itself.
#[derive(Args, Debug)]
pub struct StoreArgs {
    /// Sink for the documents (repeatable; each document goes to each sink)
    #[arg(long = "to", value_name = "SINK", value_parser = values::sink, default_value = "-")]
    pub sinks: Vec<SinkSpec>,
    /// Number of worker threads
    ///
    /// auto starts one thread a core. With MIN..MAX the number follows the load: it grows while lines wait and more threads
    /// raise the throughput, and shrinks when threads wait.
    #[arg(short = 'j', long, value_name = "N|auto|MIN..MAX", default_value = "auto", value_parser = size::worker_range)]
    pub jobs: Workers,
    /// The number of batches in flight.
    #[command(flatten)]
    pub in_flight: InFlightArgs,
}

/// The file of the dead letters of a program that parses lines.
#[derive(Args, Debug)]
pub struct DeadLetterArgs {
    /// File for the lines that cannot be stored
    ///
    /// The first such line creates the file.
    #[arg(long, value_name = "FILE", default_value = DEAD_LETTERS)]
    pub dead_letters: PathBuf,
}
