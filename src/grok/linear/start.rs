//! Where a match can begin, as far as it is known before it is tried.

use memchr::memmem::Finder;

use super::chars::{Class, decode, word};
use super::lead::{Lead, lead};
use super::needle::Needles;
use super::scout::ahead;
use super::shape::{is_look, is_one};
use crate::grok::ast::{Look, Node};
use crate::grok::set::Set;

/// Finds the places at which an attempt is worth its while.
#[derive(Debug)]
pub(super) struct Starts {
    anchor: Anchor,
    /// Characters that a match can begin with.
    first: Option<Class>,
    /// Those that it cannot begin with: a run of them is passed over many bytes at a time.
    others: Class,
    /// Whether it can begin at the end of the line.
    end: bool,
    /// The text that every match begins with.
    prefix: Option<Finder<'static>>,
    /// No match begins behind one of these.
    not_after: Option<Class>,
    needles: Needles,
    /// The characters of what every match begins with, when that ends only before what is none of them.
    head: Option<Class>,
}

/// The bytes that are looked at one by one before many are compared at a time.
const NEAR: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    None,
    /// The beginning of the line only.
    Start,
    /// That, and after a newline in it.
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

    /// Whether an attempt at the very beginning is worth its while. Most lines match there.
    #[inline]
    pub(super) fn at_beginning(&self, line: &[u8]) -> bool {
        self.prefix.is_none()
            && match (&self.first, line.is_empty()) {
                (None, _) => true,
                (Some(_), true) => self.end,
                (Some(class), false) => class.at(line, 0),
            }
    }

    /// The first such place from `at` on.
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
        // It is near as a rule.
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

    /// The last place where a match can begin, going by the texts that it must contain.
    pub(super) fn last(&self, line: &[u8]) -> Option<usize> {
        self.needles.last(line)
    }

    /// How much it takes to look for the texts, in bytes that an automaton reads in that time, roughly.
    pub(super) fn price(&self) -> usize {
        self.needles.price()
    }

    /// Whether a line lacks all of what every match has one of.
    pub(super) fn lacks(&self, line: &[u8]) -> bool {
        self.needles.lacks(line)
    }

    /// The next place that is worth a probe when the one at `start` has failed, having read as far as `read`. When it went
    /// behind the end of what every match begins with, no match begins inside of that: each would go on from there.
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

    /// The next place after `at`, of which all were not found to begin a match.
    pub(super) fn after(line: &[u8], at: usize) -> usize {
        if at < line.len() { at + decode(line, at).1 } else { at + 1 }
    }
}

/// See [`Starts::head`].
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
        // What can be skipped by it was no reason to fail.
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

/// The text that every match of `node` begins with.
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

/// The set of characters behind which no match has to be looked for: those that no match may begin behind, and those
/// of which any number begins every match, so that it begins before all of them.
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
            // Between a character that is none of a word and one that is.
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
