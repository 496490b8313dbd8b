//! Creates the states of a DFA on demand, by subset construction.

use std::collections::HashMap;
use std::sync::Arc;

use super::Ends;
use super::nfa::{Nfa, Step, Test};
use super::symbols::Symbols;
use crate::grok::set::Set;

/// A transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::grok::linear) struct Edge {
    /// Whether the part can end before the character.
    pub(in crate::grok::linear) ends: bool,
    pub(in crate::grok::linear) next: Option<u32>,
}

/// A state: its NFA threads, and the context of the previous character. The list and the map of states share the
/// threads.
type Key = (Arc<[u32]>, u8);

/// The memory of a state besides its threads, in units of one thread (four bytes).
const STATE: usize = 32;

/// Creates states.
#[derive(Debug)]
pub(in crate::grok::linear) struct Explorer {
    nfa: Nfa,
    pub(super) symbols: Symbols,
    /// The index of the set of characters that must follow an end, and whether the end of the line may follow. `None`
    /// if only the first way counts.
    pub(super) wanted: Option<(usize, bool)>,
    /// Whether any end is enough.
    pub(super) is_any: bool,
    states: Vec<Key>,
    known: HashMap<Key, u32>,
    /// The size of all states, and its limit, in threads of four bytes.
    size: usize,
    most_size: usize,
    /// The work done so far, and its limit, in steps over the NFA.
    pub(in crate::grok::linear) work: usize,
    most: usize,
    /// For each step of the NFA: the latest transition that visited it.
    stamp: Vec<u32>,
    now: u32,
    stack: Vec<u32>,
}

impl Explorer {
    /// Creates an explorer for `nfa`, with limits of work and size. Returns `None` if the NFA has too many symbols.
    pub(super) fn new(mut nfa: Nfa, ends: Ends<'_>, most: usize, most_size: usize) -> Option<Explorer> {
        let wanted = match ends {
            Ends::Unique(lead) => Some((nfa.set(&lead.set, false), lead.end)),
            Ends::First => None,
            Ends::Any => Some((nfa.set(&Set::any(), false), true)),
        };
        Some(Explorer {
            symbols: Symbols::new(&nfa.sets, &nfa.behind, nfa.asks.contains(&true))?,
            wanted,
            is_any: matches!(ends, Ends::Any),
            states: Vec::new(),
            known: HashMap::new(),
            size: 0,
            most_size,
            work: 0,
            most,
            stamp: vec![0; nfa.steps.len()],
            now: 0,
            stack: Vec::new(),
            nfa,
        })
    }

    /// Creates the initial states, one per context. There is only one if the context does not matter.
    pub(in crate::grok::linear) fn starts(&mut self) -> Option<Vec<u32>> {
        let contexts = if self.nfa.asks[self.nfa.start as usize] { self.symbols.contexts() } else { 1 };
        (0..contexts).map(|context| self.state(vec![self.nfa.start], context as u8)).collect()
    }

    /// Returns the number of states so far.
    pub(super) fn count(&self) -> usize {
        self.states.len()
    }

    /// Raises the limit of work by `more`, to at most `most` beyond the work already done.
    pub(super) fn allow(&mut self, more: usize, most: usize) {
        self.most = (self.most + more).min(self.work + most);
    }

    /// Returns whether the states have reached their size limit.
    pub(super) fn is_full(&self) -> bool {
        self.size > self.most_size
    }

    /// Removes all states.
    pub(super) fn forget(&mut self) {
        self.states.clear();
        self.known.clear();
        self.size = 0;
    }

    fn state(&mut self, mut threads: Vec<u32>, context: u8) -> Option<u32> {
        if self.wanted.is_some() {
            threads.sort_unstable();
        }
        let asks = threads.iter().any(|&thread| self.nfa.asks[thread as usize]);
        let key: Key = (threads.into(), if asks { context } else { 0 });
        if let Some(&known) = self.known.get(&key) {
            return Some(known);
        }
        self.size += key.0.len() + STATE + self.symbols.count();
        if self.size > self.most_size {
            return None;
        }
        let new = self.states.len() as u32;
        self.states.push(key.clone());
        self.known.insert(key, new);
        Some(new)
    }

    /// Returns the transition from `state` over `symbol`; `None` if it would exceed a limit.
    pub(in crate::grok::linear) fn edge(&mut self, state: u32, symbol: u8) -> Option<Edge> {
        if symbol == self.symbols.long {
            return Some(Edge { ends: false, next: None });
        }
        let (threads, context) = self.states[state as usize].clone();
        self.edge_of(&threads, context, symbol)
    }

    fn edge_of(&mut self, threads: &[u32], context: u8, symbol: u8) -> Option<Edge> {
        self.now += 1;
        let (mut ends, mut next) = (false, Vec::new());
        let can_end = match self.wanted {
            None => true,
            Some((_, end)) if symbol == self.symbols.end => end,
            Some((set, _)) => self.symbols.is_in(symbol, set),
        };
        let mut stack = std::mem::take(&mut self.stack);
        stack.clear();
        stack.extend(threads.iter().rev());
        while let Some(at) = stack.pop() {
            if std::mem::replace(&mut self.stamp[at as usize], self.now) == self.now {
                continue;
            }
            self.work += 1;
            match &self.nfa.steps[at as usize] {
                Step::Set(set, to) => {
                    if self.symbols.is_in(symbol, *set) && !next.contains(to) {
                        next.push(*to);
                    }
                }
                Step::Split(ways) => stack.extend(ways.iter().rev()),
                Step::Test(test, to) => {
                    if self.holds(*test, context, symbol) {
                        stack.push(*to);
                    }
                }
                Step::End if self.wanted.is_none() => {
                    // Threads of lower priority do not count.
                    ends = true;
                    break;
                }
                Step::End => ends |= can_end,
            }
        }
        self.stack = stack;
        if self.work > self.most {
            return None;
        }
        if next.is_empty() || symbol == self.symbols.end || (ends && self.is_any) {
            return Some(Edge { ends, next: None });
        }
        let context = self.symbols.context[usize::from(symbol)];
        Some(Edge { ends, next: Some(self.state(next, context)?) })
    }

    fn holds(&self, test: Test, context: u8, symbol: u8) -> bool {
        // All symbols of one context are in the same sets, of the sets that are tested against the previous character.
        let before = self.symbols.context.iter().position(|&known| known == context).unwrap_or_default() as u8;
        let end = self.symbols.end;
        let at_start = before == end;
        match test {
            Test::Start => at_start,
            Test::End => symbol == end,
            Test::LineStart(newline) => at_start || (self.symbols.is_in(before, newline) && symbol != end),
            Test::LineEnd(newline) => symbol == end || self.symbols.is_in(symbol, newline),
            Test::Boundary(word, inside) => {
                (self.symbols.is_in(before, word) != self.symbols.is_in(symbol, word)) != inside
            }
            Test::Ahead(set, negative) => self.symbols.is_in(symbol, set) != negative,
            Test::Behind(set, negative) => self.symbols.is_in(before, set) != negative,
        }
    }
}
