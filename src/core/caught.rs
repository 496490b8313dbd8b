//! Calls of libraries that may panic on bytes from outside. The panic is caught, and nothing is printed about it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Returns the result of `call`; `None` if it panics. Nothing that `call` has changed is used afterwards.
pub fn quietly<T>(call: impl FnOnce() -> T) -> Option<T> {
    let before = IS_CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    IS_CAUGHT.set(before);
    result.ok()
}

/// Whether a panic of this thread is caught by [`quietly`], so that nobody has to read about it.
pub fn is_caught() -> bool {
    IS_CAUGHT.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_nothing_and_later_panics_are_printed_again() {
        assert_eq!(quietly(|| is_caught().then_some(1)), Some(Some(1)));
        assert_eq!(quietly(|| -> u8 { std::panic::resume_unwind(Box::new("x")) }), None);
        assert!(!is_caught());
    }
}
