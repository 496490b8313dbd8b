//! The scout and the probe: two DFAs that tell in one pass over the line whether it can match.
//!
//! Most lines match at their first position. In a line that does not, each further position costs an attempt, and all
//! attempts together can cost many times as much as a match. The *scout* looks for a match that starts at a position or
//! anywhere after it. The *probe* looks for a match that starts at one position. Both accept more than the expression
//! does: they ignore captures, treat atomic groups as plain groups, and skip the tests that a DFA cannot express. So
//! they find every match and perhaps more; if they find nothing, there is no match.
//!
//! The scout is a lazy DFA: it creates a state when a line first reaches that state. It also caches its steps over
//! *stretches* of up to 64 bytes, with the ranges of bytes that lead to the same state. On similar lines, it advances
//! by whole stretches.
//!
//! The probe is a complete DFA, built in advance. Many expressions are too large for that: an address alone has
//! thousands of states. Such an expression is widened step by step until its DFA is small enough. For example, an
//! address becomes any run of the characters of addresses. As a last resort, the probe looks only for the beginning of
//! the expression.

use super::lead::is_nullable;
use super::token::{self, Ends, FOUND, Fuel, Lazy, NO_END, NOTHING, Token};
use super::window::{Cache, Fit, HIGHEST, LOWEST, WINDOW, Window, narrowed};
use crate::grok::ast::{Look, Node};
use crate::grok::literals::{Case, needed};
use crate::grok::set::Set;

/// Looks for a match that starts at a position or after it. Each thread has its own scout.
#[derive(Debug)]
pub(super) struct Scout {
    sought: Lazy,
    stretches: Cache<Stretch>,
    /// The initial state at the beginning of a line, once it is known.
    first: Option<u32>,
    /// Whether the previous line led to a new state or an uncached stretch.
    is_new: bool,
    /// Number of lines for which the scout pauses, because one line needed too many new states.
    resting: u32,
    /// Number of stretches that were found in the cache, for tests.
    #[cfg(engines)]
    pub(super) recalled: u64,
}

/// The DFA's steps over a stretch of a line. A stretch is a window of 64 bytes, or the shorter rest of a line.
#[derive(Debug, PartialEq)]
struct Stretch {
    fit: Fit,
    length: usize,
    from: u32,
    to: u32,
}

/// A rest of fewer bytes is read byte by byte: that is faster than a look-up.
const SHORT: usize = 4;

/// Number of lines for which the scout pauses after a line that took too much work.
const REST: u32 = 256;

/// The cost of one look-up, in bytes that the automaton reads in the same time.
const LOOKUP: usize = 5;

impl Scout {
    /// Builds a scout. Returns `None` if the NFA of `node` is too large, even after it was widened.
    pub(super) fn new(node: &Node) -> Option<Scout> {
        let exact = plain(&ahead(node));
        let of = |node: Node| {
            let anything = Node::Repeat { node: Box::new(Node::set(Set::any())), min: 0, max: None, greedy: false };
            let sought = Lazy::new(&Node::concat([anything, node]))?;
            Some(Scout {
                sought,
                stretches: Cache::default(),
                first: None,
                is_new: false,
                resting: 0,
                #[cfg(engines)]
                recalled: 0,
            })
        };
        let wider = [Width::Counts, Width::Runs, Width::Gaps].into_iter();
        of(exact.clone()).or_else(|| wider.map(|width| self::wider(&exact, width)).find_map(of))
    }

    /// Returns whether a match can start at `at` or after it. Returns `true` if the answer would take too much work.
    #[inline(never)]
    pub(super) fn finds(&mut self, line: &[u8], at: usize) -> bool {
        if self.resting > 0 {
            self.resting -= 1;
            return true;
        }
        if std::mem::take(&mut self.is_new) && self.sought.make_room() {
            self.stretches.clear();
            self.first = None;
        }
        self.look(line, at).unwrap_or_else(|| {
            self.resting = REST;
            true
        })
    }

    /// Returns whether the cache of stretches is in use.
    pub(super) fn is_awake(&self) -> bool {
        self.stretches.is_awake()
    }

    /// Returns the approximate cost for `length` bytes of lines that are similar, in bytes that an automaton reads in
    /// the same time.
    pub(super) fn price(&self, length: usize) -> usize {
        if self.stretches.is_awake() { LOOKUP * (1 + length.div_ceil(WINDOW)) } else { length }
    }

