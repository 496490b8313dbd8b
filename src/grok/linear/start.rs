//! Finds the positions at which a match can start, before any attempt.

use memchr::memmem::Finder;

use super::chars::{Class, decode, word};
use super::lead::{Lead, lead};
use super::needle::Needles;
use super::scout::ahead;
use super::shape::{is_look, is_one};
use crate::grok::ast::{Look, Node};
use crate::grok::set::Set;

/// Finds the positions at which an attempt can succeed.
#[derive(Debug)]
pub(super) struct Starts {
    anchor: Anchor,
    /// The characters that a match can start with. `None` for any character.
    first: Option<Class>,
    /// The characters that no match starts with. A run of them is skipped, many bytes at a time.
    others: Class,
    /// Whether a match can start at the end of the line.
    end: bool,
    /// The text that every match starts with.
    prefix: Option<Finder<'static>>,
    /// The characters directly after which no attempt is needed.
    not_after: Option<Class>,
    needles: Needles,
    /// The characters of the first part of every match. `None` if the part can end before one of these characters.
    head: Option<Class>,
}

/// Number of bytes that are tested one by one before blocks of bytes are compared.
const NEAR: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    None,
    /// A match starts only at the beginning of the input.
    Start,
    /// A match starts only at the beginning of the input or after a newline.
    Line,
}

impl Starts {
    pub(super) fn new(node: &Node) -> Starts {
        let Lead { set, end, .. } = lead(node, &Lead::anything());
        let text = prefix(node);
        let everything = set == Set::any();
        Starts {
            anchor: anchor(node),
            first: if everything { None } else { Some(Class::new(&set)) },
            others: Class::new(&set.negate()),
            end,
            prefix: if text.len() > 1 { Some(Finder::new(text.as_bytes()).into_owned()) } else { None },
            not_after: not_behind(node).filter(|set| !set.is_empty()).map(|set| Class::new(&set)),
            needles: Needles::new(&ahead(node)),
            head: head(node).filter(|set| !set.is_empty()).map(|set| Class::new(&set)),
        }
    }

    /// Returns whether an attempt at position 0 can succeed. Most lines match there.
    #[inline]
    pub(super) fn at_beginning(&self, line: &[u8]) -> bool {
        self.prefix.is_none()
            && match (&self.first, line.is_empty()) {
                (None, _) => true,
                (Some(_), true) => self.end,
                (Some(class), false) => class.at(line, 0),
            }
    }

    /// Returns the first position from `at` on at which an attempt can succeed.
    #[inline(never)]
    pub(super) fn find(&self, line: &[u8], mut at: usize) -> Option<usize> {
        loop {
            if at > line.len() {
                return None;
            }
            at = self.candidate(line, at)?;
            match &self.not_after {
                Some(class) if at > 0 && class.before(line, at) => {
                    let end = class.run(line, at);
                    at = if end > at { end } else { Starts::after(line, at) };
                }
                _ => return Some(at),
            }
        }
    }

    #[inline]
    fn candidate(&self, line: &[u8], at: usize) -> Option<usize> {
        match self.anchor {
            Anchor::Start => return (at == 0).then_some(0),
            Anchor::Line if at > 0 => {
                let after = memchr::memchr(b'\n', &line[at - 1..]).map(|found| at + found)?;
                return Some(after);
            }
            _ => {}
        }
        if let Some(prefix) = &self.prefix {
            return prefix.find(&line[at..]).map(|found| at + found);
        }
        let Some(first) = &self.first else { return Some(at) };
        // The position is usually near.
        let mut near = at;
        while near < line.len().min(at + NEAR) && line[near].is_ascii() {
            if first.has_ascii(line[near]) {
                return Some(near);
            }
            near += 1;
        }
        let found = self.others.run(line, near);
        if found < line.len() || self.end { Some(found) } else { None }
    }

    /// Returns the last position at which a match can start, judged by the needles. `None` if a needle is missing.
    pub(super) fn last(&self, line: &[u8]) -> Option<usize> {
        self.needles.last(line)
    }

