//! The tree of an expression, with references expanded and options applied.
//!
//! The tree contains no case folding, no named group and no escape. `(?i)` and `\h` have become sets, and a field has
//! become the number of its slot. Both engines compile this tree.

use std::sync::Arc;

use crate::grok::set::Set;

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// Matches the empty text.
    Empty,
    /// Matches one character of the set.
    Set(Arc<Set>),
    /// A zero-width test of the position.
    Look(Look),
    /// A sequence of nodes. It has at least two nodes, and none of them is a `Concat` or `Empty`.
    Concat(Vec<Node>),
    /// Alternatives, in order of priority. There are at least two.
    Alternate(Vec<Node>),
    /// Matches `node` `min` to `max` times: as often as possible if `greedy`, as seldom as possible otherwise.
    Repeat {
        /// The repeated node.
        node: Box<Node>,
        /// The fewest rounds.
        min: u32,
        /// The most rounds, not below `min`; `None` for no end.
        max: Option<u32>,
        /// Whether a match with more rounds is tried first.
        greedy: bool,
    },
    /// Records where `node` matched. The numbers of fields come first; groups that only back-references use come after
    /// them.
    Capture {
        /// The number of the capture.
        slot: usize,
        /// The captured node.
        node: Box<Node>,
    },
    /// An atomic group: only the first way in which `node` matches counts. Written `(?>…)` or as a possessive
    /// quantifier.
    Atomic(Box<Node>),
    /// Look-ahead and look-behind.
    Around {
        /// Whether it is a look-behind.
        behind: bool,
        /// Whether `node` must not match.
        negative: bool,
        /// The node to look for.
        node: Box<Node>,
    },
    /// Matches the text of the latest of these captures that took part. Fails if none of them did.
    Backreference {
        /// The numbers of the captures.
        slots: Vec<usize>,
        /// Whether upper and lower case are the same.
        fold: bool,
    },
    /// Matches `yes` if the capture took part in the match so far, else `no`.
    Conditional {
        /// The number of the capture.
        slot: usize,
        /// The node for a capture that took part.
        yes: Box<Node>,
        /// The node for a capture that took no part.
        no: Box<Node>,
    },
    /// A construct that only PCRE2 supports, in PCRE2's syntax (`\X`).
    Foreign(&'static str),
}

/// A zero-width test of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Look {
    /// `\A`: the start of the input.
    Start,
    /// `\z`: the end of the input.
    End,
    /// `\Z`: the end of the input, or the position before a newline that ends it.
    EndOrNewline,
    /// `^`: the start of the input, or the position after a newline that is not the last byte.
    LineStart,
    /// `$`: the end of the input, or the position before a newline.
    LineEnd,
    /// `\b`: the position between a word character (of Unicode) and another character or an end of the input.
    Boundary,
    /// `\B`: a position that is no word boundary.
    NotBoundary,
}

/// A whole expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    /// Its tree.
    pub(crate) node: Node,
    /// The number of captures. Captures of fields come first, then captures of groups that only back-references use.
    pub(crate) captures: usize,
}

impl Node {
    /// Whether some part of the tree matches the newline, and nothing else but ends of lines.
    pub(crate) fn names_newline(&self) -> bool {
        match self {
            Node::Set(set) => set.is_newline(),
            Node::Concat(parts) | Node::Alternate(parts) => parts.iter().any(Node::names_newline),
            Node::Repeat { node, .. } | Node::Capture { node, .. } | Node::Atomic(node) | Node::Around { node, .. } => {
                node.names_newline()
            }
            Node::Conditional { yes, no, .. } => yes.names_newline() || no.names_newline(),
            Node::Empty | Node::Look(_) | Node::Backreference { .. } | Node::Foreign(_) => false,
        }
    }

    /// Returns a sequence of `parts`, flattened.
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

    /// Returns a node that matches one character of `set`.
    pub(crate) fn set(set: Set) -> Node {
        Node::Set(Arc::new(set))
    }
}
