//! [`Clock`]: the time of the schedule, which never jumps, and the time of day, which documents show.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::schedule::Nanos;

/// How far the time of day may move away before it is read anew. A clock that is only adjusted slowly stays below.
const STEP: u64 = 10_000_000;

/// Translates the time of the schedule into the time of day. If the time of day is set anew, the schedule goes on
/// undisturbed, and later documents show the new time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    /// The time of day at the start of the schedule, in nanoseconds since 1970.
    wall: u64,
}

impl Clock {
    /// Creates a clock whose schedule starts now.
    pub fn start() -> Clock {
        let (start, wall) = (Instant::now(), wall_now());
        Clock { start, wall }
    }

    /// Returns the time of the schedule (`CLOCK_MONOTONIC`).
    pub fn now(&self) -> Nanos {
        nanos(self.start.elapsed())
    }

    /// Returns the time of the schedule at `instant`; 0 if it is before the start.
    pub fn at(&self, instant: Instant) -> Nanos {
        nanos(instant.saturating_duration_since(self.start))
    }

    /// Returns the instant of a time of the schedule.
    pub fn instant(&self, at: Nanos) -> Instant {
        self.start.checked_add(Duration::from_nanos(at)).unwrap_or(self.start)
    }

    /// Looks at the time of day. Call it from time to time.
    pub fn look(&mut self) {
        self.adjust(self.now(), wall_now());
    }

    /// Notes that the time of day is `wall` when that of the schedule is `now`.
    fn adjust(&mut self, now: Nanos, wall: u64) {
        let start = wall.saturating_sub(now);
        if start.abs_diff(self.wall) > STEP {
            self.wall = start;
        }
    }

    /// Returns the time of day at a time of the schedule, in nanoseconds since 1970.
    pub fn wall(&self, at: Nanos) -> u64 {
        self.wall.saturating_add(at)
    }
}

fn wall_now() -> u64 {
    nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Returns a duration in nanoseconds; those of 584 years at most.
pub fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_anew_changes_the_time_of_day_and_not_the_schedule() {
        let mut clock = Clock { start: Instant::now(), wall: 1_000 * STEP };
        clock.adjust(50, 1_000 * STEP + 50 + STEP / 2);
        assert_eq!(clock.wall(70), 1_000 * STEP + 70, "small differences do not count");
        clock.adjust(50, 5_000 * STEP + 50);
        assert_eq!(clock.wall(70), 5_000 * STEP + 70);
        clock.adjust(50, 900 * STEP + 50);
        assert_eq!(clock.wall(70), 900 * STEP + 70);
        assert_eq!(clock.at(clock.instant(123)), 123);
    }
}
