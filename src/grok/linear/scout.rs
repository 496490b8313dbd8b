//! Whether there can be a match at a place, or anywhere behind it, in one walk over the line.
//!
//! Most lines match at their first place. In one that does not, each further place is an attempt of its own, and
//! together they can cost many times what a match costs. The *scout* is an automaton that looks for a match from all
//! places at once, the *probe* one that looks for it at one place: it comes to its end where an attempt fails, and tries
//! no ways one after the other. Both know nothing of captures, take atomic groups for plain ones and pass over what they
//! do not know, so that they find all matches and perhaps more: where they find nothing, there is nothing.
//!
//! The scout's states are made when lines come to them. Where it goes over a stretch of a line is remembered, with the
//! ranges of bytes that lead to the same state, so that lines that are alike are looked through by dozens of bytes.
//!
//! The probe is made at once. Many an expression is too large for that as it is: an address has thousands of states. What
//! is sought is made wider then, step by step, until its automaton is small enough: an address is any run of the
//! characters of addresses, and in the end only how the expression begins is looked for.

use super::lead::is_nullable;
use super::token::{self, Ends, FOUND, Fuel, Lazy, NO_END, NOTHING, Token};
use super::window::{Cache, Fit, HIGHEST, LOWEST, WINDOW, Window, narrowed};
use crate::grok::ast::{Look, Node};
use crate::grok::literals::{Case, needed};
use crate::grok::set::Set;

/// Looks for a match at a place and everywhere behind it. Each thread has its own.
#[derive(Debug)]
pub(super) struct Scout {
    sought: Lazy,
    stretches: Cache<Stretch>,
    /// The first state at the beginning of a line, if it is known.
    first: Option<u32>,
    /// Whether the last line has met something new.
    is_new: bool,
    /// Lines that are not looked through, because one took too much work for states.
    resting: u32,
    /// Stretches that were found again, for tests.
    #[cfg(test)]
    pub(super) recalled: u64,
}

/// Where the automaton goes over a stretch of a line; over what is left of it when it is shorter than a window.
#[derive(Debug, PartialEq)]
struct Stretch {
    fit: Fit,
    length: usize,
    from: u32,
    to: u32,
}

/// What is shorter is walked over sooner than looked up.
const SHORT: usize = 4;

/// The lines that are not looked through when one took too much work.
const REST: u32 = 256;

/// What finding a stretch takes, in bytes that the automaton reads in that time.
const LOOKUP: usize = 5;

impl Scout {
    /// `None` when `node` is too large for a graph, even made wider.
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
                #[cfg(test)]
                recalled: 0,
            })
        };
        let wider = [Width::Counts, Width::Runs, Width::Gaps].into_iter();
        of(exact.clone()).or_else(|| wider.map(|width| self::wider(&exact, width)).find_map(of))
    }

    /// Whether a match can begin at `at` or behind it, as far as it is found out with little work.
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

    /// Whether stretches are looked up.
    pub(super) fn is_awake(&self) -> bool {
        self.stretches.is_awake()
    }

    /// What it takes for `length` bytes when lines are alike, in bytes that an automaton reads in that time.
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

    /// Where the next `length` bytes lead, if that is remembered, or worth to be.
    #[inline]
    fn known(&mut self, rest: &[u8], length: usize, state: u32) -> Option<u32> {
        if rest.len() < SHORT || self.stretches.sleeps() {
            return None;
        }
        let window = rest.first_chunk().map_or_else(|| Window::short(rest), Window::full);
        let key = u64::from(window.shape()) | u64::from(state) << 32;
        let fits = |known: &Stretch| known.from == state && known.length == length && known.fit.fits(&window);
        if let Some((_, known)) = self.stretches.find(key, fits) {
            #[cfg(test)]
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

    /// Walks over `bytes` and notes what leads to the same states.
    #[cold]
    fn record(&mut self, bytes: &[u8], from: u32) -> Option<Stretch> {
        let (mut lowest, mut highest, mut state) = (LOWEST, HIGHEST, from);
        for ((low, high), &byte) in lowest.iter_mut().zip(&mut highest).zip(bytes) {
            // What is beyond ASCII takes more than a byte.
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

/// The automaton that looks at one place for what a node is, or for something wider.
#[derive(Debug)]
pub(super) struct Probe(Token);

impl Probe {
    /// `None` when not even the beginning of `node` can be looked for.
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

    /// Whether a match can begin at `at`; and how far that took reading.
    #[inline(never)]
    pub(super) fn finds(&self, line: &[u8], at: usize) -> (bool, usize) {
        let (end, read) = self.0.run(line, at);
        (end != NO_END, read)
    }
}

/// How much wider what is sought is than the expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    /// Long repeats have no end, and looks around are passed over.
    Counts,
    /// That, and alternatives that hold no blank are runs of their characters.
    Runs,
    /// That, and runs that hold blanks are runs of anything: where one of them was come to, it goes on.
    Gaps,
}

/// The most rounds of a repeat that are counted when what is sought is made wider.
const MAX_COUNT: u32 = 4;

/// `node`, or, where it is more than what is behind it, what a look ahead sees in the place of that.
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

/// What matches wherever `node` matches, without what an automaton cannot do.
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

/// What matches wherever the plain `node` matches, and has fewer states. Its beginning is left as it is: most places are
/// ruled out by it.
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

/// The same for any part.
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

/// Adds the characters of the texts of `node` to `used`; whether they are known.
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

/// The number of parts of the longest way through the alternatives at its beginning.
fn parts(node: &Node) -> usize {
    match node {
        Node::Concat(all) => all.len(),
        Node::Alternate(ways) => ways.iter().map(parts).max().unwrap_or(1),
        _ => 1,
    }
}

/// The first `length` parts of `node`, or of each of its ways.
fn beginning(node: &Node, length: usize) -> Node {
    match node {
        Node::Concat(parts) => Node::concat(parts.iter().take(length).cloned()),
        Node::Alternate(ways) => Node::Alternate(ways.iter().map(|way| beginning(way, length)).collect()),
        node => node.clone(),
    }
}
