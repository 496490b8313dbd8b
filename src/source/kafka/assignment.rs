//! Partitions that the group gives and takes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

use super::counters::{ASSIGNED, LOST, REVOKED, UNDRAINED};
use super::gathering::Gathering;
use super::group::Event;
use super::handover::{Handover, Rest, Step};
use super::partition::Partition;
use super::reading::{Held, Reading};
use crate::core::context::Origin;
use crate::core::error::Result;
use crate::source::origin::OriginRule;

/// How long the offsets that the group has committed are waited for.
const QUESTION: Duration = Duration::from_secs(5);

impl Reading<'_> {
    /// Handles the events that came. While partitions are being given up, the next rebalance waits.
    pub(super) fn handle_events(&mut self) -> Result<()> {
        for event in self.group.events() {
            match event {
                Event::Committed(offsets, error) => self.answer(&offsets, error),
                event => self.later.push_back(event),
            }
        }
        while self.leaving.is_none() {
            match self.later.pop_front() {
                Some(Event::Assigned(partitions)) => self.assigned(&partitions)?,
                Some(Event::Revoked(partitions)) => self.revoked(partitions)?,
                Some(Event::Committed(..)) => {}
                None => break,
            }
        }
        Ok(())
    }

    fn assigned(&mut self, partitions: &[i32]) -> Result<()> {
        self.counts.add(&ASSIGNED, partitions.len() as u64);
        let committed = self.committed_of(partitions);
        for partition in partitions {
            let (stream, _) = self.streams.begin(partition.to_string().as_bytes())?;
            let end = self.ending.as_ref().map(|ending| ending.end(*partition));
            let state = Partition::new(stream, committed.get(partition).copied(), end);
            let gathering = Gathering::new(&self.origin(*partition));
            let held = Held { state, gathering, asked_for_gone: None };
            if let Some(before) = self.partitions.insert(*partition, held) {
                self.streams.end(before.state.stream);
            }
        }
        if let Err(error) = self.group.assign(partitions) {
            // The client has lost its place in the group, and takes one again.
            log::debug!("{}: partitions were assigned too late: {error}", self.address);
        }
        let is_paused = |partition: &&i32| {
            self.flow.is_paused() || self.partitions.get(partition).is_some_and(|held| held.state.is_at_end())
        };
        let (paused, going): (Vec<i32>, Vec<i32>) = partitions.iter().partition(is_paused);
        if !paused.is_empty() {
            self.group.pause(paused);
        }
        // The client remembers a pause over assignments: a partition that was given up before is still paused.
        self.group.resume(going);
        if !partitions.is_empty() {
            self.say(&format!("reads {}", named(partitions)));
        }
        Ok(())
    }

    /// Returns the offsets that the group has committed. Without an answer none is known: reading starts there all the same,
    /// because the client asks as well.
    fn committed_of(&self, partitions: &[i32]) -> HashMap<i32, i64> {
        if partitions.is_empty() {
            return HashMap::new();
        }
        self.group.committed(partitions.iter().copied(), QUESTION).unwrap_or_else(|error| {
            log::debug!("{}: the offsets of the group are not known: {error}", self.address);
            HashMap::new()
        })
    }

    /// The origin of a partition. It does not depend on the cluster, so that a copy of a topic has the same ids.
    fn origin(&self, partition: i32) -> Origin {
        let topic = match &self.context.options.origin {
            OriginRule::Name(name) => name,
            OriginRule::Fingerprint | OriginRule::Path => &self.address.topic,
        };
        let id = xxh3_64(format!("kafka:{topic}:{partition}").as_bytes());
        let origin = Origin::new(id, format!("{} partition {partition}", self.address));
        self.context.options.describing.complete(origin, None)
    }

    fn revoked(&mut self, partitions: Vec<i32>) -> Result<()> {
        if self.group.is_lost() {
            self.counts.add(&LOST, partitions.len() as u64);
            self.withdraw(&partitions);
            let why = self.group.notices().last().map(|last| format!(" ({})", last.words)).unwrap_or_default();
            self.warn(&format!(
                "{} are lost: the group has given them to another member; what was not committed is read again there{why}",
                named(&partitions)
            ));
            self.release(&partitions);
            return Ok(());
        }
        self.counts.add(&REVOKED, partitions.len() as u64);
        self.group.pause(partitions.iter().copied());
        self.withdraw(&partitions);
        self.leaving = Some(Handover::begin(partitions, self.options.drain, Instant::now()));
        self.step_handover()
    }

    /// Goes on with giving up partitions, and then with the next rebalance.
    pub(super) fn step_handover(&mut self) -> Result<()> {
        while let Some(mut leaving) = self.leaving.take() {
            match leaving.step(self.rest(&leaving.partitions), Instant::now()) {
                Step::Wait(_) => {
                    self.leaving = Some(leaving);
                    return Ok(());
                }
                Step::Commit { in_time } => {
                    if !in_time {
                        self.say_undrained(&leaving.partitions);
                    }
                    self.commit_of(&leaving.partitions);
                    self.leaving = Some(leaving);
                }
                Step::GiveUp => {
                    self.release(&leaving.partitions);
                    self.handle_events()?;
                }
            }
        }
        Ok(())
    }

    fn rest(&self, partitions: &[i32]) -> Rest {
        let held: Vec<&Held> = partitions.iter().filter_map(|partition| self.partitions.get(partition)).collect();
        let drained = |held: &Held| self.streams.drained(held.state.stream);
        Rest {
            is_open: held.iter().any(|held| drained(held).open_records > 0),
            is_asked: held.iter().any(|held| held.state.is_asked()),
            is_uncommitted: held.iter().any(|held| held.state.to_commit(&drained(held)).is_some()),
        }
    }

    fn say_undrained(&self, partitions: &[i32]) {
        let open: Vec<i32> = partitions.iter().copied().filter(|partition| self.is_open(*partition)).collect();
        self.counts.add(&UNDRAINED, open.len() as u64);
        self.warn(&format!(
            "{} go to another member of the group while workers still have records of them; after {} s (drainMS) they are not \
             waited for, and these records are read again there",
            named(&open),
            self.options.drain.as_secs_f64()
        ));
    }

    /// Gives partitions up.
    fn release(&mut self, partitions: &[i32]) {
        for held in partitions.iter().filter_map(|partition| self.partitions.remove(partition)) {
            self.streams.end(held.state.stream);
        }
        if let Err(error) = self.group.give_up(partitions) {
            log::debug!("{}: partitions were given up too late: {error}", self.address);
        }
        if !partitions.is_empty() {
            self.say(&format!("reads {} no more", named(partitions)));
        }
    }

    /// Whether workers, or the queue, have records of a partition.
    pub(super) fn is_open(&self, partition: i32) -> bool {
        let held = self.partitions.get(&partition);
        held.is_some_and(|held| self.streams.drained(held.state.stream).open_records > 0)
    }

    /// Drops what waits here of these partitions, and takes back what no worker has.
    pub(super) fn withdraw(&mut self, partitions: &[i32]) {
        for partition in partitions {
            let Some(held) = self.partitions.get_mut(partition) else { continue };
            let is_stuck = self.stuck.take_if(|stuck| stuck.partition == *partition).is_some();
            let waits = !held.gathering.is_empty() || is_stuck;
            self.gathered = self.gathered.saturating_sub(held.gathering.bytes());
            held.gathering.clear();
            held.state.waiting = 0;
            let waited = self.outbox.drop_of(&self.streams, |other| other == *partition);
            let recalled = self.streams.recall(held.state.stream, self.context.receiver);
            held.state.is_recalled |= waits || waited || !recalled.is_empty();
        }
    }

    /// Answers the rebalances that were not answered before the end.
    pub(super) fn answer_the_rest(&mut self) {
        if let Some(leaving) = self.leaving.take() {
            self.release(&leaving.partitions);
        }
        while let Some(event) = self.later.pop_front() {
            match event {
                Event::Revoked(partitions) => self.release(&partitions),
                Event::Assigned(partitions) => drop(self.group.assign(&partitions)),
                Event::Committed(..) => {}
            }
        }
    }
}

/// Names partitions, without naming hundreds of them.
pub(super) fn named(partitions: &[i32]) -> String {
    const MOST: usize = 20;
    let mut sorted = partitions.to_vec();
    sorted.sort_unstable();
    let names: Vec<String> = sorted.iter().take(MOST).map(ToString::to_string).collect();
    let more = sorted.len().saturating_sub(MOST);
    match (&names[..], more) {
        ([only], 0) => format!("partition {only}"),
        (names, 0) => format!("partitions {}", names.join(", ")),
        (names, more) => format!("partitions {} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_named_and_many_of_them_are_counted() {
        assert_eq!(named(&[7]), "partition 7");
        assert_eq!(named(&[2, 0, 1]), "partitions 0, 1, 2");
        let many: Vec<i32> = (0..50).collect();
        assert!(named(&many).ends_with("18, 19 and 30 more"), "{}", named(&many));
    }
}
