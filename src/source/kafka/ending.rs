//! Decides when a run with `until=end` is over. This module is pure.
//!
//! It is over when the group has settled every partition up to the offset at which it ended at the start. Other members may read
//! some of the partitions. Their commits are then asked for, so that the exit code 0 means the same with one member and with ten.

use std::collections::BTreeMap;

/// The partitions that are not settled to their ends yet, with these ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ending {
    ends: BTreeMap<i32, i64>,
    open: BTreeMap<i32, i64>,
}

impl Ending {
    /// Creates the account of partitions, each with its first offset and the offset after its last record. A partition without
    /// offsets has nothing to settle.
    pub fn new(partitions: impl IntoIterator<Item = (i32, i64, i64)>) -> Ending {
        let all: Vec<(i32, i64, i64)> = partitions.into_iter().collect();
        let open = all.iter().filter(|(_, first, end)| first < end);
        Ending {
            open: open.map(|(partition, _, end)| (*partition, *end)).collect(),
            ends: all.iter().map(|(partition, _, end)| (*partition, *end)).collect(),
        }
    }

    /// Returns the end of a partition. A partition that was made later is not read.
    pub fn end(&self, partition: i32) -> i64 {
        self.ends.get(&partition).copied().unwrap_or_default()
    }

    /// Takes note that the group has settled a partition up to `offset`.
    pub fn settle(&mut self, partition: i32, offset: i64) {
        if self.open.get(&partition).is_some_and(|end| offset >= *end) {
            self.open.remove(&partition);
        }
    }

    /// Whether all partitions are settled.
    pub fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns the partitions that are not settled.
    pub fn open(&self) -> impl Iterator<Item = i32> {
        self.open.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_over_when_every_partition_is_settled_to_the_end_that_it_had() {
        let mut ending = Ending::new([(0, 0, 0), (1, 5, 5), (2, 5, 9), (3, 0, 4)]);
        assert_eq!((ending.end(2), ending.end(1), ending.end(7)), (9, 5, 0));
        for (partition, offset, open) in [(2, 8, vec![2, 3]), (3, 4, vec![2]), (7, 99, vec![2]), (2, 10, vec![])] {
            ending.settle(partition, offset);
            assert_eq!((ending.open().collect::<Vec<_>>(), ending.is_over()), (open.clone(), open.is_empty()));
        }
        assert!(Ending::new([(0, 0, 0), (1, 7, 7)]).is_over(), "nothing is there");
        assert!(Ending::default().is_over());
    }
}
