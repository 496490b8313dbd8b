//! A set of offsets, kept as ranges.

use std::collections::BTreeMap;

/// A set of offsets in a content, kept as ranges that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    /// The end of each range, by its start.
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds `start..end`.
    pub fn insert(&mut self, mut start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        // All ranges that overlap or touch the new one begin at `end` or before it. The last of them comes first.
        while let Some((&other, &other_end)) = self.ranges.range(..=end).next_back() {
            if other_end < start {
                break;
            }
            self.ranges.remove(&other);
            (start, end) = (start.min(other), end.max(other_end));
        }
        self.ranges.insert(start, end);
    }

    /// Whether the set holds all of `start..end`.
    pub fn covers(&self, start: u64, end: u64) -> bool {
        start >= end || self.ranges.range(..=start).next_back().is_some_and(|(_, &range_end)| range_end >= end)
    }

    /// The ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(&start, &end)| (start, end))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn it_holds_what_a_plain_set_of_positions_holds(
            inserted in prop::collection::vec((0u64..60, 0u64..12), 0..40), asked in (0u64..60, 0u64..12),
        ) {
            let (mut ranges, mut naive) = (Ranges::default(), [false; 80]);
            for (start, length) in inserted {
                ranges.insert(start, start + length);
                naive[start as usize..(start + length) as usize].fill(true);
            }
            let mut listed = [false; 80];
            let mut last = None;
            for (start, end) in ranges.iter() {
                prop_assert!(start < end && last.is_none_or(|last| last < start), "in order, apart, not empty");
                listed[start as usize..end as usize].fill(true);
                last = Some(end);
            }
            prop_assert_eq!(listed, naive);
            let (start, length) = asked;
            let covered = naive[start as usize..(start + length) as usize].iter().all(|&held| held);
            prop_assert_eq!(ranges.covers(start, start + length), covered);
        }
    }
}
