//! [`TagCounts`]: how many documents have each tag.

use std::collections::BTreeMap;

/// The most tags that are counted by name. A tag may name a field of the record, so a log could have any number of them.
const MOST_NAMES: usize = 100;

/// The name under which all further tags are counted.
const OTHERS: &str = "(other tags)";

/// The number of documents with each tag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagCounts {
    /// A count that was moved elsewhere is 0, and its memory is used again.
    counts: BTreeMap<String, u64>,
    is_filled: bool,
}

impl TagCounts {
    /// Counts a document with `tag`.
    #[cold]
    pub fn add(&mut self, tag: &str) {
        self.add_many(tag, 1);
    }

    fn add_many(&mut self, tag: &str, documents: u64) {
        self.is_filled = true;
        if let Some(count) = self.counts.get_mut(tag) {
            *count = count.saturating_add(documents);
        } else if tag == OTHERS || self.counts.len() - usize::from(self.counts.contains_key(OTHERS)) < MOST_NAMES {
            self.counts.insert(tag.to_owned(), documents);
        } else {
            self.add_many(OTHERS, documents);
        }
    }

    /// Moves the counts of `other` here.
    pub fn take(&mut self, other: &mut TagCounts) {
        for (tag, documents) in other.counts.iter_mut().filter(|(_, documents)| **documents > 0) {
            self.add_many(tag, std::mem::take(documents));
        }
        other.is_filled = false;
    }

    /// Whether nothing was counted.
    #[inline]
    pub fn is_empty(&self) -> bool {
        !self.is_filled
    }

    /// Returns the tags in the order of their names, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        let counted = self.counts.iter().filter(|(_, documents)| **documents > 0);
        counted.map(|(tag, documents)| (tag.as_str(), *documents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_beyond_the_most_are_counted_together_and_none_is_lost() {
        let (mut one, mut all) = (TagCounts::default(), TagCounts::default());
        for round in 0..3 {
            one.add("_typefailure:bytes");
            (0..60).for_each(|number| one.add(&format!("_duplicate_field:{}", round * 60 + number)));
            all.take(&mut one);
            assert!(one.is_empty());
        }
        assert_eq!(all.iter().count(), MOST_NAMES + 1);
        assert_eq!(all.iter().map(|(_, documents)| documents).sum::<u64>(), 183);
        assert_eq!(all.iter().find(|(tag, _)| *tag == "_typefailure:bytes"), Some(("_typefailure:bytes", 3)));
        assert_eq!(all.iter().find(|(tag, _)| *tag == OTHERS), Some((OTHERS, 81)));
    }
}
