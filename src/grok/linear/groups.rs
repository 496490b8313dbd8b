//! The part of the machine that handles atomic groups and look-around. Only the first way through such a group counts.

use super::machine::Machine;
use super::memory::Frame;
use super::op::At;
use super::outcomes::WonRun;

/// The entry of the memo table for a choice at a position.
pub(super) enum Known {
    Nothing,
    /// All ways of the choice have failed there.
    Failed,
    /// The choice leads to the end of its group: to instruction `end` at position `at`.
    Won {
        end: At,
        at: usize,
    },
}

impl<const CAREFUL: bool> Machine<'_, CAREFUL> {
    /// Looks up the memo table: whether choice `memo` has failed or won at position `at`. If the table has no entry,
    /// pushes a frame that records the outcome later.
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

    /// Looks up whether run `run` has won from `at`. If it has, returns the end of its group: the instruction and the
    /// position.
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

    /// Handles the success of the innermost group at `at`: records which choices led there.
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
                    // The frame of an open choice of the run directly follows this one.
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

    /// Closes the innermost atomic group or look-around and discards its open choices. Returns the fence of the group
    /// around it, and the position where the closed group started.
    pub(super) fn leave(&mut self, fence: u32) -> (u32, usize) {
        let frames = &mut self.memory.frames;
        let mut kept = fence as usize;
        let Some(Frame::Fence { outer, at }) = kept.checked_sub(1).and_then(|last| frames.get(last)).copied() else {
            return (0, 0);
        };
        kept -= 1;
        // The old values of captures and registers stay on the stack, because a later failure must still restore them.
        for index in fence as usize..frames.len() {
            if matches!(frames[index], Frame::Slot { .. } | Frame::Saved { .. } | Frame::Register { .. }) {
                frames[kept] = frames[index];
                kept += 1;
            }
        }
        frames.truncate(kept);
        (outer, at as usize)
    }

    /// Closes the innermost negative look-around after its content has matched. Restores the captures and registers
    /// that it has changed, and removes the open choice of the look-around itself. Returns the same as `leave`.
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
