//! The options for followed files.

use std::sync::mpsc::SyncSender;
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
    /// Gets a message when the names were scanned and all files that were found are watched.
    pub watching: Option<SyncSender<()>>,
}

impl FollowOptions {
    /// Sends the message of `watching`: the files are watched.
    pub(in crate::source) fn tell_that_it_watches(&self) {
        if let Some(watching) = &self.watching {
            // A full channel has the message already, and a closed one has no reader.
            let _ = watching.try_send(());
        }
    }
}
