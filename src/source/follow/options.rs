//! How files are followed.

use std::time::Duration;

use crate::source::say::Say;

/// How files are followed.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// Look at the files once a second, without inotify.
    pub poll: bool,
    /// How long a last line without its end is waited for.
    pub timeout: Duration,
    /// Says what a user should know.
    pub say: Say,
}
