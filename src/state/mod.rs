//! The settled lines, kept in a directory (`--state DIR`), so that a later run delivers only the other lines.
//! `doc/state.md` states the promise, the rule and the format.
//!
//! A line is settled when no more work will be done for it: for instance, a sink has stored it, or its dead letter is
//! written. [`checksum`], [`ranges`], [`extents`] and [`journal`] are pure. `ledger` keeps the settled lines in memory,
//! `writer` writes them in threads of its own, and [`store`] owns the directory. Readers use the trait [`Memory`].

pub mod checksum;
pub mod extents;
pub mod journal;
mod ledger;
mod memory;
pub mod ranges;
pub mod store;
mod writer;

pub use self::memory::{Amount, Begun, Known, Memory, Stamp};
