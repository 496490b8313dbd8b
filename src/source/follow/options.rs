//! The options for followed files.

use std::time::Duration;

use crate::source::say::Say;

/// The options for followed files.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// Whether to check the files once a second instead of using inotify.
    pub poll: bool,
    /// How long to wait for the end of the last line before it is delivered without its line end.
    pub timeout: Duration,
    /// The receiver of sentences for the user.
    pub say: Say,
}