    /// Returns the approximate cost of the search for needles, in bytes that an automaton reads in the same time.
    pub(super) fn price(&self) -> usize {
        self.needles.price()
    }

    /// Returns whether the line contains no text of the large set of needles. Every match contains at least one of
    /// these texts.
    pub(super) fn lacks(&self, line: &[u8]) -> bool {
        self.needles.lacks(line)
    }

    /// Returns the next position to probe, after the probe at `start` has failed at `read`. If the probe has read
    /// beyond the first part of a match, no match starts inside that part, because it would fail in the same way.
    pub(super) fn after_probe(&self, line: &[u8], start: usize, read: usize) -> usize {
        let next = Starts::after(line, start);
        match &self.head {
            Some(head) => {
                let end = head.run(line, start);
                if end < read { next.max(end) } else { next }
            }
            None => next,
        }
    }

    /// Returns the position one character after `at`.
    pub(super) fn after(line: &[u8], at: usize) -> usize {
        if at < line.len() { at + decode(line, at).1 } else { at + 1 }
    }
}

/// Computes [`Starts::head`].
fn head(node: &Node) -> Option<Set> {
    let Node::Concat(parts) = node else { return None };
    let length = 1 + parts.iter().take_while(|part| is_look(part)).count();
    let after = parts.get(length..)?.iter().rev().fold(Lead::anything(), |after, part| lead(part, &after));
    is_one(&Node::concat(parts[..length].iter().cloned()), &after)
}

fn anchor(node: &Node) -> Anchor {
    match node {
        Node::Look(Look::Start) => Anchor::Start,
        Node::Look(Look::LineStart) => Anchor::Line,
        // This repeat can reach every later position. So if no match starts at position 0, none starts elsewhere.
        Node::Repeat { node, max: None, .. } if matches!(&**node, Node::Set(set) if **set == Set::any()) => {
            Anchor::Start
        }
        Node::Concat(parts) => parts.first().map_or(Anchor::None, anchor),
        Node::Capture { node, .. } | Node::Atomic(node) => anchor(node),
        Node::Alternate(ways) => {
            let first = ways.first().map_or(Anchor::None, anchor);
            if ways.iter().all(|way| anchor(way) == first) { first } else { Anchor::None }
        }
        _ => Anchor::None,
    }
}

/// Returns the text that every match of `node` starts with.
fn prefix(node: &Node) -> String {
    match node {
        Node::Set(set) => set.as_char().map(String::from).unwrap_or_default(),
        Node::Concat(parts) => {
            let mut text = String::new();
            for part in parts {
                match part {
                    Node::Set(set) => match set.as_char() {
                        Some(c) => text.push(c),
                        None => break,
                    },
                    part if text.is_empty() => return prefix(part),
                    _ => break,
                }
            }
            text
        }
        Node::Capture { node, .. } | Node::Atomic(node) => prefix(node),
        _ => String::new(),
    }
}

/// Returns a set of characters. Directly after one of them, no attempt is needed. Two kinds of characters qualify:
/// those that a negative look-behind forbids, and those of a run at the start of every match. In the second case, a
/// match would start before the whole run.
fn not_behind(node: &Node) -> Option<Set> {
    match node {
        Node::Repeat { node, max: None, .. } => match &**node {
            Node::Set(set) => Some((**set).clone()),
            _ => None,
        },
        Node::Around { behind: true, negative: true, node } => match &**node {
            Node::Set(set) => Some((**set).clone()),
            _ => None,
        },
        Node::Concat(parts) => match parts.first()? {
            // A word boundary before a word character needs a non-word character before it.
            Node::Look(Look::Boundary) => {
                let rest = parts[1..].iter().rev().fold(Lead::anything(), |after, part| lead(part, &after));
                (!rest.end && rest.set.is_disjoint(&word().negate())).then(|| word().clone())
            }
            first => not_behind(first),
        },
        Node::Alternate(ways) => {
            let mut sets = ways.iter().map(not_behind);
            let first = sets.next()??;
            sets.try_fold(first, |all, set| Some(all.intersect(&set?)))
        }
        Node::Capture { node, .. } => not_behind(node),
        _ => None,
    }
}
