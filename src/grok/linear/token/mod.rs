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
    /// Where the token that begins at `at` ends, if it does, and how far it was read.
    #[inline]
    pub(in crate::grok::linear) fn run(&self, line: &[u8], at: usize) -> (Option<usize>, usize) {
        let mut state = self.start(line, at);
        let (mut pos, mut end) = (at, None);
        loop {
            let Some(&byte) = line.get(pos) else {
                let last = self.entry_of(state, self.symbols.end);
                return (if last & ENDS != 0 { Some(pos) } else { end }, pos);
            };
            let entry = self.entry(state, self.column_of[usize::from(byte)]);
            pos += 1;
            if entry & FLAGS == 0 {
                state = entry;
                continue;
            }
            pos -= 1;
            let (entry, length) = if entry & CHAR != 0 { self.by_char(line, pos, state) } else { (entry, 1) };
            if entry & ENDS != 0 {
                end = Some(pos);
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
}

/// Characters beyond ASCII are told apart by a search; raw bytes are one of them.
const BEYOND: u32 = 0x80;
const _: () = assert!(RAW > BEYOND);
