//! The machine: runs instructions over a line, and backtracks to the latest open choice when a way fails.
//!
//! There are two kinds of machine, made from the same source. The fast one remembers no failures and has a budget that
//! grows with the line. It decides nearly every line within that budget. When the budget is spent, the careful machine
//! starts the line again. It memoizes failures: for each choice, the positions where the choice has failed. It tries no
//! choice twice at one position, so its work is at most the number of instructions times the length of the line.
//!
//! The careful machine records a failure when all ways of a choice have failed, not when it enters the choice. The
//! reason: an atomic group discards the open choices in it when it succeeds. Such a choice has not failed, and at the
//! same position it succeeds again.

use super::chars::{decode, decode_last, has, word};
use super::groups::Known;
use super::memory::{self, Frame, Memory, PackedSpan};
use super::op::{At, Code, Content, Edge, NO_CAPTURE, Op};
use super::token::NO_END;

/// The result of an attempt or a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grok) enum End {
    Found,
    NotFound,
    /// The work exceeded the budget.
    Work,
    /// The memory exceeded its limit.
    Memory,
}

/// Number of bytes after a token's end that the token may read without using up budget.
const FAR: usize = 64;

pub(super) struct Machine<'m, const CAREFUL: bool> {
    pub(super) code: &'m Code,
    pub(super) line: &'m [u8],
    pub(super) memory: &'m mut Memory,
    /// Remaining budget, in bytes read and choices resumed.
    pub(super) budget: u64,
    /// Whether the attempt pauses when its first way has failed and other ways are open.
    pub(super) stops: bool,
    /// The state of the attempt when it paused. At that point it has found no match.
    pub(super) stopped: Option<Stop>,
}

/// The state of an attempt after a way has failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    pub(super) at: usize,
    /// The position where the latest choice was resumed. The work since then is not yet charged to the budget.
    pub(super) since: usize,
    /// The height of the stack at the start of the innermost atomic group or look-around: the *fence*.
    pub(super) fence: u32,
}

impl<const CAREFUL: bool> Machine<'_, CAREFUL> {
    /// Tries to match the expression at `start`, beginning with instruction `pc`. On success, the captures are in
    /// `self.memory.places`.
    #[inline]
    pub(super) fn attempt(&mut self, pc: At, start: usize) -> End {
        self.memory.frames.clear();
        self.walk(pc, Stop { at: start, since: start, fence: 0 })
    }

    /// Continues a paused attempt with its other ways.
    pub(super) fn go_on(&mut self, stop: Stop) -> End {
        let Stop { at, mut since, mut fence } = stop;
        match self.resume(&mut since, at, &mut fence) {
            Ok((pc, at)) => self.walk(pc, Stop { at, since, fence }),
            Err(end) => end,
        }
    }

    /// Runs instructions from the given state until the attempt ends.
    fn walk(&mut self, mut pc: At, from: Stop) -> End {
        let code = self.code;
        let line = self.line;
        let Stop { mut at, mut since, mut fence } = from;
        loop {
            // An arm that succeeds ends with `continue`. An arm that falls through means that this way has failed.
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
                            // The end of the run is computed once and cached, so it costs no budget.
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
                    // When the budget is spent, this way fails, and `resume` reports it.
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
                Op::Match => {
                    self.memory.matched.1 = at as u32;
                    return End::Found;
                }
                Op::Fail => {}
            }
            match self.resume(&mut since, at, &mut fence) {
                Ok(found) => (pc, at) = found,
                Err(end) => return end,
            }
        }
    }

    /// Matches the fields `start..end` one after the other. If a field does not match, `at` is the position where that
    /// was seen.
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

    /// Sets a capture. If `is_noted`, the old value goes onto the stack of frames.
    #[inline(always)]
    fn save(&mut self, capture: u32, is_noted: bool, start: usize, end: usize) {
        let place = PackedSpan::new(start as u32, end as u32);
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

    /// Returns whether budget is left after a token that ends at `end` and was read up to `read`. A token takes the
    /// first way that matches, so it may read far beyond its end to decide which way that is.
    #[inline(always)]
    pub(super) fn affords(&mut self, read: usize, end: usize) -> bool {
        read <= end + FAR || self.pay(read - end)
    }

    #[cold]
    pub(super) fn pay(&mut self, work: usize) -> bool {
        self.budget = self.budget.saturating_sub(work as u64);
        self.budget > 0
    }

    /// Clears all captures.
    pub(super) fn reset(&mut self) {
        self.memory.places.fill(PackedSpan::NOWHERE);
    }
}

/// Returns the position `count` characters before `at`.
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
