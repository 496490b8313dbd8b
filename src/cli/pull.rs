//! The arguments of `logator-pull`.

use clap::Parser;

use super::push::LinkArgs;
use super::report::ReportArgs;
use crate::error::Result;
use crate::jobs::pull::PullOptions;

/// `logator-pull`
#[derive(Parser, Debug)]
#[command(name = "logator-pull", version, about = "Receives lines over a ZeroMQ PULL socket")]
pub struct PullArgs {
    /// Where lines come from and whom to trust.
    #[command(flatten)]
    pub link: LinkArgs,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

impl PullArgs {
    /// The options of the job.
    ///
    /// # Errors
    /// An endpoint that strangers could reach, keys that are wrong.
    pub fn options(&self) -> Result<PullOptions> {
        Ok(PullOptions { link: self.link.options()? })
    }
}
