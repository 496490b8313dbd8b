//! The arguments of `logator run`.

use clap::Args;

use super::parse::ParseArgs;
use super::report::ReportArgs;
use super::scale::ScaleArgs;
use super::source::SourceArgs;
use super::store::{DeadLetterArgs, StoreArgs};
use super::wait::WaitArgs;
use crate::app::WorkOptions;

/// `logator run`
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The inputs.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The formats and patterns.
    #[command(flatten)]
    pub parse: ParseArgs,
    /// The sinks and the worker threads.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Scaling, and the lines on the state of the job.
    #[command(flatten)]
    pub scale: ScaleArgs,
    /// The dead letters.
    #[command(flatten)]
    pub dead_letters: DeadLetterArgs,
    /// The deadline.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// The messages and the receipt.
    #[command(flatten)]
    pub report: ReportArgs,
}

impl RunArgs {
    /// Returns the options of the workers.
    pub fn work_options(&self) -> WorkOptions {
        let StoreArgs { sinks, jobs, in_flight } = &self.store;
        let (letters, deadline) = (self.dead_letters.dead_letters.clone(), self.wait.sink_deadline);
        WorkOptions {
            scaling: self.scale.settings(),
            in_flight: in_flight.in_flight,
            status_interval: self.scale.status_interval,
            ..self.parse.options(sinks, *jobs, letters, deadline)
        }
    }
}
