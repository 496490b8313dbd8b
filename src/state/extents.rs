//! Extents: runs of whole lines that are settled. Each extent is identified by its offset, its length and its checksum.
//! [`Extents`] joins adjacent extents.

use std::collections::BTreeSet;

use super::checksum;
use crate::core::batch::Batch;

/// The maximum number of bytes of an extent that was joined from others. An extent can be compared only after all its
/// bytes were read, and its lines are held back until then.
pub const JOINED_BYTES: u64 = 4 << 20;

/// A run of whole lines of one content that are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extent {
    /// The offset of its first byte in the decompressed content.
    pub start: u64,
    /// The number of its bytes, newlines included; never 0.
    pub length: u64,
    /// The [checksum] of its bytes.
    pub checksum: u64,
    /// Whether it ends with a newline. If not, it was the end of its content at that time.
    pub closed: bool,
    /// Whether it ends inside of a line that was delivered in parts. Such an extent is not closed. The bytes after it
    /// belong to the same line.
    pub cut: bool,
}

impl Extent {
    /// The extent of the lines `lines`, which begin at the offset `start`.
    pub fn of(start: u64, lines: &[u8]) -> Extent {
        Extent {
            start,
            length: lines.len() as u64,
            checksum: checksum::of(lines),
            closed: lines.ends_with(b"\n"),
            cut: false,
        }
    }

    /// The extent of the lines in `batch`, which must be consecutive.
    pub fn of_batch(batch: &Batch) -> Extent {
        let extent = Extent { closed: batch.line_end().ends(&batch.data), ..Extent::of(batch.offset, &batch.data) };
        Extent { cut: batch.partial && !extent.closed, ..extent }
    }

    /// The offset after its last byte; `None` if the extent is invalid.
    pub fn end(&self) -> Option<u64> {
        self.start.checked_add(self.length)
    }
}

/// An extent with its origin and its lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The number of the origin.
    pub origin: u64,
    /// The lineage. Extents of one lineage are assumed to belong to one content, and are joined if they are adjacent.
    /// If the assumption were wrong, the joined extent would equal no content, and its lines would be delivered again.
    pub lineage: u32,
    /// The extent.
    pub extent: Extent,
}

/// A set of extents, in which adjacent extents are joined.
#[derive(Debug, Clone, Default)]
pub struct Extents {
    entries: BTreeSet<Entry>,
}

impl Extents {
    /// Adds an extent, and joins it with its neighbours.
    pub fn insert(&mut self, entry: Entry) {
        let Entry { origin, lineage, mut extent } = entry;
        let Some(mut end) = extent.end().filter(|_| extent.length > 0) else { return };
        let whole = |extent| Entry { origin, lineage, extent };
        let before = self
            .entries
            .range(..whole(Extent { length: 0, checksum: 0, closed: false, cut: false, ..extent }))
            .next_back();
        if let Some(&left) = before
            && (left.origin, left.lineage, left.extent.end()) == (origin, lineage, Some(extent.start))
            && let Some(joined) = join(&left.extent, &extent)
        {
            self.entries.remove(&left);
            extent = joined;
        }
        let first = whole(Extent { start: end, length: 0, checksum: 0, closed: false, cut: false });
        let behind = self.entries.range(first..).next();
        if let Some(&right) = behind
            && (right.origin, right.lineage, right.extent.start) == (origin, lineage, end)
            && let Some(joined) = join(&extent, &right.extent)
        {
            self.entries.remove(&right);
            extent = joined;
            end = extent.end().unwrap_or(end);
        }
        debug_assert_eq!(extent.end(), Some(end));
        self.entries.insert(whole(extent));
    }

    /// The number of extents.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no extents.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All extents, by origin, lineage and start.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> + '_ {
        self.entries.iter()
    }

    /// The extents of one origin, by lineage and start.
    pub fn of(&self, origin: u64) -> impl Iterator<Item = &Entry> + '_ {
        let nothing = Extent { start: 0, length: 0, checksum: 0, closed: false, cut: false };
        self.entries
            .range(Entry { origin, lineage: 0, extent: nothing }..)
            .take_while(move |entry| entry.origin == origin)
    }

    /// Forgets extents until at most `most` are left. The lowest lineages are forgotten first. Within a lineage, the
    /// lowest starts are forgotten first.
    pub fn forget(&mut self, most: usize) {
        if self.len() <= most {
            return;
        }
        let mut order: Vec<(u32, u64, u64)> =
            self.entries.iter().map(|entry| (entry.lineage, entry.extent.start, entry.origin)).collect();
        order.sort_unstable();
        let first = order[order.len() - most];
        self.entries.retain(|entry| (entry.lineage, entry.extent.start, entry.origin) >= first);
    }

    /// The highest lineage.
    pub fn highest_lineage(&self) -> Option<u32> {
        self.entries.iter().map(|entry| entry.lineage).max()
    }
}

