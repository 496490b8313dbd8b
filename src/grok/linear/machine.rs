//! The machine: runs instructions over a line, and comes back to open choices when a way fails.
//!
//! There are two kinds of it, made from the same source. The fast one keeps no memory of failures and may spend a budget
//! that grows with the line; nearly every line is decided within it. When the budget is spent, the careful one begins
//! anew, with instructions in which each choice remembers where it failed: no choice is taken up twice in one place, so
//! that the work is the number of instructions times the length of the line at most.
//!
//! A failure is noted when all ways of a choice have been tried, not when it is entered: in an atomic group, a choice
//! that has led to the group's end is cut off and not noted, and the same place means the same again.

use super::chars::{decode, decode_last, has, word};
use super::groups::Known;
use super::memory::{self, Frame, Memory, Place};
use super::op::{At, Code, Content, Edge, NO_CAPTURE, Op};
use super::token::NO_END;

/// How an attempt or a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grok) enum End {
    Found,
    NotFound,
    /// More work than allowed.
    Work,
    /// More memory than allowed.
    Memory,
}

/// Bytes behind its end that a token may read without paying for them.
const FAR: usize = 64;

pub(super) struct Machine<'m, const CAREFUL: bool> {
    pub(super) code: &'m Code,
    pub(super) line: &'m [u8],
    pub(super) memory: &'m mut Memory,
    /// Work left, in bytes read and choices taken up.
    pub(super) budget: u64,
    /// Whether the first attempt is to stop when its first way has failed and others are open.
    pub(super) stops: bool,
    /// Where it has stopped: then it has found nothing so far.
    pub(super) stopped: Option<Stop>,
}

/// Where an attempt stands when a way has failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    pub(super) at: usize,
    /// Where the machine was when it last took up a choice.
    pub(super) since: usize,
    /// The number of frames inside of which the innermost atomic group or look-around began.
    pub(super) fence: u32,
}

