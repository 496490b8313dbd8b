//! The memo table of the careful machine. It holds the (choice, position) pairs that have failed, and the pairs that
//! have led to the end of the enclosing group.
//!
//! The outcome of a choice at a position does not depend on the way that led there. So a choice that has failed at a
//! position fails there for the rest of the line. The same holds for success inside a look-around or an atomic group: a
//! choice that has led to the group's end from a position leads there again. If nothing is captured in between, the
//! machine can jump to the group's end.
//!
//! A *memo* is the number of a row in the table. To *win* means to reach the end of the group.

use std::collections::BTreeMap;

use super::op::{Code, Won};

/// The memo table of one line.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    /// For each memo: the positions where the choice has failed. For [`Won::At`]: the positions where it has won.
    bits: Pages<[u64; WORDS]>,
    /// For each [`Won::Ending`] and position of the choice: one plus the position where the group ends, or 0 if it is
    /// unknown.
    ends_of_groups: Pages<[u32; PAGE]>,
    /// For each run: the intervals of start positions at which it has failed, as a map from the first to the last
    /// position.
    failed_runs: Vec<BTreeMap<u32, u32>>,
    /// For each run: the start positions at which it has won.
    won_runs: Vec<BTreeMap<u32, WonRun>>,
    /// For each class: the known runs of its characters, as a map from start to end.
    ends: Vec<BTreeMap<u32, u32>>,
}

/// The success of a run: where the run ended, and where its group ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct WonRun {
    /// Where the run ended. A run that starts anywhere up to this position wins in the same way.
    pub(super) left_at: u32,
    /// Where the group ends.
    pub(super) end: u32,
}

/// Number of words in a page, and number of positions in a page.
const WORDS: usize = 64;
const PAGE: usize = 64 * WORDS;

/// A table of rows, one entry per position of the line. Its pages are allocated at first use.
#[derive(Debug)]
struct Pages<P> {
    /// For each row and page: one plus the index of the page in `pages`, or 0 if the page is not allocated.
    index: Vec<u32>,
    /// The number of pages of a row.
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
    /// Allocates the tables that `code` needs for a line of `length` bytes.
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

    /// Frees the memory of a long line.
    pub(super) fn release(&mut self) {
        *self = Outcomes::default();
    }

    /// Returns the size of the tables with one entry per position, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bits.size() + self.ends_of_groups.size()
    }

    /// Returns whether the choice of `memo` has failed at `at`.
    pub(super) fn has_failed(&self, memo: u32, at: u32) -> bool {
        self.bits.has(memo, at)
    }

    /// Records that all ways of the choice of `memo` have failed at `at`.
    pub(super) fn fail(&mut self, memo: u32, at: u32) {
        self.bits.add(memo, at);
    }

    /// Returns the end of the group that the choice reaches from `at`, if it is known. For a look-around, the end does
    /// not matter, and the result is `at`.
    pub(super) fn won(&self, won: Won, at: u32) -> Option<u32> {
        match won {
            Won::At { memo } => self.bits.has(memo, at).then_some(at),
            Won::Ending { number } => self.ends_of_groups.page(number, at)?[at as usize % PAGE].checked_sub(1),
        }
    }

    /// Records that a choice at `at` has reached the end of its group at `end`.
    pub(super) fn win(&mut self, won: Won, at: u32, end: u32) {
        match won {
            Won::At { memo } => self.bits.add(memo, at),
            Won::Ending { number } => {
                self.ends_of_groups.page_mut(number, at, || [0; PAGE])[at as usize % PAGE] = end + 1;
            }
        }
    }

    /// Returns how run `run` wins from `at`, if a run that starts at `at` or before has won.
    pub(super) fn won_run(&self, run: u32, at: u32) -> Option<WonRun> {
        let (_, won) = self.won_runs[run as usize].range(..=at).next_back()?;
        (at <= won.left_at).then_some(*won)
    }

    /// Records that run `run` has won from `at`.
    pub(super) fn win_run(&mut self, run: u32, at: u32, won: WonRun) {
        self.won_runs[run as usize].insert(at, won);
    }

    /// Returns `Ok` if run `run` has failed from `at`. Otherwise, the error is the first position of `at..=end` from
    /// which the run has failed, if there is one.
    pub(super) fn run_failed(&self, run: u32, at: u32, end: u32) -> Result<(), Option<u32>> {
        let failed = &self.failed_runs[run as usize];
        if failed.range(..=at).next_back().is_some_and(|(_, &high)| at <= high) {
            return Ok(());
        }
        Err(failed.range(at..=end).next().map(|(&low, _)| low))
    }

    /// Returns the first position from which run `run` has failed: in the interval that contains `at`, or in the next
    /// one.
    pub(super) fn run_failed_near(&self, run: u32, at: u32) -> Option<u32> {
        let failed = &self.failed_runs[run as usize];
        if let Some((&low, &high)) = failed.range(..=at).next_back()
            && at <= high
        {
            return Some(low);
        }
        failed.range(at..).next().map(|(&low, _)| low)
    }

    /// Records that run `run` has failed from every position of `low..=high`.
    pub(super) fn fail_run(&mut self, run: u32, low: u32, high: u32) {
        let failed = &mut self.failed_runs[run as usize];
        // The new interval absorbs the intervals that start inside it.
        let inside: Vec<u32> = failed.range(low..=high).map(|(&start, _)| start).collect();
        let mut high = high;
        for start in inside {
            high = high.max(failed.remove(&start).unwrap_or(high));
        }
        failed.insert(low, high);
    }

    /// Returns the end of the run of `class` that starts at `at`. If it is unknown, calls `find` with the position
    /// where the next known run starts; `find` may stop there. No position is read twice, in whatever order the caller
    /// asks.
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
            // A known run that starts at the end of this run belongs to the same run.
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
