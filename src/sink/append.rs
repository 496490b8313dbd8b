//! Appending whole blocks to a file so that they are durable, from many threads at once.
//!
//! A block is written in one piece behind the last good byte, then synced before its writer is told. Threads that wait
//! at the same time share one sync. What is not a regular file (a pipe, `/dev/null`) cannot be synced and is not; it is
//! written without blocking, so that a wait for its reader can be said and ends in time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{O_NOCTTY, O_NONBLOCK};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::core::disk;
use crate::core::error::{Error, Result};
use crate::core::wait::Patience;

/// How often it is tried again to open a pipe, or to lock a file.
const AGAIN: Duration = Duration::from_millis(20);

/// How often a wait for the reader of a pipe looks whether it has to end.
const GLANCE: Duration = Duration::from_millis(100);

/// What fits into a pipe that can be written to at all (POSIX, `PIPE_BUF` of Linux).
const FITS: usize = 4096;

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
    patience: Arc<Patience>,
    /// Whether a write may block, because others share the open file: then it is written in small pieces, each when there is
    /// room for it.
    blocks: bool,
    /// Where it is, for those who have to make room.
    path: Option<PathBuf>,
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
    /// Why nothing can be written any more, because half a block is in a pipe; and the system's code of it.
    broken: Option<(String, Option<i32>)>,
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
    /// Opens `path` for appending, creates it if need be with `mode` (less the umask), and lets `repair` mend what a crash
    /// left at its end. `patience` is waited with, and has the name that messages call it. While it is open no other process
    /// can have it: `others` says what to do about one.
    pub fn open(
        path: &Path,
        mode: u32,
        others: Others,
        patience: &Arc<Patience>,
        repair: impl FnOnce(&File, u64) -> Result<()>,
    ) -> Result<AppendFile> {
        let name = patience.name().to_owned();
        let opening = |e: io::Error| Error::sink(format!("{name}: cannot be opened for writing")).because(e);
        let before = match path.metadata() {
            Ok(metadata) => Some(metadata),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(opening(e)),
        };
        let regular = before.as_ref().is_none_or(|metadata| metadata.is_file());
        let pipe = before.as_ref().is_some_and(|metadata| metadata.file_type().is_fifo());
        // Reading is for the repair; a pipe opened for both would never be told that its reader left.
        let mut options = OpenOptions::new();
        options.append(true).read(regular).create(true).mode(mode);
        if !regular {
            options.custom_flags(O_NONBLOCK | O_NOCTTY);
        }
        let wait = patience.begin();
        let file = loop {
            match options.open(path) {
                Err(e) if pipe && e.raw_os_error() == Some(Errno::ENXIO as i32) => {
                    wait.pause("nobody has opened the pipe for reading", AGAIN).map_err(|ended| ended.error(&name))?;
                }
                opened => break opened.map_err(opening)?,
            }
        };
        if regular {
            let mut tries = 0;
            loop {
                match (file.try_lock(), others) {
                    (Ok(()), _) => break,
                    // A child process that has not begun its program yet has all files of its parent, those it has closed too.
                    (Err(TryLockError::WouldBlock), Others::Refuse) if tries < 10 => {
                        tries += 1;
                        std::thread::sleep(AGAIN);
                    }
                    (Err(TryLockError::WouldBlock), Others::Refuse) => {
                        return Err(Error::sink(format!(
                            "{name}: another sink or process is writing to it; give each its own file"
                        )));
                    }
                    (Err(TryLockError::WouldBlock), Others::Wait) => {
                        wait.pause("another process has locked the file", AGAIN).map_err(|ended| ended.error(&name))?;
                    }
                    // Some network file systems have no locks.
                    (Err(TryLockError::Error(_)), _) => break,
                }
            }
            match &before {
                None => sync_folder(path).map_err(opening)?,
                Some(_) => repair(&file, file.metadata().map_err(opening)?.len())?,
            }
        }
        patience.over();
        Ok(AppendFile { path: Some(path.to_owned()), ..AppendFile::new(file, patience, regular) })
    }

    /// Standard output.
    pub fn stdout(patience: &Arc<Patience>) -> Result<AppendFile> {
        let file = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let file = file.map_err(|e| Error::sink("standard output cannot be written to").because(e))?;
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if regular {
            return Ok(AppendFile { cut: false, ..AppendFile::new(file, patience, true) });
        }
        // Others may share the open file, a shell for example, and it is not for us to make it one that does not block. What
        // is opened anew is ours alone.
        let own = OpenOptions::new().append(true).custom_flags(O_NONBLOCK | O_NOCTTY).open("/proc/self/fd/1");
        let blocks = own.is_err();
        Ok(AppendFile { blocks, ..AppendFile::new(own.unwrap_or(file), patience, false) })
    }

    fn new(file: File, patience: &Arc<Patience>, regular: bool) -> AppendFile {
        let bytes = match file.metadata() {
            Ok(metadata) if regular => metadata.len(),
            _ => 0,
        };
        AppendFile {
            file,
            name: patience.name().to_owned(),
            regular,
            cut: regular,
            written: Mutex::new(Written { bytes, ..Written::default() }),
            synced: Mutex::default(),
            woken: Condvar::new(),
            patience: Arc::clone(patience),
            blocks: false,
            path: None,
        }
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

    /// Appends `block` and leaves it to the system when it is durable.
    ///
    /// # Errors
    /// Those of [`append`](AppendFile::append), but for syncing.
    pub fn append_unsynced(&self, block: &[u8]) -> Result<()> {
        self.write(block).map(drop)
    }

    fn write(&self, block: &[u8]) -> Result<u64> {
        let mut written = lock(&self.written);
        if !self.regular {
            return self.pour(&mut written, block);
        }
        if let Err(e) = self.patience.call("write", || (&self.file).write_all(block)) {
            let mut message =
                format!("{}: {} bytes could not be written after byte {}", self.name, block.len(), written.bytes);
            if self.cut {
                match self.file.set_len(written.bytes) {
                    Ok(()) => message.push_str(" and the file was cut back to there"),
                    Err(_) => message.push_str(" and the file could not be cut back to there"),
                }
            }
            message.push_str(&disk::advice(&e, self.path.as_deref()));
            return Err(Error::sink(message).because(e));
        }
        written.bytes += block.len() as u64;
        written.blocks += 1;
        Ok(written.blocks)
    }

    /// Writes to what is no regular file, and waits for whoever takes it.
    #[allow(clippy::disallowed_methods, reason = "a part may be written: the rest is, when there is room again")]
    fn pour(&self, written: &mut Written, block: &[u8]) -> Result<u64> {
        if let Some((words, code)) = &written.broken {
            let error = Error::sink(words.clone());
            return Err(match code {
                Some(code) => error.because(io::Error::from_raw_os_error(*code)),
                None => error,
            });
        }
        let mut rest = block;
        while !rest.is_empty() {
            let poured = match self.blocks {
                true => self.wait_for_room().map(|()| &rest[..rest.len().min(FITS)]),
                false => Ok(rest),
            };
            match poured.map(|piece| (&self.file).write(piece)) {
                Ok(Ok(0)) => return Err(self.not_poured(written, block, rest, io::ErrorKind::WriteZero.into())),
                Ok(Ok(count)) => {
                    rest = &rest[count..];
                    written.bytes += count as u64;
                    self.patience.over();
                }
                Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(e)) if e.kind() == io::ErrorKind::WouldBlock && !self.blocks => {
                    if let Err(error) = self.wait_for_room() {
                        return Err(given_up(written, block, rest, error));
                    }
                }
                Ok(Err(e)) => return Err(self.not_poured(written, block, rest, e)),
                Err(error) => return Err(given_up(written, block, rest, error)),
            }
        }
        written.blocks += 1;
        Ok(written.blocks)
    }

    fn wait_for_room(&self) -> Result<()> {
        let wait = self.patience.begin();
        loop {
            let mut room = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut room, PollTimeout::from(GLANCE.as_millis() as u16)) {
                // A reader that left is an error of the write.
                Ok(1..) => return Ok(()),
                Ok(_) | Err(Errno::EINTR) => {
                    wait.check("its reader takes nothing").map_err(|ended| ended.error(&self.name))?;
                }
                Err(e) => return Err(Error::sink(format!("{}: cannot be waited for", self.name)).because(e)),
            }
        }
    }

    fn not_poured(&self, written: &mut Written, block: &[u8], rest: &[u8], e: io::Error) -> Error {
        let message = match e.kind() {
            io::ErrorKind::BrokenPipe => format!("{}: its reader left", self.name),
            _ => {
                // A device stands in a folder, and is not on its disk.
                let advice = disk::advice(&e, None);
                let (length, bytes) = (block.len(), written.bytes);
                format!("{}: {length} bytes could not be written after byte {bytes}{advice}", self.name)
            }
        };
        if rest.len() < block.len() {
            written.broken = Some((message.clone(), e.raw_os_error()));
        }
        Error::sink(message).because(e)
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
            let result = self.patience.call("sync", || self.file.sync_data());
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

/// Nobody waits any longer. What is written after half a block would be read as a part of it, so nothing is.
fn given_up(written: &mut Written, block: &[u8], rest: &[u8], error: Error) -> Error {
    if rest.len() < block.len() {
        written.broken = Some((error.to_string(), None));
    }
    error
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a new file's entry in its folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
