//! One partition that is assigned to this consumer: which offset its group may commit, and whether it is read to its end.
//!
//! This module is pure. Offsets have gaps: markers of transactions, and records that compaction removed. So nothing here
//! counts from one offset to the next.

use crate::source::acks::Drained;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The number of the partition among the streams of the source.
    pub stream: u32,
    /// The offset after the last record that came; `None` if none came.
    received_to: Option<i64>,
    /// The number of records that came and were not handed on yet.
    pub waiting: u64,
    /// The offset at which this run ends; `None` if it has no end.
    end: Option<i64>,
    /// Whether every record before `end` came.
    is_at_end: bool,
    /// Whether records were taken back from the queue. What comes after them is never committed.
    pub is_recalled: bool,
    /// The offset that the group has committed, as far as is known.
    committed: Option<i64>,
    /// The offset in a commit that was not answered yet.
    asked: Option<i64>,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is read. `after` is the offset at which it was expected, if it is a later one.
    Wanted {
        /// The offset at which the record was expected; `None` if it is there.
        after: Option<i64>,
    },
    /// It came after the end of this run.
    Beyond,
}

impl Partition {
    /// Creates the partition with the stream `stream`. `committed` is the offset that the group has committed, and `end` the
    /// offset at which the run ends.
    pub fn new(stream: u32, committed: Option<i64>, end: Option<i64>) -> Partition {
        Partition {
            stream,
            received_to: None,
            waiting: 0,
            end,
            is_at_end: end.is_some_and(|end| end <= committed.unwrap_or_default()),
            is_recalled: false,
            committed,
            asked: None,
        }
    }

    /// Takes note of a record that came.
    pub fn arrive(&mut self, offset: i64) -> Arrival {
        if self.end.is_some_and(|end| offset >= end) {
            self.come_to_end();
            return Arrival::Beyond;
        }
        let expected = self.received_to.or(self.committed);
        self.received_to = Some(offset.saturating_add(1));
        self.is_at_end |= self.end.is_some_and(|end| offset.saturating_add(1) >= end);
        Arrival::Wanted { after: expected.filter(|expected| *expected < offset) }
    }

    /// Takes note that the broker has no record after the last one that came. The last offsets before the end may hold none:
    /// they are markers of transactions, or compaction has removed their records.
    pub fn come_to_end(&mut self) {
        if let Some(end) = self.end {
            self.is_at_end = true;
            self.received_to = Some(self.received_to.or(self.committed).map_or(end, |to| to.max(end)));
        }
    }

    /// Whether every record before the end of this run came.
    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Whether every record that came is settled. Records that were taken back are not.
    pub fn is_settled(&self, drained: &Drained) -> bool {
        self.waiting == 0 && drained.open_records == 0 && !self.is_recalled
    }

    /// Returns the offset up to which all records that came are settled.
    ///
    /// `drained` says up to which cursor the records that were handed on are settled. If nothing is open, offsets without a
    /// record count as well, so that a partition that ends with the marker of a transaction is committed to its end.
    pub fn settled_to(&self, drained: &Drained) -> Option<i64> {
        let cursor =
            drained.settled_to.as_ref().and_then(|cursor| cursor.first_chunk()).map(|at| i64::from_be_bytes(*at));
        if self.is_settled(drained) { self.received_to.or(cursor) } else { cursor }
    }

    /// Returns the offset to commit; `None` if nothing has changed since the last commit.
    pub fn to_commit(&self, drained: &Drained) -> Option<i64> {
        self.settled_to(drained).filter(|to| Some(*to) != self.asked.or(self.committed))
    }

    /// Takes note that the commit of an offset was asked for.
    pub fn ask(&mut self, offset: i64) {
        self.asked = Some(offset);
    }

    /// Takes note of the answer to the commit of `offset`.
    pub fn answer(&mut self, offset: i64, is_committed: bool) {
        if self.asked == Some(offset) {
            self.asked = None;
        }
        if is_committed {
            self.committed = Some(offset);
        }
    }

    /// The offset that the group has committed, as far as is known.
    pub fn committed(&self) -> Option<i64> {
        self.committed
    }

    /// Whether a commit was not answered yet.
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn drained(settled_to: Option<i64>, open_records: u64) -> Drained {
        Drained { settled_to: settled_to.map(|to| Bytes::copy_from_slice(&to.to_be_bytes())), open_records }
    }

