//! [`Stage`]: a step between match and encoding that may change an event, drop it, or choose its sinks.
//!
//! There is no stage yet. A new one is a file of its own with a [`StageSpec`] and its [`Stage`].

use super::event::Event;
use crate::core::error::Result;

/// The description of a stage. All threads share it, and each makes its own stage from it.
pub trait StageSpec: Send + Sync {
    /// The name of the stage in the receipt.
    fn name(&self) -> &str;

    /// Makes the stage of one thread.
    ///
    /// # Errors
    /// What the stage needs cannot be had.
    fn stage(&self) -> Result<Box<dyn Stage>>;
}

/// A stage of one thread.
pub trait Stage: Send {
    /// Handles an event, and may change it.
    fn apply(&mut self, event: &mut Event<'_>) -> Verdict;
}

/// What becomes of an event after a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Keep,
    /// It is dropped. The receipt counts it as filtered.
    Drop,
    /// It goes on, to these sinks at most. With no sink, it is dropped.
    Only(SinkSet),
}

/// Some of the sinks of a job, by their index on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkSet(u64);

impl SinkSet {
    /// All sinks.
    pub const ALL: SinkSet = SinkSet(u64::MAX);

    /// Returns the set of the sinks with these indexes. There are no sinks beyond the first 64.
    pub fn of(indexes: impl IntoIterator<Item = usize>) -> SinkSet {
        SinkSet(indexes.into_iter().filter(|index| *index < 64).fold(0, |set, index| set | 1 << index))
    }

    /// Returns whether the sink with this index is in the set.
    pub fn contains(self, index: usize) -> bool {
        index < 64 && self.0 & (1 << index) != 0
    }

    /// Returns whether no sink is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the sinks that are in both sets.
    pub fn and(self, other: SinkSet) -> SinkSet {
        SinkSet(self.0 & other.0)
    }
}
