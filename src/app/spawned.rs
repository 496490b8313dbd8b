//! The worker's side of `--spawn`: a worker that a queue started ends when the queue ends, even if the queue is killed.
//!
//! The standard input of such a worker is a pipe. Only the queue holds the write end, and the system closes it when the queue
//! ends.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::core::error::{Error, Result};
use crate::core::stderr;
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::worker::in_flight::InFlight;

/// The time to finish storing a batch after the queue has ended. Another run delivers its lines again, whether they are stored
/// or not.
const PATIENCE: Duration = Duration::from_secs(5);

/// The watch on the queue that started this worker.
#[derive(Debug)]
pub struct QueueWatch {
    folder: PathBuf,
    in_flight: Arc<InFlight>,
}

impl QueueWatch {
    /// Starts the watch. At the end of standard input, the worker finishes storing the current batch within five seconds, stores
    /// nothing else, and ends with exit code 3. `folder` is the folder of the queue.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(folder: &Path, console: &Console) -> Result<QueueWatch> {
        let in_flight = Arc::new(InFlight::default());
        let (stores, console) = (Arc::clone(&in_flight), console.clone());
        let watch = move || {
            wait_for_end(std::io::stdin().lock());
            // The next steps may hang, because of a sink that does not respond.
            let last_resort = std::thread::Builder::new().name("last resort".into()).spawn(|| {
                std::thread::sleep(PATIENCE);
                signal_hook::low_level::exit(3);
            });
            if last_resort.is_ok() {
                stores.close(PATIENCE);
                console.warn("the queue that started this worker has ended; nothing more is stored");
                stderr::flush();
            }
            signal_hook::low_level::exit(3);
        };
        std::thread::Builder::new()
            .name("queue".into())
            .spawn(watch)
            .map_err(|error| Error::system("the thread that watches the queue cannot be started").because(error))?;
        Ok(QueueWatch { folder: folder.to_owned(), in_flight })
    }

    /// Returns the guard that allows no more storing after the queue has ended.
    pub fn in_flight(&self) -> Arc<InFlight> {
        Arc::clone(&self.in_flight)
    }

    /// Writes a note for the queue with the reason why this worker ends, if there are errors.
    pub fn leave_note(&self, result: &Result<Receipt>) {
        let note = match result {
            Err(error) => Note { started: false, reason: error.to_string() },
            Ok(receipt) if receipt.errors.is_empty() => return,
            Ok(receipt) => Note { started: true, reason: receipt.errors.join("; ") },
        };
        // If the note cannot be written, the errors are still on standard error.
        let _ = std::fs::write(note_file(&self.folder, std::process::id()), note.text());
    }
}

/// Reads until the end of input.
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

/// The reason why a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// Whether the worker had started to ask for lines. Otherwise another worker would fail for the same reason.
    pub(super) started: bool,
    /// The error messages of the worker.
    pub(super) reason: String,
}

/// The number of bytes of a note that are read.
const LONGEST_NOTE: u64 = 16 << 10;

/// Returns the path of the note of `process`.
fn note_file(folder: &Path, process: u32) -> PathBuf {
    folder.join(format!("{process}{NOTE}"))
}

/// The ending of the names of notes.
pub(super) const NOTE: &str = ".note";

impl Note {
    /// Reads and removes the note that the worker `process` left in `folder`.
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