    fn after(offsets: &[i64], end: Option<i64>) -> Partition {
        let mut partition = Partition::new(0, None, end);
        for offset in offsets {
            partition.arrive(*offset);
        }
        partition
    }

    #[test]
    fn only_the_settled_prefix_of_the_records_that_came_is_committed() {
        // The offsets that came, how many were not handed on, the cursor of the prefix, the open records, and the commit.
        for (offsets, waiting, settled_to, open, commit) in [
            (&[][..], 0, None, 0, None),
            (&[0, 1, 2][..], 0, Some(3), 0, Some(3)),
            (&[0, 1, 2][..], 0, None, 3, None),
            (&[0, 1, 2][..], 0, Some(2), 1, Some(2)),
            (&[0, 1, 2][..], 1, Some(2), 0, Some(2)),
            // A tombstone at the end was never handed on.
            (&[0, 1, 2, 7][..], 0, Some(3), 0, Some(8)),
            (&[0, 1, 2, 7][..], 0, Some(2), 1, Some(2)),
            // Only tombstones came.
            (&[3, 9][..], 0, None, 0, Some(10)),
            // Markers and compaction leave gaps.
            (&[5, 90, 91, 4000][..], 0, Some(91), 2, Some(91)),
        ] {
            let partition = Partition { waiting, ..after(offsets, None) };
            assert_eq!(partition.to_commit(&drained(settled_to, open)), commit, "{offsets:?} {settled_to:?} {open}");
        }
    }

    #[test]
    fn nothing_after_records_that_were_taken_back_is_committed() {
        let partition = Partition { is_recalled: true, ..after(&[0, 1, 2], None) };
        assert_eq!(partition.to_commit(&drained(Some(1), 0)), Some(1));
        assert!(!partition.is_settled(&drained(Some(1), 0)));
    }

    #[test]
    fn a_commit_is_asked_once_and_again_after_a_failure() {
        let all = drained(Some(3), 0);
        let mut partition = after(&[0, 1, 2], None);
        partition.ask(3);
        assert_eq!((partition.to_commit(&all), partition.is_asked()), (None, true));
        partition.answer(3, false);
        assert_eq!((partition.to_commit(&all), partition.is_asked()), (Some(3), false));
        partition.ask(3);
        partition.answer(3, true);
        assert_eq!(partition.to_commit(&all), None);
        partition.arrive(3);
        assert_eq!(partition.to_commit(&drained(Some(4), 0)), Some(4));
        assert_eq!(Partition::new(0, Some(3), None).to_commit(&drained(None, 0)), None, "nothing came");
    }

    #[test]
    fn a_partition_ends_where_it_ended_at_the_start() {
        for (offsets, end, arrival, is_at_end) in [
            (&[][..], 5, (3, Arrival::Wanted { after: None }), false),
            (&[3][..], 5, (4, Arrival::Wanted { after: None }), true),
            (&[3][..], 6, (5, Arrival::Wanted { after: Some(4) }), true),
            (&[3][..], 5, (5, Arrival::Beyond), true),
            (&[3][..], 5, (900, Arrival::Beyond), true),
            (&[][..], 0, (0, Arrival::Beyond), true),
        ] {
            let mut partition = after(offsets, Some(end));
            assert_eq!(
                (partition.arrive(arrival.0), partition.is_at_end()),
                (arrival.1, is_at_end),
                "{offsets:?} {end}"
            );
        }
    }

    #[test]
    fn the_end_is_reached_and_committed_where_the_last_offsets_hold_no_record() {
        for (offsets, end, commit) in [(&[3, 4][..], 6, 6), (&[][..], 6, 6), (&[3, 4][..], 5, 5)] {
            let mut partition = after(offsets, Some(end));
            partition.come_to_end();
            assert!(partition.is_at_end());
            assert_eq!(partition.to_commit(&drained(None, 0)), Some(commit), "{offsets:?}");
        }
        let mut endless = after(&[3], None);
        endless.come_to_end();
        assert_eq!((endless.is_at_end(), endless.to_commit(&drained(None, 0))), (false, Some(4)));
        assert!(Partition::new(0, Some(6), Some(6)).is_at_end(), "the group has read it");
        assert!(Partition::new(0, None, Some(0)).is_at_end(), "it is empty");
        assert!(!Partition::new(0, None, Some(1)).is_at_end());
    }
}
