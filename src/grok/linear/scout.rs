//! Whether there can be a match anywhere in what is left of a line, in one walk over it.
//!
//! Most lines match at their first place. In one that does not, each further place is an attempt of its own, and
//! together they can cost many times what a match costs. The scout is an automaton that looks for a match from all
//! places at once. It knows nothing of captures, takes atomic groups for plain ones and passes over what it does not
//! know, so that it finds all matches and perhaps more: where it finds nothing, there is nothing.

use super::token::{self, Ends, Fuel, NO_END, Token};
use crate::grok::ast::{Look, Node};
use crate::grok::set::Set;

/// The automaton that looks for `node`, or, if that is too large, for how it begins.
#[derive(Debug)]
pub(super) struct Scout(Token);

impl Scout {
    /// `None` when not even the beginning of `node` can be looked for.
    pub(super) fn new(node: &Node) -> Option<Scout> {
        let anything = Node::Repeat { node: Box::new(Node::set(Set::any())), min: 0, max: None, greedy: false };
        let parts = match plain(node) {
            Node::Concat(parts) => parts,
            node => vec![node],
        };
        let mut length = parts.len();
        while length > 0 {
            let sought = Node::concat([anything.clone()].into_iter().chain(parts[..length].iter().cloned()));
            if let Some(token) = token::build(&sought, Ends::Any, &mut Fuel::default()) {
                return Some(Scout(token));
            }
            length /= 2;
        }
        None
    }

    /// Whether a match can begin at `at` or behind it.
    pub(super) fn finds(&self, line: &[u8], at: usize) -> bool {
        at <= line.len() && self.0.run(line, at).0 != NO_END
    }
}

/// What matches wherever `node` matches, without what an automaton cannot do.
fn plain(node: &Node) -> Node {
    let all = |parts: &[Node]| parts.iter().map(plain).collect::<Vec<Node>>();
    match node {
        Node::Concat(parts) => Node::concat(all(parts)),
        Node::Alternate(ways) => Node::Alternate(all(ways)),
        Node::Repeat { node, min, max, greedy } => {
            Node::Repeat { node: Box::new(plain(node)), min: *min, max: *max, greedy: *greedy }
        }
        Node::Capture { node, .. } | Node::Atomic(node) => plain(node),
        Node::Around { node: sought, .. } if matches!(**sought, Node::Set(_)) => node.clone(),
        Node::Around { .. } | Node::Look(Look::EndOrNewline) => Node::Empty,
        node => node.clone(),
    }
}
