//! The working memory of a machine during a search: captures, and the stack of open choices.

use super::op::At;
use super::outcomes::Outcomes;
use super::trace::Site;
use crate::grok::Span;

/// The span of a capture: its start in the low 32 bits, its end in the high 32 bits. One store sets it, one addition
/// moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackedSpan(u64);

impl PackedSpan {
    /// The span of a capture that took no part in the match: [`Span::NONE`]. Its bytes differ on purpose. With equal
    /// bytes, the compiler would fill a few spans by a call of `memset`, which takes longer than the rest of a short
    /// match.
    pub(super) const NOWHERE: PackedSpan = PackedSpan::new(Span::NONE.start, Span::NONE.end);

    #[inline(always)]
    pub(super) const fn new(start: u32, end: u32) -> PackedSpan {
        PackedSpan(start as u64 | (end as u64) << 32)
    }

    #[inline(always)]
    pub(super) fn span(self) -> Span {
        Span { start: self.0 as u32, end: (self.0 >> 32) as u32 }
    }

    /// Returns the place moved right by `by` bytes.
    #[inline(always)]
    pub(super) fn moved(self, by: u32) -> PackedSpan {
        // No line has 4 GiB, so the addition carries nothing from the low half to the high one.
        PackedSpan(self.0.wrapping_add(u64::from(by) * 0x1_0000_0001))
    }

    /// Returns the place with the same start and the given end.
    #[inline(always)]
    pub(super) fn ending(self, end: u32) -> PackedSpan {
        PackedSpan::new(self.0 as u32, end)
    }

    /// Returns the boundary `slot`: an even slot is the start of a capture, the next odd slot its end.
    #[inline(always)]
    fn half(self, slot: u32) -> u32 {
        (self.0 >> (slot % 2 * 32)) as u32
    }

    /// Sets the boundary `slot`. Returns its old value.
    #[inline(always)]
    pub(super) fn set(&mut self, slot: u32, at: u32) -> u32 {
        let shift = slot % 2 * 32;
        let was = self.half(slot);
        self.0 ^= u64::from(was ^ at) << shift;
        was
    }
}

/// An entry on the machine's stack. Backtracking pops entries until one of them is an open choice.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frame {
    /// An open choice: continues with instruction `op` at position `at`.
    Try { op: At, at: u32 },
    /// An open choice: a greedy run that can end earlier, down to `low`.
    Less { run: u32, low: u32, at: u32 },
    /// An open choice: a lazy run that can take at most `left` more characters.
    More { run: u32, at: u32, left: u32 },
    /// The old value of a capture boundary.
    Slot { slot: u32, was: u32 },
    /// The old value of a capture.
    Saved { capture: u32, was: PackedSpan },
    /// The old value of a register.
    Register { register: u32, was: u32 },
    /// The start of an atomic group or look-around at `at`, with the fence of the group around it.
    Fence { outer: u32, at: u32 },
    /// When this entry is popped, all ways of the choice have failed at `at`.
    Failed { memo: u32, at: u32 },
    /// When this entry is popped, all ends of the run have failed, from any start of `low..=high`.
    FailedRun { run: u32, low: u32, high: u32 },
}

/// The working memory of a machine. Each thread has its own, and uses it for one line after the other.
#[derive(Debug, Default)]
pub(in crate::grok) struct Memory {
    /// The value of each capture.
    pub(super) places: Vec<PackedSpan>,
    /// The bytes of the whole match: its start and its end.
    pub(super) matched: (u32, u32),
    pub(super) registers: Vec<u32>,
    pub(super) frames: Vec<Frame>,
    pub(super) joins: Joins,
    /// The traces of each site.
    pub(super) sites: Vec<Site>,
    /// The memo table. It is in a `Box`, because nearly no line needs it.
    pub(super) outcomes: Box<Outcomes>,
    #[cfg(engines)]
    pub(in crate::grok) used: Used,
}

/// The value of a register before its first use.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Sets one boundary of a capture. If a choice is open, the old value is pushed onto the stack.
#[inline(always)]
pub(super) fn save_slot(places: &mut [PackedSpan], frames: &mut Vec<Frame>, slot: u32, at: u32) {
    let was = places[slot as usize / 2].set(slot, at);
    if !frames.is_empty() {
        frames.push(Frame::Slot { slot, was });
    }
}

