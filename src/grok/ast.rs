//! The tree of an expression, as its text means it: references expanded, options applied.
//!
//! There is no case folding, no named group and no escape left in it: `(?i)` has become sets, a field has become the
//! number of its slot, `\h` a set. Both engines are made from this tree.

use std::sync::Arc;

use crate::grok::set::Set;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// Matches the empty text.
    Empty,
    /// One character of the set.
    Set(Arc<Set>),
    /// A place, of no width.
    Look(Look),
    /// One after the other. Has two parts or more, none of them a `Concat` or `Empty`.
    Concat(Vec<Node>),
    /// The first that leads to a match. Has two parts or more.
    Alternate(Vec<Node>),
    /// `min` to `max` times, as often as possible when greedy, as seldom as possible otherwise.
    Repeat {
        /// What is repeated.
        node: Box<Node>,
        /// The fewest rounds.
        min: u32,
        /// The most rounds, not below `min`; `None` for no end.
        max: Option<u32>,
        /// Whether more rounds are tried before fewer.
        greedy: bool,
    },
    /// Remembers where `node` matched. Numbers below that of the fields' slots belong to fields, those from there on to
    /// groups that only back-references know.
    Capture {
        /// The number.
        slot: usize,
        /// What it holds.
        node: Box<Node>,
    },
    /// The first way in which `node` matches, and no other: `(?>…)` and possessive quantifiers.
    Atomic(Box<Node>),
    /// Look-ahead and look-behind.
    Around {
        /// Whether it looks back.
        behind: bool,
        /// Whether `node` must not match.
        negative: bool,
        /// What is looked for.
        node: Box<Node>,
    },
    /// The text of the latest of these captures that took part; fails when none did.
    Backreference {
        /// Capture numbers.
        slots: Vec<usize>,
        /// Whether upper and lower case are the same.
        fold: bool,
    },
    /// `yes` when the capture took part, else `no`.
    Conditional {
        /// Capture number.
        slot: usize,
        /// With it.
        yes: Box<Node>,
        /// Without it.
        no: Box<Node>,
    },
    /// What only the backtracking engine knows, in its own words (`\X`).
    Foreign(&'static str),
}

/// A place of no width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Look {
    /// `\A`: the beginning of the line as it was read.
    Start,
    /// `\z`: its end.
    End,
    /// `\Z`: its end, or before a newline that ends it.
    EndOrNewline,
    /// `^`: the beginning, or after a newline that does not end it.
    LineStart,
    /// `$`: the end, or before a newline.
    LineEnd,
    /// `\b`: between a word character (of Unicode) and what is none, or an end.
    Boundary,
    /// `\B`: elsewhere.
    NotBoundary,
}

/// The whole of an expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    /// Its tree.
    pub(crate) node: Node,
    /// The number of captures: fields first, then groups that only back-references know.
    pub(crate) captures: usize,
}

impl Node {
    /// The parts one after the other, flattened.
    pub(crate) fn concat(parts: impl IntoIterator<Item = Node>) -> Node {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Node::Empty => {}
                Node::Concat(inner) => flat.extend(inner),
                part => flat.push(part),
            }
        }
        match flat.len() {
            0 => Node::Empty,
            1 => flat.remove(0),
            _ => Node::Concat(flat),
        }
    }

    /// One character of `set`.
    pub(crate) fn set(set: Set) -> Node {
        Node::Set(Arc::new(set))
    }
}
