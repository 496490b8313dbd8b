//! What a machine remembers while it looks for a match: captures, and open choices.

use super::op::At;
use super::outcomes::Outcomes;
use super::trace::Site;
use crate::grok::Span;

/// Where a capture stands: its beginning in the low half, its end in the high one, so that a capture is set and moved
/// at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    /// That of a capture that took no part: [`Span::NONE`]. Its bytes are not all the same, so that filling a few of them is
    /// not made a call of `memset`, which takes longer than all the rest of a short match.
    pub(super) const NOWHERE: Place = Place::new(Span::NONE.start, Span::NONE.end);

    #[inline(always)]
    pub(super) const fn new(start: u32, end: u32) -> Place {
        Place(start as u64 | (end as u64) << 32)
    }

    #[inline(always)]
    pub(super) fn span(self) -> Span {
        Span { start: self.0 as u32, end: (self.0 >> 32) as u32 }
    }

    /// The same place, counted from so many bytes before.
    #[inline(always)]
    pub(super) fn moved(self, by: u32) -> Place {
        // No line has 4 GiB, so nothing is carried from one half to the other.
        Place(self.0.wrapping_add(u64::from(by) * 0x1_0000_0001))
    }

    /// The same beginning, and this end.
    #[inline(always)]
    pub(super) fn ending(self, end: u32) -> Place {
        Place::new(self.0 as u32, end)
    }

    /// The half that `slot` is: the beginning of a capture has an even number, its end the next one.
    #[inline(always)]
    fn half(self, slot: u32) -> u32 {
        (self.0 >> (slot % 2 * 32)) as u32
    }

    /// Sets the half that `slot` is; answers what it was.
    #[inline(always)]
    pub(super) fn set(&mut self, slot: u32, at: u32) -> u32 {
        let shift = slot % 2 * 32;
        let was = self.half(slot);
        self.0 ^= u64::from(was ^ at) << shift;
        was
    }
}

/// Something to come back to when the way taken fails.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frame {
    /// Another way.
    Try { op: At, at: u32 },
    /// A greedy run that can be left earlier, down to `low`.
    Less { run: u32, low: u32, at: u32 },
    /// A lazy run that can take more, `left` characters at most.
    More { run: u32, at: u32, left: u32 },
    /// What a capture boundary was before.
    Slot { slot: u32, was: u32 },
    /// What a capture was before.
    Saved { capture: u32, was: Place },
    /// What a register was before.
    Register { register: u32, was: u32 },
    /// The beginning of an atomic group or of a look-around at `at`; with the fence around it.
    Fence { outer: u32, at: u32 },
    /// All ways of this choice have failed here.
    Failed { memo: u32, at: u32 },
    /// All ways out of this run have failed, from any place of `low..=high` on.
    FailedRun { run: u32, low: u32, high: u32 },
}

/// Where a machine works. Each thread has its own; it is used again for the next line.
#[derive(Debug, Default)]
pub(in crate::grok) struct Memory {
    /// By capture.
    pub(super) places: Vec<Place>,
    pub(super) registers: Vec<u32>,
    pub(super) frames: Vec<Frame>,
    pub(super) joins: Joins,
    /// By site.
    pub(super) sites: Vec<Site>,
    /// Apart, because nearly no line needs it.
    pub(super) outcomes: Box<Outcomes>,
    #[cfg(test)]
    pub(in crate::grok) used: Used,
}

/// What a register is before it is used.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Sets one boundary of a capture; what it was before is noted when there is an open choice.
#[inline(always)]
pub(super) fn save_slot(places: &mut [Place], frames: &mut Vec<Frame>, slot: u32, at: u32) {
    let was = places[slot as usize / 2].set(slot, at);
    if !frames.is_empty() {
        frames.push(Frame::Slot { slot, was });
    }
}

/// The same for a whole capture.
#[inline(always)]
pub(super) fn save(places: &mut [Place], frames: &mut Vec<Frame>, capture: u32, place: Place) {
    let was = std::mem::replace(&mut places[capture as usize], place);
    if !frames.is_empty() {
        frames.push(Frame::Saved { capture, was });
    }
}

