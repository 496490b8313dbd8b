//! Tokens: parts without captures whose end is found by an automaton of their own, a table look-up a byte.
//!
//! A part becomes a token when it can end in one place only, or when only its first way counts:
//!
//! - *Unique*: whatever the line, at most one of the places where the part can end is followed by a character that what
//!   comes next can begin with. That is a property of the automaton and is proved on it: from a state in which the part
//!   can end before such a character, no further end can be reached over that character. With one end and no captures
//!   inside, which way led there cannot be told, so that priorities do not matter.
//! - *First*: in an atomic group, or where the rest matches in any case, the first way in the order of priorities counts.
//!   The states are ordered lists then, cut behind the first thread that is at its end.
//!
//! Looks at one character before or after are part of the automaton: a transition is chosen by the next character, and a
//! state knows what it has to know of the one before.

mod build;
mod explore;
mod lazy;
mod minimize;
mod nfa;
mod symbols;

use super::blocks::Stops;
use super::chars::{RAW, decode, decode_last};
use symbols::Symbols;

pub(super) use build::{Ends, Fuel, build};
pub(super) use lazy::{FOUND, Lazy, NOTHING};

/// The part can end before the character that chose this transition.
const ENDS: u32 = 1 << 31;
/// Nothing can follow.
const STOP: u32 = 1 << 30;
/// The byte is not ASCII: which transition it is shows the character.
const CHAR: u32 = 1 << 29;
/// The next state stays as it is but for some bytes.
const STAY: u32 = 1 << 28;
const FLAGS: u32 = ENDS | STOP | CHAR | STAY;

/// There is no end.
pub(in crate::grok::linear) const NO_END: usize = usize::MAX;

/// What a byte does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grok::linear) struct Step {
    /// The token can end before it.
    pub(in crate::grok::linear) ends: bool,
    /// The next state, if there is more.
    pub(in crate::grok::linear) next: Option<u32>,
}

/// The automaton of a part.
#[derive(Debug, PartialEq)]
pub(in crate::grok::linear) struct Token {
    /// By byte, where the column of its symbol begins; bytes beyond ASCII share one, whose transitions say [`CHAR`] or
    /// [`STOP`].
    column_of: [u32; 256],
    symbols: Symbols,
    /// By symbol, a column: for each state the next state, and flags. Columns and not rows, so that a state is its own
    /// number.
    transitions: Vec<u32>,
    /// What leaves a state that stays; they are the first ones. `None` when nothing does.
    leaves: Vec<Option<Stops>>,
    /// The number of states.
    states: u32,
    /// The first state, by what is before.
    starts: Vec<u32>,
    /// Whether it can hold free text: from a state, nearly all characters lead back to it.
    is_free: bool,
    /// The way that most texts take, if there is one that is taken by fewer steps.
    lane: Option<Lane>,
}

/// A way through an automaton: one byte, a text that is passed over up to a byte that can end it, and the end. What is in
/// quotes mostly is such.
#[derive(Debug, PartialEq)]
struct Lane {
    first: u8,
    text: Stops,
    last: u8,
    /// By byte, and for the end of the line: whether the token ends before it.
    ends: Box<[bool; 257]>,
}

impl Token {
    /// Where the token that begins at `at` ends ([`NO_END`] if it does not), and how far it was read.
    #[inline(always)]
    pub(in crate::grok::linear) fn run(&self, line: &[u8], at: usize) -> (usize, usize) {
        match self.lane.as_ref().and_then(|lane| lane.end(line, at)) {
            Some(end) => (end, end),
            None => self.walk(line, at),
        }
    }

    /// Whether it can hold free text.
    pub(in crate::grok::linear) fn is_free(&self) -> bool {
        self.is_free
    }

    /// The first state, if it does not depend on what is before.
    pub(in crate::grok::linear) fn only_start(&self) -> Option<u32> {
        match self.starts[..] {
            [start] => Some(start),
            _ => None,
        }
    }

    /// The first state behind a character of ASCII, or at the beginning of the line.
    pub(in crate::grok::linear) fn start_after(&self, before: Option<u8>) -> u32 {
        let before = before.map_or(self.symbols.end, |byte| self.symbols.of(u32::from(byte)));
        self.starts[usize::from(self.symbols.context[usize::from(before)])]
    }

