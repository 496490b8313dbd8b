//! What every `store` of one sink uses: the database, the limits of its server, and the job's patience.

use mongodb::Database;

use super::command::{CommandHead, Limits};
use super::monitor::MonitorState;
use super::target::Target;
use crate::core::wait::Patience;

pub(super) struct Connection {
    pub target: Target,
    pub database: Database,
    pub limits: Limits,
    pub head: CommandHead,
    pub patience: Patience,
    pub monitor: MonitorState,
}

impl Connection {
    /// Adds what the monitors saw last to the words of a failure, for they know why no server was found.
    pub fn explain(&self, words: &str) -> String {
        let words = match self.monitor.last_failure() {
            Some(seen) if !words.contains(seen.as_str()) => format!("{words} ({seen})"),
            _ => words.to_owned(),
        };
        self.target.mask(&words)
    }
}
