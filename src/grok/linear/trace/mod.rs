//! Traces: the recorded steps of the machine over a stretch of a line. The machine repeats them in one step on similar
//! lines.
//!
//! Log lines resemble each other: where one line has a date or three digits, the next line has them too. The machine's
//! steps over such a stretch depend on a few bytes, and only on the range that each byte lies in. A trace holds the
//! range of each byte within which nothing would change, and the result: captures, open choices, and the next
//! instruction. If a later line fits the ranges, the machine takes the result at once. One comparison of four blocks of
//! bytes then replaces two or three dozen instructions and a hundred table look-ups.
//!
//! A trace is exact. The [recorder](record) narrows the range of every byte that it reads to the bytes that lead to the
//! same state. So on every line that fits, the machine would have done the same.
//!
//! Traces are looked up by *shape*: which of the first bytes are letters and digits. The instructions that look for
//! traces are called *sites*. Each thread has its own traces. It records one when a shape comes up for the second time.
//! A site pauses while hardly any line fits its traces.

mod place;
mod record;

use super::machine::Machine;
use super::memory::{self, Frame, PackedSpan, Passed};
use super::op::At;
use super::window::{Cache, Fit, Window};

pub(super) use place::place;

/// The most captures of a trace, and the most other effects.
const MAX_CAPTURES: usize = 12;
const MAX_EFFECTS: usize = 12;
/// The value of [`Trace::ends`] for no capture.
const NONE_ENDS: u16 = u16::MAX;

/// An effect of a trace besides plain captures. Positions are offsets from the start of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Sets one boundary of a capture, without a record of its old value.
    Mark { slot: u32, at: u8 },
    /// Sets a capture, and records its old value.
    Save { capture: u32, start: u8, end: u8 },
    /// Sets one boundary of a capture, and records its old value.
    Slot { slot: u32, at: u8 },
    /// Leaves a choice open: another instruction.
    Try { op: At, at: u8 },
    /// Leaves a choice open: a shorter run.
    Less { run: u32, low: u8, at: u8 },
}

/// A join that a trace passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Join {
    join: u32,
    at: u8,
}

/// A trace: the recorded steps over a stretch of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trace {
    fit: Fit,
    /// Number of bytes that the recorder read.
    looked: u8,
    /// Number of bytes that the trace matches.
    taken: u8,
    /// Whether the trace holds at the beginning of a line only.
    at_start: bool,
    /// The instruction that follows the trace.
    next: At,
    /// A capture that started before the trace and ends in it, and where; [`NONE_ENDS`] if there is none.
    ends: u16,
    end: u8,
    /// Captures that are set without a record of their old values. Positions are offsets from the start of the trace.
    captured: [(u32, PackedSpan); MAX_CAPTURES],
    captures: u8,
    effects: [Effect; MAX_EFFECTS],
    count: u8,
    joins: [Join; MAX_EFFECTS],
    joined: u8,
}

/// The traces that begin at one instruction.
pub(super) type Site = Cache<Trace>;

impl Trace {
    /// Returns whether the trace can fit where `rest` bytes are left.
    #[inline(always)]
    fn can_fit(&self, rest: usize, at_start: bool) -> bool {
        usize::from(self.looked) <= rest && (at_start || !self.at_start)
    }

    /// Returns the joins that the trace passes if it begins at `here`.
    pub(super) fn joins(&self, here: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.joins[..usize::from(self.joined)].iter().map(move |join| (join.join, here + u32::from(join.at)))
    }
}

/// Finds the trace for `rest`, which is shorter than a window. If there is none, the error is its key.
#[inline(never)]
fn find_short<'s>(traces: &'s mut Site, rest: &[u8], at_start: bool) -> Result<(u8, &'s Trace), u64> {
    let window = Window::short(rest);
    let key = u64::from(window.shape());
    let fits = |trace: &Trace| trace.can_fit(rest.len(), at_start) && trace.fit.fits_short(&window, rest.len());
    traces.find(key, fits).ok_or(key)
}

impl<const CAREFUL: bool> Machine<'_, CAREFUL> {
    /// Follows a trace if one fits at `at`. Returns the new position and the next instruction: `at` and `next` if no
    /// trace fits.
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
                // The machine has passed one of these joins before, so this way fails there. It runs the instructions
                // to find out where.
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
                    memory::save(places, frames, capture, PackedSpan::new(start.into(), end.into()).moved(here));
                }
                Effect::Slot { slot, at } => memory::save_slot(places, frames, slot, here + u32::from(at)),
            }
        }
        #[cfg(engines)]
        memory.used.add_trace();
        (at + usize::from(trace.taken), trace.next)
    }

    /// Records that a shape has no trace. If the shape has come up before, records a trace for it.
    #[inline(never)]
    fn missed(&mut self, site: u32, next: At, at: usize, key: u64) {
        if !self.memory.sites[site as usize].misses(key) {
            return;
        }
        if !self.memory.joins.has_failed() {
            // The joins of the first way refer to traces by number, and `add` can replace a trace. So they are resolved
            // first.
            self.end_first_way();
        }
        let traces = &mut self.memory.sites[site as usize];
        match record::record(self.code, self.line, at, next) {
            Some(trace) => traces.add(trace, key),
            // The recorded stretch is too short, or the steps depend on more than a window.
            None => traces.waste(),
        }
    }
}
