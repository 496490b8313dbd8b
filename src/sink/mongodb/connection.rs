//! [`Connection`]: everything that the calls of `store` on one sink share.

use mongodb::Database;

use super::command::{CommandHead, Limits};
use super::monitor::MonitorState;
use super::target::Target;
use crate::core::wait::Patience;
use crate::observe::counters::Counters;

pub(super) struct Connection {
    pub target: Target,
    pub database: Database,
    pub limits: Limits,
    pub head: CommandHead,
    pub patience: Patience,
    pub counters: Counters,
    pub monitor: MonitorState,
}

impl Connection {
    /// Adds the last failure that the monitors saw to a message, because it explains why no server was found. Secrets
    /// are masked.
    pub fn explain(&self, words: &str) -> String {
        let words = match self.monitor.last_failure() {
            Some(seen) if !words.contains(seen.as_str()) => format!("{words} ({seen})"),
            _ => words.to_owned(),
        };
        self.target.mask(&words)
    }
}
