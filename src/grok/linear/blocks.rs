//! Searches for bytes in blocks of 16 at a time.

use wide::{i8x16, u8x16};

/// The size of a block, in bytes.
pub(super) const BLOCK: usize = 16;

/// The highest limit of a search. A search with a limit finds all bytes below it: control characters and the blank.
/// They are rare, so it costs little if the search finds some that the caller does not want.
const MAX_BELOW: u8 = 0x21;

/// Number of bytes that are compared before the result is tested. With a large chunk, the processor mispredicts fewer
/// branches; few texts are longer.
const CHUNK: usize = 64;

/// A few bytes to search for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stops {
    kind: Kind,
    /// A byte is found if `byte ^ flip`, as a signed number, is less than `limit`. That finds low bytes. If `flip` is
    /// 0, it also finds all bytes beyond ASCII.
    flip: u8x16,
    limit: i8x16,
    /// A byte is also found if it is one of these.
    bytes: [u8x16; 3],
}

/// The comparisons that are needed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Compares with the first two of `bytes`.
    Pair,
    /// Compares with `limit`.
    Limit,
    /// Compares with `bytes` and `limit`.
    Both,
}

impl Stops {
    /// Creates a search for the ASCII bytes for which `is_stop` holds. It can find a few other low bytes as well. If
    /// `beyond`, it finds all bytes beyond ASCII. Returns `None` if there are too many bytes.
    pub(super) fn new(is_stop: impl Fn(u8) -> bool, beyond: bool) -> Option<Stops> {
        // If there are more than three bytes, one comparison with a limit replaces the low ones.
        let low = (0..MAX_BELOW).filter(|&byte| is_stop(byte)).max().map_or(0, |last| last + 1);
        let above = |limit: u8| (limit..0x80).filter(|&byte| is_stop(byte)).collect::<Vec<u8>>();
        [0, low].into_iter().find_map(|limit| {
            let bytes = above(limit);
            (bytes.len() <= 3).then(|| Stops::of(limit, &bytes, beyond))
        })
    }

    /// Creates a search for the bytes below `limit`, for up to three others, and if `beyond`, for all bytes beyond
    /// ASCII.
    pub(super) fn of(limit: u8, bytes: &[u8], beyond: bool) -> Stops {
        // Unused entries of `bytes` get a byte that is found anyway, or 0xff, which no valid text contains.
        let none = match limit {
            _ if beyond => 0x80,
            0 => 0xff,
            _ => 0,
        };
        let byte = |index: usize| u8x16::splat(bytes.get(index).or(bytes.last()).copied().unwrap_or(none));
        let kind = match bytes.len() {
            0 => Kind::Limit,
            1 | 2 if !beyond && limit == 0 => Kind::Pair,
            _ => Kind::Both,
        };
        let flip = if beyond { 0 } else { 0x80 };
        let bytes = [byte(0), byte(1), byte(2)];
        Stops { kind, flip: u8x16::splat(flip), limit: i8x16::splat((limit ^ flip) as i8), bytes }
    }

    /// Returns the position of the first such byte from `at` on, or the end of the line. It is never inlined, because
    /// it uses many registers that each caller would have to free.
    #[inline(never)]
    pub(super) fn find(&self, line: &[u8], at: usize) -> usize {
        let [a, b, c] = self.bytes;
        match self.kind {
            Kind::Pair => find(line, at, |block| block.simd_eq(a) | block.simd_eq(b)),
            Kind::Limit => find(line, at, |block| self.is_below(block)),
            Kind::Both => {
                find(line, at, |block| block.simd_eq(a) | block.simd_eq(b) | block.simd_eq(c) | self.is_below(block))
            }
        }
    }

    #[inline(always)]
    fn is_below(&self, block: u8x16) -> u8x16 {
        u8x16::new(signed(block ^ self.flip).simd_lt(self.limit).to_array().map(|byte| byte as u8))
    }
}

/// Returns the first position from `at` on whose byte satisfies `is`, or the end of the line.
#[inline(always)]
fn find(line: &[u8], mut at: usize, is: impl Fn(u8x16) -> u8x16) -> usize {
    let bits = |chunk: &[u8; CHUNK]| {
        let (blocks, _) = chunk.as_chunks::<BLOCK>();
        let bits_of_block = |block| u64::from(is(u8x16::new(block)).to_bitmask());
        blocks.iter().rev().fold(0, |bits, block| bits << BLOCK | bits_of_block(*block))
    };
    let Some(last) = line.last_chunk::<CHUNK>() else { return find_in_short(line, at, is) };
    while let Some(chunk) = line.get(at..).and_then(|rest| rest.first_chunk::<CHUNK>()) {
        let found = bits(chunk);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += CHUNK;
    }
    // Searches the last chunk of the line, and ignores its bytes before `at`.
    let left = line.len().saturating_sub(at);
    if left == 0 {
        return line.len();
    }
    let found = bits(last) >> (CHUNK - left);
    if found == 0 { line.len() } else { at + found.trailing_zeros() as usize }
}

/// Like `find`, for a line that is shorter than a chunk.
#[inline(never)]
fn find_in_short(line: &[u8], mut at: usize, is: impl Fn(u8x16) -> u8x16) -> usize {
    let bits = |block: [u8; BLOCK]| is(u8x16::new(block)).to_bitmask();
    let mut rest = line.get(at..).unwrap_or_default();
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        let found = bits(*block);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        (at, rest) = (at + BLOCK, behind);
    }
    let found = match line.last_chunk::<BLOCK>() {
        _ if rest.is_empty() => 0,
        Some(block) => bits(*block) >> (BLOCK - rest.len()),
        None => bits(filled(rest)) & ((1 << rest.len()) - 1),
    };
    if found == 0 { line.len() } else { at + found.trailing_zeros() as usize }
}

/// Returns a block of fewer than 16 bytes, padded with zeros.
#[inline(never)]
fn filled(rest: &[u8]) -> [u8; BLOCK] {
    std::array::from_fn(|index| rest.get(index).copied().unwrap_or(0))
}

/// The bytes that a run consists of, as a few ranges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ranges<const N: usize> {
    /// The lowest byte of each range, and the number of bytes above it.
    low: [u8x16; N],
    span: [u8x16; N],
}

impl<const N: usize> Ranges<N> {
    pub(super) fn new(ranges: [(u8, u8); N]) -> Ranges<N> {
        Ranges {
            low: ranges.map(|(low, _)| u8x16::splat(low)),
            span: ranges.map(|(low, high)| u8x16::splat(high - low)),
        }
    }

    /// Returns the index of the first byte of a block that is in none of the ranges.
    #[inline(always)]
    pub(super) fn outside(&self, block: &[u8; BLOCK]) -> Option<usize> {
        let block = u8x16::new(*block);
        let inside = self.low.iter().zip(&self.span).fold(u8x16::ZERO, |inside, (&low, &span)| {
            let above = block - low;
            inside | above.min(span).simd_eq(above)
        });
        let outside = inside.to_bitmask() ^ 0xffff;
        (outside != 0).then_some(outside.trailing_zeros() as usize)
    }

    /// Returns the position of the first such byte from `at` on, or the position where less than a block is left.
    #[inline(always)]
    pub(super) fn find(&self, line: &[u8], mut at: usize) -> usize {
        while let Some(block) = line.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
            if let Some(count) = self.outside(block) {
                return at + count;
            }
            at += BLOCK;
        }
        at
    }
}

/// Reinterprets the bytes as signed.
#[inline(always)]
fn signed(bytes: u8x16) -> i8x16 {
    i8x16::new(bytes.to_array().map(|byte| byte as i8))
}
