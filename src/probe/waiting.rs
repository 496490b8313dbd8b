//! [`Waiting`]: the occurrences that wait for a request, at most one of each target.
//!
//! An occurrence that comes while another one of its target waits, or while the queue is full, is *missed*. It is counted and
//! never requested later. So a slow server cannot pile up requests, and the account still shows what was not requested.

use std::collections::VecDeque;

use super::schedule::{Due, Nanos};

/// The occurrences that wait for a request. It has no clock.
#[derive(Debug)]
pub struct Waiting {
    room: usize,
    queue: VecDeque<Slot>,
    /// By target.
    targets: Vec<State>,
    missed: u64,
}

/// An occurrence in the queue.
#[derive(Debug, Clone, Copy)]
struct Slot {
    target: u32,
    at: Nanos,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    waits: bool,
    before: u64,
    after: u64,
}

/// An occurrence whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The target.
    pub target: u32,
    /// When it was due.
    pub at: Nanos,
    /// How many occurrences directly before it were missed.
    pub missed_before: u64,
    /// How many occurrences directly after it were missed while it waited.
    pub missed_after: u64,
}

impl Waiting {
    /// Creates a queue with room for `room` occurrences.
    pub fn new(room: usize) -> Waiting {
        Waiting { room: room.max(1), queue: VecDeque::new(), targets: Vec::new(), missed: 0 }
    }

    /// Takes an occurrence that is due. Returns how many occurrences are missed now.
    pub fn offer(&mut self, due: Due) -> u64 {
        let index = due.target as usize;
        if self.targets.len() <= index {
            self.targets.resize(index + 1, State::default());
        }
        let state = &mut self.targets[index];
        let missed = if state.waits {
            state.after += 1 + due.further;
            1 + due.further
        } else if self.queue.len() >= self.room {
            state.before += 1 + due.further;
            1 + due.further
        } else {
            state.waits = true;
            state.after = due.further;
            self.queue.push_back(Slot { target: due.target, at: due.at });
            due.further
        };
        self.missed += missed;
        missed
    }

    /// Takes the occurrence that has waited longest.
    pub fn take(&mut self) -> Option<Occurrence> {
        let Slot { target, at } = self.queue.pop_front()?;
        let State { before, after, .. } = std::mem::take(&mut self.targets[target as usize]);
        Some(Occurrence { target, at, missed_before: before, missed_after: after })
    }

    /// Removes the occurrence of `target` that waits, because nobody wants it any more. Returns whether there was one. It is
    /// missed.
    pub fn withdraw(&mut self, target: u32) -> bool {
        let Some(state) = self.targets.get_mut(target as usize) else { return false };
        let State { waits, .. } = std::mem::take(state);
        if waits {
            self.queue.retain(|slot| slot.target != target);
            self.missed += 1;
        }
        waits
    }

    /// Removes all occurrences, because the program ends. They are missed. Returns their targets.
    pub fn clear(&mut self) -> Vec<u32> {
        let targets: Vec<u32> = self.queue.drain(..).map(|slot| slot.target).collect();
        self.targets.clear();
        self.missed += targets.len() as u64;
        targets
    }

    /// Returns how many occurrences wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns whether none waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns how many occurrences were missed.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn due(target: u32, at: Nanos, further: u64) -> Due {
        Due { target, at, further }
    }

    #[test]
    fn the_first_occurrence_waits_and_those_after_it_are_missed() {
        let mut waiting = Waiting::new(2);
        assert_eq!(waiting.offer(due(0, 10, 0)), 0);
        assert_eq!(waiting.offer(due(0, 20, 1)), 2);
        assert_eq!(waiting.offer(due(1, 21, 3)), 3);
        assert_eq!(waiting.offer(due(2, 22, 0)), 1, "the queue is full");
        assert_eq!(waiting.take(), Some(Occurrence { target: 0, at: 10, missed_before: 0, missed_after: 2 }));
        assert_eq!(waiting.offer(due(2, 32, 0)), 0);
        assert_eq!(waiting.take(), Some(Occurrence { target: 1, at: 21, missed_before: 0, missed_after: 3 }));
        assert_eq!(waiting.take(), Some(Occurrence { target: 2, at: 32, missed_before: 1, missed_after: 0 }));
        assert_eq!((waiting.take(), waiting.missed()), (None, 6));
    }

    #[test]
    fn what_is_withdrawn_is_missed_and_its_target_can_wait_again() {
        let mut waiting = Waiting::new(3);
        (0..3).for_each(|target| assert_eq!(waiting.offer(due(target, 1, 0)), 0));
        assert!(waiting.withdraw(1) && !waiting.withdraw(1) && !waiting.withdraw(7));
        assert_eq!((waiting.len(), waiting.missed()), (2, 1));
        waiting.offer(due(1, 9, 0));
        assert_eq!(waiting.clear(), [0, 2, 1]);
        assert_eq!((waiting.is_empty(), waiting.missed()), (true, 4));
        assert_eq!(waiting.offer(due(0, 10, 0)), 0);
    }

    proptest! {
        #[test]
        fn every_occurrence_is_taken_waits_or_is_missed_and_at_most_one_of_a_target_waits(
            room in 1_usize..6,
            steps in prop::collection::vec((0_u32..5, 0_u64..3, 0_usize..3), 0..60),
        ) {
            let mut waiting = Waiting::new(room);
            let (mut offered, mut missed, mut taken) = (0, 0, 0);
            let mut attributed = 0;
            for (step, (target, further, takes)) in steps.into_iter().enumerate() {
                missed += waiting.offer(due(target, step as u64, further));
                offered += 1 + further;
                let mut targets: Vec<u32> = waiting.queue.iter().map(|slot| slot.target).collect();
                targets.sort_unstable();
                targets.dedup();
                prop_assert_eq!(targets.len(), waiting.len(), "one of each target");
                prop_assert!(waiting.len() <= room);
                for _ in 0..takes {
                    if let Some(occurrence) = waiting.take() {
                        taken += 1;
                        attributed += occurrence.missed_before + occurrence.missed_after;
                    }
                }
                prop_assert_eq!(offered, taken + missed + waiting.len() as u64);
            }
            let held: u64 = waiting.targets.iter().map(|state| state.before + state.after).sum();
            prop_assert_eq!(waiting.missed(), missed);
            prop_assert_eq!(attributed + held, missed, "each missed one belongs to a request");
        }
    }
}
