//! [`IdleClock`]: measures how many workers wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Measures how many workers wait, on average between two looks.
#[derive(Debug)]
pub struct IdleClock(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The number of workers that wait.
    waiting: usize,
    /// When the number changed last.
    since: Instant,
    /// The seconds that workers have waited since the last look, summed over workers.
    waited: f64,
    looked: Instant,
}

impl IdleClock {
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        state.waited += state.waiting as f64 * now.duration_since(state.since).as_secs_f64();
        state.since = now;
        state
    }

    /// Notes that so many workers wait now.
    pub fn set(&self, waiting: usize) {
        self.state().waiting = waiting;
    }

    /// Calls `wait`, in which one more worker waits.
    pub(super) fn during<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.state().waiting += 1;
        let result = wait();
        self.state().waiting -= 1;
        result
    }

    /// Returns how many workers have waited on average since the last look.
    pub fn look(&self) -> f64 {
        let mut state = self.state();
        let seconds = state.since.duration_since(state.looked).as_secs_f64();
        state.looked = state.since;
        let waited = std::mem::take(&mut state.waited);
        if seconds > 0.0 { waited / seconds } else { state.waiting as f64 }
    }
}

impl Default for IdleClock {
    fn default() -> Self {
        let now = Instant::now();
        IdleClock(Mutex::new(State { waiting: 0, since: now, waited: 0.0, looked: now }))
    }
}
