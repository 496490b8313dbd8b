//! Pieces: runs of whole lines that are settled, each known by its place and its sum. [`Pieces`] joins those that touch.

use std::collections::BTreeSet;

use super::sum;
use crate::batch::Batch;

/// The most bytes of pieces that were joined. A piece can be compared only when it has been read to its end, and
/// its lines are held back until then.
pub const JOINED_BYTES: u64 = 4 << 20;

/// Whole lines of one content that are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Piece {
    /// Offset of its first byte in the decompressed content.
    pub start: u64,
    /// Its bytes, newlines included; not 0.
    pub length: u64,
    /// The [sum] of its bytes.
    pub sum: u64,
    /// Whether it ends with a newline. One that does not is the end of its content as it was.
    pub closed: bool,
    /// Whether it ends inside of a line that was handed out in parts; such a piece is not closed. What follows it in the
    /// same line is the rest of that line, and not another one.
    pub cut: bool,
}

impl Piece {
    /// The piece that `lines` are, which stand at `start`.
    pub fn of(start: u64, lines: &[u8]) -> Piece {
        Piece { start, length: lines.len() as u64, sum: sum::of(lines), closed: lines.ends_with(b"\n"), cut: false }
    }

    /// The piece that the lines of `batch` are, which are consecutive.
    pub fn of_batch(batch: &Batch) -> Piece {
        let piece = Piece::of(batch.offset, &batch.data);
        Piece { cut: batch.partial && !piece.closed, ..piece }
    }

    /// Where it ends; `None` for a piece that no content can have.
    pub fn end(&self) -> Option<u64> {
        self.start.checked_add(self.length)
    }
}

/// A piece, of which origin, and of which lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The origin's number.
    pub origin: u64,
    /// Pieces of one lineage are taken to be of one content, and are joined where they touch. Were that wrong, the joined
    /// piece would equal no content, and its lines would be delivered again.
    pub lineage: u32,
    /// The piece.
    pub piece: Piece,
}

/// Many pieces, those that touch joined.
#[derive(Debug, Clone, Default)]
pub struct Pieces {
    entries: BTreeSet<Entry>,
}

impl Pieces {
    /// Adds a piece, joining it with its neighbours.
    pub fn insert(&mut self, entry: Entry) {
        let Entry { origin, lineage, mut piece } = entry;
        let Some(mut end) = piece.end().filter(|_| piece.length > 0) else { return };
        let whole = |piece| Entry { origin, lineage, piece };
        let before =
            self.entries.range(..whole(Piece { length: 0, sum: 0, closed: false, cut: false, ..piece })).next_back();
        if let Some(&left) = before
            && (left.origin, left.lineage, left.piece.end()) == (origin, lineage, Some(piece.start))
            && let Some(joined) = join(&left.piece, &piece)
        {
            self.entries.remove(&left);
            piece = joined;
        }
        let first = whole(Piece { start: end, length: 0, sum: 0, closed: false, cut: false });
        let behind = self.entries.range(first..).next();
        if let Some(&right) = behind
            && (right.origin, right.lineage, right.piece.start) == (origin, lineage, end)
            && let Some(joined) = join(&piece, &right.piece)
        {
            self.entries.remove(&right);
            piece = joined;
            end = piece.end().unwrap_or(end);
        }
        debug_assert_eq!(piece.end(), Some(end));
        self.entries.insert(whole(piece));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them, by origin, lineage and start.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> + '_ {
        self.entries.iter()
    }

    /// Those of one origin, by lineage and start.
    pub fn of(&self, origin: u64) -> impl Iterator<Item = &Entry> + '_ {
        let nothing = Piece { start: 0, length: 0, sum: 0, closed: false, cut: false };
        self.entries
            .range(Entry { origin, lineage: 0, piece: nothing }..)
            .take_while(move |entry| entry.origin == origin)
    }

    /// Forgets pieces until no more than `most` are left: those of the lowest lineages, and of a lineage that has more than
    /// that its first ones.
    pub fn forget(&mut self, most: usize) {
        if self.len() <= most {
            return;
        }
        let mut order: Vec<(u32, u64, u64)> =
            self.entries.iter().map(|entry| (entry.lineage, entry.piece.start, entry.origin)).collect();
        order.sort_unstable();
        let first = order[order.len() - most];
        self.entries.retain(|entry| (entry.lineage, entry.piece.start, entry.origin) >= first);
    }

    /// The highest lineage there is.
    pub fn highest_lineage(&self) -> Option<u32> {
        self.entries.iter().map(|entry| entry.lineage).max()
    }
}

