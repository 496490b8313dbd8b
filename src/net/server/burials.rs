//! The thread that writes the dead letters of lines that workers are lost on, so that a disk which is slow, or a file that
//! somebody has locked, does not keep the server from serving.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::core::error::{Error, Result};
use crate::queue::poison::TrackedBatch;
use crate::queue::shared::SharedQueue;

/// When a line is to be buried and its dead letter cannot be written, this is how long until it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Writes the dead letter of a line.
pub type WriteLetter = Box<dyn FnMut(&TrackedBatch) -> Result<()> + Send>;

/// The thread's work, as the server knows it. The thread ends with this, once it has written what it is at.
pub struct Burials {
    requested: SyncSender<()>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Burials {
    /// Buries the poison lines of `queue`, each when `write_letter` has made its letter durable. `changed` is called when
    /// there is a failure.
    ///
    /// # Errors
    /// When there can be no thread.
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
            .map_err(|error| Error::system("no thread to write dead letters with").because(error))?;
        Ok(Burials { requested, failure })
    }

    /// There is a line to be buried.
    pub(super) fn request(&self) {
        // Where a wish waits already, one is enough.
        let _ = self.requested.try_send(());
    }

    /// What went wrong, when nothing is left but lines whose letters cannot be written.
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
            // While it fails, the line stays in the queue, and the others go on.
            let retry_at = Instant::now() + RETRY_AFTER;
            while let Some(rest) = retry_at.checked_duration_since(Instant::now()) {
                if requests.recv_timeout(rest) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        }
    }
}
