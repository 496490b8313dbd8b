//! What is settled, kept in a directory (`--state DIR`), so that another run delivers only the rest. `doc/state.md` has
//! the promise, the rule and the bytes.
//!
//! [`checksum`], [`ranges`], [`extents`] and [`journal`] are pure; `ledger` keeps what they say, `writer` writes it in threads of its
//! own, [`store`] owns the directory. Readers ask through [`Memory`].

pub mod checksum;
pub mod extents;
pub mod journal;
mod ledger;
mod memory;
pub mod ranges;
pub mod store;
mod writer;

pub use self::memory::{Amount, Begun, Known, Memory, Stamp};
