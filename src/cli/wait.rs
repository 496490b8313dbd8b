//! The flag of how long is waited.

use clap::Args;

use super::size;
use crate::core::wait::Deadline;

/// How long to wait.
#[derive(Args, Debug, Clone, Copy)]
pub struct WaitArgs {
    /// How long to wait for what does not answer (a sink that is away or locked, a full pipe, a locked file of dead
    /// letters, a journal on a disk that is stuck), or none: until it does
    #[arg(long, value_name = "SECONDS|none", default_value = "60", value_parser = size::deadline)]
    pub sink_deadline: Deadline,
}
