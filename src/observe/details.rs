//! What only somebody who looks for a fault wants to know: `--log-level debug`.
//!
//! A detail is `log::debug!` where it happens, at any depth: nobody has to pass on where it is said. While the level is
//! another one that costs a look at a number. What may happen with every batch goes through a [`Seldom`].

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a [`Seldom`] speaks at most.
const PAUSE: Duration = Duration::from_secs(1);

/// Says once a second at most what may happen a thousand times, and how often it was.
#[derive(Debug)]
pub struct Seldom(Mutex<State>);

#[derive(Debug)]
struct State {
    silent_until: Option<Instant>,
    times: u64,
    amount: u64,
}

impl Seldom {
    /// One that has nothing to say.
    pub const fn new() -> Seldom {
        Seldom(Mutex::new(State { silent_until: None, times: 0, amount: 0 }))
    }

    /// It happened, with `amount` of something. `sentence` gets how often since it was last said, and the amount in all.
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