impl Memory {
    /// Sets one boundary of a capture of which it need not be known what it was.
    #[inline(always)]
    pub(super) fn mark(&mut self, slot: u32, at: u32) {
        self.places[slot as usize / 2].set(slot, at);
    }

    /// Forgets one boundary of a capture.
    pub(super) fn clear(&mut self, slot: u32) {
        self.mark(slot, Place::NOWHERE.half(slot));
    }
}

/// What searches have cost, for tests that count it.
#[cfg(test)]
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::grok) struct Used {
    /// In bytes read and choices taken up.
    pub(in crate::grok) work: u64,
    /// The most bytes of the memory of failures.
    pub(in crate::grok) failures: usize,
    /// Traces that were followed.
    pub(in crate::grok) traces: u64,
    /// Stretches that the scout found again.
    pub(in crate::grok) stretches: u64,
}

#[cfg(test)]
impl Used {
    pub(super) fn add(&mut self, work: u64, failures: usize) {
        self.work += work;
        self.failures = self.failures.max(failures);
    }

    pub(super) fn add_trace(&mut self) {
        self.traces += 1;
    }
}

/// Where the machine has been at joins. Nobody asks before a way fails, so what the first way of a line passes is
/// written down only then; most lines have but that one.
#[derive(Debug, Default)]
pub(super) struct Joins {
    /// By join; not of this line before a way of it has failed.
    seen: Vec<Seen>,
    /// What the first way has passed.
    way: Vec<Passed>,
    has_failed: bool,
}

/// Something that passes joins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Passed {
    Join {
        join: u32,
        at: u32,
    },
    /// A trace of a site that began at `at`.
    Trace {
        site: u32,
        trace: u8,
        at: u32,
    },
}

impl Joins {
    /// Makes room for so many joins.
    pub(super) fn prepare(&mut self, count: u32) {
        self.seen.resize_with(count as usize, Seen::default);
    }

    /// Begins a line.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.way.clear();
        self.has_failed = false;
    }

    /// Whether the first way is over.
    #[inline(always)]
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// The first way passes something.
    #[inline(always)]
    pub(super) fn on_way(&mut self, passed: Passed) {
        self.way.push(passed);
    }

    /// The first way has failed: what it has [passed](Joins::passed) is to be written down with [`Joins::pass`].
    pub(super) fn fail(&mut self) {
        self.has_failed = true;
        self.seen.iter_mut().for_each(|seen| seen.count = 0);
    }

    /// What the first way has passed, one by one.
    pub(super) fn passed(&self, index: usize) -> Option<Passed> {
        self.way.get(index).copied()
    }

    /// Whether the machine has been at `at` before at this join; notes it for later.
    #[inline]
    pub(super) fn pass(&mut self, join: u32, at: u32) -> bool {
        self.seen[join as usize].pass(at)
    }

    /// Whether the machine has been at one of these before; if not, notes all of them.
    pub(super) fn pass_all<I: Iterator<Item = (u32, u32)>>(&mut self, joins: impl Fn() -> I) -> bool {
        let has = joins().any(|(join, at)| self.seen[join as usize].has(at));
        if !has {
            joins().for_each(|(join, at)| {
                self.pass(join, at);
            });
        }
        has
    }

    /// The number of places so far at join 0, and the last one, when a way has failed.
    pub(super) fn first(&self) -> Option<(usize, u32)> {
        if self.has_failed { self.seen.first().map(Seen::last) } else { None }
    }
}

/// Where the machine has been at a join: the last few places.
#[derive(Debug, Default, Clone)]
struct Seen {
    places: [u32; 8],
    count: usize,
}

impl Seen {
    /// Whether the machine has been at `at` before; notes it for later. Of many places, some are forgotten.
    fn pass(&mut self, at: u32) -> bool {
        if self.has(at) {
            return true;
        }
        self.places[self.count % self.places.len()] = at;
        self.count += 1;
        false
    }

    fn has(&self, at: u32) -> bool {
        self.places[..self.count.min(self.places.len())].contains(&at)
    }

    /// The number of places so far, and the last one.
    fn last(&self) -> (usize, u32) {
        (self.count, self.places[self.count.wrapping_sub(1) % self.places.len()])
    }
}
