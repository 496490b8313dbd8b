//! [`Attempts`]: what the attempts of a sink brought, for the code that decides how much is sent to it.
//!
//! A sink repeats attempts inside of one call. `retry::Retry` notes each attempt for its thread, and the
//! storing thread takes the notes after the call. So no sink has to pass them on.

use std::cell::Cell;
use std::time::Duration;

/// What the attempts of one thread brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// The time of the attempts that the store has answered without a refusal.
    pub answered: Duration,
    /// The number of attempts that the store refused, for all documents or for some, and of attempts without an answer.
    pub refused: u32,
    /// The number of documents that had to be sent again.
    pub retried: u64,
}

thread_local! {
    pub(super) static NOTED: Cell<Attempts> = const { Cell::new(Attempts { answered: Duration::ZERO, refused: 0, retried: 0 }) };
}

/// Returns what the attempts of this thread brought since the last call.
pub fn take() -> Attempts {
    NOTED.take()
}
