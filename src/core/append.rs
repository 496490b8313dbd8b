//! [`AppendFile`]: appends whole blocks durably to a file, from many threads at once.
//!
//! A block is written as a whole after the last good byte and synced before the call returns. Threads that wait at the
//! same time share one sync. A file that is not regular (a pipe, `/dev/null`) cannot be synced. It is written without
//! blocking, so that a wait for its reader can be reported and ends in time.

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
use crate::core::turns::Turn;
use crate::core::wait::Patience;

/// The time between two attempts to open a pipe or to lock a file.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The time after which a wait for the reader of a pipe checks whether it must end.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The number of bytes that a writable pipe accepts without blocking (POSIX; the `PIPE_BUF` of Linux).
const PIPE_BUF: usize = 4096;

/// A file that grows only by whole, durable blocks.
#[derive(Debug)]
pub(crate) struct AppendFile {
    file: File,
    name: String,
    regular: bool,
    /// Whether a partial write may be cut off. That is not allowed on a standard output that others may share.
    can_truncate: bool,
    written: Mutex<Written>,
    synced: Mutex<Synced>,
    sync_ended: Condvar,
    patience: Arc<Patience>,
    /// Whether a write may block because other processes share the open file. It is then written in pieces of
    /// [`PIPE_BUF`] bytes, each when there is room for it.
    may_block: bool,
    /// The path of the file, for the advice about a full disk.
    path: Option<PathBuf>,
}

/// The reaction if another process has locked the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenLocked {
    /// Fail.
    Refuse,
    /// Wait until the lock is released.
    Wait,
}

#[derive(Debug, Default)]
struct Written {
    /// The number of bytes up to the end of the last whole block.
    bytes: u64,
    /// The number of whole blocks.
    blocks: u64,
    /// The reason why nothing more can be written after half a block went into a pipe: the message, and the error code
    /// of the system.
    broken: Option<(String, Option<i32>)>,
}

#[derive(Debug, Default)]
struct Synced {
    /// The number of durable blocks.
    blocks: u64,
    running: bool,
    /// Set when a sync failed. Nobody can tell then which blocks reached the disk, not even with another sync.
    broken: Option<String>,
}

