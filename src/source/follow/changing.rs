//! Followed files whose names change while they are followed: the log files of containers. Each log is a sequence of files, of
//! which the older ones were rotated away.

use std::path::Path;

use crate::core::context::Origin;
use crate::core::stop::Waker;

/// The place of a file in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number of the log.
    pub sequence: u64,
    /// The number of files of the log that are newer.
    pub age: u32,
}

/// What is followed.
pub trait Changing: std::fmt::Debug + Send + Sync {
    /// Returns the names of files, and globs, and the numbers of the logs that they belong to. The waker is cleared.
    fn names(&self) -> (Vec<String>, Vec<u64>);

    /// The waker that is woken when the names have changed.
    fn waker(&self) -> &Waker;

    /// Returns the origin of the records of the file at `path`, without its envelope.
    fn origin(&self, path: &Path) -> Option<Origin>;

    /// Returns the place of the file at `path` in its log.
    fn place(&self, path: &Path) -> Option<Place>;

    /// Learns that the file at `path` was gone before it was read to its end.
    fn lost(&self, path: &Path);
}
