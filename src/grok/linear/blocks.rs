//! Sixteen bytes looked at at a time.

use wide::{i8x16, u8x16};

/// The bytes that are compared at a time.
pub(super) const BLOCK: usize = 16;

/// Where bytes are so few that it is worth while to look for anything below: control characters and the blank.
const MAX_BELOW: u8 = 0x21;

/// A few bytes to be looked for, many places at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stops {
    /// A byte of which these bits are changed and that is less than `limit` then: low ones, and those beyond ASCII if
    /// they are looked for.
    flip: u8x16,
    limit: i8x16,
    /// Or one of these.
    bytes: [u8x16; 3],
    /// Whether the first two are all.
    is_pair: bool,
}

impl Stops {
    /// What finds the bytes of ASCII that `is_stop` holds for and perhaps some other low ones; and all beyond if `beyond`.
    /// `None` when they are too many.
    pub(super) fn new(is_stop: impl Fn(u8) -> bool, beyond: bool) -> Option<Stops> {
        // The low ones are asked for by one comparison if that saves some.
        let low = (0..MAX_BELOW).filter(|&byte| is_stop(byte)).max().map_or(0, |last| last + 1);
        let above = |limit: u8| (limit..0x80).filter(|&byte| is_stop(byte)).collect::<Vec<u8>>();
        [0, low].into_iter().find_map(|limit| {
            let bytes = above(limit);
            (bytes.len() <= 3).then(|| Stops::of(limit, &bytes, beyond))
        })
    }

    /// What finds the bytes below `limit`, up to three others, and all beyond ASCII if `beyond`.
    #[inline]
    pub(super) fn of(limit: u8, bytes: &[u8], beyond: bool) -> Stops {
        // Without any: one that is looked for already, or that is in no text.
        let none = match limit {
            _ if beyond => 0x80,
            0 => 0xff,
            _ => 0,
        };
        let byte = |index: usize| bytes.get(index).or(bytes.last()).copied().unwrap_or(none);
        let bytes = [u8x16::splat(byte(0)), u8x16::splat(byte(1)), u8x16::splat(byte(2))];
        let flip = if beyond { 0 } else { 0x80 };
        let is_pair = !beyond && limit == 0 && bytes[1] == bytes[2];
        Stops { flip: u8x16::splat(flip), limit: i8x16::splat((limit ^ flip) as i8), bytes, is_pair }
    }

    /// Which bytes of a block are such, as bits.
    #[inline(always)]
    pub(super) fn in_block(&self, block: &[u8; BLOCK]) -> u32 {
        let block = u8x16::new(*block);
        let [a, b, c] = self.bytes;
        let equal = block.simd_eq(a) | block.simd_eq(b) | block.simd_eq(c);
        let low = signed(block ^ self.flip).simd_lt(self.limit);
        equal.to_bitmask() | low.to_bitmask()
    }

    /// The first such byte from `at` on, or the end of the line.
    #[inline(always)]
    pub(super) fn find(&self, line: &[u8], at: usize) -> usize {
        if self.is_pair {
            let [a, b, _] = self.bytes;
            self.find_with(line, at, |block| {
                let block = u8x16::new(*block);
                (block.simd_eq(a) | block.simd_eq(b)).to_bitmask()
            })
        } else {
            self.find_with(line, at, |block| self.in_block(block))
        }
    }

    #[inline(always)]
    fn find_with(&self, line: &[u8], mut at: usize, in_block: impl Fn(&[u8; BLOCK]) -> u32) -> usize {
        while let Some(block) = line.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
            let found = in_block(block);
            if found != 0 {
                return at + found.trailing_zeros() as usize;
            }
            at += BLOCK;
        }
        // The last block of the line, without what is before.
        let found = match line.last_chunk::<BLOCK>() {
            Some(block) => self.in_block(block) >> (BLOCK - (line.len() - at).min(BLOCK)),
            None => self.in_short(&line[at.min(line.len())..]),
        };
        if found == 0 { line.len() } else { at + found.trailing_zeros() as usize }
    }

    /// The same in a line shorter than a block.
    #[inline(never)]
    fn in_short(&self, rest: &[u8]) -> u32 {
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        self.in_block(&block) & ((1 << rest.len()) - 1)
    }
}

/// Bytes of which a run consists, in a few ranges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ranges<const N: usize> {
    /// The lowest bytes, and how many more belong.
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

    /// The first byte of a block that is in none of the ranges.
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

    /// The first such byte from `at` on, or where less than a block is left.
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

/// The bytes as signed ones.
#[inline(always)]
fn signed(bytes: u8x16) -> i8x16 {
    i8x16::new(bytes.to_array().map(|byte| byte as i8))
}
