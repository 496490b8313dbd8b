//! Sixteen bytes looked at at a time.

use wide::{i8x16, u8x16};

/// The bytes that are compared at a time.
pub(super) const BLOCK: usize = 16;

/// Where bytes are so few that it is worth while to look for anything below: control characters and the blank.
const MAX_BELOW: u8 = 0x21;

/// The bytes that are looked through at a time: where something is found among so many does not have to be guessed by the
/// processor, and few texts have more.
const CHUNK: usize = 64;

/// A few bytes to be looked for, many places at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stops {
    kind: Kind,
    /// A byte of which these bits are changed and that is less than `limit` then: low ones, and those beyond ASCII if
    /// they are looked for.
    flip: u8x16,
    limit: i8x16,
    /// Or one of these.
    bytes: [u8x16; 3],
}

/// What has to be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// The first two bytes.
    Pair,
    /// The limit.
    Limit,
    /// All.
    Both,
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
    pub(super) fn of(limit: u8, bytes: &[u8], beyond: bool) -> Stops {
        // Without any: one that is looked for already, or that is in no text.
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

    /// The first such byte from `at` on, or the end of the line. Kept apart: it takes many registers, which callers would
    /// have to make free.
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

/// The first byte from `at` on that `is` finds, or the end of the line.
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
    // The last ones of the line, without what is before.
    let left = line.len().saturating_sub(at);
    if left == 0 {
        return line.len();
    }
    let found = bits(last) >> (CHUNK - left);
    if found == 0 { line.len() } else { at + found.trailing_zeros() as usize }
}

/// The same in a line that is shorter than what is looked through at a time.
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

/// Less than a block, and zeros.
#[inline(never)]
fn filled(rest: &[u8]) -> [u8; BLOCK] {
    std::array::from_fn(|index| rest.get(index).copied().unwrap_or(0))
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
