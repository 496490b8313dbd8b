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
mod minimize;
mod nfa;
mod symbols;

use super::chars::{RAW, decode, decode_last};
use symbols::Symbols;

pub(super) use build::{Ends, build};

/// The part can end before the character that chose this transition.
const ENDS: u32 = 1 << 31;
/// Nothing can follow.
const STOP: u32 = 1 << 30;
/// The byte is not ASCII: which transition it is shows the character.
const CHAR: u32 = 1 << 29;
/// The next state stays as it is but for some bytes.
const STAY: u32 = 1 << 28;
const FLAGS: u32 = ENDS | STOP | CHAR | STAY;

/// How the last text of a token began, and the states behind that.
///
/// Each look-up of a transition has to wait for the one before it. But times, addresses and paths begin as they did in
/// the line before: bytes that are the same lead to the same state.
#[derive(Debug, Clone)]
pub(in crate::grok::linear) struct Last {
    start: u32,
    /// The first eight bytes, the next eight, and the states behind them.
    heads: [u64; 2],
    states: [u32; 2],
}

/// There is no end.
pub(in crate::grok::linear) const NO_END: usize = usize::MAX;

/// The bytes that are compared at a time.
const HALF: usize = 8;

impl Default for Last {
    fn default() -> Self {
        Last { start: STOP, heads: [0; 2], states: [STOP; 2] }
    }
}

impl Last {
    /// The state to go on with, and where: behind what is the same as last time.
    #[inline]
    fn skip(&self, line: &[u8], at: usize, start: u32) -> (u32, usize) {
        if self.start != start || read(line, at) != Some(self.heads[0]) {
            return (start, at);
        }
        if self.states[1] != STOP && read(line, at + HALF) == Some(self.heads[1]) {
            return (self.states[1], at + 2 * HALF);
        }
        (self.states[0], at + HALF)
    }

    /// Remembers that from `start` on the bytes up to `pos` led to `state`; answers where to remember the next.
    #[inline(never)]
    fn note(&mut self, line: &[u8], at: usize, pos: usize, start: u32, state: u32) -> usize {
        if pos == at + HALF {
            *self = Last { start, heads: [read(line, at).unwrap_or_default(), 0], states: [state, STOP] };
            return at + 2 * HALF;
        }
        self.heads[1] = read(line, at + HALF).unwrap_or_default();
        self.states[1] = state;
        usize::MAX
    }
}

/// The eight bytes at `at`.
#[inline]
fn read(line: &[u8], at: usize) -> Option<u64> {
    line.get(at..)?.first_chunk::<HALF>().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The automaton of a part.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::grok::linear) struct Token {
    /// By byte, where the column of its symbol begins; bytes beyond ASCII share one, whose transitions say [`CHAR`] or
    /// [`STOP`].
    column_of: [u32; 256],
    symbols: Symbols,
    /// By symbol, a column: for each state the next state, and flags. In the last column, for states that stay, where
    /// they are left. Columns and not rows, because the byte is known before the state is: where its column stands need
    /// not be waited for.
    transitions: Vec<u32>,
    /// The number of states.
    states: u32,
    /// The first state, by what is before.
    starts: Vec<u32>,
}

/// The bytes at which a state that stays is left, as they stand in its row: their number and up to three of them.
fn pack(leaves: &[u8]) -> u32 {
    let byte = |index: usize| leaves.get(index).copied().unwrap_or_default();
    u32::from_le_bytes([leaves.len() as u8, byte(0), byte(1), byte(2)])
}

impl Token {
    /// Where the token that begins at `at` ends ([`NO_END`] if it does not), and how far it was read.
    #[inline]
    pub(in crate::grok::linear) fn run(&self, line: &[u8], at: usize, last: &mut Last) -> (usize, usize) {
        let start = self.start(line, at);
        let (mut state, mut pos) = last.skip(line, at, start);
        let mut mark = if pos == at { at + HALF } else { usize::MAX };
        let mut end = NO_END;
        loop {
            let Some(&byte) = line.get(pos) else {
                let last = self.entry_of(state, self.symbols.end);
                return (if last & ENDS != 0 { pos } else { end }, pos);
            };
            let entry = self.entry(state, self.column_of[usize::from(byte)]);
            if entry & FLAGS == 0 {
                state = entry;
                pos += 1;
                if pos == mark {
                    mark = last.note(line, at, pos, start, state);
                }
                continue;
            }
            // From here on, a state is not that of the bytes before it alone.
            mark = usize::MAX;
            let (entry, length) = if entry & CHAR != 0 { self.by_char(line, pos, state) } else { (entry, 1) };
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
    }

    #[inline(always)]
    fn entry(&self, state: u32, column: u32) -> u32 {
        let column = self.transitions.get(column as usize..).unwrap_or_default();
        column.get(state as usize).copied().unwrap_or(STOP)
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
        let rest = line.get(at..).unwrap_or_default();
        let [count, a, b, c] = self.entry_of(state, self.symbols.count() as u8).to_le_bytes();
        let found = match count {
            0 => None,
            1 => memchr::memchr(a, rest),
            2 => memchr::memchr2(a, b, rest),
            _ => memchr::memchr3(a, b, c, rest),
        };
        found.map_or(line.len(), |found| at + found)
    }

    /// The number of its states.
    pub(in crate::grok::linear) fn states(&self) -> usize {
        self.states as usize
    }
}

/// Characters beyond ASCII are told apart by a search; raw bytes are one of them.
const BEYOND: u32 = 0x80;
const _: () = assert!(RAW > BEYOND);
