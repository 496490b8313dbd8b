//! Builds the complete DFA of a part, and proves that its end is unique.

use super::super::blocks::Stops;
use super::super::chars::FREE;
use super::super::lead::Lead;
use super::explore::{Edge, Explorer};
use super::minimize::minimize;
use super::nfa::{MAX_NODES, Nfa};
use super::{CHAR, ENDS, Lane, STAY, STOP, Token};
use crate::grok::ast::Node;

/// The most states. `EMAILADDRESS` needs 4,100.
const MAX_STATES: usize = 8_000;
/// The largest size of all states, in threads of four bytes.
const MAX_SIZE: usize = 1 << 24;
/// The most work, in steps over the NFA.
const MAX_WORK: usize = 2_000_000;
/// The most work for all tokens of an expression, failed attempts included. The limit matters for counted repeats: they
/// are unrolled, and the compiler tries each copy of their content again.
const MAX_WORK_IN_ALL: usize = 40_000_000;
/// A state *stays* if at most this many bytes leave it. With more bytes, a search for them is slower than one step per
/// byte.
const MAX_LEAVES: usize = 3;

/// The ends that count.
#[derive(Debug, Clone, Copy)]
pub(in crate::grok::linear) enum Ends<'l> {
    /// The end before a character that the next part can start with. There must not be two.
    Unique(&'l Lead),
    /// The end of the first way by priority.
    First,
    /// Any end: the caller only asks whether there is one.
    Any,
}

/// Builds the DFA of `node`. Returns `None` if `node` is too large, has no DFA, or has two ends where one is required.
pub(in crate::grok::linear) fn build(node: &Node, ends: Ends<'_>, fuel: &mut Fuel) -> Option<Token> {
    if fuel.left == 0 {
        return None;
    }
    let nfa = Nfa::new(node);
    fuel.spend(nfa.as_ref().map_or(MAX_NODES, |nfa| nfa.steps.len()));
    let nfa = nfa?;
    let mut builder = Builder { explorer: Explorer::new(nfa, ends, MAX_WORK, MAX_SIZE)?, rows: Vec::new() };
    let starts = builder.explore();
    fuel.spend(builder.explorer.work);
    let starts = starts?;
    let live = builder.live();
    if matches!(ends, Ends::Unique(_)) {
        let two =
            builder.rows.iter().flatten().any(|edge| edge.ends && edge.next.is_some_and(|next| live[next as usize]));
        if two {
            return None;
        }
    }
    Some(builder.finish(&starts, &live))
}

/// The work that is left for the tokens of one expression.
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

struct Builder {
    explorer: Explorer,
    /// The transitions, by state and symbol.
    rows: Vec<Vec<Edge>>,
}

impl Builder {
    /// Creates all reachable states. Returns the initial states, by context.
    fn explore(&mut self) -> Option<Vec<u32>> {
        let most = if self.explorer.is_any { MAX_STATES / 2 } else { MAX_STATES };
        let starts = self.explorer.starts()?;
        while self.rows.len() < self.explorer.count() {
            let state = self.rows.len() as u32;
            let symbols = 0..self.explorer.symbols.count() as u8;
            let row = symbols.map(|symbol| self.explorer.edge(state, symbol)).collect::<Option<Vec<Edge>>>()?;
            self.explorer.work += row.len();
            self.rows.push(row);
            if self.explorer.count() > most {
                return None;
            }
        }
        Some(starts)
    }

    /// Returns, for each state, whether an end is reachable from it.
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
        let (states, symbols) = (rows.len(), &self.explorer.symbols);
        let leaves: Vec<Option<Vec<u8>>> =
            rows.iter().enumerate().map(|(state, row)| self.leaves(state as u32, row)).collect();
        // States that stay come first.
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
        let mut token = Token {
            column_of,
            symbols: self.explorer.symbols,
            transitions,
            leaves: stops,
            states,
            starts,
            is_free,
            lane: None,
        };
        token.lane = Lane::new(&token);
        token
    }

    /// Returns the bytes that leave `state`, if all other bytes lead back to it.
    fn leaves(&self, state: u32, row: &[Edge]) -> Option<Vec<u8>> {
        let stay = Edge { ends: false, next: Some(state) };
        if self.explorer.symbols.beyond().any(|symbol| row[usize::from(symbol)] != stay) {
            return None;
        }
        let leaves: Vec<u8> = (0..0x80)
            .filter(|&byte| row[usize::from(self.explorer.symbols.ascii[usize::from(byte)])] != stay)
            .collect();
        (leaves.len() <= MAX_LEAVES).then_some(leaves)
    }
}
