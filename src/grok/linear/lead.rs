//! Properties of a node that do not depend on a line: its first characters, its width, and whether it can match the
//! empty text.

use crate::grok::ast::{Look, Node};
use crate::grok::set::Set;

/// A lead: the condition on the next character under which a match can continue. The next character must be in `set`.
/// With `end`, the end of the line is accepted too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lead {
    pub(super) set: Set,
    pub(super) end: bool,
    /// Whether the rest of the expression always matches, at every position.
    pub(super) sure: bool,
}

impl Lead {
    /// Returns the lead of the expression's end: everything is accepted.
    pub(super) fn anything() -> Lead {
        Lead { set: Set::any(), end: true, sure: true }
    }

    /// Returns the lead of a node about which nothing is known.
    fn unknown() -> Lead {
        Lead { set: Set::any(), end: true, sure: false }
    }

    fn unsure(self) -> Lead {
        Lead { sure: false, ..self }
    }

    pub(super) fn or(&self, other: &Lead) -> Lead {
        Lead { set: self.set.union(&other.set), end: self.end || other.end, sure: self.sure || other.sure }
    }

    /// Returns whether no next character satisfies both leads.
    pub(super) fn excludes(&self, other: &Lead) -> bool {
        !(self.end && other.end) && self.set.is_disjoint(&other.set)
    }
}

/// Returns the lead of `node` followed by `next`.
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
            // An empty round is followed by `next`, and a second round adds nothing new.
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

/// Returns whether `node` can match the empty text.
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

/// Returns whether `node` contains a capture.
pub(super) fn has_capture(node: &Node) -> bool {
    any(node, &mut |node| matches!(node, Node::Capture { .. }))
}

/// Returns whether `test` holds for `node` or a node in it.
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

/// Returns the number of characters of every match of `node`, if it is always the same.
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
