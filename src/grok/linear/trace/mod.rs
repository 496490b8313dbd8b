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
//! Traces are looked up by shape: which of the first bytes are letters and digits. They belong to a thread's memory and
//! are made while lines go by, for shapes that have come twice; where hardly any line fits one, the place sleeps.

mod place;
mod record;

use wide::u8x16;

use super::blocks::BLOCK;
use super::machine::Machine;
use super::memory::{self, Frame, Passed, Place};
use super::op::At;

pub(super) use place::place;

/// The most bytes that a trace looks at.
const WINDOW: usize = 64;
/// The bytes that a shape is of: more would tell apart by what stands behind a short trace.
const SHAPED: usize = 32;
/// The most captures of a trace, and the most other effects.
const MAX_CAPTURES: usize = 12;
const MAX_EFFECTS: usize = 12;
/// The most traces of a site.
const MAX_TRACES: usize = 128;
/// The buckets of a site's index, and the traces in each.
const BUCKETS: usize = 128;
const WAYS: usize = 4;
/// There is no trace.
const NONE: u8 = u8::MAX;
/// No capture ends.
const NONE_ENDS: u16 = u16::MAX;

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

/// Something that a trace does besides setting captures. Places are counted from its beginning.
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
}

/// A join that a trace passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Join {
    join: u32,
    at: u8,
}

/// One way that has been walked.
#[derive(Debug, Clone, PartialEq)]
struct Trace {
    /// By byte: the lowest that fits, and how many more do.
    low: [u8x16; WINDOW / BLOCK],
    span: [u8x16; WINDOW / BLOCK],
    /// The bytes that were looked at.
    looked: u8,
    /// The bytes that were taken.
    taken: u8,
    /// It holds at the beginning of a line only.
    at_start: bool,
    /// The instruction behind.
    next: At,
    /// The capture that ends here, and where; [`NONE_ENDS`] when none does.
    ends: u16,
    end: u8,
    /// Captures that are set without a note of what they were before, with their places counted from the beginning of the
    /// trace.
    captured: [(u32, Place); MAX_CAPTURES],
    captures: u8,
    effects: [Effect; MAX_EFFECTS],
    count: u8,
    joins: [Join; MAX_EFFECTS],
    joined: u8,
}

/// The traces that begin at one instruction.
#[derive(Debug)]
pub(super) struct Site {
    traces: Vec<Trace>,
    /// By hash of the shape: the numbers of traces, those that were of use of late in front.
    index: [[u8; WAYS]; BUCKETS],
    /// By the same: what was missed last.
    last_missed: [u8; BUCKETS],
    /// The trace that makes room for the next one.
    oldest: usize,
    /// Uses that have not been spent on recordings, without those since the last look-up that found nothing.
    savings: u32,
    /// Look-ups that found a trace, and that did not; and how many had when one did not last.
    found: u32,
    missed: u32,
    saved: u32,
    /// Look-ups to be left out.
    asleep: u32,
    sleep: u32,
}

