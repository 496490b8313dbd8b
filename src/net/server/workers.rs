//! [`Workers`]: the latest report of each worker process, and how many workers wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::net::wire::Report;
use crate::worker::idle_clock::IdleClock;

/// The largest number of processes whose reports are kept.
const MAX_PROCESSES: usize = 10_000;

/// The latest report of each worker process, by machine and process number, and how many workers wait.
#[derive(Debug, Default)]
pub struct Workers {
    reports: Mutex<HashMap<(String, u32), Report>>,
    /// The number of peers that are known.
    peers: AtomicUsize,
    /// The number of peers whose request waits.
    waiting: AtomicUsize,
    idle: IdleClock,
}

impl Workers {
    fn reports(&self) -> MutexGuard<'_, HashMap<(String, u32), Report>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how many peers are known, and how many of them wait for lines.
    pub(super) fn note_numbers(&self, peers: usize, waiting: usize) {
        self.peers.store(peers, Ordering::Relaxed);
        if self.waiting.swap(waiting, Ordering::Relaxed) != waiting {
            self.idle.set(waiting);
        }
    }

    /// Returns the number of peers that are known. A thread of a worker is a peer.
    pub fn peers(&self) -> usize {
        self.peers.load(Ordering::Relaxed)
    }

    /// Measures how many peers wait for lines.
    pub fn idle(&self) -> &IdleClock {
        &self.idle
    }

    /// Keeps a report in place of the earlier one of the same process.
    pub(super) fn note(&self, report: Report) {
        let mut reports = self.reports();
        let process = (report.host.clone(), report.pid);
        if reports.len() < MAX_PROCESSES || reports.contains_key(&process) {
            reports.insert(process, report);
        }
    }

    /// Returns the reports, ordered by machine and process number.
    pub fn reports_in_order(&self) -> Vec<Report> {
        let mut reports: Vec<Report> = self.reports().values().cloned().collect();
        reports.sort_by(|a, b| (&a.host, a.pid).cmp(&(&b.host, b.pid)));
        reports
    }
}
