//! [`DeadLetters`]: appends letters to their file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::letter::Letter;
use crate::core::append::{AppendFile, WhenLocked};
use crate::core::calendar::now_ms;
use crate::core::error::Result;
use crate::core::repair;
use crate::core::wait::{Patience, Waits, Words};

/// The file of dead letters. It is created with the first letter.
///
/// The file is opened and locked for each write only, so that a queue and several workers can share it. It is created
/// for its owner alone (mode 0600), because letters hold whole lines. An existing file keeps its mode.
#[derive(Debug)]
pub struct DeadLetters {
    path: PathBuf,
    /// File locks do not exclude other threads of this process.
    lock: Mutex<()>,
    patience: Arc<Patience>,
}

/// The mode of a new file.
const MODE: u32 = 0o600;

impl DeadLetters {
    /// Returns a writer for the file at `path`, which is not opened yet.
    pub fn new(path: impl Into<PathBuf>) -> DeadLetters {
        DeadLetters::with_waits(path, &Waits::default())
    }

    /// Does the same as [`new`](DeadLetters::new), and uses `waits` to wait for a file that another process has locked.
    pub fn with_waits(path: impl Into<PathBuf>, waits: &Waits) -> DeadLetters {
        let path = path.into();
        let patience = Arc::new(waits.patience(format!("dead letters {}", path.display()), Words::WRITTEN));
        DeadLetters { path, lock: Mutex::new(()), patience }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `letters` and returns when they are durable. A batch may be acknowledged only after that. Without
    /// letters, nothing is done.
    ///
    /// # Errors
    /// An error of the kind [`sink`](crate::core::error::Error::sink) when the file cannot be opened or written. None of `letters` counts as kept then.
    pub fn write(&self, letters: &[Letter<'_>]) -> Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let (mut block, time_ms) = (Vec::new(), now_ms());
        for letter in letters {
            letter.write(time_ms, &mut block)?;
        }
        self.append(&block)
    }

    /// Appends letters that are already encoded, as whole lines of another file, and returns when they are durable.
    ///
    /// # Errors
    /// The errors of [`write`](DeadLetters::write).
    pub fn append(&self, block: &[u8]) -> Result<()> {
        if block.is_empty() {
            return Ok(());
        }
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let mend = |file: &_, length| repair::lines(self.patience.name(), file, length);
        AppendFile::open(&self.path, MODE, WhenLocked::Wait, &self.patience, mend)?.append(block)
    }
}