impl AppendFile {
    /// Opens `path` for appending. A missing file is created with `mode` (less the umask). In an existing file,
    /// `repair` repairs an end that a crash left incomplete. `patience` limits the waits and has the name that messages
    /// use. The file is locked while it is open: `when_locked` says what to do if another process has the lock.
    pub fn open(
        path: &Path,
        mode: u32,
        when_locked: WhenLocked,
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
        // The repair needs reading. A pipe that is opened for reading too would never report that its reader left.
        let mut options = OpenOptions::new();
        options.append(true).read(regular).create(true).mode(mode);
        if !regular {
            options.custom_flags(O_NONBLOCK | O_NOCTTY);
        }
        let wait = patience.begin();
        let file = loop {
            match options.open(path) {
                Err(e) if pipe && e.raw_os_error() == Some(Errno::ENXIO as i32) => {
                    wait.pause("nobody has opened the pipe for reading", RETRY_INTERVAL)
                        .map_err(|ended| ended.error(&name))?;
                }
                opened => break opened.map_err(opening)?,
            }
        };
        if regular {
            let mut tries = 0;
            loop {
                match (file.try_lock(), when_locked) {
                    (Ok(()), _) => break,
                    // A child process that has not started its program yet still has all files of its parent open, even
                    // those that the parent has closed.
                    (Err(TryLockError::WouldBlock), WhenLocked::Refuse) if tries < 10 => {
                        tries += 1;
                        std::thread::sleep(RETRY_INTERVAL);
                    }
                    (Err(TryLockError::WouldBlock), WhenLocked::Refuse) => {
                        return Err(Error::sink(format!(
                            "{name}: another sink or process is writing to it; give each its own file"
                        )));
                    }
                    (Err(TryLockError::WouldBlock), WhenLocked::Wait) => {
                        wait.pause("another process has locked the file", RETRY_INTERVAL)
                            .map_err(|ended| ended.error(&name))?;
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

    /// Returns standard output as a file.
    pub fn stdout(patience: &Arc<Patience>) -> Result<AppendFile> {
        let file = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let file = file.map_err(|e| Error::sink("standard output cannot be written to").because(e))?;
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if regular {
            return Ok(AppendFile { can_truncate: false, ..AppendFile::new(file, patience, true) });
        }
        // Others, a shell for example, may share the open file, so it must not be made non-blocking. A file that is
        // opened anew belongs to this process alone.
        let own = OpenOptions::new().append(true).custom_flags(O_NONBLOCK | O_NOCTTY).open("/proc/self/fd/1");
        let may_block = own.is_err();
        Ok(AppendFile { may_block, ..AppendFile::new(own.unwrap_or(file), patience, false) })
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
            can_truncate: regular,
            written: Mutex::new(Written { bytes, ..Written::default() }),
            synced: Mutex::default(),
            sync_ended: Condvar::new(),
            patience: Arc::clone(patience),
            may_block: false,
            path: None,
        }
    }

    /// Returns whether the file is a regular file without content.
    pub fn is_empty(&self) -> bool {
        self.regular && lock(&self.written).bytes == 0
    }

    /// Appends `block` and returns when it is durable.
    ///
    /// # Errors
    /// [`Error::sink`] in two cases. If the write failed, the message says whether the file was cut back to the end of
    /// the last whole block. If a sync failed, the state of the file is unknown. If the reader left, the error [says
    /// so](Error::is_broken_pipe).
    pub fn append(&self, block: &[u8]) -> Result<()> {
        if block.is_empty() {
            return Ok(());
        }
        let ticket = self.write(block)?;
        if self.regular { self.sync(ticket) } else { Ok(()) }
    }

    /// Appends `block` after the blocks of all earlier turns, and returns when it is durable. The turn is over before the
    /// sync, so that the blocks of several turns share one.
    ///
    /// # Errors
    /// The errors of [`append`](AppendFile::append); or an earlier block was not written, so that the turn is
    /// [missed](crate::core::turns::is_missed).
    pub fn append_in_turn(&self, block: &[u8], turn: Turn<'_>) -> Result<()> {
        if block.is_empty() {
            turn.pass();
            return Ok(());
        }
        turn.wait()?;
        let ticket = self.write(block)?;
        turn.pass();
        if self.regular { self.sync(ticket) } else { Ok(()) }
    }

    /// Appends `block` without a sync: the system decides when it becomes durable.
    ///
    /// # Errors
    /// The errors of [`append`](AppendFile::append), except for those of the sync.
    pub fn append_unsynced(&self, block: &[u8]) -> Result<()> {
        self.write(block).map(drop)
    }

    fn write(&self, block: &[u8]) -> Result<u64> {
        let mut written = lock(&self.written);
        if !self.regular {
            return self.write_to_pipe(&mut written, block);
        }
        if let Err(e) = self.patience.call("write", || (&self.file).write_all(block)) {
            let mut message =
                format!("{}: {} bytes could not be written after byte {}", self.name, block.len(), written.bytes);
            if self.can_truncate {
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

    /// Writes to a file that is not regular, and waits for its reader.
    #[allow(
        clippy::disallowed_methods,
        reason = "the loop writes the rest of a partial write when there is room again"
    )]
    fn write_to_pipe(&self, written: &mut Written, block: &[u8]) -> Result<u64> {
        if let Some((words, code)) = &written.broken {
            let error = Error::sink(words.clone());
            return Err(match code {
                Some(code) => error.because(io::Error::from_raw_os_error(*code)),
                None => error,
            });
        }
        let mut rest = block;
        while !rest.is_empty() {
            let next = match self.may_block {
                true => self.wait_for_room().map(|()| &rest[..rest.len().min(PIPE_BUF)]),
                false => Ok(rest),
            };
            match next.map(|piece| (&self.file).write(piece)) {
                Ok(Ok(0)) => return Err(self.pipe_error(written, block, rest, io::ErrorKind::WriteZero.into())),
                Ok(Ok(count)) => {
                    rest = &rest[count..];
                    written.bytes += count as u64;
                    self.patience.over();
                }
                Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(e)) if e.kind() == io::ErrorKind::WouldBlock && !self.may_block => {
                    if let Err(error) = self.wait_for_room() {
                        return Err(end_of_wait(written, block, rest, error));
                    }
                }
                Ok(Err(e)) => return Err(self.pipe_error(written, block, rest, e)),
                Err(error) => return Err(end_of_wait(written, block, rest, error)),
            }
        }
        written.blocks += 1;
        Ok(written.blocks)
    }

    fn wait_for_room(&self) -> Result<()> {
        let wait = self.patience.begin();
        loop {
            let mut room = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut room, PollTimeout::from(POLL_INTERVAL.as_millis() as u16)) {
                // If the reader left, the next write reports it.
                Ok(1..) => return Ok(()),
                Ok(_) | Err(Errno::EINTR) => {
                    wait.check("its reader takes nothing").map_err(|ended| ended.error(&self.name))?;
                }
                Err(e) => return Err(Error::sink(format!("{}: waiting for its reader failed", self.name)).because(e)),
            }
        }
    }

    fn pipe_error(&self, written: &mut Written, block: &[u8], rest: &[u8], e: io::Error) -> Error {
        let message = match e.kind() {
            io::ErrorKind::BrokenPipe => format!("{}: its reader left", self.name),
            _ => {
                // The file is not regular. Its data is not on the disk of its folder, so the advice names no disk.
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
                synced = self.sync_ended.wait(synced).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            synced.running = true;
            drop(synced);
            // All blocks that are complete before the sync begins are durable after it.
            let whole = lock(&self.written).blocks;
            let result = self.patience.call("sync", || self.file.sync_data());
            synced = lock(&self.synced);
            synced.running = false;
            match result {
                Ok(()) => synced.blocks = whole,
                Err(e) => synced.broken = Some(e.to_string()),
            }
            self.sync_ended.notify_all();
        }
    }
}

/// Ends the wait for the reader. A later block would be read as the rest of the half-written one, so nothing more is
/// written.
fn end_of_wait(written: &mut Written, block: &[u8], rest: &[u8], error: Error) -> Error {
    if rest.len() < block.len() {
        written.broken = Some((error.to_string(), None));
    }
    error
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the folder entry of a new file durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
