//! What can be said of a part of an expression before any line is seen: what it may begin with, whether it can be empty.

use crate::grok::ast::{Look, Node};
use crate::grok::set::Set;

/// What comes next, as far as one character shows it: a match can go on only if the next character is in `set`, or, at
/// the end of the line, if `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lead {
    pub(super) set: Set,
    pub(super) end: bool,
    /// Whether the rest matches in any case, wherever it stands.
    pub(super) sure: bool,
}

impl Lead {
    /// What the end of the expression asks for: nothing.
    pub(super) fn anything() -> Lead {
        Lead { set: Set::any(), end: true, sure: true }
    }

    /// Nothing known.
    fn unknown() -> Lead {
        Lead { set: Set::any(), end: true, sure: false }
    }

    fn unsure(self) -> Lead {
        Lead { sure: false, ..self }
    }

    pub(super) fn or(&self, other: &Lead) -> Lead {
        Lead { set: self.set.union(&other.set), end: self.end || other.end, sure: self.sure || other.sure }
    }

    /// Whether no character can be the next of both.
    pub(super) fn excludes(&self, other: &Lead) -> bool {
        !(self.end && other.end) && self.set.is_disjoint(&other.set)
    }
}

/// What `node` and then `next` can begin with.
pub(super) fn lead(node: &Node, next: &Lead) -> Lead {
    match node {
        Node::Empty => next.clone(),
        Node::Set(set) => Lead { set: (**set).clone(), end: false, sure: false },
        Node::Look(look) => match look {
            Look::End => Lead { set: Set::empty(), end: next.end, sure: false },
            Look::LineEnd | Look::EndOrNewline => {
                Lead { set: next.set.intersect(&Set::one('\n')), end: next.end, sure: false }
            }
            _ => next.clone().unsure(),
        },
        Node::Concat(parts) => parts.iter().rev().fold(next.clone(), |next, part| lead(part, &next)),
        Node::Alternate(ways) => {
            let mut all = ways.iter().map(|way| lead(way, next));
            let first = all.next().unwrap_or_else(Lead::unknown);
            all.fold(first, |some, more| some.or(&more))
        }
        Node::Repeat { node, min, max, .. } => {
            if *max == Some(0) {
                return next.clone();
            }
            // A round that is empty shows what follows; another round after it shows nothing new.
            let inner = lead(node, next);
            if *min == 0 { inner.or(next) } else { inner.unsure() }
        }
        Node::Capture { node, .. } => lead(node, next),
        Node::Atomic(node) => lead(node, next).unsure(),
        Node::Around { behind: false, negative, node } => match &**node {
            Node::Set(set) if *negative => Lead { set: next.set.intersect(&set.negate()), end: next.end, sure: false },
            Node::Set(set) => Lead { set: next.set.intersect(set), end: false, sure: false },
            _ => next.clone().unsure(),
        },
        Node::Around { .. } => next.clone().unsure(),
        Node::Backreference { .. } | Node::Conditional { .. } | Node::Foreign(_) => Lead::unknown(),
    }
}

/// Whether `node` can match the empty text.
pub(super) fn is_nullable(node: &Node) -> bool {
    match node {
        Node::Empty | Node::Look(_) | Node::Around { .. } => true,
        Node::Set(_) => false,
        Node::Concat(parts) => parts.iter().all(is_nullable),
        Node::Alternate(ways) => ways.iter().any(is_nullable),
        Node::Repeat { node, min, .. } => *min == 0 || is_nullable(node),
        Node::Capture { node, .. } | Node::Atomic(node) => is_nullable(node),
        Node::Backreference { .. } | Node::Conditional { .. } | Node::Foreign(_) => true,
    }
}

/// Whether a capture stands in `node`.
pub(super) fn has_capture(node: &Node) -> bool {
    any(node, &mut |node| matches!(node, Node::Capture { .. }))
}

/// Whether `test` holds for `node` or a part of it.
pub(super) fn any(node: &Node, test: &mut impl FnMut(&Node) -> bool) -> bool {
    test(node)
        || match node {
            Node::Concat(parts) | Node::Alternate(parts) => parts.iter().any(|part| any(part, test)),
            Node::Repeat { node, .. } | Node::Capture { node, .. } | Node::Atomic(node) | Node::Around { node, .. } => {
                any(node, test)
            }
            Node::Conditional { yes, no, .. } => any(yes, test) || any(no, test),
            _ => false,
        }
}

/// The number of characters of every match of `node`, when it is one number.
pub(super) fn width(node: &Node) -> Option<u32> {
    match node {
        Node::Empty | Node::Look(_) | Node::Around { .. } => Some(0),
        Node::Set(_) => Some(1),
        Node::Concat(parts) => parts.iter().try_fold(0u32, |sum, part| sum.checked_add(width(part)?)),
        Node::Alternate(ways) => {
            let mut widths = ways.iter().map(width);
            let first = widths.next()??;
            widths.all(|width| width == Some(first)).then_some(first)
        }
        Node::Repeat { node, min, max, .. } if *max == Some(*min) => width(node)?.checked_mul(*min),
        Node::Repeat { .. } => None,
        Node::Capture { node, .. } | Node::Atomic(node) => width(node),
        Node::Backreference { .. } | Node::Conditional { .. } | Node::Foreign(_) => None,
    }
}
