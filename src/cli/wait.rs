//! The option `--sink-deadline`: how long a job waits for a sink or file that does not respond.

use clap::Args;

use super::size;
use crate::core::wait::Deadline;

/// The default of `--sink-deadline`, in seconds.
pub(super) const SINK_DEADLINE: &str = "60";

/// The deadline of a job.
#[derive(Args, Debug, Clone, Copy)]
pub struct WaitArgs {
    /// Longest time to wait for a sink or file that does not respond, or none
    ///
    /// Examples are a sink that is down or locked, a full pipe, a locked --dead-letters file, and a disk that does not respond
    /// under the --state directory. With none, the program waits until it gets a response.
    #[arg(long, value_name = "SECONDS|none", default_value = SINK_DEADLINE, value_parser = size::deadline)]
    pub sink_deadline: Deadline,
}
