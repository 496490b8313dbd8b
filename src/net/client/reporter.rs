//! [`Reporter`]: what a worker process tells its queues about itself, once a second at most.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::net::wire::{MAX_COUNTERS, Report};
use crate::process::host::host_name;

/// The shortest time between two reports to one queue.
const INTERVAL: Duration = Duration::from_secs(1);

/// Makes reports. The connections of a process share it, so only one of them reports at a time.
pub struct Reporter {
    counters: Box<dyn Fn(usize) -> Vec<u8> + Send + Sync>,
    /// The time of the latest report to each queue.
    sent: Mutex<Vec<Option<Instant>>>,
}

impl Reporter {
    /// Returns a reporter. `counters` returns the counters of the process as they are sent, in
    /// at most the given number of bytes.
    pub fn new(counters: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Reporter {
        Reporter { counters: Box::new(counters), sent: Mutex::default() }
    }

    /// Returns a report for queue number `queue` if a second has passed since the last one.
    pub(super) fn due(&self, queue: usize) -> Option<Report> {
        let now = Instant::now();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() <= queue {
            sent.resize(queue + 1, None);
        }
        if sent[queue].is_some_and(|sent| now.duration_since(sent) < INTERVAL) {
            return None;
        }
        sent[queue] = Some(now);
        drop(sent);
        Some(self.report())
    }

    /// Returns a report.
    pub(super) fn report(&self) -> Report {
        let counters = (self.counters)(MAX_COUNTERS);
        Report { host: host_name().unwrap_or_default(), pid: std::process::id(), counters }
    }
}