impl Default for Site {
    fn default() -> Self {
        Site {
            traces: Vec::new(),
            index: [[NONE; WAYS]; BUCKETS],
            last_missed: [0; BUCKETS],
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

/// Which of the first bytes of `window` are digits, letters and the like, and no blanks, quotes, points or other signs below
/// those. A trace that has looked at fewer bytes is found by what has followed it as well.
#[inline(always)]
fn shape_of(window: &[u8; WINDOW]) -> u32 {
    let zero = u8x16::splat(b'0');
    let (blocks, _) = window.as_chunks::<BLOCK>();
    blocks[..SHAPED / BLOCK].iter().rev().fold(0, |shape, block| {
        let block = u8x16::new(*block);
        shape << BLOCK | block.max(zero).simd_eq(block).to_bitmask()
    })
}

/// Where a shape stands in the index, and what else is noted of it.
#[inline]
fn hash(shape: u32) -> (usize, u8) {
    let hash = u64::from(shape).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((hash >> 57) as usize % BUCKETS, (hash >> 48) as u8)
}

impl Trace {
    /// Whether the trace fits the window at the beginning of `rest` bytes.
    #[inline(always)]
    fn fits(&self, window: &[u8; WINDOW], rest: usize, at_start: bool) -> bool {
        let (blocks, _) = window.as_chunks::<BLOCK>();
        let is_in_ranges = || {
            let fits = blocks.iter().zip(&self.low).zip(&self.span).fold(u8x16::MAX, |fits, ((block, &low), &span)| {
                let above = u8x16::new(*block) - low;
                fits & above.min(span).simd_eq(above)
            });
            fits.to_bitmask() == 0xffff
        };
        usize::from(self.looked) <= rest && (at_start || !self.at_start) && is_in_ranges()
    }

    /// The joins that it passes when it begins at `here`.
    fn joins(&self, here: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.joins[..usize::from(self.joined)].iter().map(move |join| (join.join, here + u32::from(join.at)))
    }
}

impl<const CAREFUL: bool> Machine<'_, CAREFUL> {
    /// Takes a whole way at once, if there is a trace of it: where the machine goes on, and with which instruction. Without
    /// one that is here, with `next`.
    #[inline(never)]
    pub(super) fn follow(&mut self, site: u32, next: At, at: usize) -> (usize, At) {
        let memory = &mut *self.memory;
        let place = &mut memory.sites[site as usize];
        if place.asleep > 0 {
            place.asleep -= 1;
            return (at, next);
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
        let Some((number, trace)) = place.find(shape, window, rest.len(), at == 0) else {
            self.missed(site, next, at, shape);
            return (at, next);
        };
        let here = at as u32;
        if trace.joined > 0 {
            if !memory.joins.has_failed() {
                memory.joins.on_way(Passed::Trace { site, trace: number, at: here });
            } else if memory.joins.pass_all(|| trace.joins(here)) {
                // It fails at one of them: the machine is to find out where.
                return (at, next);
            }
        }
        let places = &mut memory.places[..];
        if let Some(place) = places.get_mut(usize::from(trace.ends)) {
            *place = place.ending(here + u32::from(trace.end));
        }
        for &(capture, place) in &trace.captured[..usize::from(trace.captures)] {
            places[capture as usize] = place.moved(here);
        }
        for effect in &trace.effects[..usize::from(trace.count)] {
            let frames = &mut memory.frames;
            match *effect {
                Effect::Mark { slot, at } => {
                    places[slot as usize / 2].set(slot, here + u32::from(at));
                }
                Effect::Try { op, at } => frames.push(Frame::Try { op, at: here + u32::from(at) }),
                Effect::Less { run, low, at } => {
                    frames.push(Frame::Less { run, low: here + u32::from(low), at: here + u32::from(at) });
                }
                Effect::Save { capture, start, end } => {
                    memory::save(places, frames, capture, Place::new(start.into(), end.into()).moved(here));
                }
                Effect::Slot { slot, at } => memory::save_slot(places, frames, slot, here + u32::from(at)),
            }
        }
        #[cfg(test)]
        memory.used.add_trace();
        (at + usize::from(trace.taken), trace.next)
    }

    /// Notes a shape that has no trace; makes one if it has come before.
    #[inline(never)]
    fn missed(&mut self, site: u32, next: At, at: usize, shape: u32) {
        if !self.memory.sites[site as usize].misses(shape) {
            return;
        }
        if !self.memory.joins.has_failed() {
            // What is known of this way must not be changed while it is only noted by the numbers of traces.
            self.end_first_way();
        }
        let site = &mut self.memory.sites[site as usize];
        site.savings -= COST;
        match record::record(self.code, self.line, at, next) {
            Some(trace) => site.add(trace, shape),
            // Here begins a way that is not worth while, or that cannot be told from a window.
            None => site.savings = site.savings.saturating_sub(COST),
        }
    }
}

impl Site {
    /// The trace that fits.
    #[inline(always)]
    fn find(&mut self, shape: u32, window: &[u8; WINDOW], rest: usize, at_start: bool) -> Option<(u8, &Trace)> {
        let ways = &mut self.index[hash(shape).0];
        for way in 0..WAYS {
            let number = ways[way];
            if let Some(trace) = self.traces.get(usize::from(number))
                && trace.fits(window, rest, at_start)
            {
                if way > 0 {
                    ways.swap(way, way - 1);
                }
                self.found += 1;
                return Some((number, trace));
            }
        }
        None
    }

    /// The joins that trace `number` passes when it begins at `here`.
    pub(super) fn joins(&self, number: u8, here: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.traces.get(usize::from(number)).into_iter().flat_map(move |trace| trace.joins(here))
    }

    /// Notes a shape that has no trace; whether one is to be made.
    fn misses(&mut self, shape: u32) -> bool {
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
        let (bucket, mark) = hash(shape);
        std::mem::replace(&mut self.last_missed[bucket], mark) == mark && self.savings >= COST
    }

    /// Adds a trace for lines of this shape.
    fn add(&mut self, trace: Trace, shape: u32) {
        let known = self.traces.iter().position(|known| *known == trace);
        let number = known.unwrap_or_else(|| {
            if self.traces.len() < MAX_TRACES {
                self.traces.push(trace);
                return self.traces.len() - 1;
            }
            // Buckets that still name the one that goes will find out that it does not fit.
            let number = self.oldest;
            self.traces[number] = trace;
            self.oldest = (self.oldest + 1) % MAX_TRACES;
            number
        });
        let ways = &mut self.index[hash(shape).0];
        ways.rotate_right(1);
        ways[0] = number as u8;
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
