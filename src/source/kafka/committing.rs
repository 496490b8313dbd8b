//! Commits: which offsets, when, and what their answers mean.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

use super::assignment::named;
use super::counters::{COMMITS, FAILED_COMMITS};
use super::handover::ANSWER;
use super::reading::{Reading, wait};
use crate::core::error::Result;

/// The time between two commits. Records that were settled since the last one are read again after a kill, and their documents
/// are duplicates then.
const EVERY: Duration = Duration::from_secs(1);

/// The time between two looks at what other members of the group have committed.
const LOOK: Duration = Duration::from_secs(1);

/// The time between two attempts of the last commit.
const AGAIN: Duration = Duration::from_millis(100);

impl Reading<'_> {
    /// Commits what is settled, if it is time. A partition that is settled to its end is committed at once.
    pub(super) fn commit_if_due(&mut self) {
        let now = Instant::now();
        let is_due = now >= self.next_commit;
        if is_due {
            self.next_commit = now + EVERY;
        } else if self.ending.is_none() {
            return;
        }
        let is_leaving = |partition: &i32| self.leaving.as_ref().is_some_and(|it| it.partitions.contains(partition));
        let due = self.partitions.iter().filter(|(partition, held)| {
            let is_done = held.state.is_at_end() && held.state.is_settled(&self.streams.drained(held.state.stream));
            (is_due || is_done && !self.has_commit_trouble) && !is_leaving(partition)
        });
        let due: Vec<i32> = due.map(|(partition, _)| *partition).collect();
        self.commit_of(&due);
    }

    /// Commits what is settled of these partitions, unless a commit of them is on its way.
    pub(super) fn commit_of(&mut self, partitions: &[i32]) {
        let mut offsets = Vec::new();
        for partition in partitions {
            let Some(held) = self.partitions.get_mut(partition).filter(|held| !held.state.is_asked()) else { continue };
            if let Some(offset) = held.state.to_commit(&self.streams.drained(held.state.stream)) {
                held.state.ask(offset);
                offsets.push((*partition, offset));
            }
        }
        if offsets.is_empty() {
            return;
        }
        self.group.commit(offsets);
    }

    /// Takes the answer to a commit.
    pub(super) fn answer(&mut self, offsets: &[(i32, i64)], error: Option<Code>) {
        for (partition, offset) in offsets {
            if let Some(held) = self.partitions.get_mut(partition) {
                held.state.answer(*offset, error.is_none());
            }
        }
        let Some(error) = error else {
            self.counts.add(&COMMITS, 1);
            self.has_passing_trouble = false;
            self.group.notices().over();
            self.say_if_back();
            if std::mem::take(&mut self.has_commit_trouble) {
                self.say("offsets are committed again");
            }
            return;
        };
        self.counts.add(&FAILED_COMMITS, 1);
        // While the group divides its partitions anew, one commit may come at the wrong moment.
        let is_passing = matches!(error, Code::IllegalGeneration | Code::RebalanceInProgress | Code::StaleMemberEpoch);
        if is_passing && !std::mem::replace(&mut self.has_passing_trouble, true) {
            return;
        }
        if !std::mem::replace(&mut self.has_commit_trouble, true) {
            let failed: Vec<i32> = offsets.iter().map(|(partition, _)| *partition).collect();
            self.warn(&format!("the offsets of {} are not committed: {error}; it is tried again", named(&failed)));
        }
    }

    /// Commits what is settled at the end, and waits for the answer.
    ///
    /// # Errors
    /// Something that is settled is not committed.
    pub(super) fn commit_at_end(&mut self) -> Result<()> {
        let all: Vec<i32> = self.partitions.keys().copied().collect();
        let deadline = Instant::now() + ANSWER;
        loop {
            self.commit_of(&all);
            let open = self.partitions.iter().filter(|(_, held)| {
                held.state.is_asked() || held.state.to_commit(&self.streams.drained(held.state.stream)).is_some()
            });
            let open: Vec<i32> = open.map(|(partition, _)| *partition).collect();
            if open.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let why =
                    self.group.notices().last().map_or("the broker does not answer".to_owned(), |last| last.words);
                return Err(self.wrong(&format!(
                    "the last offsets of {} are not committed: {why}; what was stored since the last commit is read again, and \
                     its documents are duplicates then",
                    named(&open)
                )));
            }
            wait(&[Some(self.group.as_fd())], AGAIN);
            self.serve_events();
        }
    }

    /// Whether the group has settled every partition to the end that it had at the start.
    pub(super) fn is_over(&mut self) -> bool {
        let Some(ending) = &mut self.ending else { return false };
        for (partition, held) in &self.partitions {
            held.state.committed().iter().for_each(|offset| ending.settle(*partition, *offset));
        }
        if ending.is_over() {
            return self.leaving.is_none();
        }
        let now = Instant::now();
        let others: Vec<i32> = ending.open().filter(|partition| !self.partitions.contains_key(partition)).collect();
        if others.is_empty() || self.leaving.is_some() || now < self.next_look {
            return false;
        }
        self.next_look = now + LOOK;
        // If the group does not answer, it is asked again.
        for (partition, offset) in self.group.committed(others.iter().copied(), LOOK).unwrap_or_default() {
            ending.settle(partition, offset);
        }
        let is_mine = |partition: i32| self.partitions.contains_key(&partition);
        let waits = !self.partitions.is_empty() && !ending.is_over() && !ending.open().any(is_mine);
        if waits && !std::mem::replace(&mut self.waits_for_others, true) {
            let open: Vec<i32> = ending.open().collect();
            self.say(&format!("other members of the group read {}; this run ends with them", named(&open)));
        }
        self.ending.as_ref().is_some_and(|ending| ending.is_over()) && self.leaving.is_none()
    }
}
