//! A *window* is up to 64 bytes of a line. A *fit* is a range of bytes for each byte of a window. A cache finds its
//! entries by their fits.

use wide::u8x16;

use super::blocks::BLOCK;

/// The size of a window, in bytes.
pub(super) const WINDOW: usize = 64;

/// Number of bytes that determine a shape. With more, the bytes after a short stretch would distinguish equal
/// stretches.
const SHAPED: usize = 32;

/// Up to 64 bytes of a line, loaded for comparison in blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window([u8x16; WINDOW / BLOCK]);

impl Window {
    /// Loads all of `bytes`.
    #[inline(always)]
    pub(super) fn full(bytes: &[u8; WINDOW]) -> Window {
        let (blocks, _) = bytes.as_chunks::<BLOCK>();
        Window(std::array::from_fn(|index| u8x16::new(blocks[index])))
    }

    /// Loads all of `bytes`, at most a window. With fewer than 64 bytes, the blocks overlap: the position of a byte
    /// depends on their number, and some bytes occur several times. That is faster than padding.
    #[inline(always)]
    pub(super) fn short(bytes: &[u8]) -> Window {
        match (bytes.len().checked_sub(BLOCK), bytes.first_chunk(), bytes.last_chunk()) {
            (Some(last), ..) => Window(std::array::from_fn(|index| {
                let block = bytes.get((BLOCK * index).min(last)..).and_then(|rest| rest.first_chunk());
                block.map_or(u8x16::ZERO, |block| u8x16::new(*block))
            })),
            (None, Some(first), Some(last)) => {
                let halves = u128::from(u64::from_le_bytes(*first)) | u128::from(u64::from_le_bytes(*last)) << 64;
                Window([u8x16::new(halves.to_le_bytes()); WINDOW / BLOCK])
            }
            _ => match (bytes.first_chunk(), bytes.last_chunk()) {
                (Some(first), Some(last)) => {
                    let half = u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
                    let halves = u128::from(half) | u128::from(half) << 64;
                    Window([u8x16::new(halves.to_le_bytes()); WINDOW / BLOCK])
                }
                _ => Window([few(bytes); WINDOW / BLOCK]),
            },
        }
    }

    /// Returns which of the first bytes are digits, letters or other characters from `0` on, one bit per byte. Blanks,
    /// quotes, points and other characters below `0` give a zero. For a shorter stretch, the bytes after it count as
    /// well.
    #[inline(always)]
    pub(super) fn shape(&self) -> u32 {
        let zero = u8x16::splat(b'0');
        let blocks = self.0[..SHAPED / BLOCK].iter().rev();
        blocks.fold(0, |shape, block| shape << BLOCK | block.max(zero).simd_eq(*block).to_bitmask())
    }

    /// Returns whether each byte is in the range from its `low` to `low + span`.
    #[inline(always)]
    fn is_between(&self, low: Window, span: Window) -> bool {
        let fits = self.0.iter().zip(low.0).zip(span.0).fold(u8x16::MAX, |fits, ((&block, low), span)| {
            let above = block - low;
            fits & above.min(span).simd_eq(above)
        });
        fits.to_bitmask() == 0xffff
    }
}

/// Loads at most three bytes, padded with zeros.
#[inline(never)]
fn few(bytes: &[u8]) -> u8x16 {
    u8x16::new(std::array::from_fn(|index| bytes.get(index).copied().unwrap_or(0)))
}

/// A range of bytes for each byte of a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fit {
    /// For each position, the lowest byte, and the number of bytes above it that fit as well.
    low: Aligned,
    span: Aligned,
}

/// Bytes that are aligned for comparison in memory.
#[derive(Debug, Clone, PartialEq)]
#[repr(align(16))]
struct Aligned([u8; WINDOW]);

/// The bounds of a fit that accepts every window: the lowest and the highest byte at each position.
pub(super) const LOWEST: [u8; WINDOW] = [0; WINDOW];
pub(super) const HIGHEST: [u8; WINDOW] = [u8::MAX; WINDOW];

impl Fit {
    /// Creates a fit from the lowest and the highest byte at each position.
    pub(super) fn new(low: [u8; WINDOW], high: &[u8; WINDOW]) -> Fit {
        let span = std::array::from_fn(|index| high[index] - low[index]);
        Fit { low: Aligned(low), span: Aligned(span) }
    }

    /// Creates a fit for windows of exactly `length` bytes, at least four. It places the ranges where such a window has
    /// its bytes.
    pub(super) fn of_length(low: &[u8; WINDOW], high: &[u8; WINDOW], length: usize) -> Fit {
        let numbers: [u8; WINDOW] = std::array::from_fn(|index| index as u8);
        let stand = Window::short(&numbers[..length.clamp(4, WINDOW)]).0.map(|block| block.to_array());
        let place = |index: usize| usize::from(stand[index / BLOCK][index % BLOCK]);
        Fit::new(std::array::from_fn(|index| low[place(index)]), &std::array::from_fn(|index| high[place(index)]))
    }

