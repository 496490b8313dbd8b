//! Appending whole blocks to a file so that they are durable, from many threads at once.
//!
//! A block is written in one piece behind the last good byte, then synced before its writer is told. Threads that wait
//! at the same time share one sync. What is not a regular file (a pipe, `/dev/null`) cannot be synced and is not.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// A file that only grows by whole, durable blocks.
#[derive(Debug)]
pub(crate) struct AppendFile {
    file: File,
    name: String,
    regular: bool,
    /// Whether a partial write may be cut off: not on a standard output that others may share.
    cut: bool,
    written: Mutex<Written>,
    synced: Mutex<Synced>,
    woken: Condvar,
}

/// What to do when another process has the file open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// Refuse to open it.
    Refuse,
    /// Wait until it has not.
    Wait,
}

#[derive(Debug, Default)]
struct Written {
    /// Bytes up to the end of the last whole block.
    bytes: u64,
    /// Number of whole blocks.
    blocks: u64,
}

#[derive(Debug, Default)]
struct Synced {
    /// Number of durable blocks.
    blocks: u64,
    running: bool,
    /// Set once a sync failed: nobody can tell any more what reached the disk, not even by another sync.
    broken: Option<String>,
}

impl AppendFile {
    /// Opens `path` for appending, creates it if need be, and lets `repair` mend what a crash left at its end.
    /// `name` is how messages call it. While it is open no other process can have it: `others` says what to do about one.
    pub fn open(
        path: &Path,
        name: String,
        others: Others,
        repair: impl FnOnce(&File, u64) -> Result<()>,
    ) -> Result<AppendFile> {
        let opening = |e: io::Error| Error::sink(format!("{name}: cannot be opened for writing")).because(e);
        let before = match path.metadata() {
            Ok(metadata) => Some(metadata),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(opening(e)),
        };
        let regular = before.as_ref().is_none_or(|metadata| metadata.is_file());
        // Reading is for the repair; a pipe opened for both would never be told that its reader left.
        let file = OpenOptions::new().append(true).read(regular).create(true).open(path).map_err(opening)?;
        if regular {
            let locked = match others {
                Others::Refuse => file.try_lock(),
                Others::Wait => file.lock().map_err(TryLockError::Error),
            };
            match locked {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::sink(format!(
                        "{name}: another sink or process is writing to it; give each its own file"
                    )));
                }
                // Some network file systems have no locks.
                Err(TryLockError::Error(_)) => {}
            }
            match &before {
                None => sync_folder(path).map_err(opening)?,
                Some(_) => repair(&file, file.metadata().map_err(opening)?.len())?,
            }
        }
        AppendFile::new(file, name, regular)
    }

    /// Standard output.
    pub fn stdout() -> Result<AppendFile> {
        use std::os::fd::AsFd;
        let name = "standard output".to_string();
        let file = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let file = file.map_err(|e| Error::sink("standard output cannot be written to").because(e))?;
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Ok(AppendFile { cut: false, ..AppendFile::new(file, name, regular)? })
    }

    fn new(file: File, name: String, regular: bool) -> Result<AppendFile> {
        let bytes = match file.metadata() {
            Ok(metadata) if regular => metadata.len(),
            _ => 0,
        };
        let written = Mutex::new(Written { bytes, blocks: 0 });
        Ok(AppendFile { file, name, regular, cut: regular, written, synced: Mutex::default(), woken: Condvar::new() })
    }

    /// Whether it is a regular file with nothing in it.
    pub fn is_empty(&self) -> bool {
        self.regular && lock(&self.written).bytes == 0
    }

    /// Appends `block` and returns when it is durable.
    ///
    /// # Errors
    /// [`Error::sink`]: nothing of the block is in the file (it was cut back), or a sync failed and nobody can say.
    /// A reader that left is [`Error::is_broken_pipe`].
    pub fn append(&self, block: &[u8]) -> Result<()> {
        if block.is_empty() {
            return Ok(());
        }
        let ticket = self.write(block)?;
        if self.regular { self.sync(ticket) } else { Ok(()) }
    }

    fn write(&self, block: &[u8]) -> Result<u64> {
        let mut written = lock(&self.written);
        if let Err(e) = (&self.file).write_all(block) {
            if !self.regular && e.kind() == io::ErrorKind::BrokenPipe {
                return Err(Error::sink(format!("{}: its reader left", self.name)).because(e));
            }
            let mut message =
                format!("{}: {} bytes could not be written after byte {}", self.name, block.len(), written.bytes);
            if self.cut {
                match self.file.set_len(written.bytes) {
                    Ok(()) => message.push_str(" and the file was cut back to there"),
                    Err(_) => message.push_str(" and the file could not be cut back to there"),
                }
            }
            if e.kind() == io::ErrorKind::StorageFull {
                message.push_str("; make room and run it again, nothing acknowledged is lost");
            }
            return Err(Error::sink(message).because(e));
        }
        written.bytes += block.len() as u64;
        written.blocks += 1;
        Ok(written.blocks)
    }

    fn sync(&self, ticket: u64) -> Result<()> {
        let mut synced = lock(&self.synced);
        loop {
            if let Some(words) = &synced.broken {
                return Err(Error::sink(format!("{}: it could not be synced: {words}", self.name)));
            }
            if synced.blocks >= ticket {
                return Ok(());
            }
            if synced.running {
                synced = self.woken.wait(synced).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            synced.running = true;
            drop(synced);
            // All blocks that are whole before the sync begins are durable after it.
            let whole = lock(&self.written).blocks;
            let result = self.file.sync_data();
            synced = lock(&self.synced);
            synced.running = false;
            match result {
                Ok(()) => synced.blocks = whole,
                Err(e) => synced.broken = Some(e.to_string()),
            }
            self.woken.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a new file's entry in its folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
