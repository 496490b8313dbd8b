//! Debug messages (`--log-level debug`), for people who look for a fault.
//!
//! Any code can write a debug message with `log::debug!`. It needs no console. At other levels a message costs one
//! comparison of numbers. Messages that every batch could cause go through a [`Seldom`].

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The shortest time between two messages of a [`Seldom`].
const PAUSE: Duration = Duration::from_secs(1);

/// A rate limit for a debug message: it is shown at most once a second, with the number of times it happened.
#[derive(Debug)]
pub struct Seldom(Mutex<State>);

#[derive(Debug)]
struct State {
    silent_until: Option<Instant>,
    times: u64,
    amount: u64,
}

impl Seldom {
    /// Creates a limit that has counted nothing.
    pub const fn new() -> Seldom {
        Seldom(Mutex::new(State { silent_until: None, times: 0, amount: 0 }))
    }

    /// Counts one event with an `amount`. If the message is due, calls `sentence` with the number of events since the
    /// last message and the sum of their amounts.
    pub fn tell(&self, amount: u64, sentence: impl FnOnce(u64, u64) -> String) {
        if log::log_enabled!(log::Level::Debug)
            && let Some((times, amount)) = self.add(amount, Instant::now())
        {
            log::debug!("{}", sentence(times, amount));
        }
    }

    fn add(&self, amount: u64, now: Instant) -> Option<(u64, u64)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.times += 1;
        state.amount += amount;
        if state.silent_until.is_some_and(|until| now < until) {
            return None;
        }
        state.silent_until = Some(now + PAUSE);
        Some((std::mem::take(&mut state.times), std::mem::take(&mut state.amount)))
    }
}

impl Default for Seldom {
    fn default() -> Self {
        Seldom::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_silent_about_is_counted() {
        let (seldom, start) = (Seldom::new(), Instant::now());
        assert_eq!(seldom.add(5, start), Some((1, 5)));
        assert_eq!(seldom.add(6, start), None);
        assert_eq!(seldom.add(7, start + PAUSE / 2), None);
        assert_eq!(seldom.add(8, start + PAUSE), Some((3, 21)));
        assert_eq!(seldom.add(0, start + 3 * PAUSE), Some((1, 0)));
    }
}
