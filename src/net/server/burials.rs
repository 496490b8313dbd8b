//! The thread that writes the dead letters of poison lines. A slow disk or a locked file stops this thread, and not the
//! server.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::core::error::{Error, Result};
use crate::queue::poison::TrackedBatch;
use crate::queue::shared::SharedQueue;

/// How long the thread waits after a dead letter could not be written, before it tries again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Writes the dead letter of a poison line.
pub type WriteLetter = Box<dyn FnMut(&TrackedBatch) -> Result<()> + Send>;

/// The server's handle of the thread. The thread ends when the handle is dropped, after the write in progress.
pub struct Burials {
    requested: SyncSender<()>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Burials {
    /// Starts the thread, which buries the poison lines of `queue`. It buries a line when `write_letter` has made the
    /// line's dead letter durable. `changed` is called when there is a failure.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(queue: Arc<SharedQueue>, write_letter: WriteLetter, changed: Box<dyn Fn() + Send>) -> Result<Burials> {
        let (requested, requests) = sync_channel(1);
        let failure = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&failure);
        let work = move || {
            bury(&queue, write_letter, &requests, &|error| {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                changed();
            });
        };
        std::thread::Builder::new()
            .name("letters".into())
            .spawn(work)
            .map_err(|error| Error::system("the thread that writes dead letters cannot be started").because(error))?;
        Ok(Burials { requested, failure })
    }

    /// Tells the thread that there is a poison line.
    pub(super) fn request(&self) {
        // If a request waits already, it is enough.
        let _ = self.requested.try_send(());
    }

    /// Returns the error of a write that failed when nothing but poison lines was left.
    pub(super) fn failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn bury(queue: &SharedQueue, mut write: WriteLetter, requests: &Receiver<()>, fail: &dyn Fn(Error)) {
    while requests.recv().is_ok() {
        while let Some(line) = queue.begin_burial() {
            let Err(error) = write(&line) else {
                queue.bury();
                continue;
            };
            queue.cancel_burial();
            if queue.only_poison() {
                fail(error);
                return;
            }
            // While writing fails, the line stays in the queue, and the other lines go on.
            let retry_at = Instant::now() + RETRY_AFTER;
            while let Some(rest) = retry_at.checked_duration_since(Instant::now()) {
                if requests.recv_timeout(rest) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        }
    }
}
