//! The lines of `--status-interval`: what a job does at the moment.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::core::numbers::grouped;
use crate::observe::console::Console;
use crate::observe::counters::READ;
use crate::worker::{Gauges, WorkerCounts};

/// The state of a job at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatusNow {
    /// The number of workers.
    pub(super) workers: usize,
    /// The bytes that wait for workers.
    pub(super) backlog: u64,
    /// The number of batches that are being stored, or that workers hold.
    pub(super) in_flight: usize,
    /// How many batches may be stored at a time; `None` if that is not decided here.
    pub(super) limit: Option<usize>,
    /// The lines that were finished since the start.
    pub(super) lines: u64,
}

impl StatusNow {
    /// Returns the state of the workers of this process.
    pub(super) fn of_pool(gauges: &Gauges, counts: &WorkerCounts, backlog: u64) -> StatusNow {
        let (in_flight, limit) = gauges.storing();
        StatusNow { workers: gauges.workers(), backlog, in_flight, limit: Some(limit), lines: counts.get().get(&READ) }
    }

    /// Returns the line. `before` is the number of lines that were finished `seconds` ago.
    fn line(&self, before: u64, seconds: f64) -> String {
        let StatusNow { workers, backlog, in_flight, limit, lines } = *self;
        let of = limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
        let rate = (lines.saturating_sub(before) as f64 / seconds.max(1e-3)) as u64;
        format!(
            "workers {workers}, backlog {} bytes, in flight {in_flight}{of}, {} lines/s",
            grouped(backlog),
            grouped(rate)
        )
    }
}

/// The thread that prints the lines. Dropping it ends the thread.
pub(super) struct Status {
    ending: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Status {
    /// Prints the state that `look` returns in each `interval`. Without an interval, nothing is printed.
    pub(super) fn start(
        interval: Option<Duration>,
        console: &Console,
        look: impl Fn() -> StatusNow + Send + 'static,
    ) -> Option<Status> {
        let interval = interval?;
        let ending = Arc::new((Mutex::new(false), Condvar::new()));
        let (ended, console) = (Arc::clone(&ending), console.clone());
        let print = move || {
            let (mut before, mut at) = (look().lines, Instant::now());
            let (lock, changed) = &*ended;
            loop {
                let is_ending = lock.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = changed.wait_timeout_while(is_ending, interval, |is_ending| !*is_ending);
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    return;
                }
                let now = look();
                console.say(now.line(before, at.elapsed().as_secs_f64()));
                (before, at) = (now.lines, Instant::now());
            }
        };
        // Without the thread, the job goes on without these lines.
        let thread = std::thread::Builder::new().name("status".into()).spawn(print).ok();
        Some(Status { ending, thread })
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        *self.ending.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ending.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_workers_backlog_batches_in_flight_and_lines_per_second() {
        let now = StatusNow { workers: 3, backlog: 1_234_567, in_flight: 5, limit: Some(16), lines: 250_000 };
        assert_eq!(now.line(0, 5.0), "workers 3, backlog 1,234,567 bytes, in flight 5 of 16, 50,000 lines/s");
        let queue = StatusNow { limit: None, ..now };
        assert_eq!(queue.line(250_000, 0.0), "workers 3, backlog 1,234,567 bytes, in flight 5, 0 lines/s");
    }
}
