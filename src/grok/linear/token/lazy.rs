//! A lazy DFA: it creates a state when a line first reaches it. It is used where a complete DFA would be too large or
//! too expensive.

use super::super::chars::{decode, decode_last};
use super::Ends;
use super::explore::Explorer;
use super::nfa::Nfa;
use crate::grok::ast::Node;

/// Results of a transition that are no states: an end was found, nothing can be found, or the transition is not
/// computed yet.
pub(in crate::grok::linear) const FOUND: u32 = u32::MAX - 1;
pub(in crate::grok::linear) const NOTHING: u32 = u32::MAX - 2;
const UNKNOWN: u32 = u32::MAX;

/// The largest size of all states, in threads of four bytes. Each thread of the process has its own DFA.
const SIZE: usize = 1 << 20;

/// The work that each line with a new state adds to the limit, and the most that can be saved up, in steps over the
/// NFA. In an NFA of 10,000 steps, the computation of one state can take 10,000 steps.
const EACH: usize = 2_000;
const MOST: usize = 8_000_000;

/// A lazy DFA; see the [module](self).
#[derive(Debug)]
pub(in crate::grok::linear) struct Lazy {
    explorer: Explorer,
    /// The initial states, by context.
    starts: Vec<u32>,
    /// The transitions, by state and symbol. The number of a state is the start of its row.
    table: Vec<u32>,
    symbols: u32,
}

impl Lazy {
    /// Creates a DFA that looks for `node` and stops at the first end.
    pub(in crate::grok::linear) fn new(node: &Node) -> Option<Lazy> {
        let explorer = Explorer::new(Nfa::new(node)?, Ends::Any, MOST, SIZE)?;
        let symbols = explorer.symbols.count() as u32;
        Some(Lazy { explorer, starts: Vec::new(), table: Vec::new(), symbols })
    }

    /// Prepares for the next line, if the previous line led to a new state. Returns `true` if all states were removed
    /// because they had reached their size limit.
    pub(in crate::grok::linear) fn make_room(&mut self) -> bool {
        self.explorer.allow(EACH, MOST);
        let is_full = self.explorer.is_full();
        if is_full {
            self.explorer.forget();
            self.starts.clear();
            self.table.clear();
        }
        is_full
    }

    /// Returns the initial state at `at`.
    pub(in crate::grok::linear) fn start(&mut self, line: &[u8], at: usize) -> Option<u32> {
        if self.starts.is_empty() {
            self.starts = self.explorer.starts()?;
            self.add_rows();
        }
        let symbols = &self.explorer.symbols;
        let context = match self.starts.len() {
            1 => 0,
            _ if at == 0 => symbols.context[usize::from(symbols.end)],
            _ => symbols.context[usize::from(symbols.of(decode_last(line, at).0))],
        };
        Some(self.starts.get(usize::from(context))? * self.symbols)
    }

    /// Returns the state after the character at `at`, and the length of that character. Returns `None` if the answer
    /// would exceed the limit of work.
    #[inline]
    pub(in crate::grok::linear) fn step(&mut self, state: u32, line: &[u8], at: usize) -> Option<(u32, usize)> {
        match line[at] {
            byte if byte < 0x80 => Some((self.over(state, byte)?, 1)),
            _ => {
                let (c, length) = decode(line, at);
                Some((self.over_symbol(state, self.explorer.symbols.of(c))?, length))
            }
        }
    }

    /// Returns the state after an ASCII byte.
    #[inline]
    pub(in crate::grok::linear) fn over(&mut self, state: u32, byte: u8) -> Option<u32> {
        self.over_symbol(state, self.explorer.symbols.ascii[usize::from(byte)])
    }

    /// Returns the result at the end of the line: [`FOUND`] or [`NOTHING`].
    pub(in crate::grok::linear) fn end(&mut self, state: u32) -> Option<u32> {
        self.over_symbol(state, self.explorer.symbols.end)
    }

    #[inline]
    fn over_symbol(&mut self, state: u32, symbol: u8) -> Option<u32> {
        match self.table.get(state as usize + usize::from(symbol)) {
            Some(&to) if to != UNKNOWN => Some(to),
            _ => self.find_out(state, symbol),
        }
    }

    #[cold]
    fn find_out(&mut self, state: u32, symbol: u8) -> Option<u32> {
        let edge = self.explorer.edge(state / self.symbols, symbol)?;
        self.add_rows();
        let to = match edge.next {
            _ if edge.ends => FOUND,
            None => NOTHING,
            Some(next) => next * self.symbols,
        };
        self.table[state as usize + usize::from(symbol)] = to;
        Some(to)
    }

    fn add_rows(&mut self) {
        self.table.resize(self.explorer.count() * self.symbols as usize, UNKNOWN);
    }
}
