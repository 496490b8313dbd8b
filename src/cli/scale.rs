//! The options of scaling: how the numbers of workers and of requests follow the load, and the lines on the state of the job.

use std::time::Duration;

use clap::Args;

use super::size;
use crate::core::quantity;
use crate::worker::Requests;
use crate::worker::scaling::Settings;

/// The number of requests in flight.
#[derive(Args, Debug, Clone, Copy)]
pub struct InFlightArgs {
    /// Number of batches that are sent to the sinks at a time [default: what the sinks need]
    ///
    /// With MIN..MAX the number follows the throughput, the latency and the refusals of the sinks. auto is 1..128. Without this
    /// option it is auto for a sink that sends requests to a server and waits for the answers, and one for each worker
    /// thread for other sinks.
    #[arg(long, value_name = "N|auto|MIN..MAX", value_parser = size::in_flight)]
    pub in_flight: Option<Requests>,
}

/// How the number of workers follows the load.
#[derive(Args, Debug, Clone, Copy)]
pub struct ScaleArgs {
    /// Backlog from which on more workers are started, if their number is MIN..MAX
    ///
    /// The backlog is the number of bytes that were read and wait for a worker.
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = quantity::bytes)]
    pub scale_backlog: usize,
    /// Number of workers that are started or ended at a time, if their number is MIN..MAX
    #[arg(long, value_name = "N", default_value = "1", value_parser = quantity::count)]
    pub scale_step: usize,
    /// Time between two lines on workers, backlog, batches in flight and lines per second, such as 5s
    #[arg(long, value_name = "TIME", value_parser = size::interval)]
    pub status_interval: Option<Duration>,
}

impl ScaleArgs {
    /// Returns the settings of scaling.
    pub fn settings(&self) -> Settings {
        Settings { backlog: self.scale_backlog as u64, step: self.scale_step }
    }
}
