//! Follows the log files of containers, for the source of containers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::changing::Changing;
use super::follow_loop::follow as follow_files;
use super::followed::Followed;
use crate::process::job_files::JobFiles;
use crate::source::api::RunContext;
use crate::source::file::Exclude;
use crate::source::outcome::ReadOutcome;

/// How long the rest of a line is waited for. A container may end in the middle of a line.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Follows files until a stop is requested or the receiver wants no more. If `to_the_end` is set, it reads them as far as they
/// go now.
pub fn follow(changing: Arc<dyn Changing>, own: &Arc<JobFiles>, to_the_end: bool, context: &RunContext) -> ReadOutcome {
    let followed = Followed {
        names: Vec::new(),
        changing: Some(changing),
        to_the_end,
        own: Arc::clone(own),
        exclude: Exclude::default(),
        poll: false,
        timeout: TIMEOUT,
        ready: Mutex::default(),
    };
    follow_files(&followed, context)
}
