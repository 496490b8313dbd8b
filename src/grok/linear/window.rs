//! Stretches of lines that are alike: as ranges of bytes over which nothing would go otherwise, and where what is known of
//! them is found again.

use wide::u8x16;

use super::blocks::BLOCK;

/// The most bytes of a stretch.
pub(super) const WINDOW: usize = 64;

/// The bytes that a shape is of: more would tell apart by what stands behind a short stretch.
const SHAPED: usize = 32;

/// A text that is looked at at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window([u8x16; WINDOW / BLOCK]);

impl Window {
    /// All of `bytes`.
    #[inline(always)]
    pub(super) fn full(bytes: &[u8; WINDOW]) -> Window {
        let (blocks, _) = bytes.as_chunks::<BLOCK>();
        Window(std::array::from_fn(|index| u8x16::new(blocks[index])))
    }

    /// All of `bytes`, which are no more than a window. Where they are fewer, it depends on their number what stands in which
    /// place, and some bytes stand in several. That is faster than filling them up.
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

    /// Which of the first bytes are digits, letters and the like, and no blanks, quotes, points or other signs below those.
    /// A stretch of fewer bytes is found by what has followed it as well.
    #[inline(always)]
    pub(super) fn shape(&self) -> u32 {
        let zero = u8x16::splat(b'0');
        let blocks = self.0[..SHAPED / BLOCK].iter().rev();
        blocks.fold(0, |shape, block| shape << BLOCK | block.max(zero).simd_eq(*block).to_bitmask())
    }

    /// Whether each byte is between the lowest and that and so many more.
    #[inline(always)]
    fn is_between(&self, low: Window, span: Window) -> bool {
        let fits = self.0.iter().zip(low.0).zip(span.0).fold(u8x16::MAX, |fits, ((&block, low), span)| {
            let above = block - low;
            fits & above.min(span).simd_eq(above)
        });
        fits.to_bitmask() == 0xffff
    }
}

/// Three bytes at most, and zeros.
#[inline(never)]
fn few(bytes: &[u8]) -> u8x16 {
    u8x16::new(std::array::from_fn(|index| bytes.get(index).copied().unwrap_or(0)))
}

/// Ranges, one for each byte of a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fit {
    /// The lowest byte in each place, and how many more fit.
    low: Aligned,
    span: Aligned,
}

/// Bytes that are compared with where they stand in memory.
#[derive(Debug, Clone, PartialEq)]
#[repr(align(16))]
struct Aligned([u8; WINDOW]);

/// The lowest and the highest byte in each place, such that every byte is between them.
pub(super) const LOWEST: [u8; WINDOW] = [0; WINDOW];
pub(super) const HIGHEST: [u8; WINDOW] = [u8::MAX; WINDOW];

impl Fit {
    /// Of the lowest and the highest byte in each place.
    pub(super) fn new(low: [u8; WINDOW], high: &[u8; WINDOW]) -> Fit {
        let span = std::array::from_fn(|index| high[index] - low[index]);
        Fit { low: Aligned(low), span: Aligned(span) }
    }

    /// The same for windows of `length` bytes only, four at least: with the ranges where the bytes stand in such a one.
    pub(super) fn of_length(low: &[u8; WINDOW], high: &[u8; WINDOW], length: usize) -> Fit {
        let numbers: [u8; WINDOW] = std::array::from_fn(|index| index as u8);
        let stand = Window::short(&numbers[..length.clamp(4, WINDOW)]).0.map(|block| block.to_array());
        let place = |index: usize| usize::from(stand[index / BLOCK][index % BLOCK]);
        Fit::new(std::array::from_fn(|index| low[place(index)]), &std::array::from_fn(|index| high[place(index)]))
    }

    /// Whether all bytes of a full window are in their ranges, or of one that they were made for.
    #[inline(always)]
    pub(super) fn fits(&self, window: &Window) -> bool {
        window.is_between(Window::full(&self.low.0), Window::full(&self.span.0))
    }

    /// The same of any window of `length` bytes.
    #[inline(always)]
    pub(super) fn fits_short(&self, window: &Window, length: usize) -> bool {
        let (low, span) = (self.low.0.get(..length), self.span.0.get(..length));
        low.zip(span).is_some_and(|(low, span)| window.is_between(Window::short(low), Window::short(span)))
    }
}

/// The range around `byte` in which `is` holds, as far as `low..=high`.
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
/// The buckets of its index, and the entries in each.
const BUCKETS: usize = 128;
const WAYS: usize = 4;
/// There is no entry.
const NONE: u8 = u8::MAX;

/// What making an entry costs, in uses of one.
const COST: u32 = 512;
/// The most that can be paid for in a row.
const SAVINGS: u32 = 64 * COST;
/// The look-ups after which a cache is judged, and how many of them must have found something.
const TERM: u32 = 1024;
const ENOUGH: u32 = TERM / 4;
/// The look-ups that are left out when they have not, at first and at most.
const SLEEP: u32 = 4 * TERM;
const LONGEST_SLEEP: u32 = 256 * TERM;

/// What is known of stretches. Entries are made for keys that come twice, and paid for out of what earlier ones have saved;
/// where hardly any stretch finds one, the cache sleeps.
#[derive(Debug)]
pub(super) struct Cache<T> {
    entries: Vec<T>,
    /// By hash of the key: the numbers of entries, those that were of use of late in front.
    index: [[u8; WAYS]; BUCKETS],
    /// By the same: marks of the keys that were missed last.
    last_missed: [[u8; WAYS]; BUCKETS],
    /// The entry that makes room for the next one.
    oldest: usize,
    /// Uses that have not been spent, without those since the last look-up that found nothing.
    savings: u32,
    /// Look-ups that found something, and that did not; and how many had when one did not last.
    found: u32,
    missed: u32,
    saved: u32,
    /// Look-ups to be left out.
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

/// Where a key stands in the index, and what else is noted of it.
#[inline(always)]
fn hash(key: u64) -> (usize, u8) {
    let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((hash >> 57) as usize % BUCKETS, (hash >> 48) as u8)
}

impl<T: PartialEq> Cache<T> {
    /// Whether a look-up is to be left out.
    #[inline(always)]
    pub(super) fn sleeps(&mut self) -> bool {
        let asleep = self.asleep > 0;
        self.asleep -= u32::from(asleep);
        asleep
    }

    /// Whether look-ups are not left out for now.
    pub(super) fn is_awake(&self) -> bool {
        self.asleep == 0
    }

    /// The entry of this key that fits, and its number.
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

    /// The entry of this number.
    pub(super) fn get(&self, number: u8) -> Option<&T> {
        self.entries.get(usize::from(number))
    }

    /// Notes that a key has no entry; whether one is to be made, which is paid for then.
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
            // Buckets that still name the one that goes will find out that it does not fit.
            let number = self.oldest;
            self.entries[number] = entry;
            self.oldest = (self.oldest + 1) % MAX_ENTRIES;
            number
        });
        let ways = &mut self.index[hash(key).0];
        ways.rotate_right(1);
        ways[0] = number as u8;
    }

    /// No entry could be made: that has cost twice.
    pub(super) fn waste(&mut self) {
        self.savings = self.savings.saturating_sub(COST);
    }

    /// Forgets all entries.
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
            // One byte is out of its range, or none.
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
