//! What the driver's monitors saw of the servers.

use std::sync::{Arc, Mutex};

/// What the driver's monitors saw last.
#[derive(Clone, Default)]
pub(super) struct MonitorState(Arc<Mutex<Observed>>);

#[derive(Default)]
struct Observed {
    failure: Option<String>,
    /// A failure that no waiting will mend (TLS).
    is_fatal: bool,
}

impl MonitorState {
    pub fn last_failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    pub fn fatal_failure(&self) -> Option<String> {
        let seen = self.lock();
        seen.failure.clone().filter(|_| seen.is_fatal)
    }

    pub fn record_failure(&self, words: String, is_fatal: bool) {
        *self.lock() = Observed { failure: Some(words), is_fatal };
    }

    pub fn clear(&self) {
        *self.lock() = Observed::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Observed> {
        // Nothing in there can be half done.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
