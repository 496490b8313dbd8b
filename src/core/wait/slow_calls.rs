//! Calls that only the kernel can end, and the thread that reports the slow ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a call takes before the user is told.
pub(super) const REPORT_AFTER: Duration = Duration::from_secs(1);

/// Shows one sentence to the user.
type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// After this many rounds without a call in progress, the watching thread sleeps until the next call begins.
const IDLE_ROUNDS: u32 = 20;

/// The calls in progress of one process. Cloning shares them.
#[derive(Clone, Default)]
pub(super) struct SlowCalls(Arc<Inner>);

#[derive(Default)]
struct Inner {
    calls: Mutex<Calls>,
    /// Wakes the watching thread when it sleeps and a call begins.
    begun: Condvar,
}

/// The calls in progress, and the state of the thread that watches them.
#[derive(Default)]
struct Calls {
    in_progress: BTreeMap<u64, Call>,
    next_id: u64,
    /// Whether the watching thread was started.
    is_watched: bool,
    /// Whether the watching thread sleeps until a call begins.
    watcher_sleeps: bool,
}

/// One call.
struct Call {
    begun: Instant,
    /// The sentence to say when the call takes long.
    sentence: String,
    /// Whether the sentence was said.
    said: bool,
}

impl SlowCalls {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a call begins, and returns its number. If the call takes longer than [`REPORT_AFTER`], `say` is called
    /// with `sentence`.
    pub(super) fn begin(&self, sentence: String, say: &Say) -> u64 {
        let mut calls = self.calls();
        calls.next_id += 1;
        let id = calls.next_id;
        calls.in_progress.insert(id, Call { begun: Instant::now(), sentence, said: false });
        if !calls.is_watched {
            let (watched, say) = (self.clone(), Arc::clone(say));
            let spawned = std::thread::Builder::new().name("waits".into()).spawn(move || watched.watch(&say));
            calls.is_watched = spawned.is_ok();
        } else if calls.watcher_sleeps {
            self.0.begun.notify_one();
        }
        id
    }

    /// Notes that a call has ended. Returns whether it was reported as slow.
    pub(super) fn end(&self, id: u64) -> bool {
        self.calls().in_progress.remove(&id).is_some_and(|call| call.said)
    }

    /// Reports the calls that take long. In an idle process this thread sleeps without a time-out.
    fn watch(&self, say: &Say) {
        let mut calls = self.calls();
        let mut idle_rounds = 0;
        loop {
            let late = calls.in_progress.values_mut().filter(|call| !call.said && call.begun.elapsed() >= REPORT_AFTER);
            let sentences: Vec<String> = late
                .map(|call| {
                    call.said = true;
                    call.sentence.clone()
                })
                .collect();
            drop(calls);
            sentences.iter().for_each(|sentence| say(sentence));
            calls = self.calls();
            idle_rounds = if calls.in_progress.is_empty() { idle_rounds + 1 } else { 0 };
            calls.watcher_sleeps = idle_rounds > IDLE_ROUNDS;
            let begun = &self.0.begun;
            calls = match calls.watcher_sleeps {
                true => begun.wait(calls).unwrap_or_else(PoisonError::into_inner),
                false => begun.wait_timeout(calls, REPORT_AFTER / 4).unwrap_or_else(PoisonError::into_inner).0,
            };
            calls.watcher_sleeps = false;
        }
    }
}
