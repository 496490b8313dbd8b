//! [`Plan`]: the targets that are requested, their schedule, and what a new file changes.

use std::collections::HashMap;
use std::sync::Arc;

use super::clock::nanos;
use super::list::{Entry, Identity, List};
use super::schedule::{Due, Nanos, Schedule, with_other_interval};

/// The targets that are requested, and when. Targets have numbers, which never change.
///
/// ```
/// use logator::probe::list::List;
/// use logator::probe::plan::{First, Plan};
///
/// let list = List::parse(b"0.5,http://localhost/\n2,http://localhost/status\n").unwrap();
/// let mut plan = Plan::default();
/// plan.follow(list, 0, &mut First::AtOnce);
/// let mut urls = Vec::new();
/// while let Some(due) = plan.due(1_000_000_000) {
///     urls.push((plan.entry(due.target).request.target.to_string(), 1 + due.further));
/// }
/// assert_eq!(urls, [("http://localhost/".to_owned(), 3), ("http://localhost/status".to_owned(), 1)]);
/// ```
#[derive(Debug, Default)]
pub struct Plan {
    entries: Vec<Arc<Entry>>,
    by_identity: HashMap<Identity, u32>,
    active: Vec<bool>,
    schedule: Schedule,
}

/// When a new target is requested first.
#[derive(Debug)]
pub enum First {
    /// At once.
    AtOnce,
    /// At a random time within its interval, so that the targets do not come all at the same moment.
    Jittered(fastrand::Rng),
}

impl First {
    fn delay(&mut self, interval: Nanos) -> Nanos {
        match self {
            First::AtOnce => 0,
            First::Jittered(random) => random.u64(0..interval.max(1)),
        }
    }
}

/// What a new file has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// The targets that are new.
    pub added: usize,
    /// The targets that are requested no more.
    pub removed: Vec<u32>,
    /// The targets whose interval is another one.
    pub other_interval: usize,
    /// The targets whose next request stays where it was.
    pub kept: usize,
}

impl Plan {
    /// Requests the targets of `list` from `now` on, and no others. A target that was there before keeps its next time. If its
    /// interval is another one, it counts from its last time.
    pub fn follow(&mut self, list: List, now: Nanos, first: &mut First) -> Changed {
        let mut changed = Changed::default();
        let mut active = vec![false; self.entries.len()];
        for entry in list.entries {
            let (identity, interval) = (entry.identity(), nanos(entry.interval));
            let Some(&number) = self.by_identity.get(&identity) else {
                let number = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
                self.entries.push(Arc::new(entry));
                self.by_identity.insert(identity, number);
                self.schedule.set(number, interval, now.saturating_add(first.delay(interval)));
                active.push(true);
                changed.added += 1;
                continue;
            };
            match self.schedule.timing(number) {
                Some(timing) if timing.interval == interval => changed.kept += 1,
                Some(timing) => {
                    self.schedule.set(number, interval, with_other_interval(timing, interval, now));
                    changed.other_interval += 1;
                }
                None => {
                    // It was removed by an earlier file and is back.
                    self.schedule.set(number, interval, now.saturating_add(first.delay(interval)));
                    changed.added += 1;
                }
            }
            active[number as usize] = true;
            self.entries[number as usize] = Arc::new(entry);
        }
        let gone = |number: &u32| !active[*number as usize] && self.active.get(*number as usize) == Some(&true);
        changed.removed = (0..self.entries.len() as u32).filter(gone).collect();
        changed.removed.iter().for_each(|number| self.schedule.remove(*number));
        self.active = active;
        changed
    }

    /// Returns the time of the next occurrence.
    pub fn next_start(&mut self) -> Option<Nanos> {
        self.schedule.next_start()
    }

    /// Takes the earliest occurrence that is due.
    pub fn due(&mut self, now: Nanos) -> Option<Due> {
        self.schedule.due(now)
    }

    /// Returns the entry of the target with this number.
    pub fn entry(&self, number: u32) -> &Arc<Entry> {
        &self.entries[number as usize]
    }

    /// Returns the entries of all targets that there ever were, and whether each is requested still.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&Arc<Entry>, bool)> {
        self.entries.iter().zip(self.active.iter().copied())
    }

    /// Returns the numbers of the targets that are requested.
    pub fn active(&self) -> impl Iterator<Item = u32> {
        self.active.iter().zip(0..).filter(|(active, _)| **active).map(|(_, number)| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn list(text: &str) -> List {
        List::parse(text.as_bytes()).unwrap()
    }

    /// Returns the next times of the active targets, by URL.
    fn next(plan: &Plan) -> Vec<(String, Nanos)> {
        let of = |number| (plan.entry(number).request.target.to_string(), plan.schedule.timing(number).unwrap().next);
        plan.active().map(of).collect()
    }

    #[test]
    fn a_new_file_keeps_the_next_time_of_each_line_that_stays() {
        let mut plan = Plan::default();
        let mut first = First::Jittered(fastrand::Rng::with_seed(7));
        let changed = plan.follow(list("10,http://a/\n10,http://b/\n60,http://c/"), 0, &mut first);
        assert_eq!((changed.added, changed.kept, changed.removed.len()), (3, 0, 0));
        let before = next(&plan);
        assert!(before.iter().all(|(_, at)| *at < 60 * SECOND) && before[0].1 != before[1].1, "{before:?}");
        while plan.due(33 * SECOND).is_some() {}
        let before = next(&plan);
        let changed =
            plan.follow(list("# new\n60,http://c/\n5,http://b/\n1,http://d/\n10,http://a/"), 33 * SECOND, &mut first);
        assert_eq!(changed, Changed { added: 1, removed: vec![], other_interval: 1, kept: 2 });
        let after = next(&plan);
        assert_eq!((&after[0], &after[2]), (&before[0], &before[2]), "a and c keep their times");
        let (b, next_b) = (&before[1].1, after[1].1);
        assert!((33 * SECOND..38 * SECOND).contains(&next_b) && (b - next_b) % (5 * SECOND) == 0, "{b} {next_b}");
        assert!((33 * SECOND..34 * SECOND).contains(&after[3].1), "a new line is jittered within its own interval");
        let changed = plan.follow(list("10,http://a/"), 34 * SECOND, &mut first);
        assert_eq!((changed.removed.clone(), changed.kept), (vec![1, 2, 3], 1));
        assert_eq!(next(&plan), before[..1]);
        let changed = plan.follow(list("10,http://a/\n60,http://c/"), 35 * SECOND, &mut first);
        assert_eq!((changed.added, changed.kept, plan.entries().len()), (1, 1, 4), "c is back under its number");
    }
}
