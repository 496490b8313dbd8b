//! [`Background`]: a thread that does something from time to time until it is told to end.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A thread that ends, and is waited for, when this is dropped.
#[derive(Debug)]
pub struct Background {
    ending: Arc<Ending>,
    thread: Option<JoinHandle<()>>,
}

/// The request to end that such a thread gets.
#[derive(Debug, Default)]
pub struct Ending {
    is_requested: Mutex<bool>,
    changed: Condvar,
}

impl Ending {
    /// Waits for `time`. Returns `true` at once when the thread is to end.
    pub fn wait(&self, time: Duration) -> bool {
        let is_requested = self.is_requested.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(is_requested, time, |is_requested| !*is_requested);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Background {
    /// Starts `work` in a thread called `name`. If the system gives no thread, `work` is not done.
    pub fn start(name: &str, work: impl FnOnce(&Ending) + Send + 'static) -> Background {
        let ending = Arc::new(Ending::default());
        let requested = Arc::clone(&ending);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&requested)).ok();
        Background { ending, thread }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        *self.ending.is_requested.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ending.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
