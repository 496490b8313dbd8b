//! The lines of `--status-interval`: what a job does at the moment.

use std::time::{Duration, Instant};

use crate::core::background::Background;
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

/// Prints the state that `look` returns in each `interval`, until the returned thread is dropped. Without an interval, nothing
/// is printed.
pub(super) fn print_status(
    interval: Option<Duration>,
    console: &Console,
    look: impl Fn() -> StatusNow + Send + 'static,
) -> Option<Background> {
    let (interval, console) = (interval?, console.clone());
    Some(Background::start("status", move |ending| {
        let (mut before, mut at) = (look().lines, Instant::now());
        while !ending.wait(interval) {
            let now = look();
            console.say(now.line(before, at.elapsed().as_secs_f64()));
            (before, at) = (now.lines, Instant::now());
        }
    }))
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
