//! [`Workers`]: the latest report of each worker process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::net::wire::Report;

/// The largest number of processes whose reports are kept.
const MAX_PROCESSES: usize = 10_000;

/// The latest report of each worker process, by machine and process number.
#[derive(Debug, Default)]
pub struct Workers {
    reports: Mutex<HashMap<(String, u32), Report>>,
}

impl Workers {
    fn reports(&self) -> MutexGuard<'_, HashMap<(String, u32), Report>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
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
