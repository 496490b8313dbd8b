//! The settings that all waits of a process share.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::deadline::Deadline;
use super::slow_calls::SlowCalls;
use crate::core::stop::Stop;

/// Shows one sentence to the user.
pub type Say = Box<dyn Fn(&str) + Send + Sync>;

/// The settings that all waits of a process share. Cloning shares them.
#[derive(Clone)]
pub struct Waits(Arc<Shared>);

struct Shared {
    deadline: Deadline,
    stop: Option<Stop>,
    /// When a wait first saw that the stop was requested.
    stopped: OnceLock<Instant>,
    say: Arc<dyn Fn(&str) + Send + Sync>,
    calls: SlowCalls,
}

impl Waits {
    /// Creates settings with a `deadline`. If there is a `stop`, a request to stop shortens every wait. `say` gets the
    /// sentences for the user.
    pub fn new(deadline: Deadline, stop: Option<Stop>, say: Say) -> Waits {
        let shared = Shared { deadline, stop, stopped: OnceLock::new(), say: say.into(), calls: SlowCalls::default() };
        Waits(Arc::new(shared))
    }

    /// Creates settings with a `deadline` that show no sentences to the user.
    pub fn quiet(deadline: Deadline) -> Waits {
        Waits::new(deadline, None, Box::new(|_| ()))
    }

    /// Returns the job's deadline.
    pub(super) fn deadline(&self) -> Deadline {
        self.0.deadline
    }

    /// Returns when a wait first noticed the request to stop; `None` without a request.
    pub(super) fn stopped(&self) -> Option<Instant> {
        self.0.stop.as_ref().is_some_and(Stop::is_requested).then(|| *self.0.stopped.get_or_init(Instant::now))
    }

    /// Returns whether a wait goes on until its trouble is over.
    pub fn has_no_deadline(&self) -> bool {
        self.0.deadline == Deadline::NONE
    }

    /// Returns whether a signal asked the job to end.
    pub fn is_stopped(&self) -> bool {
        self.stopped().is_some()
    }

    /// Shows one sentence to the user.
    pub fn say(&self, sentence: &str) {
        (self.0.say)(sentence);
    }

    /// Makes a call to the kernel. If the call takes long, `sentence` is said. Returns the call's result, and whether the
    /// sentence was said.
    pub(super) fn call<T>(&self, sentence: String, call: impl FnOnce() -> T) -> (T, bool) {
        let id = self.0.calls.begin(sentence, &self.0.say);
        let result = call();
        (result, self.0.calls.end(id))
    }
}

impl Default for Waits {
    fn default() -> Self {
        Waits::quiet(Deadline::default())
    }
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waits").field("deadline", &self.0.deadline).finish_non_exhaustive()
    }
}
