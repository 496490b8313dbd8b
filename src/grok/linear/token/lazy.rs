//! An automaton whose states are made when lines come to them: for expressions whose automaton would be too large, or too
//! dear for what it is needed for.

use super::super::chars::{decode, decode_last};
use super::Ends;
use super::explore::Explorer;
use super::nfa::Nfa;
use crate::grok::ast::Node;

/// Where a character leads that is no state: to an end, or to nothing more. Or it has not been looked at.
pub(in crate::grok::linear) const FOUND: u32 = u32::MAX - 1;
pub(in crate::grok::linear) const NOTHING: u32 = u32::MAX - 2;
const UNKNOWN: u32 = u32::MAX;

/// What the states may take, in threads of four bytes: each thread has an automaton of its own.
const SIZE: usize = 1 << 20;

/// The work for states that a line with something new may spend, in steps over the graph, and the most that can be saved up
/// for a line. A graph of 10,000 steps has states that take as many each.
const EACH: usize = 2_000;
const MOST: usize = 8_000_000;

/// See the [module](self).
#[derive(Debug)]
pub(in crate::grok::linear) struct Lazy {
    explorer: Explorer,
    /// The first states, by context.
    starts: Vec<u32>,
    /// By state and symbol. The number of a state is where its row begins.
    table: Vec<u32>,
    symbols: u32,
}

impl Lazy {
    /// Looks for `node` and ends with its first end.
    pub(in crate::grok::linear) fn new(node: &Node) -> Option<Lazy> {
        let explorer = Explorer::new(Nfa::new(node)?, Ends::Any, MOST, SIZE)?;
        let symbols = explorer.symbols.count() as u32;
        Some(Lazy { explorer, starts: Vec::new(), table: Vec::new(), symbols })
    }

    /// To be called before a line when the one before has met something new. Answers whether the states that were known are
    /// known no more, because there were too many.
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

    /// The first state at `at`.
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

    /// Where the character at `at` leads, and its length. `None` when finding that out would be too much.
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

    /// Where a byte of ASCII leads.
    #[inline]
    pub(in crate::grok::linear) fn over(&mut self, state: u32, byte: u8) -> Option<u32> {
        self.over_symbol(state, self.explorer.symbols.ascii[usize::from(byte)])
    }

    /// Where the end of the line leads: [`FOUND`] or [`NOTHING`].
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
