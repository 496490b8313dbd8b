//! Traces: what the machine did on texts of one shape, done again in one step.
//!
//! Most of a log line is alike from line to line: a date where a date was, three digits where three digits were. The
//! machine's way over such a stretch depends on a few bytes, and on each of them only so far as it is in some range. A
//! trace is that way once walked: for each byte of a window the range in which nothing would have gone otherwise, and
//! what came of it (captures, choices left open, the next instruction). Where a later line fits the ranges, the machine
//! takes the whole way at once: two or three dozen instructions and a hundred look-ups become a comparison of four
//! blocks of bytes.
//!
//! A trace is never a guess. The [recorder](record) narrows the range of every byte that it looks at to those that lead
//! to the same state, so that a line that fits is one on which the machine would have done just the same.
//!
//! Traces are looked up by shape: which bytes of the window are letters and digits. They belong to a thread's memory and
//! are made while lines go by, for shapes that have come twice; where hardly any line fits one, the place sleeps.

mod place;
mod record;

use wide::u8x16;

use super::blocks::BLOCK;
use super::machine::Machine;
use super::memory::{self, Frame, Memory};
use super::op::At;

pub(super) use place::place;

/// The most bytes that a trace looks at.
const WINDOW: usize = 64;
/// The most captures of a trace, and the most other effects.
const MAX_CAPTURES: usize = 12;
const MAX_EFFECTS: usize = 12;
/// The most traces of a site.
const MAX_TRACES: usize = 128;
/// The buckets of a site's index, and the traces in each.
const BUCKETS: usize = 32;
const WAYS: usize = 8;
/// There is no trace.
const NONE: u8 = u8::MAX;
/// The most bytes whose shape chooses the bucket.
const INDEXED: usize = 16;

/// What recording a trace costs, in uses of one.
const COST: u32 = 512;
/// The most recordings that can be paid for in a row.
const SAVINGS: u32 = 64 * COST;
/// The look-ups after which a site is judged, and how many of them must have found a trace.
const TERM: u32 = 1024;
const ENOUGH: u32 = TERM / 4;
/// The look-ups that are left out when they have not, at first and at most.
const SLEEP: u32 = 4 * TERM;
const LONGEST_SLEEP: u32 = 256 * TERM;

/// A capture that is set without a note of what it was before: the slot of its beginning, and its places counted from
/// the beginning of the trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Captured {
    slot: u16,
    start: u8,
    end: u8,
}

/// Something else that a trace does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Remembers one boundary of a capture without a note.
    Mark { slot: u32, at: u8 },
    /// Remembers a capture.
    Save { capture: u32, start: u8, end: u8 },
    /// Remembers one boundary of a capture.
    Slot { slot: u32, at: u8 },
    /// Leaves another way open.
    Try { op: At, at: u8 },
    /// Leaves a shorter run open.
    Less { run: u32, low: u8, at: u8 },
    /// Passes a join.
    Join { join: u32, at: u8 },
}

/// One way that has been walked.
#[derive(Debug, Clone)]
struct Trace {
    /// The shape of what was looked at, and the bits that belong to it.
    shape: u64,
    bits: u64,
    /// By byte: the lowest that fits, and how many more do.
    low: [u8; WINDOW],
    span: [u8; WINDOW],
    /// The bytes that were looked at.
    looked: u8,
    /// The bytes that were taken.
    taken: u8,
    /// It holds at the beginning of a line only.
    at_start: bool,
    /// The instruction behind.
    next: At,
    captured: [Captured; MAX_CAPTURES],
    captures: u8,
    effects: [Effect; MAX_EFFECTS],
    count: u8,
}

/// The traces that begin at one instruction.
#[derive(Debug)]
pub(super) struct Site {
    traces: Vec<Trace>,
    /// By hash of the shape's beginning: the numbers of traces, those that were of use of late in front.
    index: [[u8; WAYS]; BUCKETS],
    /// By the same: what was missed last.
    missed: [u8; BUCKETS],
    /// The bits of a shape that make its beginning: of bytes that every trace has looked at.
    bits: u64,
    /// The trace that makes room for the next one.
    oldest: usize,
    /// Uses that have not been spent on recordings.
    savings: u32,
    lookups: u32,
    found: u32,
    /// Look-ups to be left out.
    asleep: u32,
    sleep: u32,
}

impl Default for Site {
    fn default() -> Self {
        Site {
            traces: Vec::new(),
            index: [[NONE; WAYS]; BUCKETS],
            missed: [0; BUCKETS],
            bits: first_bits(INDEXED),
            oldest: 0,
            savings: SAVINGS,
            lookups: 0,
            found: 0,
            asleep: 0,
            sleep: SLEEP,
        }
    }
}

/// What came of a look-up.
pub(super) enum Followed {
    /// The machine goes on at this place with this instruction.
    To(usize, At),
    /// There is no trace for this line.
    Nothing,
    /// The way of the trace fails at this place.
    Failed(usize),
}

/// Which bytes of `window` are digits, letters and the like, and no blanks, quotes, points or other signs below those.
#[inline(always)]
fn shape_of(window: &[u8; WINDOW]) -> u64 {
    let zero = u8x16::splat(b'0');
    let (blocks, _) = window.as_chunks::<BLOCK>();
    blocks.iter().rev().fold(0, |shape, block| {
        let block = u8x16::new(*block);
        shape << BLOCK | u64::from(block.max(zero).simd_eq(block).to_bitmask())
    })
}

/// The bits of the first `count` bytes in a shape.
fn first_bits(count: usize) -> u64 {
    u64::MAX >> (WINDOW - count.clamp(1, WINDOW))
}

