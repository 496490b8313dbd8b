//! Decides how partitions that go to another consumer are given up. This module is pure.
//!
//! 1. No record of them is taken any more, and what no worker has is taken back.
//! 2. Workers finish what they have, for some time at most.
//! 3. What is settled by then is committed, for these partitions only.
//! 4. When the commit is answered, or after some time, the partitions are given up. A commit that fails is tried again: the group may
//!    have divided its partitions at that moment.
//!
//! Partitions that are lost belong to another consumer already: they are given up at once, and nothing is committed.

use std::time::{Duration, Instant};

/// How long the answer to the commit is waited for.
pub const ANSWER: Duration = Duration::from_secs(5);

/// How often the commit is tried.
const TRIES: u32 = 3;

/// The partitions that are being given up.
#[derive(Debug, PartialEq, Eq)]
pub struct Handover {
    /// The numbers of the partitions.
    pub partitions: Vec<i32>,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Draining { until: Instant },
    Committing { until: Instant, tries: u32 },
}

/// What is open of the partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// Whether a worker has records of them.
    pub is_open: bool,
    /// Whether a commit of them is not answered.
    pub is_asked: bool,
    /// Whether something settled is not committed.
    pub is_uncommitted: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Wait until something is settled or answered, or until this time.
    Wait(Instant),
    /// Commit what is settled of the partitions. `in_time` says whether all records are.
    Commit {
        /// Whether all records are settled.
        in_time: bool,
    },
    /// Give the partitions up.
    GiveUp,
}

impl Handover {
    /// Begins to give up `partitions`. Workers have the time `drain`.
    pub fn begin(partitions: Vec<i32>, drain: Duration, now: Instant) -> Handover {
        Handover { partitions, state: State::Draining { until: now + drain } }
    }

    /// The time at which something must be done.
    pub fn deadline(&self) -> Instant {
        match self.state {
            State::Draining { until } | State::Committing { until, .. } => until,
        }
    }

    /// Returns what to do.
    pub fn step(&mut self, rest: Rest, now: Instant) -> Step {
        let Rest { is_open, is_asked, is_uncommitted } = rest;
        match self.state {
            State::Draining { until } if is_open && now < until => Step::Wait(until),
            // An earlier commit must be answered first, or the later one could be overtaken.
            State::Draining { until } if is_asked && now < until => Step::Wait(until),
            State::Draining { .. } => {
                self.state = State::Committing { until: now + ANSWER, tries: 1 };
                Step::Commit { in_time: !is_open }
            }
            State::Committing { until, .. } if is_asked && now < until => Step::Wait(until),
            State::Committing { until, tries } if is_uncommitted && tries < TRIES && now < until => {
                self.state = State::Committing { until, tries: tries + 1 };
                Step::Commit { in_time: true }
            }
            State::Committing { .. } => Step::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_drained_committed_and_given_up_within_the_deadlines() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (drained, answered) = (at(10), |from| at(from) + ANSWER);
        let rest = |is_open, is_asked, is_uncommitted| Rest { is_open, is_asked, is_uncommitted };
        let [none, open, asked, failed] =
            [rest(false, false, false), rest(true, false, false), rest(false, true, true), rest(false, false, true)];
        let commit = Step::Commit { in_time: true };
        // For each moment: what is open, and the step.
        let tables: [&[(u64, Rest, Step)]; 5] = [
            &[
                (0, open, Step::Wait(drained)),
                (3, failed, commit),
                (3, asked, Step::Wait(answered(3))),
                (4, none, Step::GiveUp),
            ],
            // The workers do not finish.
            &[(9, rest(true, true, true), Step::Wait(drained)), (10, open, Step::Commit { in_time: false })],
            // Nothing is open, and the broker does not answer.
            &[(0, failed, commit), (4, asked, Step::Wait(answered(0))), (5, asked, Step::GiveUp)],
            // A commit was on its way.
            &[(0, asked, Step::Wait(drained)), (1, failed, commit)],
            // The commit fails again and again.
            &[(0, failed, commit), (1, failed, commit), (2, failed, commit), (3, failed, Step::GiveUp)],
        ];
        for table in tables {
            let mut handover = Handover::begin(vec![1], Duration::from_secs(10), start);
            for (seconds, rest, step) in table {
                assert_eq!(handover.step(*rest, at(*seconds)), *step, "{table:?} at {seconds} s");
            }
        }
    }
}
