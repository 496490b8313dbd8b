//! The machine's part that groups need of which only the first way counts: atomic groups and look-around.

use super::machine::Machine;
use super::memory::Frame;
use super::op::At;
use super::outcomes::WonRun;

/// What is known of a choice at a place.
pub(super) enum Known {
    Nothing,
    /// All its ways have failed there.
    Failed,
    /// It leads to the instruction `end`, the end of its group, at `at`.
    Won {
        end: At,
        at: usize,
    },
}

impl<const CAREFUL: bool> Machine<'_, CAREFUL> {
    /// What is known of the choice of `memo` at `at`. When it is nothing, what comes of it will be.
    #[inline(always)]
    pub(super) fn known(&mut self, memo: u32, at: usize) -> Known {
        if !CAREFUL {
            return Known::Nothing;
        }
        let place = at as u32;
        if self.memory.outcomes.has_failed(memo, place) {
            return Known::Failed;
        }
        if let Some(goal) = self.code.goals[memo as usize]
            && let Some(end) = self.memory.outcomes.won(goal.won, place)
        {
            return Known::Won { end: goal.end, at: end as usize };
        }
        self.memory.frames.push(Frame::Failed { memo, at: place });
        Known::Nothing
    }

    /// Where run `run` is known to lead from `at`: to the end of its group, and where that is.
    #[inline(always)]
    pub(super) fn leads(&self, run: u32, at: usize) -> Option<(At, usize)> {
        if !CAREFUL {
            return None;
        }
        let each = &self.code.loops[run as usize];
        let end = each.group?;
        let won = self.memory.outcomes.won_run(run, at as u32)?;
        let (low, count) = self.code.classes[each.class as usize].run_counted(self.line, at, each.min);
        (count == each.min && low <= won.left_at as usize).then_some((end, won.end as usize))
    }

    /// The innermost group has come to its end at `at`: notes which choices have led there.
    #[inline(always)]
    pub(super) fn win(&mut self, fence: u32, at: usize) {
        if CAREFUL {
            self.note_won(fence as usize, at as u32);
        }
    }

    fn note_won(&mut self, fence: usize, end: u32) {
        let (code, frames) = (self.code, &self.memory.frames);
        for (index, frame) in frames.iter().enumerate().skip(fence) {
            match *frame {
                Frame::Failed { memo, at } => {
                    if let Some(goal) = code.goals[memo as usize] {
                        self.memory.outcomes.win(goal.won, at, end);
                    }
                }
                Frame::FailedRun { run, low, .. } if code.loops[run as usize].group.is_some() => {
                    // Its own choice, if it has one left, stands right behind it.
                    let left_at = match frames.get(index + 1) {
                        Some(&(Frame::Less { run: of, at, .. } | Frame::More { run: of, at, .. })) if of == run => at,
                        _ => low,
                    };
                    self.memory.outcomes.win_run(run, low, WonRun { left_at, end });
                }
                _ => {}
            }
        }
    }

    /// Closes the innermost atomic group or look-around: its choices are settled. Answers the fence around it, and where
    /// it began.
    pub(super) fn leave(&mut self, fence: u32) -> (u32, usize) {
        let frames = &mut self.memory.frames;
        let mut kept = fence as usize;
        let Some(Frame::Fence { outer, at }) = kept.checked_sub(1).and_then(|last| frames.get(last)).copied() else {
            return (0, 0);
        };
        kept -= 1;
        // What was remembered must still be undone when what follows fails.
        for index in fence as usize..frames.len() {
            if matches!(frames[index], Frame::Slot { .. } | Frame::Saved { .. } | Frame::Register { .. }) {
                frames[kept] = frames[index];
                kept += 1;
            }
        }
        frames.truncate(kept);
        (outer, at as usize)
    }

    /// Closes the innermost look-around, which has found what must not be: what it remembered is undone, and its other
    /// way out goes as well.
    pub(super) fn abandon(&mut self, fence: u32) -> (u32, usize) {
        while self.memory.frames.len() >= fence as usize {
            match self.memory.frames.pop() {
                Some(Frame::Slot { slot, was }) => self.memory.mark(slot, was),
                Some(Frame::Saved { capture, was }) => self.memory.places[capture as usize] = was,
                Some(Frame::Register { register, was }) => self.memory.registers[register as usize] = was,
                Some(Frame::Fence { outer, at }) if self.memory.frames.len() + 1 == fence as usize => {
                    self.memory.frames.pop();
                    return (outer, at as usize);
                }
                Some(_) => {}
                None => break,
            }
        }
        (0, 0)
    }
}
