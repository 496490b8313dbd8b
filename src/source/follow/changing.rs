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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A log whose newest file is `log`. `log.1` is older, `log.2` is older still.
    #[derive(Debug)]
    pub struct Log(Waker);

    impl Log {
        pub fn new() -> Log {
            Log(Waker::new().unwrap())
        }
    }

    impl Changing for Log {
        fn names(&self) -> (Vec<String>, Vec<u64>) {
            (vec!["log".into(), "log.[0-9]*".into()], vec![1])
        }

        fn waker(&self) -> &Waker {
            &self.0
        }

        fn origin(&self, _: &Path) -> Option<Origin> {
            Some(Origin::new(7, "docker:web"))
        }

        fn place(&self, path: &Path) -> Option<Place> {
            let age = path.to_str()?.strip_prefix("log")?.trim_end_matches(".gz").strip_prefix('.');
            let age = age.map_or(Some(0), |age| age.parse().ok())?;
            Some(Place { sequence: 1, age })
        }

        fn lost(&self, path: &Path) {
            panic!("{} is lost", path.display());
        }
    }
}
