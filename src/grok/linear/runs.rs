//! The part of the machine that handles runs of characters: where a run ends, and at which positions it can end
//! earlier.

use super::chars::decode_last;
use super::machine::Machine;
use super::memory::Frame;
use super::op::Exit;

impl<const CAREFUL: bool> Machine<'_, CAREFUL> {
    /// Returns the position from which all ends of `run` have been tried already. The result follows from the nearest
    /// known start, at `at` or after it, from which the run has failed. For runs with an upper limit, returns `None`.
    pub(super) fn tried_from(&self, run: u32, at: usize) -> Option<usize> {
        let each = &self.code.loops[run as usize];
        if !CAREFUL || each.max != u32::MAX {
            return None;
        }
        let known = self.memory.outcomes.run_failed_near(run, at as u32)?;
        let (low, count) = self.code.classes[each.class as usize].run_counted(self.line, known as usize, each.min);
        (count == each.min).then_some(low)
    }

    #[inline]
    pub(super) fn run_end(&mut self, class: u32, at: usize) -> usize {
        let (classes, line) = (&self.code.classes, self.line);
        if !CAREFUL {
            return classes[class as usize].run(line, at);
        }
        // `find` may cut the line at the start of another run: that position is a character boundary.
        let find = |limit: Option<u32>| {
            let line = limit.map_or(line, |limit| &line[..limit as usize]);
            classes[class as usize].run(line, at) as u32
        };
        self.memory.outcomes.run_end(class, at as u32, find) as usize
    }

    /// Returns whether the run has at least `min` characters. A character can have several bytes.
    pub(super) fn is_long_enough(&self, class: u32, at: usize, min: u32) -> bool {
        self.code.classes[class as usize].run_counted(self.line, at, min).1 >= min
    }

    /// Starts a greedy run. Returns the first end that it tries.
    pub(super) fn greedy(&mut self, run: u32, at: usize) -> Option<usize> {
        let code = self.code;
        let each = &code.loops[run as usize];
        let class = &code.classes[each.class as usize];
        let low = match each.min {
            0 => at,
            1 => at + class.step(self.line, at)?,
            min => match class.run_counted(self.line, at, min) {
                (low, count) if count == min => low,
                _ => return None,
            },
        };
        let end = match each.max {
            u32::MAX => self.run_end(each.class, at).max(low),
            max => class.run_counted(self.line, at, max).0,
        };
        let mut high = end;
        if CAREFUL && each.max == u32::MAX {
            match self.memory.outcomes.run_failed(run, at as u32, end as u32) {
                Ok(()) => return None,
                Err(known) => {
                    self.memory.frames.push(Frame::FailedRun { run, low: at as u32, high: end as u32 });
                    if known.is_some()
                        && let Some(tried) = self.tried_from(run, at)
                    {
                        if tried <= low {
                            return None;
                        }
                        high = high.min(tried - decode_last(self.line, tried).1);
                    }
                }
            }
        }
        if each.exit.allows(self.line, high) {
            if high > low {
                self.memory.frames.push(Frame::Less { run, low: low as u32, at: high as u32 });
            }
            return Some(high);
        }
        self.spend(at, high);
        let to = self.leave_earlier(run, low, high)?;
        if to > low {
            self.memory.frames.push(Frame::Less { run, low: low as u32, at: to as u32 });
        }
        Some(to)
    }

    /// Returns the last position of `low..at` at which the run can end.
    pub(super) fn leave_earlier(&mut self, run: u32, low: usize, mut at: usize) -> Option<usize> {
        let exit = &self.code.loops[run as usize].exit;
        if let Exit::Byte(byte) = exit {
            // An ASCII byte is never part of a longer character.
            return memchr::memrchr(*byte, &self.line[low..at]).map(|found| low + found);
        }
        while at > low {
            at -= decode_last(self.line, at).1;
            if exit.allows(self.line, at) {
                return Some(at);
            }
        }
        None
    }

    /// Starts a lazy run. Returns the first end that it tries.
    pub(super) fn lazy(&mut self, run: u32, at: usize) -> Option<usize> {
        let each = &self.code.loops[run as usize];
        let class = &self.code.classes[each.class as usize];
        let (low, count) = if each.min == 0 { (at, 0) } else { class.run_counted(self.line, at, each.min) };
        if count < each.min {
            return None;
        }
        let left = if each.max == u32::MAX { u32::MAX } else { each.max - each.min };
        if CAREFUL && each.max == u32::MAX {
            let end = self.run_end(each.class, at).max(low);
            if self.memory.outcomes.run_failed(run, at as u32, end as u32).is_ok() {
                return None;
            }
            self.memory.frames.push(Frame::FailedRun { run, low: at as u32, high: end as u32 });
            if self.tried_from(run, at).is_some_and(|tried| tried <= low) {
                return None;
            }
        }
        if each.exit.allows(self.line, low) {
            self.memory.frames.push(Frame::More { run, at: low as u32, left });
            return Some(low);
        }
        self.leave_later(run, low, left)
    }

    /// Returns the next position after `at` at which the lazy run can end, at most `left` characters later. The choice
    /// stays open.
    pub(super) fn leave_later(&mut self, run: u32, mut at: usize, mut left: u32) -> Option<usize> {
        let (code, line) = (self.code, self.line);
        let each = &code.loops[run as usize];
        let class = &code.classes[each.class as usize];
        let from = at;
        let tried = self.tried_from(run, at).unwrap_or(usize::MAX);
        if let (Exit::Byte(byte), u32::MAX) = (&each.exit, left) {
            let end = self.run_end(each.class, at);
            // The run ends before this byte, and the byte may stand right after the last character of the run.
            let until = line.len().min(end + 1);
            let found = line.get(at + 1..until).and_then(|rest| memchr::memchr(*byte, rest));
            self.spend(from, found.map_or(end, |found| at + found));
            let to = at + 1 + found?;
            if to >= tried {
                return None;
            }
            self.memory.frames.push(Frame::More { run, at: to as u32, left });
            return Some(to);
        }
        while left > 0 {
            let Some(length) = class.step(line, at).filter(|length| at + length < tried) else { break };
            at += length;
            left -= u32::from(left != u32::MAX);
            if each.exit.allows(line, at) {
                self.spend(from, at);
                self.memory.frames.push(Frame::More { run, at: at as u32, left });
                return Some(at);
            }
        }
        self.spend(from, at);
        None
    }
}
