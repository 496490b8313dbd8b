//! Takes atomic groups out of an expression where they change nothing.
//!
//! An atomic group keeps the first way in which its content matches, in the order of priorities. There are two cases in
//! which it can be said otherwise:
//!
//! - A possessive run of a set, `x++`, is a run that is not followed by another `x`: its first way takes all of them, so
//!   that the character after it is none.
//! - When the content has no captures and there is, whatever the line and wherever it begins, at most one place where it
//!   can end, then there is no other way to be kept from. That is a property of its automaton and is proved on it: once
//!   the content is at an end, no character leads to another end (see [`token`](super::token)).

use super::lead::{Lead, has_capture};
use super::token::{self, Ends};
use crate::grok::ast::Node;

/// `node` without the atomic groups that change nothing.
pub(super) fn simplify(node: &Node) -> Node {
    let all = |parts: &[Node]| parts.iter().map(simplify).collect::<Vec<Node>>();
    match node {
        Node::Concat(parts) => Node::concat(all(parts)),
        Node::Alternate(ways) => Node::Alternate(all(ways)),
        Node::Repeat { node, min, max, greedy } => match (min, max) {
            (1, Some(1)) => simplify(node),
            (_, Some(0)) => Node::Empty,
            _ => Node::Repeat { node: Box::new(simplify(node)), min: *min, max: *max, greedy: *greedy },
        },
        Node::Capture { slot, node } => Node::Capture { slot: *slot, node: Box::new(simplify(node)) },
        Node::Around { behind, negative, node } => {
            Node::Around { behind: *behind, negative: *negative, node: Box::new(simplify(node)) }
        }
        Node::Conditional { slot, yes, no } => {
            Node::Conditional { slot: *slot, yes: Box::new(simplify(yes)), no: Box::new(simplify(no)) }
        }
        Node::Atomic(inner) => atomic(simplify(inner)),
        node => node.clone(),
    }
}

fn atomic(inner: Node) -> Node {
    if let Node::Repeat { node, max: None, greedy: true, .. } = &inner
        && let Node::Set(_) = &**node
    {
        let no_more = Node::Around { behind: false, negative: true, node: node.clone() };
        return Node::concat([inner, no_more]);
    }
    let everything = Lead::anything();
    if matches!(inner, Node::Set(_) | Node::Empty)
        || (!has_capture(&inner) && token::build(&inner, Ends::Unique(&everything)).is_some())
    {
        return inner;
    }
    Node::Atomic(Box::new(inner))
}