    fn look(&mut self, line: &[u8], mut at: usize) -> Option<bool> {
        let mut state = match self.first {
            Some(first) if at == 0 => first,
            _ => {
                self.is_new = true;
                let first = self.sought.start(line, at)?;
                self.first = self.first.or((at == 0).then_some(first));
                first
            }
        };
        loop {
            let length = line.len().saturating_sub(at).min(WINDOW);
            match self.known(&line[at..], length, state) {
                Some(to) => (state, at) = (to, at + length),
                None => {
                    self.is_new |= length >= SHORT;
                    let end = at + length;
                    while at < end && state < NOTHING {
                        let (to, length) = self.sought.step(state, line, at)?;
                        (state, at) = (to, at + length);
                    }
                    if length < WINDOW && state < NOTHING {
                        state = self.sought.end(state)?;
                    }
                }
            }
            if state >= NOTHING {
                return Some(state == FOUND);
            }
        }
    }

    /// Returns the state after the next `length` bytes, if that stretch is cached or can be cached now.
    #[inline]
    fn known(&mut self, rest: &[u8], length: usize, state: u32) -> Option<u32> {
        if rest.len() < SHORT || self.stretches.sleeps() {
            return None;
        }
        let window = rest.first_chunk().map_or_else(|| Window::short(rest), Window::full);
        let key = u64::from(window.shape()) | u64::from(state) << 32;
        let fits = |known: &Stretch| known.from == state && known.length == length && known.fit.fits(&window);
        if let Some((_, known)) = self.stretches.find(key, fits) {
            #[cfg(engines)]
            {
                self.recalled += 1;
            }
            return Some(known.to);
        }
        if !self.stretches.misses(key) {
            return None;
        }
        match self.record(&rest[..length], state) {
            Some(stretch) => {
                let to = stretch.to;
                self.stretches.add(stretch, key);
                Some(to)
            }
            None => {
                self.stretches.waste();
                None
            }
        }
    }

    /// Runs over `bytes`, and records the ranges of bytes that lead to the same states.
    #[cold]
    fn record(&mut self, bytes: &[u8], from: u32) -> Option<Stretch> {
        let (mut lowest, mut highest, mut state) = (LOWEST, HIGHEST, from);
        for ((low, high), &byte) in lowest.iter_mut().zip(&mut highest).zip(bytes) {
            // A character beyond ASCII has more than one byte.
            if !byte.is_ascii() {
                return None;
            }
            let to = self.sought.over(state, byte)?;
            (*low, *high) = narrowed((0, 0x7f), byte, |other| self.sought.over(state, other) == Some(to));
            state = to;
            if to >= NOTHING {
                break;
            }
        }
        if bytes.len() < WINDOW && state < NOTHING {
            state = self.sought.end(state)?;
        }
        let length = bytes.len();
        Some(Stretch { fit: Fit::of_length(&lowest, &highest, length), length, from, to: state })
    }
}

/// A DFA that tells whether a match can start at one position. It accepts the expression or something wider.
#[derive(Debug)]
pub(super) struct Probe(Token);

impl Probe {
    /// Builds a probe. Returns `None` if even the beginning of `node` is too large.
    pub(super) fn new(node: &Node) -> Option<Probe> {
        let of = |node: &Node| token::build(node, Ends::Any, &mut Fuel::default()).map(Probe);
        let exact = plain(&ahead(node));
        let widened = [Width::Counts, Width::Runs, Width::Gaps].map(|width| widened(&exact, width));
        let all_runs = wider(&exact, Width::Runs);
        let [counts, runs, widest] = &widened;
        [&exact, counts, runs, &all_runs, widest].into_iter().find_map(of).or_else(|| {
            let mut parts = parts(widest);
            while parts > 1 {
                parts /= 2;
                if let Some(probe) = of(&beginning(widest, parts)) {
                    return Some(probe);
                }
            }
            None
        })
    }

    /// Returns whether a match can start at `at`, and the position up to which the probe has read.
    #[inline(never)]
    pub(super) fn finds(&self, line: &[u8], at: usize) -> (bool, usize) {
        let (end, read) = self.0.run(line, at);
        (end != NO_END, read)
    }
}

/// The degree to which an expression is widened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    /// Long repeats lose their limits, and look-around is dropped.
    Counts,
    /// Like `Counts`; also, alternatives without a blank become runs of their characters.
    Runs,
    /// Like `Runs`; also, repeats that can match a blank become runs of any character.
    Gaps,
}

/// The highest repeat count that is kept when an expression is widened.
const MAX_COUNT: u32 = 4;

