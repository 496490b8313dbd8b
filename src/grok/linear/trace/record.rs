//! Records a trace: runs the machine's instructions over a stretch of a line and notes what the result depends on.
//!
//! Each instruction does the same as in the machine, with two differences. For each byte that it reads, the recorder
//! finds the range of bytes for which nothing changes. Where the machine writes to its memory, the recorder appends to
//! a list of effects. The trace ends where ranges do not determine the result: at the end of the line, at a character
//! beyond ASCII, or outside the window.

use super::super::chars::Class;
use super::super::memory::PackedSpan;
use super::super::op::{At, Code, Content, Edge, Field, NO_CAPTURE, Op};
use super::super::token::{NO_END, Token};
use super::super::window::{Fit, HIGHEST, LOWEST, WINDOW, narrowed};
use super::{Effect, Join, MAX_CAPTURES, MAX_EFFECTS, NONE_ENDS, Trace};

/// The most instructions of a trace.
const MAX_STEPS: usize = 256;
/// The fewest bytes of a trace; a shorter one saves no time.
const LEAST: usize = 4;
/// The most characters of free text in a trace. Longer texts differ from line to line.
const FREE: usize = 3;

/// The result of an instruction.
enum Way {
    /// It succeeds: the new position, and the next instruction.
    On(usize, At),
    /// It fails.
    Fails,
}

/// A trace under construction. It owns no heap memory, so a plain copy saves and restores it.
#[derive(Clone, Copy)]
struct Recorder<'r> {
    code: &'r Code,
    line: &'r [u8],
    start: usize,
    /// For each byte of the window: the lowest and the highest byte that fit.
    low: [u8; WINDOW],
    high: [u8; WINDOW],
    looked: usize,
    at_start: bool,
    ends: u16,
    end: u8,
    captured: [(u32, PackedSpan); MAX_CAPTURES],
    captures: usize,
    effects: [Effect; MAX_EFFECTS],
    count: usize,
    joins: [Join; MAX_EFFECTS],
    joined: usize,
    /// For each effect: the number of captures and of joins before it.
    before: [(usize, usize); MAX_EFFECTS],
}

/// Records the trace that begins with instruction `pc` at `start`. Returns `None` if it would be too short.
pub(super) fn record(code: &Code, line: &[u8], start: usize, pc: At) -> Option<Trace> {
    let mut recorder = Recorder {
        code,
        line,
        start,
        low: LOWEST,
        high: HIGHEST,
        looked: 0,
        at_start: false,
        ends: NONE_ENDS,
        end: 0,
        captured: [(0, PackedSpan::NOWHERE); MAX_CAPTURES],
        captures: 0,
        effects: [Effect::Mark { slot: 0, at: 0 }; MAX_EFFECTS],
        count: 0,
        joins: [Join { join: 0, at: 0 }; MAX_EFFECTS],
        joined: 0,
        before: [(0, 0); MAX_EFFECTS],
    };
    let (mut at, mut pc) = (start, pc);
    for _ in 0..MAX_STEPS {
        let before = recorder;
        let on = match recorder.step(pc, at) {
            Some(Way::On(at, pc)) => Some((at, pc)),
            Some(Way::Fails) => recorder.resume(),
            None => None,
        };
        match on {
            Some(on) => (at, pc) = on,
            None => {
                recorder = before;
                break;
            }
        }
    }
    let taken = at - start;
    (taken >= LEAST).then(|| Trace {
        fit: Fit::new(recorder.low, &recorder.high),
        looked: recorder.looked as u8,
        taken: taken as u8,
        at_start: recorder.at_start,
        next: pc,
        ends: recorder.ends,
        end: recorder.end,
        captured: recorder.captured,
        captures: recorder.captures as u8,
        effects: recorder.effects,
        count: recorder.count as u8,
        joins: recorder.joins,
        joined: recorder.joined as u8,
    })
}