    /// Returns whether all bytes of a window are in their ranges. The window is full, or it has the length of the fit.
    #[inline(always)]
    pub(super) fn fits(&self, window: &Window) -> bool {
        window.is_between(Window::full(&self.low.0), Window::full(&self.span.0))
    }

    /// Returns whether all bytes of a window of `length` bytes are in their ranges.
    #[inline(always)]
    pub(super) fn fits_short(&self, window: &Window, length: usize) -> bool {
        let (low, span) = (self.low.0.get(..length), self.span.0.get(..length));
        low.zip(span).is_some_and(|(low, span)| window.is_between(Window::short(low), Window::short(span)))
    }
}

/// Returns the largest range around `byte`, within `low..=high`, in which `is` holds for every byte.
pub(super) fn narrowed((low, high): (u8, u8), byte: u8, mut is: impl FnMut(u8) -> bool) -> (u8, u8) {
    let (mut lowest, mut highest) = (byte, byte);
    while lowest > low && is(lowest - 1) {
        lowest -= 1;
    }
    while highest < high && is(highest + 1) {
        highest += 1;
    }
    (lowest, highest)
}

/// The most entries of a cache.
const MAX_ENTRIES: usize = 128;
/// The number of buckets of the index, and of entries in a bucket.
const BUCKETS: usize = 128;
const WAYS: usize = 4;
/// The number that stands for no entry.
const NONE: u8 = u8::MAX;

/// The cost of a new entry, in uses of earlier entries.
const COST: u32 = 512;
/// The most uses that can be saved up for new entries.
const SAVINGS: u32 = 64 * COST;
/// The number of look-ups after which the hit rate is checked, and the hits that it must have.
const TERM: u32 = 1024;
const ENOUGH: u32 = TERM / 4;
/// The number of look-ups that are skipped after a low hit rate: at first, and at most.
const SLEEP: u32 = 4 * TERM;
const LONGEST_SLEEP: u32 = 256 * TERM;

/// A cache of stretches. It adds an entry for a key that was missed twice. Each new entry costs 512 uses of earlier
/// entries. If the hit rate is low, the cache pauses (it *sleeps*).
#[derive(Debug)]
pub(super) struct Cache<T> {
    entries: Vec<T>,
    /// For each hash of a key: the numbers of entries, recently used entries first.
    index: [[u8; WAYS]; BUCKETS],
    /// For each hash of a key: marks of the keys that were missed last.
    last_missed: [[u8; WAYS]; BUCKETS],
    /// The entry that is replaced next.
    oldest: usize,
    /// Hits that were saved up and not spent. Hits since the latest miss are not included yet.
    savings: u32,
    /// The hits and misses of the current term, and the hits up to the latest miss.
    found: u32,
    missed: u32,
    saved: u32,
    /// The number of look-ups to skip, and the length of the next pause.
    asleep: u32,
    sleep: u32,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Cache {
            entries: Vec::new(),
            index: [[NONE; WAYS]; BUCKETS],
            last_missed: [[0; WAYS]; BUCKETS],
            oldest: 0,
            savings: SAVINGS,
            found: 0,
            missed: 0,
            saved: 0,
            asleep: 0,
            sleep: SLEEP,
        }
    }
}

/// Returns the bucket of a key in the index, and a byte that distinguishes keys in a bucket.
#[inline(always)]
fn hash(key: u64) -> (usize, u8) {
    let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((hash >> 57) as usize % BUCKETS, (hash >> 48) as u8)
}

impl<T: PartialEq> Cache<T> {
    /// Returns whether the next look-up is skipped.
    #[inline(always)]
    pub(super) fn sleeps(&mut self) -> bool {
        let asleep = self.asleep > 0;
        self.asleep -= u32::from(asleep);
        asleep
    }

    /// Returns whether look-ups are performed at the moment.
    pub(super) fn is_awake(&self) -> bool {
        self.asleep == 0
    }

    /// Returns the entry of this key that fits, and its number.
    #[inline(always)]
    pub(super) fn find(&mut self, key: u64, fits: impl Fn(&T) -> bool) -> Option<(u8, &T)> {
        let ways = &mut self.index[hash(key).0];
        for way in 0..WAYS {
            let number = ways[way];
            if let Some(entry) = self.entries.get(usize::from(number))
                && fits(entry)
            {
                if way > 0 {
                    ways.swap(way, way - 1);
                }
                self.found += 1;
                return Some((number, entry));
            }
        }
        None
    }

