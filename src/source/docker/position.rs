//! The place in the log of a container up to which records were handed on. Pure.
//!
//! The Engine can begin at a time, and gives every record from this time on. So a place is the time of the last record, and
//! the records at or after this time that were handed on already: times are not monotone, because the pieces of a long line
//! have the time of its beginning.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::frames::Stream;
use crate::core::record::TimeHash;

/// The number of records that are remembered.
const REMEMBERED: usize = 4096;

/// The number of records that a cursor names. A cursor has at most 128 bytes.
const NAMED: usize = 20;

/// The bytes of a hash in a cursor.
const HASH: usize = 6;

/// How much earlier than the last record the log is read again, in nanoseconds. Two streams write side by side, so a record may
/// have an earlier time than the record before it.
const EARLIER: u64 = 1_000_000_000;

/// How long after the last remembered record a repeated one is still expected, in nanoseconds. A repetition begins at the
/// time that was asked for, and times are nearly in order.
const LATE: u64 = 10_000_000_000;

/// Makes the mark of a record, whose text may come in pieces.
pub struct Marking(TimeHash);

/// What tells a record from others of its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The time in nanoseconds since 1970.
    pub ns: u64,
    /// The [`time_hash`](crate::core::record::time_hash) of its stream and its text, with the ordinal 0.
    pub hash: u64,
}

impl Mark {
    /// Returns 48 bits that stand for time, stream and text.
    fn short(self) -> u64 {
        (self.hash ^ self.ns.wrapping_mul(0x9e37_79b9_7f4a_7c15)) & ((1 << (8 * HASH)) - 1)
    }
}

impl Marking {
    /// Begins the mark of a record.
    pub fn new(stream: Stream) -> Marking {
        Marking(TimeHash::new(stream.name().as_bytes(), 0))
    }

    /// Takes a piece of the text.
    pub fn add(&mut self, text: &[u8]) {
        self.0.add(text);
    }

