//! Pushed lines all arrive once at the pullers, and push reports when nobody pulls.

mod confirm;
mod flow;
#[cfg(feature = "sqlite")]
mod held;
mod keys;
mod python;
mod sources;
#[cfg(feature = "kafka")]
mod topic;

pub use self::flow::stop_after;
