//! How far all readers of a job have come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::inputs::Input;

/// How far all readers together have come.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of files read, as they stand on the disk.
    pub read: Arc<AtomicU64>,
    /// Bytes of all files; 0 while unknown, as for standard input.
    pub total: u64,
}

impl Progress {
    /// A position in `inputs`. The total is unknown as soon as one of them is not a regular file.
    pub fn of(inputs: &[Input]) -> Self {
        let size = |input: &Input| match input {
            Input::Stdin | Input::Followed(_) | Input::Syslog(_) => None,
            Input::File(path) => path.metadata().ok().filter(|data| data.is_file()).map(|data| data.len()),
        };
        let total = inputs.iter().map(size).sum::<Option<u64>>().unwrap_or(0);
        Progress { read: Arc::default(), total }
    }

    /// Bytes read, and bytes in all if known.
    pub fn get(&self) -> (u64, Option<u64>) {
        (self.read.load(Ordering::Relaxed), (self.total > 0).then_some(self.total))
    }
}