/// Joins two adjacent extents. Returns `None` if the result would be too long, or if the first extent does not end with
/// a newline. A line must not cross the border between two joined extents.
fn join(first: &Extent, second: &Extent) -> Option<Extent> {
    let length = first.length.checked_add(second.length)?;
    (first.closed && length <= JOINED_BYTES).then(|| Extent {
        start: first.start,
        length,
        checksum: checksum::join(first.checksum, second.checksum, second.length),
        closed: second.closed,
        cut: second.cut,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(lineage: u32, content: &[u8], start: usize, end: usize) -> Entry {
        let bytes = &content[start..end];
        let (start, length, checksum) = (start as u64, bytes.len() as u64, checksum::of(bytes));
        Entry {
            origin: 7,
            lineage,
            extent: Extent { start, length, checksum, closed: bytes.ends_with(b"\n"), cut: false },
        }
    }

    #[test]
    fn extents_that_touch_become_one_whatever_the_order() {
        let content = b"a\nbc\ndef\nghij\nk\n";
        let cuts = [0, 2, 5, 9, 14, 16];
        let borders: Vec<(usize, usize)> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [0, 2, 4, 1, 3], [1, 3, 0, 4, 2]] {
            let mut extents = Extents::default();
            order.iter().for_each(|&index| extents.insert(entry(1, content, borders[index].0, borders[index].1)));
            assert_eq!(extents.iter().copied().collect::<Vec<_>>(), [entry(1, content, 0, content.len())]);
        }
    }

    #[test]
    fn what_ends_without_a_newline_is_joined_to_nothing_behind_it() {
        let content = b"a\nbcd\n";
        let mut extents = Extents::default();
        extents.insert(entry(1, content, 0, 2));
        extents.insert(entry(1, content, 2, 4));
        extents.insert(entry(1, content, 4, 6));
        assert_eq!(extents.iter().copied().collect::<Vec<_>>(), [entry(1, content, 0, 4), entry(1, content, 4, 6)]);
    }

    #[test]
    fn extents_of_other_lineages_at_the_same_place_are_kept_beside_each_other() {
        let (a, b) = (b"same\naaa\n", b"same\nbbb\n");
        let mut extents = Extents::default();
        extents.insert(entry(1, a, 0, 5));
        extents.insert(entry(2, b, 5, 9));
        extents.insert(entry(1, a, 5, 9));
        assert_eq!(extents.iter().copied().collect::<Vec<_>>(), [entry(1, a, 0, 9), entry(2, b, 5, 9)]);
    }

    #[test]
    fn joined_extents_have_a_bound_and_a_longer_one_stays_as_it_is() {
        let extent = |start, length| Extent { start, length, checksum: 1, closed: true, cut: false };
        let entry = |start, length| Entry { origin: 1, lineage: 1, extent: extent(start, length) };
        let mut extents = Extents::default();
        extents.insert(entry(0, JOINED_BYTES));
        extents.insert(entry(JOINED_BYTES, 1));
        extents.insert(entry(JOINED_BYTES + 1, 3 * JOINED_BYTES));
        assert_eq!(extents.len(), 3);
        // Invalid extents are ignored.
        extents.insert(entry(u64::MAX, 2));
        extents.insert(entry(5, 0));
        assert_eq!(extents.len(), 3);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn what_is_joined_is_what_was_put_in(lines in prop::collection::vec(0usize..5, 1..30), seed in any::<u64>()) {
            let content: Vec<u8> = lines.iter().flat_map(|&n| [&b"xyz.."[..n], b"\n"].concat()).collect();
            let mut ends: Vec<usize> = memchr::memchr_iter(b'\n', &content).map(|at| at + 1).collect();
            let mut starts = vec![0];
            starts.extend(&ends[..ends.len() - 1]);
            let mut random = fastrand::Rng::with_seed(seed);
            let mut order: Vec<usize> = (0..ends.len()).filter(|_| random.u8(..) < 200).collect();
            random.shuffle(&mut order);
            let (mut extents, mut covered) = (Extents::default(), super::super::ranges::Ranges::default());
            for &index in &order {
                extents.insert(entry(1, &content, starts[index], ends[index]));
                covered.insert(starts[index] as u64, ends[index] as u64);
            }
            let joined: Vec<(u64, u64)> = extents.iter().map(|e| (e.extent.start, e.extent.end().unwrap())).collect();
            prop_assert_eq!(joined, covered.iter().collect::<Vec<_>>());
            for found in extents.iter() {
                prop_assert_eq!(*found, entry(1, &content, found.extent.start as usize, found.extent.end().unwrap() as usize));
            }
            ends.clear();
        }
    }
}
