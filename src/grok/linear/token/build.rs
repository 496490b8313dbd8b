//! From a part's graph to its automaton, and the proof that its end is unique.

use std::collections::HashMap;

use super::super::blocks::Stops;
use super::super::chars::FREE;
use super::super::lead::Lead;
use super::minimize::minimize;
use super::nfa::{MAX_NODES, Nfa, Step, Test};
use super::symbols::Symbols;
use super::{CHAR, ENDS, Lane, STAY, STOP, Token};
use crate::grok::ast::Node;
use crate::grok::set::Set;

/// The most states. `EMAILADDRESS` needs 4,100.
const MAX_STATES: usize = 8_000;
/// The most work, in steps over the graph.
const MAX_WORK: usize = 2_000_000;
/// The most work for all tokens of an expression, those with it that come to nothing: counted repeats are written out,
/// and each copy of what is in them is tried anew.
const MAX_WORK_IN_ALL: usize = 40_000_000;
/// The most bytes at which a state may be left for a search of them to be faster than a step a byte.
const MAX_LEAVES: usize = 3;

/// Which ends count.
#[derive(Debug, Clone, Copy)]
pub(in crate::grok::linear) enum Ends<'l> {
    /// Those before what can come next; there must not be two.
    Unique(&'l Lead),
    /// That of the first way.
    First,
    /// The first that is come to: whether there is one is all that is asked.
    Any,
}

/// The automaton of `node`; `None` when it cannot be one.
pub(in crate::grok::linear) fn build(node: &Node, ends: Ends<'_>, fuel: &mut Fuel) -> Option<Token> {
    if fuel.left == 0 {
        return None;
    }
    let nfa = Nfa::new(node);
    fuel.spend(nfa.as_ref().map_or(MAX_NODES, |nfa| nfa.steps.len()));
    let mut nfa = nfa?;
    let wanted = match ends {
        Ends::Unique(lead) => Some((nfa.set(&lead.set, false), lead.end)),
        Ends::First => None,
        Ends::Any => Some((nfa.set(&Set::any(), false), true)),
    };
    let is_any = matches!(ends, Ends::Any);
    let symbols = Symbols::new(&nfa.sets, &nfa.behind, nfa.asks.contains(&true))?;
    let mut builder = Builder {
        nfa: &nfa,
        symbols,
        wanted,
        rows: Vec::new(),
        states: Vec::new(),
        known: HashMap::new(),
        is_any,
        work: 0,
        stamp: vec![0; nfa.steps.len()],
        now: 0,
        stack: Vec::new(),
    };
    let starts = builder.explore();
    fuel.spend(builder.work);
    let starts = starts?;
    let live = builder.live();
    if wanted.is_some() && !is_any {
        let two =
            builder.rows.iter().flatten().any(|edge| edge.ends && edge.next.is_some_and(|next| live[next as usize]));
        if two {
            return None;
        }
    }
    Some(builder.finish(&starts, &live))
}

/// What is left of the work for the tokens of one expression.
pub(in crate::grok::linear) struct Fuel {
    left: usize,
}

impl Default for Fuel {
    fn default() -> Fuel {
        Fuel { left: MAX_WORK_IN_ALL }
    }
}

impl Fuel {
    fn spend(&mut self, work: usize) {
        self.left = self.left.saturating_sub(work);
    }
}

/// A transition under construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Edge {
    pub(super) ends: bool,
    pub(super) next: Option<u32>,
}

type Key = (Vec<u32>, u8);

struct Builder<'n> {
    nfa: &'n Nfa,
    symbols: Symbols,
    /// The set that has to follow an end, and whether the line may end there.
    wanted: Option<(usize, bool)>,
    /// Whether the first end is the last.
    is_any: bool,
    /// By state, by symbol.
    rows: Vec<Vec<Edge>>,
    states: Vec<Key>,
    known: HashMap<Key, u32>,
    work: usize,
    /// By step: the last walk that met it.
    stamp: Vec<u32>,
    now: u32,
    stack: Vec<u32>,
}

