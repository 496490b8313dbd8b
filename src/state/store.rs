//! The state directory: its lock, its journal, and what both say.

use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::journal::{self, Decoded, Done};
use super::ledger::{self, Content, Ledger};
use super::pieces::Piece;
use super::ranges::Ranges;
use super::{Amount, Begun, Known, Memory, Stamp};
use crate::batch::Batch;
use crate::error::{Error, Result};

/// How often what was written is synced, and what could not be written is tried again.
const INTERVAL: Duration = Duration::from_millis(500);

/// Says what a user should know.
pub type Say = Box<dyn Fn(String) + Send + Sync>;

/// An open state directory. Nobody else can open it meanwhile.
pub struct Store {
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
    /// What was settled when it was opened. In one run nothing is skipped because of what the run itself settles.
    known: HashMap<u64, Arc<[Known]>>,
    /// The files of which all was settled then, by origin, device and inode.
    whole: BTreeMap<(u64, u64, u64), Done>,
    /// Locked until this is dropped.
    _lock: File,
}

struct Shared {
    directory: PathBuf,
    state: Mutex<Ledger>,
    wake: Condvar,
    say: Say,
}

impl Store {
    /// Opens `directory`, which is made if need be.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) when it is in use, is no state directory, or may not be written;
    /// [`System`](crate::error::Kind::System) when it cannot be.
    pub fn open(directory: &Path, say: Say) -> Result<Store> {
        let shown = directory.display();
        let failed = |what: &str, error: io::Error| {
            let message = format!("--state {shown}: {what}");
            match error.kind() {
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotADirectory => {
                    Error::usage(message + "; nothing was read, name a directory that can be written").because(error)
                }
                ErrorKind::AlreadyExists | ErrorKind::NotFound | ErrorKind::IsADirectory => {
                    Error::usage(message).because(error)
                }
                _ => Error::system(message + "; nothing was read").because(error),
            }
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| failed("the directory cannot be made", error))?;
        let lock = lock(directory, &failed)?;
        let _ = std::fs::remove_file(directory.join("journal.new"));
        let path = directory.join("journal");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(|error| failed("the journal cannot be opened for writing", error))?;
        let bytes = std::fs::read(&path).map_err(|error| failed("the journal cannot be read", error))?;
        let refuse = |what: String| Error::usage(format!("--state {shown}: {what}; nothing was read or changed"));
        let (records, length) = match journal::decode(&bytes) {
            Decoded::Records(records, length) => (records, length),
            Decoded::Unbegun => {
                let begun = file.set_len(0).and_then(|()| file.write_all_at(&journal::header(), 0));
                begun.map_err(|error| failed("the journal cannot be begun", error))?;
                (Vec::new(), journal::HEADER)
            }
            Decoded::Version(version) => {
                return Err(refuse(format!("its journal is of version {version}, this program knows 1")));
            }
            Decoded::Foreign => {
                let advice = "move it away to begin anew (everything will be delivered again)";
                return Err(refuse(format!("its file \"journal\" is no journal or begins damaged; {advice}")));
            }
        };
        if length < bytes.len() {
            let lost = bytes.len() - length;
            say(format!(
                "--state {shown}: the journal is torn or damaged at byte {length}; its last {lost} bytes are cut off, \
                 and lines that only they recorded will be delivered again"
            ));
            file.set_len(length as u64).map_err(|error| failed("the journal cannot be cut", error))?;
        }
        let mut state = Ledger::new(file, length as u64);
        state.take_in(&records);
        if length as u64 > 2 * state.size_needed() {
            // A full disk must not keep anybody from resuming: the old journal is as good.
            let _ = state.compact(directory);
        }
        file_synced(&state.journal, directory).map_err(|error| failed("the journal cannot be synced", error))?;
        let (known, whole) = (ledger::known(&state.pieces), state.done.clone());
        let directory = directory.to_owned();
        let shared = Arc::new(Shared { directory, state: Mutex::new(state), wake: Condvar::new(), say });
        let keeping = Arc::clone(&shared);
        let keeper = std::thread::Builder::new()
            .name("state".into())
            .spawn(move || keeping.keep())
            .map_err(|error| Error::system("no thread to keep the state with").because(error))?;
        Ok(Store { shared, keeper: Some(keeper), known, whole, _lock: lock })
    }

    /// Records batches that are settled.
    pub fn settle(&self, batches: &[Batch]) {
        let mut state = self.shared.lock();
        for batch in batches {
            let content = batch.origin.content;
            let delivered = state.delivered.remove(&(content, batch.offset));
            // A line that was cut off a batch was delivered with it and not for itself.
            let piece = delivered.filter(|piece| piece.length == batch.data.len() as u64);
            let piece = piece.unwrap_or_else(|| Piece::of(batch.offset, &batch.data));
            state.settle(content, u64::from(batch.lines), piece);
        }
        self.shared.written(&mut state);
    }

    /// Records one line that is settled and never was in a batch.
    pub fn settle_line(&self, content: u32, piece: Piece) {
        let mut state = self.shared.lock();
        state.settle(content, 1, piece);
        self.shared.written(&mut state);
    }

    /// How much was skipped, because an earlier run settled it.
    pub fn skipped(&self) -> Amount {
        self.shared.lock().skipped
    }