/// Returns `node`, or a variant of it. If a look-ahead requires more text than the parts after it, its content replaces
/// those parts.
pub(super) fn ahead(node: &Node) -> Node {
    let Node::Concat(parts) = node else { return node.clone() };
    let least = |node: &Node| needed(node, Case::Exact).1;
    let seen = parts.iter().enumerate().find_map(|(index, part)| match part {
        Node::Around { behind: false, negative: false, node } if !matches!(**node, Node::Set(_)) => Some((index, node)),
        _ => None,
    });
    match seen {
        Some((index, node)) if least(node) > parts[index + 1..].iter().map(least).sum() => {
            Node::concat(parts[..index].iter().cloned().chain([(**node).clone()]))
        }
        _ => node.clone(),
    }
}

/// Returns a node that matches wherever `node` matches, without the constructs that a DFA cannot express.
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

/// Widens the plain node `node`: the result matches wherever `node` matches, and has fewer states. The first part is
/// kept as it is, because it excludes most positions.
fn widened(node: &Node, width: Width) -> Node {
    match node {
        Node::Alternate(ways) => Node::Alternate(ways.iter().map(|way| widened(way, width)).collect()),
        Node::Concat(parts) => {
            let is_look = |part: &&Node| matches!(part, Node::Look(_) | Node::Around { .. });
            let (head, rest) = parts.split_at(1 + parts.iter().take_while(is_look).count().min(parts.len() - 1));
            Node::concat(head.iter().cloned().chain(rest.iter().map(|part| wider(part, width))))
        }
        node => wider(node, width),
    }
}

/// Widens a part, wherever in the expression it stands.
fn wider(node: &Node, width: Width) -> Node {
    let narrow = |node: &Node| {
        let mut used = Set::empty();
        let regular = collect(node, &mut used);
        (regular && !used.contains(u32::from(' ')) && !used.is_empty()).then_some(used)
    };
    match node {
        Node::Concat(parts) => Node::concat(parts.iter().map(|part| wider(part, width))),
        Node::Repeat { node: round, max, .. }
            if width == Width::Gaps && max.is_none_or(|max| max > MAX_COUNT) && narrow(round).is_none() =>
        {
            Node::Repeat { node: Box::new(Node::set(Set::any())), min: 0, max: None, greedy: true }
        }
        Node::Alternate(_) | Node::Repeat { .. }
            if width != Width::Counts
                && !matches!(node, Node::Repeat { node, .. } if matches!(**node, Node::Set(_))) =>
        {
            match narrow(node) {
                Some(used) => {
                    let min = u32::from(!is_nullable(node));
                    Node::Repeat { node: Box::new(Node::set(used)), min, max: None, greedy: true }
                }
                None => wider_inside(node, width),
            }
        }
        Node::Alternate(_) | Node::Repeat { .. } => wider_inside(node, width),
        Node::Around { .. } | Node::Look(Look::Boundary | Look::NotBoundary) => Node::Empty,
        node => node.clone(),
    }
}

fn wider_inside(node: &Node, width: Width) -> Node {
    match node {
        Node::Alternate(ways) => Node::Alternate(ways.iter().map(|way| wider(way, width)).collect()),
        Node::Repeat { node, min, max, greedy } => Node::Repeat {
            node: Box::new(wider(node, width)),
            min: (*min).min(MAX_COUNT),
            max: max.filter(|max| *max <= MAX_COUNT),
            greedy: *greedy,
        },
        node => node.clone(),
    }
}

/// Adds all characters that `node` can match to `used`. Returns `false` if some of them are unknown.
fn collect(node: &Node, used: &mut Set) -> bool {
    match node {
        Node::Set(set) => {
            *used = used.union(set);
            true
        }
        Node::Concat(parts) | Node::Alternate(parts) => parts.iter().all(|part| collect(part, used)),
        Node::Repeat { node, .. } | Node::Capture { node, .. } | Node::Atomic(node) => collect(node, used),
        Node::Empty | Node::Look(_) | Node::Around { .. } => true,
        Node::Backreference { .. } | Node::Conditional { .. } | Node::Foreign(_) => false,
    }
}

/// Returns the number of parts of the longest alternative at the beginning of `node`.
fn parts(node: &Node) -> usize {
    match node {
        Node::Concat(all) => all.len(),
        Node::Alternate(ways) => ways.iter().map(parts).max().unwrap_or(1),
        _ => 1,
    }
}

/// Returns the first `length` parts of `node`, or of each of its alternatives.
fn beginning(node: &Node, length: usize) -> Node {
    match node {
        Node::Concat(parts) => Node::concat(parts.iter().take(length).cloned()),
        Node::Alternate(ways) => Node::Alternate(ways.iter().map(|way| beginning(way, length)).collect()),
        node => node.clone(),
    }
}
