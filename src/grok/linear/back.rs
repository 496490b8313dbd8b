//! The part of the machine that backtracks to an open choice when a way has failed.

use super::machine::{End, Machine, Stop};
use super::memory::{Frame, Memory, Passed};
use super::op::At;

/// The most frames on the stack, 16 bytes each. A megabyte of input in nested loops needs ten million.
const MAX_FRAMES: usize = 16 << 20;
/// The largest size of the memo table, in bytes.
const MAX_OUTCOMES: usize = 128 << 20;

impl<const CAREFUL: bool> Machine<'_, CAREFUL> {
    /// Resumes the latest open choice. Returns the next instruction and the position.
    pub(super) fn resume(&mut self, since: &mut usize, at: usize, fence: &mut u32) -> Result<(At, usize), End> {
        if !self.memory.joins.has_failed() {
            self.end_first_way();
            if self.stops && !self.memory.frames.is_empty() {
                self.stopped = Some(Stop { at, since: *since, fence: *fence });
                return Err(End::NotFound);
            }
        }
        self.spend(*since, at);
        if self.budget == 0 {
            return Err(End::Work);
        }
        if self.memory.frames.len() > MAX_FRAMES || (CAREFUL && self.memory.outcomes.size() > MAX_OUTCOMES) {
            return Err(End::Memory);
        }
        loop {
            let (pc, at) = match self.memory.frames.pop() {
                None => return Err(End::NotFound),
                Some(Frame::Try { op, at }) => (op, at as usize),
                Some(Frame::Less { run, low, at }) => {
                    let (low, mut at) = (low as usize, at as usize);
                    if let Some(tried) = self.tried_from(run, low) {
                        at = at.min(tried.max(low));
                    }
                    match self.leave_earlier(run, low, at) {
                        Some(to) => {
                            self.clear(self.code.loops[run as usize].clears);
                            self.spend(to, at);
                            if to > low {
                                self.memory.frames.push(Frame::Less { run, low: low as u32, at: to as u32 });
                            }
                            (self.code.loops[run as usize].next, to)
                        }
                        None => {
                            self.spend(low, at);
                            continue;
                        }
                    }
                }
                Some(Frame::More { run, at, left }) => match self.leave_later(run, at as usize, left) {
                    Some(to) => {
                        self.clear(self.code.loops[run as usize].clears);
                        (self.code.loops[run as usize].next, to)
                    }
                    None => continue,
                },
                Some(Frame::Slot { slot, was }) => {
                    self.memory.mark(slot, was);
                    continue;
                }
                Some(Frame::Saved { capture, was }) => {
                    self.memory.places[capture as usize] = was;
                    continue;
                }
                Some(Frame::Register { register, was }) => {
                    self.memory.registers[register as usize] = was;
                    continue;
                }
                Some(Frame::Fence { outer, .. }) => {
                    *fence = outer;
                    continue;
                }
                Some(Frame::Failed { memo, at }) => {
                    self.memory.outcomes.fail(memo, at);
                    continue;
                }
                Some(Frame::FailedRun { run, low, high }) => {
                    self.memory.outcomes.fail_run(run, low, high);
                    continue;
                }
            };
            *since = at;
            return Ok((pc, at));
        }
    }

    /// Returns whether the machine has passed this join at `at` before, in another way or attempt. If it has not,
    /// records it.
    #[inline(always)]
    pub(super) fn passes(&mut self, join: u32, at: usize) -> bool {
        if self.memory.joins.has_failed() {
            return self.memory.joins.pass(join, at as u32);
        }
        self.memory.joins.on_way(Passed::Join { join, at: at as u32 });
        false
    }

    /// Ends the first way of the line: records the joins that it has passed.
    #[cold]
    pub(super) fn end_first_way(&mut self) {
        let Memory { joins, sites, .. } = &mut *self.memory;
        joins.fail();
        let mut index = 0;
        while let Some(passed) = joins.passed(index) {
            match passed {
                Passed::Join { join, at } => {
                    joins.pass(join, at);
                }
                Passed::Trace { site, trace, at } => {
                    let trace = sites[site as usize].get(trace);
                    for (join, at) in trace.into_iter().flat_map(|trace| trace.joins(at)) {
                        joins.pass(join, at);
                    }
                }
            }
            index += 1;
        }
    }

    /// Unsets the capture boundaries in a range of [`Code::clears`](super::op::Code::clears).
    pub(super) fn clear(&mut self, (start, end): (u32, u32)) {
        for &slot in &self.code.clears[start as usize..end as usize] {
            self.memory.clear(slot);
        }
    }
}
