//! The failures that the monitors of the driver see.

use std::sync::{Arc, Mutex};

/// The last observation of the driver's monitors. Clones share it.
#[derive(Clone, Default)]
pub(super) struct MonitorState(Arc<Mutex<Observed>>);

#[derive(Default)]
struct Observed {
    failure: Option<String>,
    /// Whether the failure is permanent, so that waiting is useless (a failure of TLS).
    is_fatal: bool,
}

impl MonitorState {
    /// Returns the last failure, unless a check has succeeded since.
    pub fn last_failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// Returns the last failure, if it is permanent.
    pub fn fatal_failure(&self) -> Option<String> {
        let seen = self.lock();
        seen.failure.clone().filter(|_| seen.is_fatal)
    }

    /// Records a failure.
    pub fn record_failure(&self, words: String, is_fatal: bool) {
        *self.lock() = Observed { failure: Some(words), is_fatal };
    }

    /// Forgets the last failure, after a check that succeeded.
    pub fn clear(&self) {
        *self.lock() = Observed::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Observed> {
        // The value is replaced as a whole, so it is valid even after a panic.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
