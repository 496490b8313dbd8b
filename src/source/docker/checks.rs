//! Finds out whether the Engine skipped records of a container that is read through its API.
//!
//! The Engine follows its own files. If they are rotated faster than it reads, it skips what is gone and says nothing. So
//! whenever much came compared to what the files hold, the same stretch of time is read once more, without following: records
//! in it that did not come were skipped. If the beginning of the stretch is gone already, nobody can know.

use std::collections::HashMap;
use std::time::Instant;

use super::container::Container;
use super::counters::RECOVERED;
use super::engine::{LogQuery, Next};
use super::frames::Stream;
use super::handing::Handing;
use super::position::Mark;
use super::record_reader::{Record, RecordReader};
use super::shared::Shared;
use crate::core::error::Result;
use crate::core::numbers::grouped;
use crate::observe::receipt::Loss;

/// The bytes that a record takes in a file besides its text, about.
const OVERHEAD: u64 = 70;

/// The number of records that are remembered for the next check.
const REMEMBERED: usize = 1 << 20;

/// The bytes of records that may have been skipped and are kept until the next check.
const KEPT: usize = 16 << 20;

/// The longest time until a check has read its stretch.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);

/// See the [module](self).
pub struct Checks {
    /// The number of bytes after which the next check is due; `None` if the files hold everything.
    due_after: Option<u64>,
    /// The number of bytes that came since the last check, and whether any check was due.
    came: u64,
    is_large: bool,
    /// The records that came since the last check, and how often.
    marks: HashMap<Mark, u32>,
    /// The first of them, and the latest time.
    first: Option<Mark>,
    latest: u64,
    /// The time of the last record that came.
    newest: u64,
    is_overfull: bool,
    /// Records that did not come, as far as the last check knew. They may be on their way.
    missing: HashMap<Mark, (Stream, Vec<u8>)>,
    kept: usize,
    is_terminal: bool,
}

impl Checks {
    /// Checks what comes of `container`.
    pub fn new(container: &Container) -> Checks {
        Checks {
            due_after: container.capacity.map(|bytes| bytes / 2),
            came: 0,
            is_large: false,
            marks: HashMap::new(),
            first: None,
            latest: 0,
            newest: 0,
            is_overfull: false,
            missing: HashMap::new(),
            kept: 0,
            is_terminal: container.tty,
        }
    }

    /// Takes a record that came.
    pub fn came(&mut self, record: &Record<'_>) {
        if self.due_after.is_none() {
            return;
        }
        self.came += record.length + OVERHEAD;
        self.is_large |= self.due_after.is_some_and(|due| self.came >= due);
        self.missing.remove(&record.mark);
        self.newest = record.mark.ns;
        if self.marks.len() >= REMEMBERED {
            self.is_overfull = true;
            return;
        }
        self.first.get_or_insert(record.mark);
        self.latest = self.latest.max(record.mark.ns);
        *self.marks.entry(record.mark).or_default() += 1;
    }

    /// Checks what came, if a check is due.
    ///
    /// # Errors
    /// Records that were found cannot be handed on.
    pub fn run(&mut self, container: &Container, handing: &mut Handing<'_>, shared: &Shared<'_>) -> Result<()> {
        if self.due_after.is_none_or(|due| self.came < due) {
            return Ok(());
        }
        let until = self.latest;
        self.check(Some(until), container, handing, shared)
    }

    /// Checks the rest after the last record.
    ///
    /// # Errors
    /// Records that were found cannot be handed on.
    pub fn end(&mut self, container: &Container, handing: &mut Handing<'_>, shared: &Shared<'_>) -> Result<()> {
        let Some(due) = self.due_after else { return Ok(()) };
        if shared.engine.stop().is_requested() {
            // Without a check, only what is far less than the files hold is certain.
            if self.came >= due {
                shared.accounts.lose(&container.id, Loss::Unknown);
            }
            return Ok(());
        }
        if self.is_large {
            // The Engine may have skipped the end as well.
            self.latest = u64::MAX;
            self.check(None, container, handing, shared)?;
        }
        self.recover(container, handing, shared)
    }

    fn check(
        &mut self,
        until: Option<u64>,
        container: &Container,
        handing: &mut Handing<'_>,
        shared: &Shared<'_>,
    ) -> Result<()> {
        let name = container.shown();
        // What was missing at the last check, and has not come since then, was skipped.
        self.recover(container, handing, shared)?;
        let first = self.first;
        let query = LogQuery { follow: false, since: first.map(|mark| mark.ns).or(Some(self.newest)), until };
        let mut reader = RecordReader::new(self.is_terminal, handing.max_line());
        let (mut is_begun, mut is_whole, mut bytes) = (first.is_none(), false, Vec::new());
        if let (false, Ok(Some(mut answer))) = (self.is_overfull, shared.engine.logs(&container.id, query)) {
            let until = Instant::now() + LONGEST;
            loop {
                bytes.clear();
                let next = answer.read(&mut bytes, Some(until));
                let mut take = |record: Record<'_>| {
                    is_begun |= Some(record.mark) == first;
                    self.compare(&record);
                };
                match next {
                    Ok(Next::More) if reader.feed(&bytes, &mut take).is_ok() => {}
                    Ok(Next::End) => {
                        is_whole = true;
                        break;
                    }
                    _ => break,
                }
            }
        }
        if !(is_begun && is_whole) && shared.accounts.lose(&container.id, Loss::Unknown) {
            shared.say.warn(format!(
                "{name}: it writes faster than the Engine sends its log, or its log files are small: whether the Engine skipped \
                 records is unknown, because the files that could tell it are gone; larger or more files (max-size, max-file), \
                 or rights to read the files, prevent this"
            ));
        }
        self.came = 0;
        self.marks.clear();
        (self.first, self.is_overfull) = (None, false);
        Ok(())
    }

    /// Compares a record of a stretch that is read once more with those that came.
    fn compare(&mut self, record: &Record<'_>) {
        match self.marks.get_mut(&record.mark) {
            Some(times) if *times > 1 => *times -= 1,
            Some(_) => drop(self.marks.remove(&record.mark)),
            None if record.mark.ns <= self.latest && self.kept < KEPT => {
                self.kept += record.text.len();
                self.missing.insert(record.mark, (record.stream, record.text.to_vec()));
            }
            None => {}
        }
    }

    /// Hands on the records that were skipped.
    fn recover(&mut self, container: &Container, handing: &mut Handing<'_>, shared: &Shared<'_>) -> Result<()> {
        let mut skipped: Vec<_> = self.missing.drain().collect();
        self.kept = 0;
        if skipped.is_empty() {
            return Ok(());
        }
        skipped.sort_by_key(|(mark, _)| mark.ns);
        let count = skipped.len() as u64;
        // No line of a record that is open continues one of them.
        handing.flush()?;
        for (mark, (stream, text)) in &skipped {
            handing.recover(&Record { stream: *stream, mark: *mark, text, length: text.len() as u64 })?;
        }
        handing.flush()?;
        shared.counts.add(&RECOVERED, count);
        if shared.accounts.lose(&container.id, Loss::Detected) {
            shared.say.warn(format!(
                "{}: the Engine skipped {} records when its log files were rotated; these were found by reading again, others may \
                 be gone",
                container.shown(),
                grouped(count)
            ));
        }
        Ok(())
    }
}
