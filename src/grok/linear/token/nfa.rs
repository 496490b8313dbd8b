//! The NFA of a token: a graph of steps, each of at most one character.

use super::super::chars;
use super::super::lead::is_nullable;
use crate::grok::ast::{Look, Node};
use crate::grok::set::Set;

/// The most steps of an NFA. Counted repeats are unrolled in it. `EMAILADDRESS` needs 4,200 steps.
pub(super) const MAX_NODES: usize = 12_000;

/// A step.
#[derive(Debug)]
pub(super) enum Step {
    /// Reads one character of the set with this index.
    Set(usize, u32),
    /// Branches without reading, in order of priority.
    Split(Vec<u32>),
    /// Continues if the test holds.
    Test(Test, u32),
    /// The end of the part.
    End,
}

/// A test of a position.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test {
    Start,
    End,
    /// The start of a line in the input. The number is the index of the set that holds the newline.
    LineStart(usize),
    LineEnd(usize),
    /// A word boundary, with the index of the set of word characters. With `true`, a position that is no boundary.
    Boundary(usize, bool),
    /// The next character is in the set. With `true`, it is not.
    Ahead(usize, bool),
    /// The previous character is in the set. With `true`, it is not.
    Behind(usize, bool),
}

/// The NFA of a part.
#[derive(Debug)]
pub(super) struct Nfa {
    pub(super) steps: Vec<Step>,
    pub(super) start: u32,
    pub(super) sets: Vec<Set>,
    /// For each set: whether a test of the previous character uses it.
    pub(super) behind: Vec<bool>,
    /// For each step: whether a test of the previous character can follow it before the next character is read.
    pub(super) asks: Vec<bool>,
}

impl Nfa {
    /// Builds the NFA of `node`. Returns `None` if it is too large, or if `node` contains a construct that a DFA cannot
    /// express.
    pub(super) fn new(node: &Node) -> Option<Nfa> {
        let mut nfa = Nfa { steps: vec![Step::End], start: 0, sets: Vec::new(), behind: Vec::new(), asks: Vec::new() };
        nfa.start = nfa.add(node, 0)?;
        nfa.find_asking();
        Some(nfa)
    }

    /// Returns the index of `set`.
    pub(super) fn set(&mut self, set: &Set, behind: bool) -> usize {
        let index = self.sets.iter().position(|known| known == set).unwrap_or_else(|| {
            self.sets.push(set.clone());
            self.behind.push(false);
            self.sets.len() - 1
        });
        self.behind[index] |= behind;
        index
    }

    fn step(&mut self, step: Step) -> Option<u32> {
        if self.steps.len() >= MAX_NODES {
            return None;
        }
        self.steps.push(step);
        Some(self.steps.len() as u32 - 1)
    }

    /// Adds `node` in front of `next`. Returns its first step.
    fn add(&mut self, node: &Node, next: u32) -> Option<u32> {
        match node {
            Node::Empty => Some(next),
            Node::Set(set) => {
                let set = self.set(set, false);
                self.step(Step::Set(set, next))
            }
            Node::Look(look) => {
                let test = self.test(*look)?;
                self.step(Step::Test(test, next))
            }
            Node::Concat(parts) => parts.iter().rev().try_fold(next, |next, part| self.add(part, next)),
            Node::Alternate(ways) => {
                let ways = ways.iter().map(|way| self.add(way, next)).collect::<Option<Vec<u32>>>()?;
                self.step(Step::Split(ways))
            }
            Node::Repeat { node, min, max, greedy } => self.repeat(node, *min, *max, *greedy, next),
            Node::Around { behind, negative, node } => {
                let Node::Set(set) = &**node else { return None };
                let set = self.set(set, *behind);
                let test = if *behind { Test::Behind(set, *negative) } else { Test::Ahead(set, *negative) };
                self.step(Step::Test(test, next))
            }
            Node::Capture { .. }
            | Node::Atomic(_)
            | Node::Backreference { .. }
            | Node::Conditional { .. }
            | Node::Foreign(_) => None,
        }
    }