impl<const CAREFUL: bool> Machine<'_, CAREFUL> {
    /// Whether the expression matches from `start` on, beginning with instruction `pc`. Captures are in the memory's
    /// slots then.
    #[inline]
    pub(super) fn attempt(&mut self, pc: At, start: usize) -> End {
        self.memory.frames.clear();
        self.walk(pc, Stop { at: start, since: start, fence: 0 })
    }

    /// Takes the other ways of an attempt that has stopped.
    pub(super) fn go_on(&mut self, stop: Stop) -> End {
        let Stop { at, mut since, mut fence } = stop;
        match self.resume(&mut since, at, &mut fence) {
            Ok((pc, at)) => self.walk(pc, Stop { at, since, fence }),
            Err(end) => end,
        }
    }

    /// Walks on from somewhere.
    fn walk(&mut self, mut pc: At, from: Stop) -> End {
        let code = self.code;
        let line = self.line;
        let Stop { mut at, mut since, mut fence } = from;
        loop {
            // An arm goes on with `continue`, or falls through: this way has failed.
            match code.ops[pc as usize] {
                Op::Byte { byte, next } => {
                    if line.get(at) == Some(&byte) {
                        at += 1;
                        pc = next;
                        continue;
                    }
                }
                Op::Text { start, end, next } => {
                    let text = &code.text[start as usize..end as usize];
                    if line.get(at..at + text.len()) == Some(text) {
                        at += text.len();
                        pc = next;
                        continue;
                    }
                }
                Op::One { class, next } => {
                    if let Some(length) = code.classes[class as usize].step(line, at) {
                        at += length;
                        pc = next;
                        continue;
                    }
                }
                Op::Run { class, min, next } => {
                    let end = self.run_end(class, at);
                    if end - at >= min as usize && (min < 2 || self.is_long_enough(class, at, min)) {
                        if CAREFUL {
                            // Its end is looked for once and remembered.
                            since += end - at;
                        }
                        at = end;
                        pc = next;
                        continue;
                    }
                }
                Op::Fields { start, end, next } => {
                    if self.fields(start, end, &mut at) {
                        pc = next;
                        continue;
                    }
                }
                Op::Shape { start, end, next } => {
                    let masks = &code.masks[start as usize..end as usize];
                    if let Some(bytes) = line.get(at..at + masks.len())
                        && code.bits.fit(bytes, masks)
                    {
                        at += masks.len();
                        pc = next;
                        continue;
                    }
                }
                Op::RunUpTo { class, min, max, next } => {
                    let (end, count) = code.classes[class as usize].run_counted(line, at, max);
                    if count >= min {
                        at = end;
                        pc = next;
                        continue;
                    }
                }
                Op::Token { token, next } => {
                    let (end, read) = code.tokens[token as usize].run(line, at);
                    if end != NO_END && self.affords(read, end) {
                        at = end;
                        pc = next;
                        continue;
                    }
                    at = read;
                }
                Op::Save { slot, next } => {
                    let Memory { places, frames, .. } = &mut *self.memory;
                    memory::save_slot(places, frames, slot, at as u32);
                    pc = next;
                    continue;
                }
                Op::Mark { slot, next } => {
                    self.memory.mark(slot, at as u32);
                    pc = next;
                    continue;
                }
                Op::Clear { start, end, next } => {
                    self.clear((start, end));
                    pc = next;
                    continue;
                }
                Op::Branch { table } => {
                    let byte = line.get(at).map_or(256, |&byte| usize::from(byte));
                    pc = code.tables[table as usize][byte];
                    continue;
                }
                Op::Split { first, other, memo } => match self.known(memo, at) {
                    Known::Nothing => {
                        self.memory.frames.push(Frame::Try { op: other, at: at as u32 });
                        pc = first;
                        continue;
                    }
                    Known::Won { end, at: to } => {
                        since += to - at;
                        (pc, at) = (end, to);
                        continue;
                    }
                    Known::Failed => {}
                },
                Op::Head { next, memo } => match self.known(memo, at) {
                    Known::Nothing => {
                        pc = next;
                        continue;
                    }
                    Known::Won { end, at: to } => {
                        since += to - at;
                        (pc, at) = (end, to);
                        continue;
                    }
                    Known::Failed => {}
                },
                Op::Greedy { run } | Op::Lazy { run } if let Some((end, to)) = self.leads(run, at) => {
                    since += to - at;
                    (pc, at) = (end, to);
                    continue;
                }
                Op::Greedy { run } => {
                    if let Some(to) = self.greedy(run, at) {
                        (at, pc) = (to, code.loops[run as usize].next);
                        continue;
                    }
                }
                Op::Lazy { run } => {
                    if let Some(to) = self.lazy(run, at) {
                        (at, pc) = (to, code.loops[run as usize].next);
                        continue;
                    }
                }
                Op::Trace { site, next } => {
                    (at, pc) = self.follow(site, next, at);
                    continue;
                }
                Op::Join { join, next } => {
                    if !self.passes(join, at) {
                        pc = next;
                        continue;
                    }
                }
                Op::RoundStart { register, next } => {
                    let was = std::mem::replace(&mut self.memory.registers[register as usize], at as u32);
                    self.memory.frames.push(Frame::Register { register, was });
                    pc = next;
                    continue;
                }
                Op::RoundEnd { register, again, exit } => {
                    pc = if self.memory.registers[register as usize] == at as u32 { exit } else { again };
                    continue;
                }
                Op::Edge { edge, next } => {
                    if is_edge(edge, line, at) {
                        pc = next;
                        continue;
                    }
                }
                Op::Boundary { inside, next } => {
                    if is_boundary(line, at) != inside {
                        pc = next;
                        continue;
                    }
                }
                Op::Ahead { class, negative, next } => {
                    if code.classes[class as usize].at(line, at) != negative {
                        pc = next;
                        continue;
                    }
                }
                Op::Behind { class, negative, next } => {
                    if code.classes[class as usize].before(line, at) != negative {
                        pc = next;
                        continue;
                    }
                }
                Op::Commit { next } => {
                    self.memory.frames.push(Frame::Fence { outer: fence, at: at as u32 });
                    fence = self.memory.frames.len() as u32;
                    pc = next;
                    continue;
                }
                Op::Committed { next } => {
                    self.win(fence, at);
                    (fence, _) = self.leave(fence);
                    pc = next;
                    continue;
                }
                Op::Look { next, otherwise, back } => {
                    let Some(from) = back_by(line, at, back) else {
                        if otherwise != At::MAX {
                            pc = otherwise;
                            continue;
                        }
                        match self.resume(&mut since, at, &mut fence) {
                            Ok(found) => (pc, at) = found,
                            Err(end) => return end,
                        }
                        continue;
                    };
                    if otherwise != At::MAX {
                        self.memory.frames.push(Frame::Try { op: otherwise, at: at as u32 });
                    }
                    self.memory.frames.push(Frame::Fence { outer: fence, at: at as u32 });
                    fence = self.memory.frames.len() as u32;
                    (pc, at) = (next, from);
                    continue;
                }
                Op::Seen { next } => {
                    self.spend(since, at);
                    // With nothing left, this way fails, and that is where it is noticed.
                    if self.budget > 0 {
                        self.win(fence, at);
                        (fence, at) = self.leave(fence);
                        since = at;
                        pc = next;
                        continue;
                    }
                }
                Op::Unwanted => {
                    self.spend(since, at);
                    self.win(fence, at);
                    (fence, at) = self.abandon(fence);
                    since = at;
                }
                Op::Match => return End::Found,
                Op::Fail => {}
            }
            match self.resume(&mut since, at, &mut fence) {
                Ok(found) => (pc, at) = found,
                Err(end) => return end,
            }
        }
    }

    /// Fields one after the other; where one is not there, `at` is where that was seen.
    #[inline(always)]
    fn fields(&mut self, start: u32, end: u32, at: &mut usize) -> bool {
        let (code, line) = (self.code, self.line);
        for field in &code.fields[start as usize..end as usize] {
            if field.length > 0 {
                if !field.fits(line, *at) {
                    return false;
                }
                *at += field.length;
            }
            let begin = *at;
            match field.content {
                Content::Nothing => continue,
                Content::Token(token) => match code.tokens[token as usize].run(line, begin) {
                    (NO_END, read) => {
                        *at = read;
                        return false;
                    }
                    (end, read) if self.affords(read, end) => *at = end,
                    _ => return false,
                },
                Content::Run { class, min } => {
                    *at = self.run_end(class, begin);
                    if *at - begin < min as usize {
                        return false;
                    }
                }
                Content::Shape { start, end } => {
                    let masks = &code.masks[start as usize..end as usize];
                    match line.get(begin..begin + masks.len()) {
                        Some(bytes) if code.bits.fit(bytes, masks) => *at += masks.len(),
                        _ => return false,
                    }
                }
            }
            if field.capture != NO_CAPTURE {
                self.save(field.capture, field.is_noted, begin, *at);
            }
        }
        true
    }

    /// Remembers a capture; what it was before is noted if that `is_noted` at all.
    #[inline(always)]
    fn save(&mut self, capture: u32, is_noted: bool, start: usize, end: usize) {
        let place = Place::new(start as u32, end as u32);
        if is_noted {
            let Memory { places, frames, .. } = &mut *self.memory;
            memory::save(places, frames, capture, place);
        } else {
            self.memory.places[capture as usize] = place;
        }
    }

    pub(super) fn spend(&mut self, since: usize, at: usize) {
        self.budget = self.budget.saturating_sub(at.abs_diff(since) as u64 + 8);
    }

    /// Whether there is work left when a token that ends at `end` was read up to `read`. A token of which the first way
    /// counts can look far ahead for it.
    #[inline(always)]
    pub(super) fn affords(&mut self, read: usize, end: usize) -> bool {
        read <= end + FAR || self.pay(read - end)
    }

    #[cold]
    pub(super) fn pay(&mut self, work: usize) -> bool {
        self.budget = self.budget.saturating_sub(work as u64);
        self.budget > 0
    }

    /// Forgets all captures.
    pub(super) fn reset(&mut self) {
        self.memory.places.fill(Place::NOWHERE);
    }
}

/// The place `count` characters before `at`.
fn back_by(line: &[u8], mut at: usize, count: u32) -> Option<usize> {
    for _ in 0..count {
        if at == 0 {
            return None;
        }
        at -= decode_last(line, at).1;
    }
    Some(at)
}

fn is_edge(edge: Edge, line: &[u8], at: usize) -> bool {
    match edge {
        Edge::Start => at == 0,
        Edge::End => at == line.len(),
        Edge::EndOrNewline => at == line.len() || (at + 1 == line.len() && line[at] == b'\n'),
        Edge::LineStart => at == 0 || (line[at - 1] == b'\n' && at < line.len()),
        Edge::LineEnd => line.get(at).is_none_or(|&byte| byte == b'\n'),
    }
}

fn is_boundary(line: &[u8], at: usize) -> bool {
    let is_word = |c: u32| match c {
        c if c < 0x80 => c as u8 == b'_' || (c as u8).is_ascii_alphanumeric(),
        c => has(word(), c),
    };
    let before = at > 0 && is_word(decode_last(line, at).0);
    let after = at < line.len() && is_word(decode(line, at).0);
    before != after
}