    /// Writes and syncs what is not yet.
    ///
    /// # Errors
    /// When that is not possible: what is lost is only the memory of it.
    pub fn sync(&self) -> Result<()> {
        let mut state = self.shared.lock();
        if state.failure.is_some() {
            state.failure = state.compact(&self.shared.directory).err();
        } else {
            // Also when nothing is unsynced: the thread may be in the middle of it.
            state.failure = state.journal.sync_data().err();
        }
        match state.failure.take() {
            None => Ok(()),
            Some(error) => Err(Error::system(format!(
                "--state {}: the journal could not be written to its end; what was settled is in the sinks, but a part of \
                 it will be delivered again by the next run",
                self.shared.directory.display()
            ))
            .because(error)),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
        let _ = self.sync();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("directory", &self.shared.directory).finish_non_exhaustive()
    }
}

impl Memory for Store {
    fn begin(&self, origin: u64) -> Begun {
        let mut state = self.shared.lock();
        let content = state.next;
        state.next = state.next.wrapping_add(1).max(1);
        let begun = Content { origin, strand: content, settled: Ranges::default(), lines: 0, end: None };
        state.contents.insert(content, begun);
        Begun { content, known: self.known.get(&origin).cloned().unwrap_or_default() }
    }

    fn skip_whole(&self, origin: u64, stamp: &Stamp) -> Option<Amount> {
        let done = self.whole.get(&(origin, stamp.device, stamp.inode)).filter(|done| done.stamp == *stamp)?;
        let amount = Amount { lines: done.lines, bytes: done.length };
        self.shared.lock().skipped += amount;
        Some(amount)
    }

    fn goes_on(&self, content: u32, strand: u32) {
        let mut state = self.shared.lock();
        // One strand for two contents of one run would join pieces of the one with those of the other.
        if state.strands_taken.insert(strand)
            && let Some(content) = state.contents.get_mut(&content)
        {
            content.strand = strand;
        }
    }

    fn deliver(&self, content: u32, piece: Piece) {
        self.shared.lock().delivered.insert((content, piece.start), piece);
    }

    fn skip(&self, content: u32, start: u64, amount: Amount) {
        let mut state = self.shared.lock();
        state.skipped += amount;
        state.cover(content, start, amount);
        self.shared.written(&mut state);
    }

    fn end(&self, content: u32, length: u64, stamp: Option<Stamp>) {
        let mut state = self.shared.lock();
        match (stamp, state.contents.get_mut(&content)) {
            (Some(stamp), Some(read)) => read.end = Some((length, stamp)),
            // The strand is still asked for while lines are out; what is covered is not.
            (None, Some(read)) => read.settled = Ranges::default(),
            (_, None) => {}
        }
        state.finish(content);
        self.shared.written(&mut state);
    }
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands what was recorded to the system, and says so the first time that it does not take it.
    fn written(&self, state: &mut Ledger) {
        let before = state.failure.is_some();
        state.write();
        if state.length > state.compact_at && state.failure.is_none() {
            // When that fails, the journal goes on growing.
            let _ = state.compact(&self.directory);
            state.compact_at = state.compact_at.max(2 * state.length);
        }
        self.say_failure(before, state);
        if state.resting && (state.unsynced || state.failure.is_some()) {
            self.wake.notify_one();
        }
    }

    fn say_failure(&self, failed_before: bool, state: &Ledger) {
        let shown = self.directory.display();
        match (failed_before, &state.failure) {
            (false, Some(error)) => (self.say)(format!(
                "--state {shown}: the journal cannot be written: {error}; the job goes on, and what it settles is recorded \
                 as soon as there is room"
            )),
            (true, None) => (self.say)(format!("--state {shown}: the journal is written again, nothing is missing")),
            _ => {}
        }
    }

    /// The thread that syncs.
    fn keep(&self) {
        let mut state = self.lock();
        while !state.closing {
            if !state.unsynced && state.failure.is_none() {
                // Until something is written: an idle process does not wake.
                state.resting = true;
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.resting = false;
                continue;
            }
            let open = |state: &mut Ledger| !state.closing;
            state = self.wake.wait_timeout_while(state, INTERVAL, open).unwrap_or_else(PoisonError::into_inner).0;
            if state.failure.is_some() {
                state.failure = state.compact(&self.directory).err();
                self.say_failure(true, &state);
            } else if state.unsynced {
                state.unsynced = false;
                let journal = Arc::clone(&state.journal);
                // Acks need not wait for the disk.
                drop(state);
                let synced = journal.sync_data();
                state = self.lock();
                if let Err(error) = synced {
                    // After a failed sync nobody knows what is in the file; it is written anew.
                    state.failure = Some(error);
                    self.say_failure(false, &state);
                }
            }
        }
    }
}

/// Syncs a journal that may be new, and the directory that names it.
fn file_synced(journal: &File, directory: &Path) -> io::Result<()> {
    journal.sync_all()?;
    File::open(directory)?.sync_all()
}

/// Takes the lock, or says who has it.
fn lock(directory: &Path, failed: &dyn Fn(&str, io::Error) -> Error) -> Result<File> {
    let path = directory.join("lock");
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = open.map_err(|error| failed("its lock cannot be opened", error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&path).unwrap_or_default();
            let process = match holder.trim() {
                "" => "another process".to_owned(),
                pid => format!("process {pid}"),
            };
            return Err(Error::usage(format!(
                "--state {}: {process} uses this directory; wait for its end, or name another directory",
                directory.display()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(failed("its lock cannot be taken", error)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(|error| failed("its lock cannot be written", error))?;
    Ok(file)
}
