//! What the driver's monitors saw of the servers.

use std::sync::{Arc, Mutex};

/// What the driver's monitors saw last.
#[derive(Clone, Default)]
pub(super) struct MonitorState(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    failure: Option<String>,
    /// A failure that no waiting will mend (TLS).
    hopeless: bool,
}

impl MonitorState {
    pub fn last_failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    pub fn hopeless(&self) -> Option<String> {
        let seen = self.lock();
        seen.failure.clone().filter(|_| seen.hopeless)
    }

    pub fn failed(&self, words: String, hopeless: bool) {
        *self.lock() = Seen { failure: Some(words), hopeless };
    }

    pub fn cleared(&self) {
        *self.lock() = Seen::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        // Nothing in there can be half done.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