/// Sets a whole capture. If a choice is open, the old value is pushed onto the stack.
#[inline(always)]
pub(super) fn save(places: &mut [PackedSpan], frames: &mut Vec<Frame>, capture: u32, place: PackedSpan) {
    let was = std::mem::replace(&mut places[capture as usize], place);
    if !frames.is_empty() {
        frames.push(Frame::Saved { capture, was });
    }
}

impl Memory {
    /// Sets one boundary of a capture without a record of its old value.
    #[inline(always)]
    pub(super) fn mark(&mut self, slot: u32, at: u32) {
        self.places[slot as usize / 2].set(slot, at);
    }

    /// Unsets one boundary of a capture.
    pub(super) fn clear(&mut self, slot: u32) {
        self.mark(slot, PackedSpan::NOWHERE.half(slot));
    }
}

/// The cost of searches, for tests that count it.
#[cfg(engines)]
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::grok) struct Used {
    /// Bytes read and choices resumed.
    pub(in crate::grok) work: u64,
    /// The largest size of the memo table, in bytes.
    pub(in crate::grok) failures: usize,
    /// Number of traces that were followed.
    pub(in crate::grok) traces: u64,
    /// Number of stretches that the scout found in its cache.
    pub(in crate::grok) stretches: u64,
}

#[cfg(engines)]
impl Used {
    pub(super) fn add(&mut self, work: u64, failures: usize) {
        self.work += work;
        self.failures = self.failures.max(failures);
    }

    pub(super) fn add_trace(&mut self) {
        self.traces += 1;
    }
}

/// The positions at which the machine has passed each join. They matter only after a way has failed. So the first way
/// of a line only appends to a list, and the list is entered into the table when that way fails. Most lines have only
/// one way.
#[derive(Debug, Default)]
pub(super) struct Joins {
    /// For each join, the latest positions. Until a way of this line has failed, they still belong to an earlier line
    /// and are not valid.
    seen: Vec<Seen>,
    /// The joins and traces that the first way has passed.
    way: Vec<Passed>,
    has_failed: bool,
}

/// An item that the first way has passed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Passed {
    Join {
        join: u32,
        at: u32,
    },
    /// A trace of site `site` that began at `at`.
    Trace {
        site: u32,
        trace: u8,
        at: u32,
    },
}

impl Joins {
    /// Allocates space for `count` joins.
    pub(super) fn prepare(&mut self, count: u32) {
        self.seen.resize_with(count as usize, Seen::default);
    }

    /// Starts a new line.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.way.clear();
        self.has_failed = false;
    }

    /// Returns whether the first way has failed.
    #[inline(always)]
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Records that the first way passes `passed`.
    #[inline(always)]
    pub(super) fn on_way(&mut self, passed: Passed) {
        self.way.push(passed);
    }

    /// Records that the first way has failed. The caller then enters each [passed](Joins::passed) item with
    /// [`Joins::pass`].
    pub(super) fn fail(&mut self) {
        self.has_failed = true;
        self.seen.iter_mut().for_each(|seen| seen.count = 0);
    }

    /// Returns item `index` of the items that the first way has passed.
    pub(super) fn passed(&self, index: usize) -> Option<Passed> {
        self.way.get(index).copied()
    }

    /// Returns whether the machine has passed this join at `at` before. If it has not, records `at`.
    #[inline]
    pub(super) fn pass(&mut self, join: u32, at: u32) -> bool {
        self.seen[join as usize].pass(at)
    }

    /// Returns whether the machine has passed any of these joins at their positions before. If it has not, records all
    /// of them.
    pub(super) fn pass_all<I: Iterator<Item = (u32, u32)>>(&mut self, joins: impl Fn() -> I) -> bool {
        let has = joins().any(|(join, at)| self.seen[join as usize].has(at));
        if !has {
            joins().for_each(|(join, at)| {
                self.pass(join, at);
            });
        }
        has
    }

    /// Returns the number of positions recorded at join 0, and the latest of them. `None` if no way has failed yet.
    pub(super) fn first(&self) -> Option<(usize, u32)> {
        if self.has_failed { self.seen.first().map(Seen::last) } else { None }
    }
}

/// The latest positions at which the machine has passed a join, at most eight.
#[derive(Debug, Default, Clone)]
struct Seen {
    places: [u32; 8],
    count: usize,
}

impl Seen {
    /// Returns whether `at` is recorded. If it is not, records it; the ninth position replaces the oldest.
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

    /// Returns the number of positions recorded so far, and the latest of them.
    fn last(&self) -> (usize, u32) {
        (self.count, self.places[self.count.wrapping_sub(1) % self.places.len()])
    }
}