impl Builder<'_> {
    /// Makes all states that can be reached; answers the first ones, by context.
    fn explore(&mut self) -> Option<Vec<u32>> {
        let contexts = if self.nfa.asks[self.nfa.start as usize] { self.symbols.contexts() } else { 1 };
        let starts: Vec<u32> =
            (0..contexts).map(|context| self.state(vec![self.nfa.start], context as u8)).collect::<Option<_>>()?;
        while self.rows.len() < self.states.len() {
            let (threads, context) = self.states[self.rows.len()].clone();
            let mut row = Vec::with_capacity(self.symbols.count());
            for symbol in 0..self.symbols.count() as u8 {
                row.push(match symbol == self.symbols.long {
                    true => Edge { ends: false, next: None },
                    false => self.edge(&threads, context, symbol)?,
                });
            }
            self.work += row.len();
            self.rows.push(row);
        }
        Some(starts)
    }

    fn state(&mut self, mut threads: Vec<u32>, context: u8) -> Option<u32> {
        if self.wanted.is_some() {
            threads.sort_unstable();
        }
        let asks = threads.iter().any(|&thread| self.nfa.asks[thread as usize]);
        let key = (threads, if asks { context } else { 0 });
        if let Some(&known) = self.known.get(&key) {
            return Some(known);
        }
        if self.states.len() >= if self.is_any { MAX_STATES / 2 } else { MAX_STATES } {
            return None;
        }
        let new = self.states.len() as u32;
        self.states.push(key.clone());
        self.known.insert(key, new);
        Some(new)
    }

    /// Where `threads` go over `symbol`.
    fn edge(&mut self, threads: &[u32], context: u8, symbol: u8) -> Option<Edge> {
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
        if self.work > MAX_WORK {
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

    /// By state: whether an end can be reached.
    fn live(&self) -> Vec<bool> {
        let mut into: Vec<Vec<u32>> = vec![Vec::new(); self.rows.len()];
        let mut live = vec![false; self.rows.len()];
        let mut open = Vec::new();
        for (state, row) in self.rows.iter().enumerate() {
            for next in row.iter().filter_map(|edge| edge.next) {
                into[next as usize].push(state as u32);
            }
            if row.iter().any(|edge| edge.ends) {
                live[state] = true;
                open.push(state as u32);
            }
        }
        while let Some(state) = open.pop() {
            for &from in &into[state as usize] {
                if !std::mem::replace(&mut live[from as usize], true) {
                    open.push(from);
                }
            }
        }
        live
    }

    fn finish(mut self, starts: &[u32], live: &[bool]) -> Token {
        for edge in self.rows.iter_mut().flatten() {
            edge.next = edge.next.filter(|&next| live[next as usize]);
        }
        let (rows, class_of) = minimize(&self.rows);
        let (states, symbols) = (rows.len(), &self.symbols);
        let leaves: Vec<Option<Vec<u8>>> =
            rows.iter().enumerate().map(|(state, row)| self.leaves(state as u32, row)).collect();
        // Those that stay come first.
        let mut order: Vec<usize> = (0..states).collect();
        order.sort_by_key(|&state| leaves[state].is_none());
        let mut number = vec![0; states];
        order.iter().enumerate().for_each(|(index, &state)| number[state] = index as u32);
        let stops = order.iter().map_while(|&state| leaves[state].as_deref());
        let stops = stops.map(|bytes| (!bytes.is_empty()).then(|| Stops::of(0, bytes, false))).collect();
        let mut transitions = vec![STOP; states * symbols.count()];
        for (state, row) in rows.iter().enumerate() {
            for (symbol, edge) in row.iter().enumerate() {
                let stays = edge.next.is_some_and(|next| leaves[next as usize].is_some());
                let next = edge.next.map_or(STOP, |next| number[next as usize]);
                let entry = next | if edge.ends { ENDS } else { 0 } | if stays { STAY } else { 0 };
                transitions[symbol * states + number[state] as usize] = entry;
            }
            let state = number[state] as usize;
            let is_dead = symbols.beyond().all(|symbol| transitions[usize::from(symbol) * states + state] == STOP);
            transitions[usize::from(symbols.long) * states + state] = if is_dead { STOP } else { CHAR };
        }
        let column_of = std::array::from_fn(|byte| {
            let symbol = if byte < 0x80 { symbols.ascii[byte] } else { symbols.long };
            u32::from(symbol) * states as u32
        });
        let starts: Vec<u32> = starts.iter().map(|&start| number[class_of[start as usize] as usize]).collect();
        let stays =
            |state: usize, byte: &usize| rows[state][usize::from(symbols.ascii[*byte])].next == Some(state as u32);
        let is_free = (0..rows.len()).any(|state| (0..0x80).filter(|byte| stays(state, byte)).count() > FREE);
        let states = states as u32;
        let mut token =
            Token { column_of, symbols: self.symbols, transitions, leaves: stops, states, starts, is_free, lane: None };
        token.lane = Lane::new(&token);
        token
    }

    /// The bytes at which a state is left that stays as it is at all others.
    fn leaves(&self, state: u32, row: &[Edge]) -> Option<Vec<u8>> {
        let stay = Edge { ends: false, next: Some(state) };
        if self.symbols.beyond().any(|symbol| row[usize::from(symbol)] != stay) {
            return None;
        }
        let leaves: Vec<u8> =
            (0..0x80).filter(|&byte| row[usize::from(self.symbols.ascii[usize::from(byte)])] != stay).collect();
        (leaves.len() <= MAX_LEAVES).then_some(leaves)
    }
}
