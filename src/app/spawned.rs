//! The worker's side of `--spawn`: a worker that a queue started ends when the queue ends, even if the queue is killed.
//!
//! The standard input of such a worker is a pipe. Only the queue holds the write end, and the system closes it when the queue
//! ends. A byte in the pipe asks one of the workers to leave: it stores what it holds, gives its other leases back and ends.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::core::error::{Error, Result};
use crate::core::stderr;
use crate::core::stop::Stop;
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
    /// Requested when the queue needs this worker no more.
    leave: Stop,
    /// Whether the queue has asked this worker to leave.
    asked: Arc<AtomicBool>,
}

impl QueueWatch {
    /// Starts the watch. At the end of standard input, the worker finishes storing the current batch within five seconds, stores
    /// nothing else, and ends with exit code 3. `folder` is the folder of the queue.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(folder: &Path, console: &Console) -> Result<QueueWatch> {
        let in_flight = Arc::new(InFlight::default());
        let (leave, asked) = (Stop::new()?, Arc::new(AtomicBool::new(false)));
        let (stores, console) = (Arc::clone(&in_flight), console.clone());
        let failed =
            |error| Error::system("the pipe from the queue that started this worker cannot be read").because(error);
        // Standard input is buffered, and would read more requests than one.
        let pipe = File::from(std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?);
        let on_request = {
            let (leave, asked, marker) = (leave.clone(), Arc::clone(&asked), leaving_file(folder, std::process::id()));
            move || {
                // If the queue finds no marker, it starts another worker and ends one later.
                let _ = std::fs::write(&marker, "");
                asked.store(true, Ordering::SeqCst);
                leave.request();
            }
        };
        let watch = move || {
            wait_for_end(pipe, on_request);
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
        Ok(QueueWatch { folder: folder.to_owned(), in_flight, leave, asked })
    }

    /// Returns the stop that is requested when the queue needs this worker no more.
    pub fn leave(&self) -> &Stop {
        &self.leave
    }

    /// Returns whether the queue has asked this worker to leave.
    pub fn was_asked_to_leave(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
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

/// The byte that asks one worker to leave. All workers of a queue read the same pipe, so each byte reaches one of them.
pub(super) const LEAVE: u8 = b'l';

/// Reads until the end of input. Calls `on_request` when this worker is asked to leave, and then reads no further request.
fn wait_for_end(mut input: impl Read + AsFd, on_request: impl FnOnce()) {
    let mut on_request = Some(on_request);
    loop {
        let mut byte = [0];
        if on_request.is_none() {
            // Another request is for another worker. Only the end of the pipe matters here.
            wait_for_hangup(&input);
            return;
        }
        match input.read(&mut byte) {
            Ok(0) => return,
            Ok(_) if byte == [LEAVE] => {
                if let Some(leave) = on_request.take() {
                    leave();
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Waits until nobody has the other end of the pipe.
fn wait_for_hangup(input: &impl AsFd) {
    loop {
        let mut watched = [PollFd::new(input.as_fd(), PollFlags::empty())];
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) if watched[0].any().unwrap_or(true) => return,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Returns the path of the file that says that `process` was asked to leave.
fn leaving_file(folder: &Path, process: u32) -> PathBuf {
    folder.join(format!("{process}.leaving{NOTE}"))
}

/// Returns whether the worker `process` was asked to leave, and removes its marker.
pub(super) fn was_leaving(folder: &Path, process: u32) -> bool {
    std::fs::remove_file(leaving_file(folder, process)).is_ok()
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
    fn each_request_reaches_one_worker_and_the_end_reaches_all() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let (asked, requests) = std::sync::mpsc::channel();
        let workers: Vec<_> = (0..3)
            .map(|worker| {
                let (pipe, asked) = (reader.try_clone().unwrap(), asked.clone());
                std::thread::spawn(move || wait_for_end(pipe, move || asked.send(worker).unwrap()))
            })
            .collect();
        std::io::Write::write_all(&mut writer, &[LEAVE, LEAVE]).unwrap();
        let (first, second) = (requests.recv().unwrap(), requests.recv().unwrap());
        assert_ne!(first, second);
        assert!(workers.iter().all(|worker| !worker.is_finished()), "those that leave still watch the queue");
        drop((writer, asked));
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        assert!(requests.recv().is_err());
    }

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
