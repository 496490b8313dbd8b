//! [`Turns`]: threads that prepare numbered blocks at the same time, and write them in the order of the numbers.
//!
//! The numbers begin at 0, and none is left out. A turn that is neither taken nor passed when it is dropped has failed. Every
//! later turn is then missed: a block behind a gap would be out of order once the missing block is written.
//!
//! A thread that waits for its turn needs the earlier turns to be held by other threads, or to be over. Therefore turns are
//! given to threads in the order of their numbers.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::core::error::{Error, Result};

/// Numbered turns. See the [module](self).
#[derive(Debug, Default)]
pub struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The first turn that is not over.
    next: u64,
    /// Later turns that are over already.
    over: BTreeSet<u64>,
    /// The first turn that failed.
    failed: Option<u64>,
}

/// One turn.
#[derive(Debug)]
pub struct Turn<'a> {
    turns: &'a Turns,
    number: u64,
    is_over: bool,
}

/// The reason of an error: the turn is missed, because an earlier one failed.
#[derive(Debug)]
struct Missed;

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an earlier batch was not stored")
    }
}

impl std::error::Error for Missed {}

/// Returns the error for a batch that is not stored because an earlier one was not.
pub fn missed() -> Error {
    Error::sink("a batch is given back, so that the order is kept").because(Missed)
}

/// Whether `error` says only that an [earlier batch](missed) was not stored. That batch has an error of its own.
pub fn is_missed(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<Missed>())
}

impl Turns {
    /// Returns the turn with this number. Each number has one turn.
    pub fn turn(&self, number: u64) -> Turn<'_> {
        Turn { turns: self, number, is_over: false }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Waits until all earlier turns are over.
    ///
    /// # Errors
    /// An earlier turn failed, so this one is [missed](is_missed).
    pub fn wait(&self) -> Result<()> {
        let mut state = self.turns.state();
        loop {
            if state.failed.is_some_and(|failed| failed < self.number) {
                return Err(missed());
            }
            if state.next == self.number {
                return Ok(());
            }
            state = self.turns.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the turn: its block is written, or there is none. This never waits.
    pub fn pass(mut self) {
        self.is_over = true;
        let mut state = self.turns.state();
        state.over.insert(self.number);
        while let next = state.next
            && state.over.remove(&next)
        {
            state.next += 1;
        }
        drop(state);
        self.turns.changed.notify_all();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let mut state = self.turns.state();
            state.failed = Some(state.failed.map_or(self.number, |failed| failed.min(self.number)));
            drop(state);
            self.turns.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_are_written_in_order_up_to_the_first_that_fails(
            outcomes in prop::collection::vec(prop_oneof![8 => Just(0_u8), 2 => Just(1), 1 => Just(2)], 1..40),
            threads in 1_usize..5,
        ) {
            let (turns, written) = (Turns::default(), Mutex::new(Vec::new()));
            let given = Mutex::new(0..outcomes.len() as u64);
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| while let Some((number, turn)) = {
                        // The numbers are given out in their order.
                        let mut given = given.lock().unwrap();
                        given.next().map(|number| (number, turns.turn(number)))
                    } {
                        match outcomes[number as usize] {
                            // A batch without documents does not wait.
                            1 => turn.pass(),
                            2 => drop(turn),
                            _ => match turn.wait() {
                                Ok(()) => {
                                    written.lock().unwrap().push(number);
                                    turn.pass();
                                }
                                Err(error) => assert!(is_missed(&error)),
                            },
                        }
                    });
                }
            });
            let until = outcomes.iter().position(|outcome| *outcome == 2).unwrap_or(outcomes.len());
            let expected: Vec<u64> = (0..until as u64).filter(|number| outcomes[*number as usize] == 0).collect();
            prop_assert_eq!(written.into_inner().unwrap(), expected);
        }
    }

    #[test]
    fn only_the_error_of_a_missed_turn_is_one() {
        assert!(is_missed(&missed()));
        assert!(!is_missed(&Error::sink("the disk is full")));
        assert!(!is_missed(&Error::sink("x").because(std::io::Error::from(std::io::ErrorKind::BrokenPipe))));
    }
}
