//! The states of an automaton, made when they are come to.

use std::collections::HashMap;
use std::sync::Arc;

use super::Ends;
use super::nfa::{Nfa, Step, Test};
use super::symbols::Symbols;
use crate::grok::set::Set;

/// A transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::grok::linear) struct Edge {
    /// The part can end before the character.
    pub(in crate::grok::linear) ends: bool,
    pub(in crate::grok::linear) next: Option<u32>,
}

/// The threads of a state, and what it knows of the character before. What is known shares them.
type Key = (Arc<[u32]>, u8);

/// What a state takes beside its threads, in such.
const STATE: usize = 32;

/// Makes states.
#[derive(Debug)]
pub(in crate::grok::linear) struct Explorer {
    nfa: Nfa,
    pub(super) symbols: Symbols,
    /// The set that has to follow an end, and whether the line may end there.
    pub(super) wanted: Option<(usize, bool)>,
    /// Whether the first end is the last.
    pub(super) is_any: bool,
    states: Vec<Key>,
    known: HashMap<Key, u32>,
    /// What the states take, and the most that they may, in threads of four bytes.
    size: usize,
    most_size: usize,
    /// What has been done so far, and the most that may be, in steps over the graph.
    pub(in crate::grok::linear) work: usize,
    most: usize,
    /// By step: the last walk that met it.
    stamp: Vec<u32>,
    now: u32,
    stack: Vec<u32>,
}

impl Explorer {
    /// Of `nfa`, with at most so much work, and states that take no more than that; `None` when it has too many symbols.
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

    /// The first states, by context; one when it does not matter.
    pub(in crate::grok::linear) fn starts(&mut self) -> Option<Vec<u32>> {
        let contexts = if self.nfa.asks[self.nfa.start as usize] { self.symbols.contexts() } else { 1 };
        (0..contexts).map(|context| self.state(vec![self.nfa.start], context as u8)).collect()
    }

    /// The number of states so far.
    pub(super) fn count(&self) -> usize {
        self.states.len()
    }

    /// Allows `more` work, and no more than `most` from here on.
    pub(super) fn allow(&mut self, more: usize, most: usize) {
        self.most = (self.most + more).min(self.work + most);
    }

    /// Whether no more states can be made.
    pub(super) fn is_full(&self) -> bool {
        self.size > self.most_size
    }

    /// Forgets all states.
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

    /// Where `state` goes over `symbol`; `None` when that would be too much.
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
                    // What has lower priority does not count.
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
        // Symbols of one context are alike in the sets that are asked of the character before.
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
