//! The arguments of `logator`: its commands.

use clap::{Parser, Subcommand};

use super::bench::BenchArgs;
use super::grok::GrokArgs;
use super::keys::KeygenArgs;
use super::replay::ReplayArgs;
use super::run::RunArgs;

/// `logator COMMAND`
#[derive(Parser, Debug)]
#[command(
    name = "logator",
    version,
    about = "Turns logs into documents on every core, and proves that no line is lost"
)]
pub struct LogatorArgs {
    /// The command.
    #[command(subcommand)]
    pub command: Commands,
}

/// The commands of `logator`.
#[derive(Subcommand, Debug)]
pub enum Commands {
    /// Read, parse and store logs in one process
    Run(RunArgs),
    /// Try a pattern: print the document of each line as JSON
    Grok(GrokArgs),
    /// Store dead letters again, under the ids of their lines
    Replay(ReplayArgs),
    /// Make a pair of keys for encrypted connections
    Keygen(KeygenArgs),
    /// Measure lines per second for different numbers of workers
    Bench(BenchArgs),
}
