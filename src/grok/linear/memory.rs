//! What a machine remembers while it looks for a match: captures, open choices, and where choices have failed.

use std::collections::BTreeMap;

use super::op::At;
use super::trace::Site;

/// The boundary of a capture that took no part. Its bytes are not all the same, so that filling a few of them is not
/// made a call of `memset`, which takes longer than all the rest of a short match.
pub(super) const NOWHERE: u32 = u32::MAX - 1;

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
    Saved { capture: u32, start: u32, end: u32 },
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
    pub(super) slots: Vec<u32>,
    pub(super) registers: Vec<u32>,
    pub(super) frames: Vec<Frame>,
    /// By join.
    pub(super) seen: Vec<Seen>,
    /// By site.
    pub(super) sites: Vec<Site>,
    pub(super) failures: Failures,
    #[cfg(test)]
    pub(in crate::grok) used: Used,
}

/// Sets one boundary of a capture; what it was before is noted when there is an open choice.
#[inline(always)]
pub(super) fn save_slot(slots: &mut [u32], frames: &mut Vec<Frame>, slot: u32, at: u32) {
    let was = std::mem::replace(&mut slots[slot as usize], at);
    if !frames.is_empty() {
        frames.push(Frame::Slot { slot, was });
    }
}

/// The same for a whole capture.
#[inline(always)]
pub(super) fn save(slots: &mut [u32], frames: &mut Vec<Frame>, capture: u32, start: u32, end: u32) {
    let slot = 2 * capture as usize;
    let Some([from, to]) = slots.get_mut(slot..slot + 2) else { return };
    if !frames.is_empty() {
        frames.push(Frame::Saved { capture, start: *from, end: *to });
    }
    (*from, *to) = (start, end);
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

/// Where the machine has been at a join: the last few places.
#[derive(Debug, Default, Clone)]
pub(super) struct Seen {
    places: [u32; 8],
    count: usize,
}

impl Seen {
    #[inline]
    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    /// Whether the machine has been at `at` before; notes it for later. Of many places, some are forgotten.
    #[inline]
    pub(super) fn pass(&mut self, at: u32) -> bool {
        if self.count == 0 {
            (self.places[0], self.count) = (at, 1);
            return false;
        }
        let known = self.count.min(self.places.len());
        if self.places[..known].contains(&at) {
            return true;
        }
        self.places[self.count % self.places.len()] = at;
        self.count += 1;
        false
    }

    /// The number of places so far, and the last one.
    pub(super) fn last(&self) -> (usize, u32) {
        (self.count, self.places[self.count.wrapping_sub(1) % self.places.len()])
    }
}

/// Where choices have failed, for the careful machine.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// By memo, by page of places: the number of the page and one, or 0.
    index: Vec<u32>,
    pages_each: usize,
    pages: Vec<[u64; WORDS]>,
    /// By run: intervals of places, by their beginnings.
    runs: Vec<BTreeMap<u32, u32>>,
    /// By class: where the runs are that have been looked at.
    ends: Vec<BTreeMap<u32, u32>>,
}

const WORDS: usize = 64;
const PAGE: usize = 64 * WORDS;

impl Failures {
    /// Makes room for a line of `length` bytes.
    pub(super) fn prepare(&mut self, memos: u32, runs: usize, classes: usize, length: usize) {
        self.pages_each = length / PAGE + 1;
        self.index.clear();
        self.index.resize(self.pages_each * memos as usize, 0);
        self.pages.clear();
        self.runs.clear();
        self.runs.resize(runs, BTreeMap::new());
        self.ends.clear();
        self.ends.resize(classes, BTreeMap::new());
    }

    /// Gives back what a long line took.
    pub(super) fn release(&mut self) {
        *self = Failures::default();
    }

    /// Bytes that are in use.
    pub(super) fn size(&self) -> usize {
        self.index.len() * size_of::<u32>() + self.pages.len() * size_of::<[u64; WORDS]>()
    }

    pub(super) fn has(&self, memo: u32, at: u32) -> bool {
        let page = self.index[memo as usize * self.pages_each + at as usize / PAGE];
        let bit = at as usize % PAGE;
        page != 0 && self.pages[page as usize - 1][bit / 64] & (1 << (bit % 64)) != 0
    }

    pub(super) fn add(&mut self, memo: u32, at: u32) {
        let entry = &mut self.index[memo as usize * self.pages_each + at as usize / PAGE];
        if *entry == 0 {
            self.pages.push([0; WORDS]);
            *entry = self.pages.len() as u32;
        }
        let bit = at as usize % PAGE;
        self.pages[*entry as usize - 1][bit / 64] |= 1 << (bit % 64);
    }

    /// Whether run `run` has failed from `at`; else, the first place from which it has, within `at..=end`.
    pub(super) fn run_failed(&self, run: u32, at: u32, end: u32) -> Result<(), Option<u32>> {
        let failed = &self.runs[run as usize];
        if failed.range(..=at).next_back().is_some_and(|(_, &high)| at <= high) {
            return Ok(());
        }
        Err(failed.range(at..=end).next().map(|(&low, _)| low))
    }

    /// The first place from which run `run` is known to have failed, in the interval around `at` or in the next one.
    pub(super) fn run_failed_near(&self, run: u32, at: u32) -> Option<u32> {
        let failed = &self.runs[run as usize];
        if let Some((&low, &high)) = failed.range(..=at).next_back()
            && at <= high
        {
            return Some(low);
        }
        failed.range(at..).next().map(|(&low, _)| low)
    }

    pub(super) fn add_run(&mut self, run: u32, low: u32, high: u32) {
        let failed = &mut self.runs[run as usize];
        // What lies inside is part of it now.
        let inside: Vec<u32> = failed.range(low..=high).map(|(&start, _)| start).collect();
        let mut high = high;
        for start in inside {
            high = high.max(failed.remove(&start).unwrap_or(high));
        }
        failed.insert(low, high);
    }

    /// The end of the run of `class` at `at`, looked for with `find`, which is told where it may stop, unless it is known.
    /// No place is looked at twice, in whatever order runs are asked for.
    pub(super) fn run_end(&mut self, class: u32, at: u32, find: impl FnOnce(Option<u32>) -> u32) -> u32 {
        let ends = &mut self.ends[class as usize];
        if let Some((_, &end)) = ends.range(..=at).next_back()
            && at < end
        {
            return end;
        }
        let next = ends.range(at..).next().map(|(&start, &end)| (start, end));
        let mut end = find(next.map(|(start, _)| start));
        if at < end {
            // What begins where this one ends is part of it.
            if let Some((start, end_of_next)) = next
                && start == end
            {
                ends.remove(&start);
                end = end_of_next;
            }
            ends.insert(at, end);
        }
        end
    }
}
