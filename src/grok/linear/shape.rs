//! What kind of part a part is: questions that the compiler asks of the tree.

use super::chars::Class;
use super::lead::{Lead, any, has_capture};
use super::op::Exit;
use crate::grok::ast::{Look, Node};
use crate::grok::set::Set;

/// The most characters that are looked at all at once.
pub(super) const MAX_SHAPE: usize = 48;

/// Whether it is worth while to note where part `at` begins: where the machine can come to more than once, from several
/// places or in several ways.
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

/// The characters of `node`, when it is at an end only before what is none of them: a match that begins anywhere inside
/// one of its texts ends where the text does.
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

/// The set and the number of its characters, when `node` is a fixed number of one set.
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

/// Whether a run of `set` before `after` has one end only, as far as a match can come of it.
pub(super) fn is_decided(set: &Set, max: Option<u32>, min: u32, after: &Lead) -> bool {
    // What is sure to match after the run needs no second try; and where the next part cannot begin with a character of
    // the run, it cannot follow before the run is at its end.
    after.sure || max == Some(min) || set.is_disjoint(&after.set)
}

/// Whether `node` before `after` is one instruction of the kind that leaves no choice open.
pub(super) fn is_simple(node: &Node, after: &Lead) -> bool {
    match node {
        Node::Set(_) => true,
        // Characters on both sides are what an automaton looks at anyway.
        Node::Look(look) => !matches!(look, Look::Boundary | Look::NotBoundary),
        Node::Around { node, .. } => matches!(**node, Node::Set(_)),
        Node::Repeat { node, min, max, .. } => match &**node {
            Node::Set(set) => is_decided(set, *max, *min, after),
            _ => false,
        },
        _ => false,
    }
}