/// Where a shape stands in the index, and what else is noted of it.
#[inline]
fn hash(shape: u64) -> (usize, u8) {
    let hash = shape.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((hash >> 59) as usize % BUCKETS, (hash >> 48) as u8)
}

impl Trace {
    #[inline]
    fn fits(&self, window: &[u8; WINDOW]) -> bool {
        let blocks = |bytes: &[u8; WINDOW], index: usize| -> u8x16 { u8x16::new(bytes.as_chunks().0[index]) };
        (0..usize::from(self.looked).div_ceil(BLOCK)).all(|index| {
            let above = blocks(window, index) - blocks(&self.low, index);
            above.min(blocks(&self.span, index)).simd_eq(above).to_bitmask() == 0xffff
        })
    }
}

impl<const CAREFUL: bool> Machine<'_, CAREFUL> {
    /// Takes a whole way at once, if there is a trace of it.
    #[inline(never)]
    pub(super) fn follow(&mut self, site: u32, next: At, at: usize) -> Followed {
        let Memory { sites, slots, frames, seen, .. } = &mut *self.memory;
        let place = &mut sites[site as usize];
        if place.asleep > 0 {
            place.asleep -= 1;
            return Followed::Nothing;
        }
        let rest = &self.line[at..];
        let padded;
        let window = match rest.first_chunk::<WINDOW>() {
            Some(window) => window,
            None => {
                padded = pad(rest);
                &padded
            }
        };
        let shape = shape_of(window);
        place.lookups += 1;
        let (bucket, _) = hash(shape & place.bits);
        let ways = &mut place.index[bucket];
        let fits = |trace: &Trace| {
            (shape ^ trace.shape) & trace.bits == 0
                && usize::from(trace.looked) <= rest.len()
                && trace.fits(window)
                && (at == 0 || !trace.at_start)
        };
        let Some(way) = ways.iter().position(|&way| place.traces.get(usize::from(way)).is_some_and(fits)) else {
            self.missed(site, next, at, shape);
            return Followed::Nothing;
        };
        let trace = &place.traces[usize::from(ways[way])];
        if way > 0 {
            ways.swap(way, way - 1);
        }
        place.found += 1;
        place.savings = place.savings.saturating_add(1);
        let here = at as u32;
        for captured in &trace.captured[..usize::from(trace.captures)] {
            let slot = usize::from(captured.slot);
            if let Some([start, end]) = slots.get_mut(slot..slot + 2) {
                (*start, *end) = (here + u32::from(captured.start), here + u32::from(captured.end));
            }
        }
        for effect in &trace.effects[..usize::from(trace.count)] {
            match *effect {
                Effect::Mark { slot, at } => slots[slot as usize] = here + u32::from(at),
                Effect::Join { join, at: place } => {
                    if seen[join as usize].pass(here + u32::from(place)) {
                        return Followed::Failed(at + usize::from(place));
                    }
                }
                Effect::Try { op, at } => frames.push(Frame::Try { op, at: here + u32::from(at) }),
                Effect::Less { run, low, at } => {
                    frames.push(Frame::Less { run, low: here + u32::from(low), at: here + u32::from(at) });
                }
                Effect::Save { capture, start, end } => {
                    memory::save(slots, frames, capture, here + u32::from(start), here + u32::from(end));
                }
                Effect::Slot { slot, at } => memory::save_slot(slots, frames, slot, here + u32::from(at)),
            }
        }
        Followed::To(at + usize::from(trace.taken), trace.next)
    }

    /// Notes a shape that has no trace; makes one if it has come before.
    #[inline(never)]
    fn missed(&mut self, site: u32, next: At, at: usize, shape: u64) {
        let place = &mut self.memory.sites[site as usize];
        if place.lookups >= TERM {
            place.savings = place.savings.min(SAVINGS);
            if place.found < ENOUGH {
                place.asleep = place.sleep;
                place.sleep = (2 * place.sleep).min(LONGEST_SLEEP);
                place.savings = place.savings.max(SAVINGS / 4);
            } else {
                place.sleep = SLEEP;
            }
            (place.lookups, place.found) = (0, 0);
        }
        let (bucket, mark) = hash(shape & place.bits);
        if std::mem::replace(&mut place.missed[bucket], mark) != mark || place.savings < COST {
            return;
        }
        place.savings -= COST;
        match record::record(self.code, self.line, at, next) {
            Some(trace) => place.add(Trace { shape, ..trace }),
            // Here begins a way that is not worth while, or that cannot be told from a window.
            None => place.savings = place.savings.saturating_sub(COST),
        }
    }
}

impl Site {
    fn add(&mut self, trace: Trace) {
        let bits = self.bits & trace.bits;
        if bits != self.bits {
            // What was told apart by more is told apart by less.
            self.bits = bits;
            self.traces.clear();
            self.index = [[NONE; WAYS]; BUCKETS];
            self.oldest = 0;
        }
        let ways = &mut self.index[hash(trace.shape & bits).0];
        let last = usize::from(ways[WAYS - 1]);
        ways.rotate_right(1);
        if last < self.traces.len() {
            ways[0] = last as u8;
            self.traces[last] = trace;
        } else if self.traces.len() < MAX_TRACES {
            ways[0] = self.traces.len() as u8;
            self.traces.push(trace);
        } else {
            // Another bucket may still name the one that goes, and will find another shape there.
            ways[0] = self.oldest as u8;
            self.traces[self.oldest] = trace;
            self.oldest = (self.oldest + 1) % MAX_TRACES;
        }
    }
}

/// The beginning of `rest`, and zeros.
#[inline(never)]
fn pad(rest: &[u8]) -> [u8; WINDOW] {
    let mut window = [0; WINDOW];
    let count = rest.len().min(WINDOW);
    window[..count].copy_from_slice(&rest[..count]);
    window
}
