//! Removes atomic groups where they change nothing.
//!
//! An atomic group keeps the first way, by priority, in which its content matches. In three cases, a plain expression
//! does the same:
//!
//! - A possessive run of a set, `x++`, becomes a run that no `x` follows. The first way takes all `x`, so the next
//!   character is another one.
//! - If alternatives start with different characters, the next character selects one of them. The group can then be
//!   moved into each alternative.
//! - If the content has no captures and always has at most one end, there is no second way to exclude. This is proved
//!   on its DFA: once the content can end, no character leads to another end (see [`token`]).

use super::chars::word;
use super::lead::{Lead, has_capture, is_nullable, lead};
use super::token::{self, Ends, Fuel};
use crate::grok::ast::{Look, Node};
use crate::grok::set::Set;

/// Returns `node` without the atomic groups that change nothing.
pub(super) fn simplify(node: &Node, fuel: &mut Fuel) -> Node {
    let mut all = |parts: &[Node]| parts.iter().map(|part| simplify(part, fuel)).collect::<Vec<Node>>();
    match node {
        Node::Concat(parts) => Node::concat(all(parts)),
        Node::Alternate(ways) => Node::Alternate(all(ways)),
        Node::Repeat { node, min, max, greedy } => match (min, max) {
            (1, Some(1)) => simplify(node, fuel),
            (_, Some(0)) => Node::Empty,
            _ => Node::Repeat { node: Box::new(simplify(node, fuel)), min: *min, max: *max, greedy: *greedy },
        },
        Node::Capture { slot, node } => Node::Capture { slot: *slot, node: Box::new(simplify(node, fuel)) },
        Node::Around { behind, negative, node } => {
            Node::Around { behind: *behind, negative: *negative, node: Box::new(simplify(node, fuel)) }
        }
        Node::Conditional { slot, yes, no } => {
            Node::Conditional { slot: *slot, yes: Box::new(simplify(yes, fuel)), no: Box::new(simplify(no, fuel)) }
        }
        Node::Atomic(inner) => atomic(simplify(inner, fuel), fuel),
        node => node.clone(),
    }
}

fn atomic(inner: Node, fuel: &mut Fuel) -> Node {
    if let Node::Repeat { node, max: None, greedy: true, .. } = &inner
        && let Node::Set(_) = &**node
    {
        let no_more = Node::Around { behind: false, negative: true, node: node.clone() };
        return Node::concat([inner, no_more]);
    }
    if let Node::Alternate(ways) = &inner
        && are_apart(ways)
    {
        return Node::Alternate(ways.iter().map(|way| atomic(way.clone(), fuel)).collect());
    }
    let everything = Lead::anything();
    if matches!(inner, Node::Set(_) | Node::Empty)
        || (!has_capture(&inner) && token::build(&inner, Ends::Unique(&everything), fuel).is_some())
    {
        return inner;
    }
    Node::Atomic(Box::new(inner))
}

/// Returns whether the next character tells the alternatives apart.
fn are_apart(ways: &[Node]) -> bool {
    let nowhere = Lead { set: Set::empty(), end: false, sure: false };
    let leads: Vec<Lead> = ways.iter().map(|way| lead(way, &nowhere)).collect();
    let apart = |(index, one): (usize, &Lead)| leads[..index].iter().all(|other| other.excludes(one));
    !ways.iter().any(is_nullable) && leads.iter().enumerate().all(apart)
}

/// Removes the look-around of one character if the neighbouring characters decide its result. `before` and `after` tell
/// which characters can stand before and after `node`.
pub(super) fn prune(node: &Node, before: &Lead, after: &Lead) -> Node {
    match node {
        Node::Concat(parts) => {
            let mut afters = vec![after.clone()];
            for part in parts.iter().rev() {
                afters.push(lead(part, &afters[afters.len() - 1]));
            }
            afters.pop();
            let mut before = before.clone();
            let mut pruned = Vec::with_capacity(parts.len());
            for part in parts {
                let after = afters.pop().unwrap_or_else(Lead::anything);
                pruned.push(prune(part, &before, &after));
                before = tail(part, &before);
            }
            Node::concat(pruned)
        }
        Node::Alternate(ways) => Node::Alternate(ways.iter().map(|way| prune(way, before, after)).collect()),
        Node::Capture { slot, node } => Node::Capture { slot: *slot, node: Box::new(prune(node, before, after)) },
        Node::Repeat { node, min, max, greedy } => {
            // Between two rounds, the end of one round meets the start of the next.
            let before = tail(node, before).or(before);
            let after = lead(node, after).or(after);
            Node::Repeat { node: Box::new(prune(node, &before, &after)), min: *min, max: *max, greedy: *greedy }
        }
        Node::Around { behind, negative, node: sought } => match &**sought {
            Node::Set(set) => {
                let there = if *behind { before } else { after };
                let is_never = there.set.is_disjoint(set);
                let is_always = !there.end && there.set.is_disjoint(&set.negate());
                if (*negative && is_never) || (!*negative && is_always) { Node::Empty } else { node.clone() }
            }
            sought if *negative && !*behind && !is_nullable(sought) => {
                let seen = lead(sought, &Lead::anything());
                if seen.set.is_disjoint(&after.set) { Node::Empty } else { node.clone() }
            }
            _ => node.clone(),
        },
        Node::Look(Look::Boundary) => match (is_word(before), is_word(after)) {
            (Some(one), Some(other)) if one != other => Node::Empty,
            _ => node.clone(),
        },
        node => node.clone(),
    }
}

/// Returns whether the character is a word character, if that is certain. The end of the line counts as no word
/// character.
fn is_word(there: &Lead) -> Option<bool> {
    if there.set.is_disjoint(word()) {
        Some(false)
    } else if !there.end && there.set.is_disjoint(&word().negate()) {
        Some(true)
    } else {
        None
    }
}

/// Returns which characters can stand directly before the end of a match of `node`. `before` tells which characters can
/// stand directly before its start. In both, `end` tells whether the position can be the beginning of the line.
fn tail(node: &Node, before: &Lead) -> Lead {
    match node {
        Node::Set(set) => Lead { set: (**set).clone(), end: false, sure: false },
        Node::Concat(parts) => parts.iter().fold(before.clone(), |before, part| tail(part, &before)),
        Node::Alternate(ways) => {
            let mut all = ways.iter().map(|way| tail(way, before));
            let first = all.next().unwrap_or_else(Lead::anything);
            all.fold(first, |some, more| some.or(&more))
        }
        Node::Repeat { node, min, .. } => {
            let round = tail(node, before);
            if *min == 0 || is_nullable(node) { round.or(before) } else { round }
        }
        Node::Capture { node, .. } | Node::Atomic(node) => tail(node, before),
        Node::Empty | Node::Look(_) | Node::Around { .. } => before.clone(),
        Node::Backreference { .. } | Node::Conditional { .. } | Node::Foreign(_) => Lead::anything(),
    }
}
