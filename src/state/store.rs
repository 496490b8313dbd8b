//! The state directory: its lock and its journal.

use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::extents::Extent;
use super::journal::{self, Cursor, Decoded, Done, Record};
use super::ledger::{self, Content, Ledger};
use super::memory::{Amount, Begun, Known, Memory, Stamp};
use super::ranges::Ranges;
use super::writer::{self, Say, Shared};
use crate::core::batch::Batch;
use crate::core::disk;
use crate::core::error::{Error, Result};
use crate::core::wait::{Waits, Words};

/// How long the process waits at its end for the threads that write, after everything was written or given up.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An open state directory. No other process can open it at the same time.
pub struct Store {
    shared: Arc<Shared>,
    /// The settled extents of earlier runs. Extents that this run settles are not among them.
    known: HashMap<u64, Arc<[Known]>>,
    /// The files that earlier runs settled as a whole, by origin, device and inode.
    whole: BTreeMap<(u64, u64, u64), Done>,
    identity: u64,
    /// The lock file. It stays locked until it is dropped.
    _lock: File,
}

impl Store {
    /// Opens `directory`, and creates it if necessary.
    ///
    /// # Errors
    /// [`Usage`](crate::core::error::Kind::Usage) if the directory is in use, is not a state directory, or may not be
    /// written; [`System`](crate::core::error::Kind::System) for other failures.
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
        let identity = identity(directory).map_err(|error| failed("its identity cannot be read or written", error))?;
        let path = directory.join("journal");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(|error| failed("the journal cannot be opened for writing", error))?;
        let bytes = std::fs::read(&path).map_err(|error| failed("the journal cannot be read", error))?;
        let refuse = |what: String| Error::usage(format!("--state {shown}: {what}; nothing was read or changed"));
        let (records, length) = match journal::decode(&bytes) {
            Decoded::Records(records, length) => (records, length),
            Decoded::NotStarted => {
                let begun = file.set_len(0).and_then(|()| file.write_all_at(&journal::header(), 0));
                begun.map_err(|error| failed("the journal cannot be created", error))?;
                (Vec::new(), journal::HEADER)
            }
            Decoded::Version(version) => {
                return Err(refuse(format!("its journal has version {version}, but this program reads version 1")));
            }
            Decoded::Foreign => {
                let advice = "move it away to start again (all lines will be delivered again)";
                return Err(refuse(format!(
                    "its file \"journal\" is not a journal, or its beginning is damaged; {advice}"
                )));
            }
        };
        if length < bytes.len() {
            let lost = bytes.len() - length;
            say(format!(
                "--state {shown}: the journal is torn or damaged at byte {length}; its last {lost} bytes are cut off, \
                 and lines that only they recorded will be delivered again"
            ));
            file.set_len(length as u64).map_err(|error| failed("the journal cannot be shortened", error))?;
        }
        let mut state = Ledger::default();
        state.load(&records);
        let (mut file, mut length) = (file, length as u64);
        if length > 2 * state.size_needed() {
            let whole = state.whole();
            // On a full disk, the old journal remains in use, because it holds the same records.
            if let Ok(compacted) = writer::replace(directory, &whole) {
                (file, length) = (compacted, whole.len() as u64);
            }
        }
        file_synced(&file, directory).map_err(|error| failed("the journal cannot be synced", error))?;
        let (known, whole) = (ledger::known(&state.extents), state.done.clone());
        let shared = Arc::new(Shared::new(directory.to_owned(), state, say));
        let started = shared.start(file, length);
        started
            .map_err(|error| Error::system("the threads of the state directory cannot be started").because(error))?;
        Ok(Store { shared, known, whole, identity, _lock: lock })
    }

    /// Records that batches are settled. A thread of the store writes the records at once. This function does not wait
    /// for the disk.
    pub fn settle(&self, batches: &[Batch]) {
        let mut state = self.shared.ledger();
        for batch in batches {
            let content = batch.context.origin.content;
            let delivered = state.delivered.remove(&(content, batch.offset));
            // A batch that was split after its delivery has no extent of its own.
            let extent = delivered.filter(|extent| extent.length == batch.data.len() as u64);
            let extent = extent.unwrap_or_else(|| Extent::of_batch(batch));
            state.settle(content, u64::from(batch.records), extent);
        }
        self.shared.wake(state);
    }

    /// Records a settled line that was never in a batch.
    pub fn settle_line(&self, content: u32, extent: Extent) {
        let mut state = self.shared.ledger();
        state.settle(content, 1, extent);
        self.shared.wake(state);
    }

    /// The identity of the directory. Queues that use the directory one after the other are the same queue for their workers.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// The lines and bytes that were skipped because an earlier run settled them.
    pub fn skipped(&self) -> Amount {
        self.shared.ledger().skipped
    }

    /// Waits until all records are written and synced, as long as `waits` allows.
    ///
    /// # Errors
    /// Fails when the records cannot be written. The lines themselves are not lost; a later run delivers them again.
    pub fn sync(&self, waits: &Waits) -> Result<()> {
        let shown = self.shared.directory.display();
        let patience = waits.patience(format!("--state {shown}"), Words::WRITTEN);
        let wait = patience.begin();
        let mut go_on = || wait.check("the disk accepts no data").map_err(|ended| ended.0);
        let result = self.shared.flush(&mut go_on).inspect(|()| patience.over());
        result.map_err(|words| {
            let room = match disk::is_full(&self.shared.directory.join("journal")) {
                true => disk::full(Some(&self.shared.directory.join("journal"))),
                false => String::new(),
            };
            Error::system(format!(
                "--state {shown}: the journal could not be written completely; the settled lines are in the sinks, but the next run \
                 will deliver some of them again{room}: {words}"
            ))
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.close(CLOSE_TIMEOUT);
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("directory", &self.shared.directory).finish_non_exhaustive()
    }
}

impl Memory for Store {
    fn begin(&self, origin: u64) -> Begun {
        let mut state = self.shared.ledger();
        let content = state.next;
        state.next = state.next.wrapping_add(1).max(1);
        let begun = Content { origin, lineage: content, settled: Ranges::default(), lines: 0, end: None };
        state.contents.insert(content, begun);
        Begun { content, known: self.known.get(&origin).cloned().unwrap_or_default() }
    }

    fn skip_whole(&self, origin: u64, stamp: &Stamp) -> Option<Amount> {
        let done = self.whole.get(&(origin, stamp.device, stamp.inode)).filter(|done| done.stamp == *stamp)?;
        let amount = Amount { lines: done.lines, bytes: done.length };
        self.shared.ledger().skipped += amount;
        Some(amount)
    }

    fn continue_lineage(&self, content: u32, lineage: u32) {
        let mut state = self.shared.ledger();
        // If two contents of one run had the same lineage, their extents would be joined.
        if state.lineages_taken.insert(lineage)
            && let Some(content) = state.contents.get_mut(&content)
        {
            content.lineage = lineage;
        }
    }

    fn deliver(&self, content: u32, extent: Extent) {
        self.shared.ledger().delivered.insert((content, extent.start), extent);
    }

    fn skip(&self, content: u32, start: u64, amount: Amount) -> bool {
        let mut state = self.shared.ledger();
        state.skipped += amount;
        state.cover(content, start, amount);
        self.shared.wake(state);
        true
    }

    fn leave_out(&self, content: u32, start: u64, bytes: u64) {
        let mut state = self.shared.ledger();
        state.cover(content, start, Amount { lines: 0, bytes });
        self.shared.wake(state);
    }

    fn end(&self, content: u32, length: u64, stamp: Option<Stamp>) {
        let mut state = self.shared.ledger();
        match (stamp, state.contents.get_mut(&content)) {
            (Some(stamp), Some(read)) => read.end = Some((length, stamp)),
            // The lineage is needed until the last line is settled. The covered ranges are not needed.
            (None, Some(read)) => read.settled = Ranges::default(),
            (_, None) => {}
        }
        state.finish(content);
        self.shared.wake(state);
    }

    fn cursor(&self, source: u64, stream: &[u8]) -> Option<Bytes> {
        self.shared.ledger().cursors.get(&(source, Bytes::copy_from_slice(stream))).cloned()
    }

    fn keep_cursor(&self, source: u64, stream: &Bytes, place: &Bytes) {
        let cursor = Cursor { source, stream: stream.clone(), place: place.clone() };
        let mut state = self.shared.ledger();
        state.take_cursor(cursor.clone());
        state.record(Record::Cursor(cursor));
        self.shared.wake(state);
    }
}

/// Syncs a journal that may be new, and its directory.
fn file_synced(journal: &File, directory: &Path) -> io::Result<()> {
    journal.sync_all()?;
    File::open(directory)?.sync_all()
}

/// Reads the identity of the directory, which is 16 hexadecimal digits in the file `identity`. Writes a new one if there is
/// none, or if a crash has cut it.
fn identity(directory: &Path) -> io::Result<u64> {
    let path = directory.join("identity");
    let known = match std::fs::read_to_string(&path) {
        Ok(text) => u64::from_str_radix(text.trim_end(), 16).ok().filter(|_| text.trim_end().len() == 16),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => None,
        Err(error) => return Err(error),
    };
    let Some(known) = known else {
        let new = fastrand::u64(..);
        let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        open.and_then(|mut file| writeln!(file, "{new:016x}"))?;
        return Ok(new);
    };
    Ok(known)
}

/// Takes the lock, or fails with the process that holds it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Store {
        Store::open(folder, Box::new(|sentence| panic!("{sentence}"))).unwrap()
    }

    #[test]
    fn the_latest_cursor_of_each_stream_is_there_after_a_restart_and_a_compaction() {
        let folder = tempfile::tempdir().unwrap();
        let journal = || std::fs::metadata(folder.path().join("journal")).unwrap().len();
        let name = |stream: u64| Bytes::from(format!("stream {stream}"));
        let store = open(folder.path());
        for place in 0..50_u64 {
            for stream in 0..3 {
                store.keep_cursor(1 + stream / 2, &name(stream), &Bytes::copy_from_slice(&place.to_be_bytes()));
            }
        }
        drop(store);
        assert_eq!(journal(), 16 + 150 * (15 + 8 + 8));
        for _ in 0..2 {
            let store = open(folder.path());
            assert_eq!(journal(), 16 + 3 * (15 + 8 + 8), "only the latest are kept");
            let cursor = |source, stream| store.cursor(source, &name(stream));
            let last = Some(Bytes::copy_from_slice(&49_u64.to_be_bytes()));
            assert_eq!([cursor(1, 0), cursor(1, 1), cursor(2, 2)], [last.clone(), last.clone(), last]);
            assert_eq!([cursor(2, 0), cursor(1, 2), cursor(3, 0)], [None, None, None]);
        }
    }

    /// The journal of version 0.1.0 after a run over the 8 bytes `one\ntwo\n`.
    const JOURNAL_OF_0_1_0: &str = "\
        6c6f677374617465000000019473e6482501911faba7321fe1a000000001000000000000000000000000000000084971700a\
        7ebfdd8801d81b7f094002911faba7321fe1a0000000000000fe0000000000005181a4000000000000000818ecc3bc43b910\
        da18ecc70274541b9000000000000000080000000000000002bcf3eac0";

    #[test]
    fn a_journal_of_0_1_0_is_read_and_gets_cursors() {
        let folder = tempfile::tempdir().unwrap();
        let hex = JOURNAL_OF_0_1_0.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = hex.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        std::fs::write(folder.path().join("journal"), bytes).unwrap();
        for _ in 0..2 {
            let store = open(folder.path());
            let known = store.begin(0x911f_aba7_321f_e1a0).known;
            assert_eq!(known.iter().map(|known| known.extent).collect::<Vec<_>>(), [Extent::of(0, b"one\ntwo\n")]);
            store.keep_cursor(7, &Bytes::from_static(b"p0"), &Bytes::from_static(b"42"));
            drop(store);
            assert_eq!(open(folder.path()).cursor(7, b"p0"), Some(Bytes::from_static(b"42")));
        }
    }
}