    /// What the byte does in `state`; `None` when it is not ASCII.
    pub(in crate::grok::linear) fn step(&self, state: u32, byte: u8) -> Option<Step> {
        let entry = self.entry(state, self.column_of[usize::from(byte)]);
        byte.is_ascii().then(|| Step { ends: entry & ENDS != 0, next: (entry & STOP == 0).then_some(entry & !FLAGS) })
    }

    /// The same, a step for each byte.
    #[inline(never)]
    fn walk(&self, line: &[u8], mut pos: usize) -> (usize, usize) {
        let (mut state, mut end) = (self.start(line, pos), NO_END);
        while let Some(&byte) = line.get(pos) {
            let mut entry = self.entry(state, self.column_of[usize::from(byte)]);
            if entry & FLAGS == 0 {
                state = entry;
                pos += 1;
                continue;
            }
            let mut length = 1;
            if entry & CHAR != 0 {
                (entry, length) = self.by_char(line, pos, state);
            }
            if entry & ENDS != 0 {
                end = pos;
            }
            if entry & STOP != 0 {
                return (end, pos);
            }
            state = entry & !FLAGS;
            pos += length;
            if entry & STAY != 0 {
                pos = self.stay(line, pos, state);
            }
        }
        self.walk_end(pos, state, end)
    }

    #[inline(never)]
    fn walk_end(&self, pos: usize, state: u32, end: usize) -> (usize, usize) {
        (if self.entry_of(state, self.symbols.end) & ENDS != 0 { pos } else { end }, pos)
    }

    #[inline(always)]
    fn entry(&self, state: u32, column: u32) -> u32 {
        self.transitions[(column + state) as usize]
    }

    #[inline]
    fn entry_of(&self, state: u32, symbol: u8) -> u32 {
        self.entry(state, u32::from(symbol) * self.states)
    }

    #[inline]
    fn start(&self, line: &[u8], at: usize) -> u32 {
        match self.starts[..] {
            [start] => start,
            _ => self.start_by_context(line, at),
        }
    }

    #[inline]
    fn start_by_context(&self, line: &[u8], at: usize) -> u32 {
        let before = match at {
            0 => self.symbols.end,
            _ => self.symbols.of(decode_last(line, at).0),
        };
        self.starts[usize::from(self.symbols.context[usize::from(before)])]
    }

    #[cold]
    fn by_char(&self, line: &[u8], at: usize, state: u32) -> (u32, usize) {
        let (c, length) = decode(line, at);
        (self.entry_of(state, self.symbols.of(c)), length)
    }

    #[inline]
    fn stay(&self, line: &[u8], at: usize, state: u32) -> usize {
        match self.leaves.get(state as usize) {
            Some(Some(leaves)) => leaves.find(line, at),
            _ => line.len(),
        }
    }
}

impl Lane {
    /// The way through `token` that begins with the lowest byte, if it is such a one.
    fn new(token: &Token) -> Option<Lane> {
        let start = token.only_start()?;
        let entry = |state: u32, byte: u8| token.entry(state, token.column_of[usize::from(byte)]);
        let (first, text) = (0..0x80).find_map(|byte| {
            let next = entry(start, byte) ^ STAY;
            Some((byte, next)).filter(|_| next & FLAGS == 0)
        })?;
        let stops = (*token.leaves.get(text as usize)?)?;
        let is_end = |entry: u32| entry & !STAY & FLAGS == ENDS | STOP;
        (0..0x80).filter(|&byte| entry(text, byte) & FLAGS == 0).find_map(|last| {
            let behind = entry(text, last);
            let ends = std::array::from_fn(|byte| match u8::try_from(byte) {
                Ok(byte) => is_end(entry(behind, byte)),
                Err(_) => token.entry_of(behind, token.symbols.end) & ENDS != 0,
            });
            let lane = Lane { first, text: stops, last, ends: Box::new(ends) };
            lane.ends.contains(&true).then_some(lane)
        })
    }

    /// Where the token ends that begins at `at`, if it goes this way.
    #[inline(always)]
    fn end(&self, line: &[u8], at: usize) -> Option<usize> {
        if *line.get(at)? != self.first {
            return None;
        }
        let last = self.text.find(line, at + 1);
        if *line.get(last)? != self.last {
            return None;
        }
        let behind = line.get(last + 1).map_or(256, |&byte| usize::from(byte));
        self.ends[behind].then_some(last + 1)
    }
}

/// Characters beyond ASCII are told apart by a search; raw bytes are one of them.
const BEYOND: u32 = 0x80;
const _: () = assert!(RAW > BEYOND);