/// Two pieces that touch as one; `None` when that would be too long, or the first is the end of a content: a line must not
/// come to lie across the border.
fn join(first: &Piece, second: &Piece) -> Option<Piece> {
    let length = first.length.checked_add(second.length)?;
    (first.closed && length <= JOINED_BYTES).then(|| Piece {
        start: first.start,
        length,
        sum: sum::join(first.sum, second.sum, second.length),
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
        let (start, length, sum) = (start as u64, bytes.len() as u64, sum::of(bytes));
        Entry { origin: 7, lineage, piece: Piece { start, length, sum, closed: bytes.ends_with(b"\n"), cut: false } }
    }

    #[test]
    fn pieces_that_touch_become_one_whatever_the_order() {
        let content = b"a\nbc\ndef\nghij\nk\n";
        let cuts = [0, 2, 5, 9, 14, 16];
        let borders: Vec<(usize, usize)> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [0, 2, 4, 1, 3], [1, 3, 0, 4, 2]] {
            let mut pieces = Pieces::default();
            order.iter().for_each(|&index| pieces.insert(entry(1, content, borders[index].0, borders[index].1)));
            assert_eq!(pieces.iter().copied().collect::<Vec<_>>(), [entry(1, content, 0, content.len())]);
        }
    }

    #[test]
    fn what_ends_without_a_newline_is_joined_to_nothing_behind_it() {
        let content = b"a\nbcd\n";
        let mut pieces = Pieces::default();
        pieces.insert(entry(1, content, 0, 2));
        pieces.insert(entry(1, content, 2, 4));
        pieces.insert(entry(1, content, 4, 6));
        assert_eq!(pieces.iter().copied().collect::<Vec<_>>(), [entry(1, content, 0, 4), entry(1, content, 4, 6)]);
    }

    #[test]
    fn pieces_of_other_lineages_at_the_same_place_are_kept_beside_each_other() {
        let (a, b) = (b"same\naaa\n", b"same\nbbb\n");
        let mut pieces = Pieces::default();
        pieces.insert(entry(1, a, 0, 5));
        pieces.insert(entry(2, b, 5, 9));
        pieces.insert(entry(1, a, 5, 9));
        assert_eq!(pieces.iter().copied().collect::<Vec<_>>(), [entry(1, a, 0, 9), entry(2, b, 5, 9)]);
    }

    #[test]
    fn joined_pieces_have_a_bound_and_a_longer_one_stays_as_it_is() {
        let piece = |start, length| Piece { start, length, sum: 1, closed: true, cut: false };
        let entry = |start, length| Entry { origin: 1, lineage: 1, piece: piece(start, length) };
        let mut pieces = Pieces::default();
        pieces.insert(entry(0, JOINED_BYTES));
        pieces.insert(entry(JOINED_BYTES, 1));
        pieces.insert(entry(JOINED_BYTES + 1, 3 * JOINED_BYTES));
        assert_eq!(pieces.len(), 3);
        // Nonsense from outside is no piece.
        pieces.insert(entry(u64::MAX, 2));
        pieces.insert(entry(5, 0));
        assert_eq!(pieces.len(), 3);
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
            let (mut pieces, mut covered) = (Pieces::default(), super::super::ranges::Ranges::default());
            for &index in &order {
                pieces.insert(entry(1, &content, starts[index], ends[index]));
                covered.insert(starts[index] as u64, ends[index] as u64);
            }
            let joined: Vec<(u64, u64)> = pieces.iter().map(|e| (e.piece.start, e.piece.end().unwrap())).collect();
            prop_assert_eq!(joined, covered.iter().collect::<Vec<_>>());
            for found in pieces.iter() {
                prop_assert_eq!(*found, entry(1, &content, found.piece.start as usize, found.piece.end().unwrap() as usize));
            }
            ends.clear();
        }
    }
}