    /// Returns the mark.
    pub fn mark(&self, ns: u64) -> Mark {
        Mark { ns, hash: self.0.finish() }
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Position {
    /// The last records that were taken, in their order.
    recent: VecDeque<Mark>,
    /// The records that come once more, and how often.
    repeated: HashMap<u64, u32>,
    /// The latest time of a record that comes once more.
    until: u64,
    /// The time at which an earlier run ended, before any record was handed on.
    resumed: Option<u64>,
    /// The records of the cursor that did not come once more yet.
    named: Vec<u64>,
    /// The cursor, until a record is handed on.
    cursor: Option<Bytes>,
}

impl Position {
    /// Goes on where an earlier run ended.
    pub fn of_cursor(cursor: &[u8]) -> Position {
        let Some((ns, hashes)) = cursor.split_first_chunk::<8>() else { return Position::default() };
        let hash = |bytes: &[u8; HASH]| bytes.iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        let named = hashes.as_chunks::<HASH>().0.iter().map(hash).collect();
        let (resumed, cursor) = (Some(u64::from_be_bytes(*ns)), Some(Bytes::copy_from_slice(cursor)));
        Position { resumed, named, cursor, ..Position::default() }
    }

    /// Returns the cursor after the last record that was handed on. The last `waiting` records that were taken wait to be handed
    /// on. Returns `None` if there is no cursor, or if it is not known any more.
    pub fn cursor(&self, waiting: usize) -> Option<Bytes> {
        if let Some(cursor) = &self.cursor {
            return Some(cursor.clone());
        }
        let count = self.recent.len().checked_sub(waiting)?;
        let last = self.recent.get(count.checked_sub(1)?)?;
        let last_ones = count.saturating_sub(10 * NAMED);
        let from = |since: u64| self.recent.range(last_ones..count).skip_while(move |mark| mark.ns < since);
        // What an earlier run handed on before its place is named nowhere, so the log is never read from before that place.
        let at_least = self.resumed.unwrap_or_default();
        let earlier = last.ns.saturating_sub(EARLIER).max(at_least);
        let since = if from(earlier).count() <= NAMED { earlier } else { last.ns.max(at_least) };
        let mut cursor = since.to_be_bytes().to_vec();
        let named = from(since).count();
        from(since)
            .skip(named.saturating_sub(NAMED))
            .for_each(|mark| cursor.extend_from_slice(&mark.short().to_be_bytes()[8 - HASH..]));
        Some(cursor.into())
    }

    /// Returns the time from which on the log must be read; `None` for its beginning. The records that come once more are
    /// expected from now on.
    pub fn ask(&mut self) -> Option<u64> {
        self.repeated.clear();
        match self.recent.back() {
            Some(last) => {
                // What was forgotten must not come again.
                let known =
                    self.recent.front().filter(|_| self.recent.len() == REMEMBERED).map_or(0, |mark| mark.ns + 1);
                // Nor what an earlier run handed on.
                let known = known.max(self.resumed.unwrap_or_default());
                let since = last.ns.saturating_sub(EARLIER).max(known).min(last.ns);
                self.named.iter().for_each(|hash| *self.repeated.entry(*hash).or_default() += 1);
                self.until = since;
                // New Engines give all records after the first one that is late enough.
                for mark in self.recent.iter().skip_while(|mark| mark.ns < since) {
                    *self.repeated.entry(mark.short()).or_default() += 1;
                    self.until = self.until.max(mark.ns);
                }
                Some(since)
            }
            None => {
                self.named.iter().for_each(|hash| *self.repeated.entry(*hash).or_default() += 1);
                self.until = self.resumed?;
                self.resumed
            }
        }
    }

    /// Takes a record that came. Returns `false` if it was handed on before.
    pub fn take(&mut self, mark: Mark) -> bool {
        if !self.repeated.is_empty() {
            if let Some(times) = self.repeated.get_mut(&mark.short()) {
                *times -= 1;
                if *times == 0 {
                    self.repeated.remove(&mark.short());
                }
                // The next cursor has it, too. In the log, all records of the cursor stand before the first new one.
                if let Some(named) = self.named.iter().position(|hash| *hash == mark.short()) {
                    self.named.swap_remove(named);
                    self.remember(mark);
                }
                return false;
            }
            if mark.ns > self.until.saturating_add(LATE) {
                self.repeated.clear();
            }
        }
        self.remember(mark);
        self.cursor = None;
        true
    }

    fn remember(&mut self, mark: Mark) {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(mark);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(ns: u64, text: &str) -> Mark {
        let mut marking = Marking::new(Stream::Out);
        marking.add(text.as_bytes());
        marking.mark(ns)
    }

    /// What the Engine gives from `since` on. New Engines leave out records until one is late enough; old ones leave out each
    /// record that is too early.
    fn from(log: &[Mark], since: Option<u64>, is_old: bool) -> impl Iterator<Item = Mark> {
        let since = since.unwrap_or_default();
        let mut is_begun = false;
        let is_given = move |mark: &&Mark| {
            is_begun = !is_old && is_begun || mark.ns >= since;
            is_begun
        };
        log.iter().filter(is_given).copied()
    }

    #[test]
    fn pieces_have_one_mark_however_they_are_cut() {
        let mut pieces = Marking::new(Stream::Out);
        ["ab", "", "c"].iter().for_each(|piece| pieces.add(piece.as_bytes()));
        assert_eq!(pieces.mark(7), mark(7, "abc"));
        let mut other = Marking::new(Stream::Err);
        other.add(b"abc");
        assert_ne!(other.mark(7), mark(7, "abc"));
        assert_ne!(mark(8, "abc").short(), mark(7, "abc").short());
        assert_eq!(mark(7, "abc").hash, crate::core::record::time_hash(b"stdout", 0, b"abc"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// Times may be equal, and a record may have an earlier time than the one before it. However often the connection ends,
        /// each record is handed on once. If the process ends too, none is lost, and records come twice only where times go
        /// back. (A cursor names 20 records, so no more have nearly the same time.)
        #[test]
        fn each_record_is_handed_on_once(
            steps in prop::collection::vec((0_u64..4, 0_u8..3), 1..120),
            cuts in prop::collection::vec((1_usize..40, any::<bool>()), 1..10),
            is_old: bool,
        ) {
            let mut now = 100;
            let log: Vec<Mark> = steps.iter().enumerate().map(|(index, (step, back))| {
                now += step + u64::from(index % 4 == 0);
                // A few records are of one line at a time: they have the same time, and different texts.
                let ns = if *back == 0 { now - 3 } else { now };
                mark(ns, &index.to_string())
            }).collect();
            let (mut position, mut got) = (Position::default(), Vec::new());
            let (mut was_restarted, goes_back) = (false, steps.iter().any(|(_, back)| *back == 0));
            for (length, restarts) in cuts.into_iter().chain([(log.len() + 40, false)]) {
                if restarts && !is_old {
                    was_restarted = true;
                    position = Position::of_cursor(&position.cursor(0).unwrap_or_default());
                    if position.resumed.is_none() {
                        got.clear();
                    }
                }
                let since = position.ask();
                got.extend(from(&log, since, is_old).take(length).filter(|mark| position.take(*mark)));
            }
            got.sort_by_key(|mark| (mark.ns, mark.hash));
            if was_restarted && goes_back {
                got.dedup();
            }
            let mut expected = log.clone();
            expected.sort_by_key(|mark| (mark.ns, mark.hash));
            prop_assert_eq!(got, expected);
        }
    }
}