    fn test(&mut self, look: Look) -> Option<Test> {
        let newline = Set::one('\n');
        Some(match look {
            Look::Start => Test::Start,
            Look::End => Test::End,
            Look::LineStart => Test::LineStart(self.set(&newline, true)),
            Look::LineEnd => Test::LineEnd(self.set(&newline, false)),
            Look::Boundary => Test::Boundary(self.set(chars::word(), true), false),
            Look::NotBoundary => Test::Boundary(self.set(chars::word(), true), true),
            // This test needs two characters.
            Look::EndOrNewline => return None,
        })
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, greedy: bool, next: u32) -> Option<u32> {
        let split =
            |inside: u32, outside: u32| Step::Split(if greedy { vec![inside, outside] } else { vec![outside, inside] });
        let mut entry = next;
        match max {
            None => {
                let again = self.step(Step::Split(Vec::new()))?;
                // An empty round leaves the loop at once. Other ways of the round have lower priority.
                let inside =
                    if is_nullable(node) { self.add_round(node, next, again)? } else { self.add(node, again)? };
                self.steps[again as usize] = split(inside, next);
                entry = again;
                if min > 0 {
                    entry = self.copies(node, min - 1, inside)?;
                }
            }
            Some(max) => {
                for _ in min..max {
                    let inside = self.add(node, entry)?;
                    entry = self.step(split(inside, next))?;
                }
                entry = self.copies(node, min, entry)?;
            }
        }
        Some(entry)
    }

    /// Adds `node`, a part of a loop's round. It continues at `empty` if the round has read nothing so far, else at
    /// `more`.
    fn add_round(&mut self, node: &Node, empty: u32, more: u32) -> Option<u32> {
        match node {
            Node::Set(_) => self.add(node, more),
            Node::Concat(parts) => {
                let (mut empty, mut more) = (empty, more);
                for (index, part) in parts.iter().enumerate().rev() {
                    empty = self.add_round(part, empty, more)?;
                    // The first part of a round needs no entry at `more`, because the round has read nothing before it.
                    if index > 0 {
                        more = self.add(part, more)?;
                    }
                }
                Some(empty)
            }
            Node::Alternate(ways) => {
                let ways = ways.iter().map(|way| self.add_round(way, empty, more)).collect::<Option<Vec<u32>>>()?;
                self.step(Step::Split(ways))
            }
            Node::Repeat { node, min, max, greedy } => {
                let split = |inside: u32, outside: u32| {
                    Step::Split(if *greedy { vec![inside, outside] } else { vec![outside, inside] })
                };
                let left = |max: &Option<u32>, done: u32| max.map(|max| max - done);
                let mut at = match max {
                    None => {
                        let again = self.repeat(node, 0, None, *greedy, more)?;
                        let inside = self.add_round(node, empty, again)?;
                        self.step(split(inside, empty))?
                    }
                    Some(max) => {
                        let mut at = empty;
                        for round in (*min..*max).rev() {
                            let again = self.repeat(node, 0, left(&Some(*max), round + 1), *greedy, more)?;
                            let inside = self.add_round(node, at, again)?;
                            at = self.step(split(inside, empty))?;
                        }
                        at
                    }
                };
                for round in (0..*min).rev() {
                    let again = self.repeat(node, *min - round - 1, left(max, round + 1), *greedy, more)?;
                    at = self.add_round(node, at, again)?;
                }
                Some(at)
            }
            node => self.add(node, empty),
        }
    }

    fn copies(&mut self, node: &Node, count: u32, next: u32) -> Option<u32> {
        (0..count).try_fold(next, |next, _| self.add(node, next))
    }

    fn find_asking(&mut self) {
        self.asks = vec![false; self.steps.len()];
        let mut changed = true;
        // Outside of loops, a step points to an earlier step, so a few rounds suffice.
        while changed {
            changed = false;
            for index in 0..self.steps.len() {
                let asks = match &self.steps[index] {
                    Step::Test(Test::Ahead(..) | Test::LineEnd(_) | Test::End, next) => self.asks[*next as usize],
                    Step::Test(..) => true,
                    Step::Split(ways) => ways.iter().any(|&way| self.asks[way as usize]),
                    Step::Set(..) | Step::End => false,
                };
                changed |= asks && !self.asks[index];
                self.asks[index] |= asks;
            }
        }
    }
}
