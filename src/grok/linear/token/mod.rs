//! Tokens: parts of an expression without captures, each compiled to a DFA of its own. A token costs one table look-up
//! per byte.
//!
//! A part becomes a token in two cases:
//!
//! - *Unique*: the part may have several possible ends on a line. At most one of these ends is followed by a character
//!   that the next part can start with. This is proved on the DFA: if a state can end before such a character, no
//!   further end is reachable over that character. With one end and no captures, priorities do not matter.
//! - *First*: the part is an atomic group, or the rest of the expression always matches. Then only the first way by
//!   priority counts. The DFA's states are ordered lists of NFA threads, cut after the first thread that has reached
//!   the end.
//!
//! Tests of one character before or after a position are part of the DFA. The next character selects the transition,
//! and a state stores what it must know about the previous character.

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

/// Flag of a transition: the part can end before the character.
const ENDS: u32 = 1 << 31;
/// Flag of a transition: no state follows.
const STOP: u32 = 1 << 30;
/// Flag of a transition: the byte is not ASCII, so its whole character selects the transition.
const CHAR: u32 = 1 << 29;
/// Flag of a transition: the next state loops to itself on all but a few bytes (it *stays*).
const STAY: u32 = 1 << 28;
const FLAGS: u32 = ENDS | STOP | CHAR | STAY;

/// The position that stands for no end.
pub(in crate::grok::linear) const NO_END: usize = usize::MAX;

/// The effect of a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grok::linear) struct Step {
    /// Whether the token can end before the byte.
    pub(in crate::grok::linear) ends: bool,
    /// The next state, if there is one.
    pub(in crate::grok::linear) next: Option<u32>,
}

/// The DFA of a part.
#[derive(Debug, PartialEq)]
pub(in crate::grok::linear) struct Token {
    /// For each byte: where the column of its symbol starts in `transitions`. Bytes beyond ASCII share one column,
    /// whose entries have the flag [`CHAR`] or [`STOP`].
    column_of: [u32; 256],
    symbols: Symbols,
    /// The transition table: for each symbol a column, and in it for each state the next state with flags. It is stored
    /// by column, so that the number of a state is its index in every column.
    transitions: Vec<u32>,
    /// For each state that stays: the bytes that leave it, `None` if no byte does. These states have the lowest
    /// numbers.
    leaves: Vec<Option<Stops>>,
    /// The number of states.
    states: u32,
    /// The initial state, by context of the previous character.
    starts: Vec<u32>,
    /// Whether the token can match free text: some state leads back to itself over nearly all characters.
    is_free: bool,
    /// A shortcut for the usual kind of text, if the DFA has one.
    lane: Option<Lane>,
}

/// A *lane*: a path through the DFA that consists of one byte, a text up to a byte that can end it, and that byte. Most
/// quoted strings take it.
#[derive(Debug, PartialEq)]
struct Lane {
    first: u8,
    text: Stops,
    last: u8,
    /// For each byte, and at 256 for the end of the line: whether the token ends before it.
    ends: Box<[bool; 257]>,
}

impl Token {
    /// Returns where the token that starts at `at` ends ([`NO_END`] if it does not match), and up to where it was read.
    #[inline(always)]
    pub(in crate::grok::linear) fn run(&self, line: &[u8], at: usize) -> (usize, usize) {
        match self.lane.as_ref().and_then(|lane| lane.end(line, at)) {
            Some(end) => (end, end),
            None => self.walk(line, at),
        }
    }

    /// Returns whether the token can match free text.
    pub(in crate::grok::linear) fn is_free(&self) -> bool {
        self.is_free
    }

    /// Returns the initial state, if it does not depend on the previous character.
    pub(in crate::grok::linear) fn only_start(&self) -> Option<u32> {
        match self.starts[..] {
            [start] => Some(start),
            _ => None,
        }
    }

    /// Returns the initial state after an ASCII character, or at the beginning of the line for `None`.
    pub(in crate::grok::linear) fn start_after(&self, before: Option<u8>) -> u32 {
        let before = before.map_or(self.symbols.end, |byte| self.symbols.of(u32::from(byte)));
        self.starts[usize::from(self.symbols.context[usize::from(before)])]
    }

    /// Returns the effect of `byte` in `state`; `None` if the byte is not ASCII.
    pub(in crate::grok::linear) fn step(&self, state: u32, byte: u8) -> Option<Step> {
        let entry = self.entry(state, self.column_of[usize::from(byte)]);
        byte.is_ascii().then(|| Step { ends: entry & ENDS != 0, next: (entry & STOP == 0).then_some(entry & !FLAGS) })
    }

    /// Runs the DFA one byte at a time. Returns the same as `run`.
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
    /// Finds a lane in `token`, with the lowest possible first byte. Returns `None` if there is no lane.
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

    /// Returns where the token that starts at `at` ends, if the line follows the lane.
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

/// The first character beyond ASCII. Binary search finds the symbols of these characters, including the raw byte.
const BEYOND: u32 = 0x80;
const _: () = assert!(RAW > BEYOND);
