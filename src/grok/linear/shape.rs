//! Tests of nodes that the compiler needs: what kind of node a node is.

use super::chars::Class;
use super::lead::{Lead, any, has_capture};
use super::op::Exit;
use crate::grok::ast::{Look, Node};
use crate::grok::set::Set;

/// The most characters that one [`Op::Shape`](super::op::Op::Shape) instruction compares.
pub(super) const MAX_SHAPE: usize = 48;

/// Returns whether a join before part `at` saves work: the machine can reach that part at one position several times,
/// from several starts or in several ways.
pub(super) fn joins(parts: &[Node], at: usize, leads: &[Lead]) -> bool {
    let Some(before) = at.checked_sub(1).and_then(|before| parts.get(before)) else { return false };
    let is_fixed = matches!(before, Node::Look(_) | Node::Set(_) | Node::Around { .. });
    if at == 1 {
        return !is_fixed;
    }
    let is_open = |node: &Node| match node {
        Node::Alternate(_) => true,
        Node::Repeat { node, min, max, .. } => match &**node {
            Node::Set(set) => !is_decided(set, *max, *min, &leads[at]),
            _ => true,
        },
        _ => false,
    };
    match before {
        Node::Capture { node, .. } => has_capture(node) && is_open(node),
        node => has_capture(node) && is_open(node),
    }
}

/// Returns the characters of `node`, if `node` can end only before another character. Then a match that starts anywhere
/// inside a text of `node` ends where that text ends.
pub(super) fn is_one(node: &Node, after: &Lead) -> Option<Set> {
    let mut used = Set::empty();
    let mut is_plain = true;
    let _ = any(node, &mut |node| {
        match node {
            Node::Set(set) => used = used.union(set),
            Node::Backreference { .. } | Node::Conditional { .. } | Node::Foreign(_) => is_plain = false,
            _ => {}
        }
        false
    });
    (is_plain && !after.end && used.is_disjoint(&after.set)).then_some(used)
}

pub(super) fn is_look(node: &Node) -> bool {
    match node {
        Node::Look(look) => *look != Look::EndOrNewline,
        Node::Around { node, .. } => matches!(**node, Node::Set(_)),
        _ => false,
    }
}

/// Returns the set and the number of its characters, if `node` is a fixed number of characters of one set.
pub(super) fn fixed(node: &Node) -> Option<(&Set, usize)> {
    match node {
        Node::Set(set) => Some((set, 1)),
        Node::Repeat { node, min, max, .. } if *max == Some(*min) && *min > 0 && *min as usize <= MAX_SHAPE => {
            match &**node {
                Node::Set(set) => Some((set, *min as usize)),
                _ => None,
            }
        }
        _ => None,
    }
}

pub(super) fn is_ascii(set: &Set) -> bool {
    !set.contains_raw() && set.as_ranges().last().is_none_or(|&(_, high)| high < 0x80)
}

pub(super) fn exit(after: &Lead) -> Exit {
    if after.end && after.set == Set::any() {
        return Exit::Anywhere;
    }
    match after.set.as_char() {
        Some(c) if c.is_ascii() && !after.end => Exit::Byte(c as u8),
        _ => Exit::Bytes(Box::new(Class::new(&after.set).can_begin()), after.end),
    }
}

/// Returns whether a run of `set`, followed by `after`, has only one end that can lead to a match.
pub(super) fn is_decided(set: &Set, max: Option<u32>, min: u32, after: &Lead) -> bool {
    // If the rest always matches, the first end is enough. If the next part cannot start with a character of the run,
    // it cannot follow before the end of the run.
    after.sure || max == Some(min) || set.is_disjoint(&after.set)
}

/// Returns whether one instruction without a choice can match `node`, followed by `after`.
pub(super) fn is_simple(node: &Node, after: &Lead) -> bool {
    match node {
        Node::Set(_) => true,
        // A DFA tests characters on both sides at no extra cost.
        Node::Look(look) => !matches!(look, Look::Boundary | Look::NotBoundary),
        Node::Around { node, .. } => matches!(**node, Node::Set(_)),
        Node::Repeat { node, min, max, .. } => match &**node {
            Node::Set(set) => is_decided(set, *max, *min, after),
            _ => false,
        },
        _ => false,
    }
}
