//! The thread that writes the journal, and the thread that syncs it at intervals. Only these threads wait for the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::journal::{self, Record};
use super::ledger::Ledger;

/// The receiver of sentences for the user.
pub type Say = Box<dyn Fn(String) + Send + Sync>;

/// The interval between syncs, and between attempts to write after a failure.
const INTERVAL: Duration = Duration::from_millis(500);

/// A journal shorter than this is not compacted while it is in use.
const COMPACT_BYTES: u64 = 4 << 20;

/// The state that the callers and the two threads share.
pub(super) struct Shared {
    pub(super) directory: PathBuf,
    ledger: Mutex<Ledger>,
    status: Mutex<Status>,
    /// Signals that there are records to write.
    work: Condvar,
    /// Signals that there is something to sync, or that the threads must end.
    written: Condvar,
    /// Signals every change of `status`.
    changed: Condvar,
    say: Say,
}

/// The state of the two threads.
#[derive(Default)]
struct Status {
    /// Whether the ledger has records to write.
    pending: bool,
    /// Whether the writing thread is writing.
    writing: bool,
    /// The journal, if it was written and not synced yet.
    unsynced: Option<Arc<File>>,
    syncing: bool,
    /// The error of the failed write, because of which a record is missing in the journal.
    failure: Option<io::Error>,
    /// The number of attempts to write the whole journal since the failure.
    tries: u64,
    /// Whether the threads must not wait for the interval.
    sync_now: bool,
    closing: bool,
    /// The number of threads that run.
    threads: usize,
}

impl Shared {
    /// The state for `ledger`, which is kept in `directory`.
    pub(super) fn new(directory: PathBuf, ledger: Ledger, say: Say) -> Shared {
        Shared {
            directory,
            ledger: Mutex::new(ledger),
            status: Mutex::default(),
            work: Condvar::new(),
            written: Condvar::new(),
            changed: Condvar::new(),
            say,
        }
    }

    /// Locks the ledger. No thread holds this lock while it waits for the disk.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the writing thread if `ledger` has records to write.
    pub(super) fn wake(&self, ledger: MutexGuard<'_, Ledger>) {
        let some = !ledger.pending.is_empty();
        drop(ledger);
        if some {
            let mut status = self.status();
            if !status.pending {
                status.pending = true;
                self.work.notify_one();
            }
        }
    }

    /// Starts both threads. `length` is the length of `journal` in bytes.
    pub(super) fn start(self: &Arc<Self>, journal: File, length: u64) -> io::Result<()> {
        let writer = Writer { journal: Arc::new(journal), length, compact_at: COMPACT_BYTES, buffer: Vec::new() };
        self.spawn("state", move |shared| shared.write(writer))?;
        self.spawn("state sync", Shared::sync)
    }

    fn spawn(self: &Arc<Self>, name: &str, work: impl FnOnce(&Shared) + Send + 'static) -> io::Result<()> {
        self.status().threads += 1;
        let shared = Arc::clone(self);
        let work = move || {
            work(&shared);
            shared.status().threads -= 1;
            shared.changed.notify_all();
        };
        let spawned = std::thread::Builder::new().name(name.into()).spawn(work);
        spawned.map(drop).inspect_err(|_| self.status().threads -= 1)
    }

    /// Waits until all records are written and synced. Returns the reason if that fails. While it waits, it calls
    /// `patience`, which decides whether to wait longer.
    pub(super) fn flush(&self, patience: &mut dyn FnMut() -> Result<(), String>) -> Result<(), String> {
        let mut status = self.status();
        status.sync_now = true;
        self.work.notify_one();
        self.written.notify_one();
        let tries = status.tries;
        let result = loop {
            if status.failure.is_none()
                && !status.pending
                && !status.writing
                && status.unsynced.is_none()
                && !status.syncing
            {
                break Ok(());
            }
            if let Some(error) = status.failure.as_ref().filter(|_| status.tries > tries) {
                break Err(error.to_string());
            }
            let interval = Duration::from_millis(50);
            status = self.changed.wait_timeout(status, interval).unwrap_or_else(PoisonError::into_inner).0;
            if let Err(words) = patience() {
                break Err(words);
            }
        };
        status.sync_now = false;
        result
    }

