//! What came of choices, for the careful machine: where they have failed, and where they have led to the end of the group
//! that they stand in.
//!
//! What follows from a choice at a place does not depend on the way that led there. So a choice that has failed somewhere
//! has failed there for the rest of the line. One inside of a group of which only the first way counts (a look-around, an
//! atomic group) that has led to the group's end leads there again: as long as nothing is captured on that way, there is
//! no need to walk it once more.

use std::collections::BTreeMap;

use super::op::{Code, Won};

/// What came of the choices of one line.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    /// By memo: the places at which a choice has failed; for [`Won::At`], those at which it has come to an end.
    bits: Pages<[u64; WORDS]>,
    /// By number of [`Won::Ending`]: by place, where the group ends, and one; 0 where that is not known.
    ends_of_groups: Pages<[u32; PAGE]>,
    /// By run: intervals of places from which it has failed, by their beginnings.
    failed_runs: Vec<BTreeMap<u32, u32>>,
    /// By run: the places from which it has led to the end of its group, by their beginnings.
    won_runs: Vec<BTreeMap<u32, WonRun>>,
    /// By class: where the runs are that have been looked at.
    ends: Vec<BTreeMap<u32, u32>>,
}

/// How a run has led to the end of its group.
#[derive(Debug, Clone, Copy)]
pub(super) struct WonRun {
    /// Where the run was left: from any place up to there, the same would come of it.
    pub(super) left_at: u32,
    /// Where the group ends.
    pub(super) end: u32,
}

/// The words of a page, and the places of one.
const WORDS: usize = 64;
const PAGE: usize = 64 * WORDS;

/// Rows of places, in pages that are made when they are touched.
#[derive(Debug)]
struct Pages<P> {
    /// By row, by page of places: the number of the page and one, or 0.
    index: Vec<u32>,
    /// The pages of a row.
    each: usize,
    pages: Vec<P>,
}

impl<P> Default for Pages<P> {
    fn default() -> Self {
        Pages { index: Vec::new(), each: 0, pages: Vec::new() }
    }
}

impl<P> Pages<P> {
    fn prepare(&mut self, rows: u32, length: usize) {
        self.each = length / PAGE + 1;
        self.index.clear();
        self.index.resize(self.each * rows as usize, 0);
        self.pages.clear();
    }

    fn size(&self) -> usize {
        self.index.len() * size_of::<u32>() + self.pages.len() * size_of::<P>()
    }

    fn page(&self, row: u32, at: u32) -> Option<&P> {
        let page = self.index[row as usize * self.each + at as usize / PAGE];
        self.pages.get((page as usize).wrapping_sub(1))
    }

    fn page_mut(&mut self, row: u32, at: u32, new: impl FnOnce() -> P) -> &mut P {
        let entry = &mut self.index[row as usize * self.each + at as usize / PAGE];
        if *entry == 0 {
            self.pages.push(new());
            *entry = self.pages.len() as u32;
        }
        &mut self.pages[*entry as usize - 1]
    }
}

impl Pages<[u64; WORDS]> {
    fn has(&self, row: u32, at: u32) -> bool {
        let bit = at as usize % PAGE;
        self.page(row, at).is_some_and(|page| page[bit / 64] & (1 << (bit % 64)) != 0)
    }

    fn add(&mut self, row: u32, at: u32) {
        let bit = at as usize % PAGE;
        self.page_mut(row, at, || [0; WORDS])[bit / 64] |= 1 << (bit % 64);
    }
}

impl Outcomes {
    /// Makes room for what `code` notes of a line of `length` bytes.
    pub(super) fn prepare(&mut self, code: &Code, length: usize) {
        self.bits.prepare(code.memos, length);
        self.ends_of_groups.prepare(code.endings, length);
        self.failed_runs.clear();
        self.failed_runs.resize(code.loops.len(), BTreeMap::new());
        self.won_runs.clear();
        self.won_runs.resize(code.loops.len(), BTreeMap::new());
        self.ends.clear();
        self.ends.resize(code.classes.len(), BTreeMap::new());
    }

    /// Gives back what a long line took.
    pub(super) fn release(&mut self) {
        *self = Outcomes::default();
    }

    /// Bytes that are in use for what is noted place by place.
    pub(super) fn size(&self) -> usize {
        self.bits.size() + self.ends_of_groups.size()
    }

    /// Whether the choice of `memo` has failed at `at`.
    pub(super) fn has_failed(&self, memo: u32, at: u32) -> bool {
        self.bits.has(memo, at)
    }

    /// All ways of the choice of `memo` have failed at `at`.
    pub(super) fn fail(&mut self, memo: u32, at: u32) {
        self.bits.add(memo, at);
    }

    /// Where the group ends to which the choice leads from `at`, if that is known. Of a look-around, the end is nobody's
    /// business: it is `at`.
    pub(super) fn won(&self, won: Won, at: u32) -> Option<u32> {
        match won {
            Won::At { memo } => self.bits.has(memo, at).then_some(at),
            Won::Ending { number } => self.ends_of_groups.page(number, at)?[at as usize % PAGE].checked_sub(1),
        }
    }

    /// A choice at `at` has led to the end of its group at `end`.
    pub(super) fn win(&mut self, won: Won, at: u32, end: u32) {
        match won {
            Won::At { memo } => self.bits.add(memo, at),
            Won::Ending { number } => {
                self.ends_of_groups.page_mut(number, at, || [0; PAGE])[at as usize % PAGE] = end + 1;
            }
        }
    }

    /// How run `run` is known to lead from `at`, or a place before it, to the end of its group.
    pub(super) fn won_run(&self, run: u32, at: u32) -> Option<WonRun> {
        let (_, won) = self.won_runs[run as usize].range(..=at).next_back()?;
        (at <= won.left_at).then_some(*won)
    }

    /// Run `run` has led from `at` to the end of its group.
    pub(super) fn win_run(&mut self, run: u32, at: u32, won: WonRun) {
        self.won_runs[run as usize].insert(at, won);
    }

    /// Whether run `run` has failed from `at`; else, the first place from which it has, within `at..=end`.
    pub(super) fn run_failed(&self, run: u32, at: u32, end: u32) -> Result<(), Option<u32>> {
        let failed = &self.failed_runs[run as usize];
        if failed.range(..=at).next_back().is_some_and(|(_, &high)| at <= high) {
            return Ok(());
        }
        Err(failed.range(at..=end).next().map(|(&low, _)| low))
    }

    /// The first place from which run `run` is known to have failed, in the interval around `at` or in the next one.
    pub(super) fn run_failed_near(&self, run: u32, at: u32) -> Option<u32> {
        let failed = &self.failed_runs[run as usize];
        if let Some((&low, &high)) = failed.range(..=at).next_back()
            && at <= high
        {
            return Some(low);
        }
        failed.range(at..).next().map(|(&low, _)| low)
    }

    /// Run `run` has failed from every place of `low..=high`.
    pub(super) fn fail_run(&mut self, run: u32, low: u32, high: u32) {
        let failed = &mut self.failed_runs[run as usize];
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
