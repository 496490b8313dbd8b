//! Decides when records are taken, and when partitions are paused. This module is pure.
//!
//! A consumer that does not ask for more than `max.poll.interval.ms` loses its partitions. A paused partition sends nothing, so
//! the consumer can go on asking. But a pause discards the records that were fetched ahead, and they are fetched again
//! afterwards. So the partitions are paused only if there is no room for some seconds.

use std::time::{Duration, Instant};

/// See the [module](self).
#[derive(Debug)]
pub struct Flow {
    hold: Duration,
    full_since: Option<Instant>,
    is_paused: bool,
}

/// What the source does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It takes records.
    Take,
    /// It asks for nothing until there is room, or until this time.
    Hold(Instant),
    /// It pauses all partitions.
    Pause,
    /// It asks, and gets only events, because all partitions are paused.
    Serve,
    /// It lets the partitions go on.
    Resume,
}

impl Flow {
    /// Pauses partitions after a time `hold` without room.
    pub fn new(hold: Duration) -> Flow {
        Flow { hold, full_since: None, is_paused: false }
    }

    /// Returns what to do now. `is_full` says whether there is no room for more records.
    pub fn step(&mut self, is_full: bool, now: Instant) -> Step {
        match (is_full, self.is_paused) {
            (false, false) => {
                self.full_since = None;
                Step::Take
            }
            (false, true) => {
                (self.full_since, self.is_paused) = (None, false);
                Step::Resume
            }
            (true, true) => Step::Serve,
            (true, false) => {
                let until = *self.full_since.get_or_insert(now) + self.hold;
                self.is_paused = now >= until;
                if self.is_paused { Step::Pause } else { Step::Hold(until) }
            }
        }
    }

    /// Whether the partitions are paused. Partitions that are assigned now must be paused too.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_paused_after_a_time_without_room_and_go_on_with_room() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut flow = Flow::new(Duration::from_secs(5));
        for (seconds, is_full, step) in [
            (0, false, Step::Take),
            (1, true, Step::Hold(at(6))),
            (5, true, Step::Hold(at(6))),
            // There is room for a moment.
            (6, false, Step::Take),
            (7, true, Step::Hold(at(12))),
            (12, true, Step::Pause),
            (13, true, Step::Serve),
            (400, true, Step::Serve),
            (401, false, Step::Resume),
            (402, false, Step::Take),
            (403, true, Step::Hold(at(408))),
        ] {
            assert_eq!(flow.step(is_full, at(seconds)), step, "at {seconds} s");
            assert_eq!(flow.is_paused(), matches!(step, Step::Pause | Step::Serve));
        }
    }
}