    /// Ends both threads when their work is done, and waits for them, but no longer than `most`.
    pub(super) fn close(&self, most: Duration) {
        let mut status = self.status();
        status.closing = true;
        self.work.notify_all();
        self.written.notify_all();
        drop(self.changed.wait_timeout_while(status, most, |status| status.threads > 0));
    }

    /// The writing thread. It writes new records at once. If a record is missing, it writes the whole journal again.
    fn write(&self, mut writer: Writer) {
        let mut status = self.status();
        loop {
            if status.failure.is_some() {
                let wait = |status: &mut Status| !status.closing && !status.sync_now;
                status = self.work.wait_timeout_while(status, INTERVAL, wait).unwrap_or_else(PoisonError::into_inner).0;
                (status.pending, status.writing) = (false, true);
                drop(status);
                let written = writer.write_anew(self);
                status = self.status();
                status.writing = false;
                status.tries += 1;
                let before = std::mem::replace(&mut status.failure, written.err());
                self.say_change(before.as_ref(), status.failure.as_ref());
                self.changed.notify_all();
                if status.closing && status.failure.is_some() {
                    return;
                }
                // The caller that set the flag has been answered.
                status.sync_now = false;
                continue;
            }
            if status.pending {
                (status.pending, status.writing) = (false, true);
                drop(status);
                let pending = std::mem::take(&mut self.ledger().pending);
                let written = writer.append(self, &pending);
                status = self.status();
                status.writing = false;
                match written {
                    Ok(()) => {
                        status.unsynced = Some(Arc::clone(&writer.journal));
                        self.written.notify_one();
                    }
                    Err(error) => self.fail(&mut status, error),
                }
                self.changed.notify_all();
                continue;
            }
            if status.closing {
                drop(status);
                let _ = writer.journal.sync_data();
                return;
            }
            status = self.work.wait(status).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The syncing thread.
    fn sync(&self) {
        let mut status = self.status();
        loop {
            while status.unsynced.is_none() {
                if status.closing {
                    return;
                }
                // This wait has no time-out, so that an idle process does not wake up.
                status = self.written.wait(status).unwrap_or_else(PoisonError::into_inner);
            }
            let wait = |status: &mut Status| !status.closing && !status.sync_now;
            status = self.written.wait_timeout_while(status, INTERVAL, wait).unwrap_or_else(PoisonError::into_inner).0;
            let Some(journal) = status.unsynced.take() else { continue };
            status.syncing = true;
            drop(status);
            let synced = journal.sync_data();
            status = self.status();
            status.syncing = false;
            // After a failed sync, the bytes in the file are unknown, so the whole journal is written again.
            if let Err(error) = synced {
                self.fail(&mut status, error);
                self.work.notify_one();
            }
            self.changed.notify_all();
        }
    }

    fn fail(&self, status: &mut Status, error: io::Error) {
        self.say_change(status.failure.as_ref(), Some(&error));
        status.failure = Some(error);
    }

    fn say_change(&self, before: Option<&io::Error>, now: Option<&io::Error>) {
        let shown = self.directory.display();
        match (before, now) {
            (None, Some(error)) => (self.say)(format!(
                "--state {shown}: the journal cannot be written: {error}; the job goes on, and its settled lines are \
                 recorded as soon as there is room"
            )),
            (Some(_), None) => {
                (self.say)(format!("--state {shown}: the journal is written again, and no record is missing"))
            }
            _ => {}
        }
    }
}

/// The journal. Only the writing thread has it.
struct Writer {
    journal: Arc<File>,
    /// The length of the journal. The file may hold more bytes, which do not count.
    length: u64,
    /// The journal is compacted when it is longer than this.
    compact_at: u64,
    buffer: Vec<u8>,
}

impl Writer {
    /// Appends `records`. After a failure, the whole journal must be written again.
    fn append(&mut self, shared: &Shared, records: &[Record]) -> io::Result<()> {
        let written = self.put(records).and_then(|()| {
            if self.length <= self.compact_at {
                return Ok(());
            }
            let (bytes, pending) = {
                let mut ledger = shared.ledger();
                (ledger.whole(), std::mem::take(&mut ledger.pending))
            };
            self.replace(&shared.directory, &bytes).or_else(|_| {
                // There is no room for a second journal, so the old one goes on growing.
                self.compact_at = self.compact_at.max(2 * self.length);
                self.put(&pending)
            })
        });
        written.inspect_err(|_| {
            let mut ledger = shared.ledger();
            ledger.needs_rewrite = true;
            ledger.pending.clear();
        })
    }

    fn put(&mut self, records: &[Record]) -> io::Result<()> {
        self.buffer.clear();
        for record in records {
            journal::encode(record, self.length, &mut self.buffer);
        }
        self.journal.write_all_at(&self.buffer, self.length)?;
        self.length += self.buffer.len() as u64;
        Ok(())
    }

    /// Writes the whole journal again.
    fn write_anew(&mut self, shared: &Shared) -> io::Result<()> {
        let bytes = {
            let mut ledger = shared.ledger();
            // Records that come from now on are appended after it.
            ledger.needs_rewrite = false;
            ledger.pending.clear();
            ledger.whole()
        };
        self.replace(&shared.directory, &bytes).inspect_err(|_| {
            let mut ledger = shared.ledger();
            ledger.needs_rewrite = true;
            ledger.pending.clear();
        })
    }

    fn replace(&mut self, directory: &Path, bytes: &[u8]) -> io::Result<()> {
        self.journal = Arc::new(replace(directory, bytes)?);
        self.length = bytes.len() as u64;
        self.compact_at = COMPACT_BYTES.max(2 * self.length);
        Ok(())
    }
}

/// Writes `bytes` to a new file and replaces the journal with it.
pub(super) fn replace(directory: &Path, bytes: &[u8]) -> io::Result<File> {
    let path = directory.join("journal.new");
    let write = || -> io::Result<File> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        std::fs::rename(&path, directory.join("journal"))?;
        Ok(file)
    };
    let file = write().inspect_err(|_| drop(std::fs::remove_file(&path)))?;
    File::open(directory)?.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use crate::core::batch::{Batch, Origin};
    use crate::core::wait::{Deadline, Waits};
    use crate::state::Memory;
    use crate::state::store::Store;

    /// `kill -9` loses at most the records of the time that this test measures. Run the test with `--nocapture` to see
    /// it.
    #[test]
    fn what_is_settled_is_in_the_file_at_once_and_not_only_when_it_is_synced() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Box::new(|_| ())).unwrap();
        let journal = folder.path().join("journal");
        let length = || std::fs::metadata(&journal).unwrap().len();
        let content = store.begin(7).content;
        let origin = std::sync::Arc::new(Origin { content, ..Origin::new(7, "x") });
        let mut times = Vec::new();
        for nth in 0..300_u64 {
            // There are gaps between the extents, so that each is a record of its own.
            let batch = Batch::new(std::sync::Arc::clone(&origin), nth * 10, 1, bytes::Bytes::from_static(b"x\n"));
            let before = length();
            let start = Instant::now();
            store.settle(&[batch]);
            while length() == before {
                assert!(start.elapsed().as_secs() < 60, "it is never written");
                std::thread::yield_now();
            }
            times.push(start.elapsed());
        }
        times.sort();
        eprintln!("settled to written: {:?} in the median, {:?} at most of {}", times[150], times[299], times.len());
        // The first sync comes after half a second. Most records were written before it.
        assert!(times[150].as_millis() < 250, "{:?}", times[150]);
        store.sync(&Waits::quiet(Deadline::default())).unwrap();
        drop(store);
        let bytes = std::fs::read(&journal).unwrap();
        assert_eq!(bytes.len(), 16 + 300 * 43);
    }
}
