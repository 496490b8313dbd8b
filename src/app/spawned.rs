//! A worker that a queue has started ends when that queue does, however it ends: its standard input is a pipe whose other
//! end only the queue holds, and which the system closes with it.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::core::error::{Error, Result};
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::worker::in_flight::InFlight;

/// How long a batch that is being stored may take when the queue has ended. Its lines are delivered again by another run,
/// stored or not.
const PATIENCE: Duration = Duration::from_secs(5);

/// Watches the queue that has started this worker.
#[derive(Debug)]
pub struct QueueWatch {
    folder: PathBuf,
    in_flight: Arc<InFlight>,
}

impl QueueWatch {
    /// Watches from here on: at the end of standard input the batch that is being stored is finished, if that takes no
    /// more than five seconds, nothing else is stored, and the process ends with exit code 3. `folder` is the one of the
    /// queue.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start(folder: &Path, console: &Console) -> Result<QueueWatch> {
        let in_flight = Arc::new(InFlight::default());
        let (stores, console) = (Arc::clone(&in_flight), console.clone());
        let watch = move || {
            wait_for_end(std::io::stdin().lock());
            // Whatever comes next may hang: a sink that is tried again and again, a standard error that nobody reads.
            let last_resort = std::thread::Builder::new().name("last resort".into()).spawn(|| {
                std::thread::sleep(PATIENCE);
                signal_hook::low_level::exit(3);
            });
            if last_resort.is_ok() {
                stores.close(PATIENCE);
                console.warn("the queue that started this worker has ended; nothing more is stored");
            }
            signal_hook::low_level::exit(3);
        };
        std::thread::Builder::new()
            .name("queue".into())
            .spawn(watch)
            .map_err(|error| Error::system("no thread to watch the queue").because(error))?;
        Ok(QueueWatch { folder: folder.to_owned(), in_flight })
    }

    /// What keeps anything more from being stored once the queue has ended.
    pub fn in_flight(&self) -> Arc<InFlight> {
        Arc::clone(&self.in_flight)
    }

    /// Leaves a note for the queue about why this worker ends, if something went wrong.
    pub fn leave_note(&self, result: &Result<Receipt>) {
        let note = match result {
            Err(error) => Note { started: false, reason: error.to_string() },
            Ok(receipt) if receipt.errors.is_empty() => return,
            Ok(receipt) => Note { started: true, reason: receipt.errors.join("; ") },
        };
        // Without it, what this worker has said on standard error stands there all the same.
        let _ = std::fs::write(note_file(&self.folder, std::process::id()), note.text());
    }
}

/// Reads until there is no more.
fn wait_for_end(mut input: impl Read) {
    loop {
        match input.read(&mut [0; 64]) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Why a worker has ended, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// Whether it had come so far as to ask for lines. What keeps a worker from that would keep another one as well.
    pub(super) started: bool,
    pub(super) reason: String,
}

/// Bytes of a note that are read.
const LONGEST_NOTE: u64 = 16 << 10;

fn note_file(folder: &Path, process: u32) -> PathBuf {
    folder.join(format!("{process}{NOTE}"))
}

/// How the names of notes end.
pub(super) const NOTE: &str = ".note";

impl Note {
    /// Takes the note that the worker `process` has left in `folder`.
    pub(super) fn take(folder: &Path, process: u32) -> Option<Note> {
        let path = note_file(folder, process);
        let mut text = String::new();
        std::fs::File::open(&path).ok()?.take(LONGEST_NOTE).read_to_string(&mut text).ok()?;
        let _ = std::fs::remove_file(path);
        Note::read(&text)
    }

    fn text(&self) -> String {
        format!("{}\n{}", if self.started { "started" } else { "not started" }, self.reason)
    }

    fn read(text: &str) -> Option<Note> {
        let (started, reason) = text.split_once('\n')?;
        Some(Note { started: started == "started", reason: reason.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_taken_once_and_by_its_process() {
        let folder = tempfile::tempdir().unwrap();
        for started in [true, false] {
            let note = Note { started, reason: "x.db: cannot be opened\nno such folder".into() };
            std::fs::write(note_file(folder.path(), 7), note.text()).unwrap();
            assert_eq!(Note::take(folder.path(), 8), None);
            assert_eq!(Note::take(folder.path(), 7), Some(note));
            assert_eq!(Note::take(folder.path(), 7), None);
        }
    }
}
