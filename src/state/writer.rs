//! The thread that writes the journal, and the one that syncs it. They alone wait for the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::journal::{self, Record};
use super::ledger::Ledger;

/// Says what a user should know.
pub type Say = Box<dyn Fn(String) + Send + Sync>;

/// How often what was written is synced, and what could not be written is tried again.
const INTERVAL: Duration = Duration::from_millis(500);

/// A journal below this is not compacted while it is in use.
const COMPACT_BYTES: u64 = 4 << 20;

/// What those who settle share with the threads that write.
pub(super) struct Shared {
    pub(super) directory: PathBuf,
    ledger: Mutex<Ledger>,
    status: Mutex<Status>,
    /// Something is to be written.
    work: Condvar,
    /// Something is to be synced, or it is time to end.
    written: Condvar,
    /// The desk has changed.
    changed: Condvar,
    say: Say,
}

/// How far the threads are.
#[derive(Default)]
struct Status {
    /// Whether the ledger has something for the thread that writes.
    pending: bool,
    /// Whether that thread is at it.
    writing: bool,
    /// What was written and not synced.
    unsynced: Option<Arc<File>>,
    syncing: bool,
    /// Why something is not in the journal.
    failure: Option<io::Error>,
    /// How often the journal was tried to be written anew since it failed.
    tries: u64,
    /// Nobody waits for the interval.
    sync_now: bool,
    closing: bool,
    /// Threads that have not ended.
    threads: usize,
}

impl Shared {
    /// What `ledger` holds is to be kept in `directory`.
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

    /// The ledger. Nobody holds it while a disk is waited for.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets what `ledger` has recorded be written.
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

    /// Starts both threads. `length` is that of `journal`.
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

    /// Waits until all that is recorded is written and synced, and answers why it is not. While it is not, `patience` is asked
    /// whether to go on waiting.
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

    /// Lets both threads end when they have nothing left to do, and waits for that, but no longer than `most`.
    pub(super) fn close(&self, most: Duration) {
        let mut status = self.status();
        status.closing = true;
        self.work.notify_all();
        self.written.notify_all();
        drop(self.changed.wait_timeout_while(status, most, |status| status.threads > 0));
    }

    /// The thread that writes: at once what is recorded, and all of it anew where something is missing.
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
                // Whoever is in a hurry has its answer.
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

    /// The thread that syncs.
    fn sync(&self) {
        let mut status = self.status();
        loop {
            while status.unsynced.is_none() {
                if status.closing {
                    return;
                }
                // Until something is written: an idle process does not wake.
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
            // After a failed sync nobody knows what is in the file; it is written anew.
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
                "--state {shown}: the journal cannot be written: {error}; the job goes on, and what it settles is recorded \
                 as soon as there is room"
            )),
            (Some(_), None) => (self.say)(format!("--state {shown}: the journal is written again, nothing is missing")),
            _ => {}
        }
    }
}

/// The journal, in the hands of the thread that writes it.
struct Writer {
    journal: Arc<File>,
    /// How long the journal is; what stands behind that in the file does not count.
    length: u64,
    /// Beyond this length it is compacted.
    compact_at: u64,
    buffer: Vec<u8>,
}

impl Writer {
    /// Appends `records`. After a failure nothing is written but all of it anew.
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
                // There is no room for a second one: the journal goes on growing.
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

    /// Writes all that is known anew.
    fn write_anew(&mut self, shared: &Shared) -> io::Result<()> {
        let bytes = {
            let mut ledger = shared.ledger();
            // What comes from here on is pending behind it.
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

/// Writes `bytes` and puts them in the place of the journal.
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

    /// What `kill -9` forgets is what was acknowledged in this time; run it with `--nocapture` to see it.
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
            // Gaps between them, so that each is a record of its own.
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
        // A sync is due half a second after the first of them: most were not kept for it.
        assert!(times[150].as_millis() < 250, "{:?}", times[150]);
        store.sync(&Waits::quiet(Deadline::default())).unwrap();
        drop(store);
        let bytes = std::fs::read(&journal).unwrap();
        assert_eq!(bytes.len(), 16 + 300 * 43);
    }
}