impl Recorder<'_> {
    /// Runs one instruction. Returns `None` if the trace has to end before it.
    fn step(&mut self, pc: At, at: usize) -> Option<Way> {
        let code = self.code;
        let on = |holds: bool, at: usize, next: At| if holds { Way::On(at, next) } else { Way::Fails };
        Some(match code.ops[pc as usize] {
            Op::Byte { byte, next } => on(self.sees(at, |b| b == byte)?, at + 1, next),
            Op::Text { start, end, next } => {
                let text = &code.text[start as usize..end as usize];
                on(self.text(text, at)?, at + text.len(), next)
            }
            Op::One { class, next } => on(self.is_of(class, at)?, at + 1, next),
            Op::Run { class, min, next } => {
                let end = self.run(class, at, u32::MAX)?;
                on(end - at >= min as usize, end, next)
            }
            Op::RunUpTo { class, min, max, next } => {
                let end = self.run(class, at, max)?;
                on(end - at >= min as usize, end, next)
            }
            Op::Fields { start, end, next } => {
                let mut at = at;
                for field in &code.fields[start as usize..end as usize] {
                    match self.field(field, at)? {
                        Some(end) => at = end,
                        None => return Some(Way::Fails),
                    }
                }
                Way::On(at, next)
            }
            Op::Shape { start, end, next } => on(self.shape(start, end, at)?, at + (end - start) as usize, next),
            Op::Token { token, next } => match self.token(token, at)? {
                Some(end) => Way::On(end, next),
                None => Way::Fails,
            },
            Op::Join { join, next } => {
                *self.joins.get_mut(self.joined)? = Join { join, at: self.place(at) };
                self.joined += 1;
                Way::On(at, next)
            }
            Op::Save { slot, next } => {
                self.note(Effect::Slot { slot, at: self.place(at) })?;
                Way::On(at, next)
            }
            Op::Mark { slot, next } => {
                self.mark(slot, self.place(at))?;
                Way::On(at, next)
            }
            // `resume` has already removed the captures of the failed way.
            Op::Clear { next, .. } => Way::On(at, next),
            Op::Split { first, other, .. } => {
                self.note(Effect::Try { op: other, at: self.place(at) })?;
                Way::On(at, first)
            }
            Op::Branch { table } => {
                let table = &code.tables[table as usize];
                let next = table[usize::from(*self.line.get(at)?)];
                self.sees(at, |b| table[usize::from(b)] == next)?;
                Way::On(at, next)
            }
            Op::Greedy { run } => return self.greedy(run, at),
            Op::Edge { edge, next } => on(self.edge(edge, at)?, at, next),
            Op::Boundary { inside, next } => {
                let word = |b: u8| b == b'_' || b.is_ascii_alphanumeric();
                let before = self.before(at, word)?;
                on((before != self.sees_ascii(at, word)?) != inside, at, next)
            }
            Op::Ahead { class, negative, next } => on(self.is_of(class, at)? != negative, at, next),
            Op::Behind { class, negative, next } => {
                let class = &code.classes[class as usize];
                on(self.before(at, |b| class.has_ascii(b))? != negative, at, next)
            }
            Op::Trace { next, .. } => Way::On(at, next),
            Op::Fail => Way::Fails,
            Op::Head { .. }
            | Op::Lazy { .. }
            | Op::RoundStart { .. }
            | Op::RoundEnd { .. }
            | Op::Commit { .. }
            | Op::Committed { .. }
            | Op::Look { .. }
            | Op::Seen { .. }
            | Op::Unwanted
            | Op::Match => return None,
        })
    }

    /// Resumes the latest open choice of the trace. Returns `None` if there is none.
    fn resume(&mut self) -> Option<(usize, At)> {
        loop {
            self.count = self.count.checked_sub(1)?;
            let (captures, joined) = self.before[self.count];
            // The failed way has passed a join. The machine must record that, and a trace cannot express it.
            if self.joined > joined {
                return None;
            }
            self.captures = captures;
            match self.effects[self.count] {
                Effect::Try { op, at } => return Some((self.start + usize::from(at), op)),
                Effect::Less { run, low, at } => {
                    let (low, at) = (self.start + usize::from(low), self.start + usize::from(at));
                    if let Some(to) = self.leave_earlier(run, low, at)? {
                        return Some((to, self.code.loops[run as usize].next));
                    }
                }
                Effect::Save { .. } | Effect::Slot { .. } | Effect::Mark { .. } => {}
            }
        }
    }

    fn note(&mut self, effect: Effect) -> Option<()> {
        *self.effects.get_mut(self.count)? = effect;
        self.before[self.count] = (self.captures, self.joined);
        self.count += 1;
        Some(())
    }

    fn save(&mut self, capture: u32, is_noted: bool, start: usize, end: usize) -> Option<()> {
        let (start, end) = (self.place(start), self.place(end));
        if is_noted { self.note(Effect::Save { capture, start, end }) } else { self.set(capture, start, end) }
    }

    fn set(&mut self, capture: u32, start: u8, end: u8) -> Option<()> {
        *self.captured.get_mut(self.captures)? = (capture, PackedSpan::new(start.into(), end.into()));
        self.captures += 1;
        Some(())
    }

    /// Sets one boundary of a capture that is unset before.
    fn mark(&mut self, slot: u32, at: u8) -> Option<()> {
        let capture = slot / 2;
        let known = self.captured[..self.captures].iter_mut().find(|(known, _)| *known == capture);
        match (slot % 2, known) {
            // The end is set before the capture is read.
            (0, None) => self.set(capture, at, at),
            (1, Some((_, place))) => {
                *place = place.ending(at.into());
                Some(())
            }
            // The trace has no open choice so far, so this end is never undone.
            (1, None) if self.count == 0 && self.ends == NONE_ENDS && capture < u32::from(NONE_ENDS) => {
                (self.ends, self.end) = (capture as u16, at);
                Some(())
            }
            _ => self.note(Effect::Mark { slot, at }),
        }
    }

    /// Converts a position to an offset in the trace. The offset is at most the size of the window, because every byte
    /// before the position was read.
    fn place(&self, at: usize) -> u8 {
        (at - self.start) as u8
    }

    /// Returns whether `is` holds for the byte at `at`. Narrows the range of that byte to the bytes with the same
    /// answer.
    fn sees(&mut self, at: usize, is: impl Fn(u8) -> bool) -> Option<bool> {
        let byte = *self.line.get(at)?;
        let index = at.checked_sub(self.start)?;
        let (low, high) = self.low.get_mut(index).zip(self.high.get_mut(index))?;
        let answer = is(byte);
        (*low, *high) = narrowed((*low, *high), byte, |other| is(other) == answer);
        self.looked = self.looked.max(index + 1);
        Some(answer)
    }

    /// Like `sees`, for a whole character. Returns `None` if it is not ASCII.
    fn sees_ascii(&mut self, at: usize, is: impl Fn(u8) -> bool) -> Option<bool> {
        if !self.line.get(at)?.is_ascii() {
            return None;
        }
        self.sees(at, |b| b.is_ascii())?;
        self.sees(at, is)
    }

    /// Like `sees`, for the character before `at`. At the beginning of the line, the answer is `false`.
    fn before(&mut self, at: usize, is: impl Fn(u8) -> bool) -> Option<bool> {
        if at == 0 {
            self.at_start = true;
            return Some(false);
        }
        self.sees_ascii(at - 1, is)
    }

    fn is_of(&mut self, class: u32, at: usize) -> Option<bool> {
        let class: &Class = &self.code.classes[class as usize];
        self.sees_ascii(at, |b| class.has_ascii(b))
    }

    fn text(&mut self, text: &[u8], at: usize) -> Option<bool> {
        for (index, &byte) in text.iter().enumerate() {
            if !self.sees(at + index, |b| b == byte)? {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Returns where the run of at most `max` characters that starts at `at` ends.
    fn run(&mut self, class: u32, at: usize, max: u32) -> Option<usize> {
        let is_free = self.code.classes[class as usize].is_free();
        let mut end = at;
        while end - at < max as usize && self.is_of(class, end)? {
            end += 1;
            if is_free && end - at > FREE {
                return None;
            }
        }
        Some(end)
    }

    fn shape(&mut self, start: u32, end: u32, at: usize) -> Option<bool> {
        let code = self.code;
        let masks = &code.masks[start as usize..end as usize];
        let mut fits = true;
        for (index, mask) in masks.iter().enumerate() {
            fits &= self.sees(at + index, |b| code.bits.0[usize::from(b)] & mask != 0)?;
        }
        Some(fits)
    }

    /// Returns where the field that starts at `at` ends. The inner `None` means that it does not match.
    fn field(&mut self, field: &Field, at: usize) -> Option<Option<usize>> {
        if !self.text(&field.text.to_le_bytes()[..field.length], at)? {
            return Some(None);
        }
        let start = at + field.length;
        let end = match field.content {
            Content::Nothing => return Some(Some(start)),
            Content::Token(token) => self.token(token, start)?,
            Content::Run { class, min } => {
                Some(self.run(class, start, u32::MAX)?).filter(|end| end - start >= min as usize)
            }
            Content::Shape { start: from, end: to } => {
                self.shape(from, to, start)?.then_some(start + (to - from) as usize)
            }
        };
        let Some(end) = end else { return Some(None) };
        if field.capture != NO_CAPTURE {
            self.save(field.capture, field.is_noted, start, end)?;
        }
        Some(Some(end))
    }

    /// Returns where the token that starts at `at` ends. The inner `None` means that it does not match.
    fn token(&mut self, token: u32, at: usize) -> Option<Option<usize>> {
        let token: &Token = &self.code.tokens[token as usize];
        let mut state = match token.only_start() {
            Some(state) => state,
            None if at == 0 => {
                self.at_start = true;
                token.start_after(None)
            }
            None => {
                let before = *self.line.get(at - 1)?;
                let state = token.start_after(Some(before));
                self.sees_ascii(at - 1, |b| !b.is_ascii() || token.start_after(Some(b)) == state)?;
                state
            }
        };
        let (mut pos, mut end) = (at, NO_END);
        loop {
            let step = token.step(state, *self.line.get(pos)?)?;
            self.sees(pos, |b| token.step(state, b) == Some(step))?;
            if step.ends {
                end = pos;
            }
            let Some(next) = step.next else { return Some((end != NO_END).then_some(end)) };
            (state, pos) = (next, pos + 1);
            if token.is_free() && pos - at > FREE {
                return None;
            }
        }
    }

    fn greedy(&mut self, run: u32, at: usize) -> Option<Way> {
        let each = &self.code.loops[run as usize];
        let end = self.run(each.class, at, each.max)?;
        if end - at < each.min as usize {
            return Some(Way::Fails);
        }
        let low = at + each.min as usize;
        if self.can_leave(run, end)? {
            if end > low {
                self.note(Effect::Less { run, low: self.place(low), at: self.place(end) })?;
            }
            return Some(Way::On(end, each.next));
        }
        Some(self.leave_earlier(run, low, end)?.map_or(Way::Fails, |to| Way::On(to, each.next)))
    }

    fn can_leave(&mut self, run: u32, at: usize) -> Option<bool> {
        let exit = &self.code.loops[run as usize].exit;
        // This test needs a byte. So a trace never ends a run at the end of the line, although `Exit::Anywhere` allows
        // it.
        self.sees(at, |b| exit.allows(&[b], 0))
    }

    /// Returns the last position of `low..at` at which the run can end. The choice stays open if there are more
    /// positions.
    fn leave_earlier(&mut self, run: u32, low: usize, mut at: usize) -> Option<Option<usize>> {
        while at > low {
            at -= 1;
            if self.can_leave(run, at)? {
                if at > low {
                    self.note(Effect::Less { run, low: self.place(low), at: self.place(at) })?;
                }
                return Some(Some(at));
            }
        }
        Some(None)
    }

    fn edge(&mut self, edge: Edge, at: usize) -> Option<bool> {
        match edge {
            Edge::Start | Edge::LineStart if at == 0 => {
                self.at_start = true;
                // An empty line needs no trace.
                (edge == Edge::Start || !self.line.is_empty()).then_some(true)
            }
            Edge::LineEnd => self.sees(at, |b| b == b'\n'),
            _ => None,
        }
    }
}