    /// Returns the entry with this number.
    pub(super) fn get(&self, number: u8) -> Option<&T> {
        self.entries.get(usize::from(number))
    }

    /// Records a miss of `key`. Returns whether the caller must make an entry. If so, the cost of the entry is
    /// subtracted from the savings.
    pub(super) fn misses(&mut self, key: u64) -> bool {
        self.missed += 1;
        self.savings = self.savings.saturating_add(self.found - self.saved);
        self.saved = self.found;
        if self.found + self.missed >= TERM {
            self.savings = self.savings.min(SAVINGS);
            if self.found < ENOUGH {
                self.asleep = self.sleep;
                self.sleep = (2 * self.sleep).min(LONGEST_SLEEP);
                self.savings = self.savings.max(SAVINGS / 4);
            } else {
                self.sleep = SLEEP;
            }
            (self.found, self.missed, self.saved) = (0, 0, 0);
        }
        let (bucket, mark) = hash(key);
        let marks = &mut self.last_missed[bucket];
        if !marks.contains(&mark) {
            marks.rotate_right(1);
            marks[0] = mark;
            return false;
        }
        if self.savings < COST {
            return false;
        }
        self.savings -= COST;
        true
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, entry: T, key: u64) {
        let known = self.entries.iter().position(|known| *known == entry);
        let number = known.unwrap_or_else(|| {
            if self.entries.len() < MAX_ENTRIES {
                self.entries.push(entry);
                return self.entries.len() - 1;
            }
            // Buckets that still name the replaced entry find that it does not fit.
            let number = self.oldest;
            self.entries[number] = entry;
            self.oldest = (self.oldest + 1) % MAX_ENTRIES;
            number
        });
        let ways = &mut self.index[hash(key).0];
        ways.rotate_right(1);
        ways[0] = number as u8;
    }

    /// Records that no entry could be made. This subtracts the cost of an entry from the savings once more.
    pub(super) fn waste(&mut self) {
        self.savings = self.savings.saturating_sub(COST);
    }

    /// Removes all entries.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.oldest = 0;
    }
}

#[cfg(all(test, not(engines)))]
mod tests {
    use fastrand::Rng;

    use super::*;

    #[test]
    fn a_text_fits_where_each_byte_is_in_its_range_however_long_it_is() {
        let mut random = Rng::with_seed(7);
        for _ in 0..20_000 {
            let length = random.usize(1..=WINDOW);
            let text: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            let (mut low, mut high) = (LOWEST, HIGHEST);
            for (index, &byte) in text.iter().enumerate() {
                (low[index], high[index]) = (random.u8(..=byte), random.u8(byte..));
            }
            // At most one byte is outside its range.
            let at = random.usize(..length);
            if random.bool() {
                match (text[at].checked_add(1), text[at].checked_sub(1)) {
                    (Some(above), _) => (low[at], high[at]) = (above, u8::MAX),
                    (_, Some(below)) => (low[at], high[at]) = (0, below),
                    _ => {}
                }
            }
            let expected = (0..length).all(|index| (low[index]..=high[index]).contains(&text[index]));
            let fit = Fit::new(low, &high);
            match text.first_chunk() {
                Some(bytes) => assert_eq!(fit.fits(&Window::full(bytes)), expected),
                None => {
                    let window = Window::short(&text);
                    assert_eq!(fit.fits_short(&window, length), expected, "{text:x?} in {low:x?} to {high:x?}");
                    if length >= 4 {
                        assert_eq!(Fit::of_length(&low, &high, length).fits(&window), expected, "{length} bytes");
                    }
                }
            }
        }
    }

    #[test]
    fn a_key_that_comes_twice_gets_an_entry_and_is_found() {
        let mut cache = Cache::default();
        assert!(cache.find(5, |_| true).is_none());
        assert!(!cache.misses(5), "it has come once");
        assert!(cache.misses(5), "it has come twice");
        cache.add("five", 5);
        assert_eq!(cache.find(5, |_| true), Some((0, &"five")));
        assert!(cache.find(5, |_| false).is_none(), "it does not fit");
        cache.clear();
        assert!(cache.find(5, |_| true).is_none());
    }

    #[test]
    fn a_cache_in_which_nothing_is_found_sleeps() {
        let mut cache = Cache::<u32>::default();
        for key in 0..u64::from(TERM) {
            assert!(!cache.sleeps());
            cache.misses(key);
        }
        assert!(cache.sleeps() && !cache.is_awake());
        for _ in 1..SLEEP {
            assert!(cache.sleeps());
        }
        assert!(!cache.sleeps());
    }
}
