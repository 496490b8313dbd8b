//! Sets of characters: the characters that a class, an escape or a single character of a pattern can match.

/// A set of characters.
///
/// A line is bytes. A byte that is not part of valid UTF-8 is read as one *raw* byte: a character without a code point.
/// Only `.` and negated classes contain raw bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Set {
    /// The ranges of code points, both ends included: sorted, neither overlapping nor adjacent, at most [`Set::LAST`].
    ranges: Vec<(u32, u32)>,
    raw: bool,
}

impl Set {
    /// The last code point.
    pub(crate) const LAST: u32 = char::MAX as u32;

    /// Returns the empty set.
    pub(crate) fn empty() -> Set {
        Set::default()
    }

    /// Returns the set of all characters, including raw bytes.
    pub(crate) fn any() -> Set {
        Set { ranges: vec![(0, Set::LAST)], raw: true }
    }

    /// Returns the set of one character.
    pub(crate) fn one(c: char) -> Set {
        Set { ranges: vec![(c as u32, c as u32)], raw: false }
    }

    /// Whether it has the newline, and no other characters than those that end lines.
    pub(crate) fn is_newline(&self) -> bool {
        let is_end = |c: u32| matches!(c, 0x0A..=0x0D | 0x85 | 0x2028 | 0x2029);
        let all_end = self.ranges.iter().all(|&(low, high)| (low..=high.min(low + 8)).all(is_end) && high - low <= 8);
        all_end && self.ranges.iter().any(|&(low, high)| (low..=high).contains(&0x0A))
    }

    /// Returns the union of `ranges`, both ends included, in any order.
    pub(crate) fn ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> Set {
        let mut sorted: Vec<(u32, u32)> = ranges.into_iter().filter(|(low, high)| low <= high).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (low, high) in sorted {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high.min(Set::LAST))),
            }
        }
        Set { ranges: merged, raw: false }
    }

    /// Returns the characters that are in at least one of the sets.
    pub(crate) fn union(&self, other: &Set) -> Set {
        let mut set = Set::ranges(self.ranges.iter().chain(&other.ranges).copied());
        set.raw = self.raw || other.raw;
        set
    }

    /// Returns the characters that are in both sets.
    pub(crate) fn intersect(&self, other: &Set) -> Set {
        self.negate().union(&other.negate()).negate()
    }

    /// Returns the characters that are not in the set. Raw bytes are in exactly one of a set and its negation.
    pub(crate) fn negate(&self) -> Set {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for &(low, high) in &self.ranges {
            if next < low {
                ranges.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= Set::LAST {
            ranges.push((next, Set::LAST));
        }
        Set { ranges, raw: !self.raw }
    }

    /// Returns whether the set is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty() && !self.raw
    }

    /// Returns whether the sets have no character in common.
    pub(crate) fn is_disjoint(&self, other: &Set) -> bool {
        self.intersect(other).is_empty()
    }

    /// Returns whether the code point is in the set.
    pub(crate) fn contains(&self, c: u32) -> bool {
        let index = self.ranges.partition_point(|&(_, high)| high < c);
        self.ranges.get(index).is_some_and(|&(low, _)| low <= c)
    }

    /// Returns whether the set contains raw bytes.
    pub(crate) fn contains_raw(&self) -> bool {
        self.raw
    }

    /// Returns the ranges of code points: sorted, disjoint, both ends included.
    pub(crate) fn as_ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Returns the character of a set of exactly one character.
    pub(crate) fn as_char(&self) -> Option<char> {
        match self.ranges[..] {
            [(low, high)] if low == high && !self.raw => char::from_u32(low),
            _ => None,
        }
    }
}

#[cfg(all(test, not(engines)))]
mod tests {
    use super::*;

    #[test]
    fn sets_obey_the_laws_of_sets() {
        let letters = Set::ranges([(0x61, 0x7a), (0x41, 0x5a), (0x5b, 0x5c)]);
        assert_eq!(letters.as_ranges(), [(0x41, 0x5c), (0x61, 0x7a)]);
        assert_eq!(letters.negate().negate(), letters);
        assert_eq!(letters.union(&letters.negate()), Set::any());
        assert!(letters.is_disjoint(&letters.negate()));
        assert!(letters.contains(0x5c) && !letters.contains(0x5d) && !letters.contains_raw());
        assert_eq!(Set::any().negate(), Set::empty());
        assert_eq!(Set::one('x').as_char(), Some('x'));
        assert_eq!(letters.intersect(&Set::one('b')), Set::one('b'));
    }
}
