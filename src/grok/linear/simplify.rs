//! Takes atomic groups out of an expression where they change nothing.
//!
//! An atomic group keeps the first way in which its content matches, in the order of priorities. There are three cases
//! in which it can be said otherwise:
//!
//! - A possessive run of a set, `x++`, is a run that is not followed by another `x`: its first way takes all of them, so
//!   that the character after it is none.
//! - Of alternatives that begin with different characters, the next character leaves one: the group can be made of each
//!   of them.
//! - When the content has no captures and there is, whatever the line and wherever it begins, at most one place where it
//!   can end, then there is no other way to be kept from. That is a property of its automaton and is proved on it: once
//!   the content is at an end, no character leads to another end (see [`token`](super::token)).

use super::lead::{Lead, has_capture, is_nullable, lead};
use super::token::{self, Ends};
use crate::grok::ast::Node;
use crate::grok::set::Set;

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
    if let Node::Alternate(ways) = &inner
        && are_apart(ways)
    {
        return Node::Alternate(ways.iter().map(|way| atomic(way.clone())).collect());
    }
    let everything = Lead::anything();
    if matches!(inner, Node::Set(_) | Node::Empty)
        || (!has_capture(&inner) && token::build(&inner, Ends::Unique(&everything)).is_some())
    {
        return inner;
    }
    Node::Atomic(Box::new(inner))
}

/// Whether the next character tells which of `ways` it is.
fn are_apart(ways: &[Node]) -> bool {
    let nowhere = Lead { set: Set::empty(), end: false, sure: false };
    let leads: Vec<Lead> = ways.iter().map(|way| lead(way, &nowhere)).collect();
    let apart = |(index, one): (usize, &Lead)| leads[..index].iter().all(|other| other.excludes(one));
    !ways.iter().any(is_nullable) && leads.iter().enumerate().all(apart)
}

/// `node` before `next` without look-aheads that what follows decides: what must not come next cannot come.
pub(super) fn prune(node: &Node, next: &Lead) -> Node {
    match node {
        Node::Concat(parts) => {
            let mut after = next.clone();
            let mut pruned: Vec<Node> = Vec::with_capacity(parts.len());
            for part in parts.iter().rev() {
                let part = prune(part, &after);
                after = lead(&part, &after);
                pruned.push(part);
            }
            pruned.reverse();
            Node::concat(pruned)
        }
        Node::Alternate(ways) => Node::Alternate(ways.iter().map(|way| prune(way, next)).collect()),
        Node::Capture { slot, node } => Node::Capture { slot: *slot, node: Box::new(prune(node, next)) },
        Node::Around { behind: false, negative: true, node: unwanted } if !is_nullable(unwanted) => {
            let seen = lead(unwanted, &Lead::anything());
            if seen.set.is_disjoint(&next.set) { Node::Empty } else { node.clone() }
        }
        Node::Repeat { node, min, max, greedy } => {
            // Another round can follow, or what comes after the loop.
            let next = lead(node, next).or(next);
            Node::Repeat { node: Box::new(prune(node, &next)), min: *min, max: *max, greedy: *greedy }
        }
        node => node.clone(),
    }
}
