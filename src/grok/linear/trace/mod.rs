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

use super::machine::Machine;
use super::memory::{self, Frame, Passed, Place};
use super::op::At;
use super::window::{Cache, Fit, Window};

pub(super) use place::place;

/// The most captures of a trace, and the most other effects.
const MAX_CAPTURES: usize = 12;
const MAX_EFFECTS: usize = 12;
/// No capture ends.
const NONE_ENDS: u16 = u16::MAX;

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
pub(super) struct Trace {
    fit: Fit,
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
pub(super) type Site = Cache<Trace>;

impl Trace {
    /// Whether it can fit where `rest` bytes are left.
    #[inline(always)]
    fn can_fit(&self, rest: usize, at_start: bool) -> bool {
        usize::from(self.looked) <= rest && (at_start || !self.at_start)
    }

    /// The joins that it passes when it begins at `here`.
    pub(super) fn joins(&self, here: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.joins[..usize::from(self.joined)].iter().map(move |join| (join.join, here + u32::from(join.at)))
    }
}

/// The trace for `rest`, which is shorter than a window, or its key.
#[inline(never)]
fn find_short<'s>(traces: &'s mut Site, rest: &[u8], at_start: bool) -> Result<(u8, &'s Trace), u64> {
    let window = Window::short(rest);
    let key = u64::from(window.shape());
    let fits = |trace: &Trace| trace.can_fit(rest.len(), at_start) && trace.fit.fits_short(&window, rest.len());
    traces.find(key, fits).ok_or(key)
}

impl<const CAREFUL: bool> Machine<'_, CAREFUL> {
    /// Takes a whole way at once, if there is a trace of it: where the machine goes on, and with which instruction. Without
    /// one that is here, with `next`.
    #[inline(never)]
    pub(super) fn follow(&mut self, site: u32, next: At, at: usize) -> (usize, At) {
        let memory = &mut *self.memory;
        let traces = &mut memory.sites[site as usize];
        if traces.sleeps() {
            return (at, next);
        }
        let rest = &self.line[at..];
        let found = match rest.first_chunk() {
            Some(bytes) => {
                let window = Window::full(bytes);
                let key = u64::from(window.shape());
                let fits = |trace: &Trace| trace.can_fit(rest.len(), at == 0) && trace.fit.fits(&window);
                traces.find(key, fits).ok_or(key)
            }
            None => find_short(traces, rest, at == 0),
        };
        let (number, trace) = match found {
            Ok(found) => found,
            Err(key) => {
                self.missed(site, next, at, key);
                return (at, next);
            }
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
    fn missed(&mut self, site: u32, next: At, at: usize, key: u64) {
        if !self.memory.sites[site as usize].misses(key) {
            return;
        }
        if !self.memory.joins.has_failed() {
            // What is known of this way must not be changed while it is only noted by the numbers of traces.
            self.end_first_way();
        }
        let traces = &mut self.memory.sites[site as usize];
        match record::record(self.code, self.line, at, next) {
            Some(trace) => traces.add(trace, key),
            // Here begins a way that is not worth while, or that cannot be told from a window.
            None => traces.waste(),
        }
    }
}
