//! [`InFlight`]: counts the batches that are being stored. Once it is closed, no further batch may begin.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counts the batches that are being stored. It is open until [`close`](InFlight::close) is called.
#[derive(Debug, Default)]
pub struct InFlight {
    state: Mutex<State>,
    idle: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    storing: usize,
}

/// A batch that is being stored. Dropping it ends the storing.
#[derive(Debug)]
pub struct Storing<'a>(&'a InFlight);

impl InFlight {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the storing of a batch; `None` after [`close`](InFlight::close).
    pub fn enter(&self) -> Option<Storing<'_>> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        state.storing += 1;
        Some(Storing(self))
    }

    /// Refuses further batches and waits for those that are being stored, but no longer than `patience`. Returns
    /// `false` when one of them has not ended by then.
    pub fn close(&self, patience: Duration) -> bool {
        let mut state = self.state();
        state.closed = true;
        let waited = self.idle.wait_timeout_while(state, patience, |state| state.storing > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.storing == 0
    }
}

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        self.0.state().storing -= 1;
        self.0.idle.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_waits_for_the_batches_being_stored_and_refuses_others() {
        let in_flight = InFlight::default();
        let storing = in_flight.enter().expect("it is open");
        assert!(!in_flight.close(Duration::ZERO), "one batch is being stored");
        assert!(in_flight.enter().is_none());
        std::thread::scope(|scope| {
            let closing = scope.spawn(|| in_flight.close(Duration::from_secs(60)));
            drop(storing);
            assert!(closing.join().unwrap());
        });
        assert!(in_flight.close(Duration::ZERO) && in_flight.enter().is_none());
    }
}
