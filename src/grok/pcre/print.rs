//! Prints the tree as a text for PCRE2.
//!
//! The printer does not use PCRE2's definition of a class: it writes each set as code points. For a program of bytes, a
//! set is its ASCII characters, and all bytes beyond ASCII if the set contains raw bytes. A single character beyond
//! ASCII is written as its bytes.

use std::fmt::Write;

use crate::grok::ast::{Expression, Look, Node};
use crate::grok::set::Set;
use crate::grok::unicode::{posix, scalars};

/// The printed text, and for each capture the numbers of the groups that hold it. A called group has several.
pub(super) struct Printed {
    pub(super) text: String,
    pub(super) groups: Vec<Vec<usize>>,
}

/// The context of a node in the text. It tells whether the node needs parentheses.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Context {
    /// Alone, or in parentheses.
    Whole,
    /// In a sequence.
    Part,
    /// Before a quantifier.
    Repeated,
}

/// The units that a program reads a line in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    Bytes,
    Characters {
        /// Whether the text uses a short form, which PCRE2 understands from 10.43 on.
        short: bool,
    },
}

/// Prints `expression`.
pub(super) fn print(expression: &Expression, alphabet: Alphabet) -> Printed {
    let mut groups = vec![Vec::new(); expression.captures];
    let mut count = 0;
    number(&expression.node, &mut count, &mut groups);
    let out = if alphabet == (Alphabet::Characters { short: true }) { "(?aDaS)" } else { "" }.to_owned();
    let mut printer = Printer { out, groups: &groups, group: 0, alphabet };
    printer.node(&expression.node, Context::Whole);
    Printed { text: printer.out, groups }
}

/// Numbers the groups in the order in which they are printed.
fn number(node: &Node, count: &mut usize, groups: &mut [Vec<usize>]) {
    match node {
        Node::Empty | Node::Set(_) | Node::Look(_) | Node::Backreference { .. } | Node::Foreign(_) => {}
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().for_each(|node| number(node, count, groups)),
        Node::Repeat { node, .. } | Node::Atomic(node) | Node::Around { node, .. } => number(node, count, groups),
        Node::Capture { slot, node } => {
            *count += 1;
            if let Some(group) = groups.get_mut(*slot) {
                group.push(*count);
            }
            number(node, count, groups);
        }
        Node::Conditional { yes, no, .. } => {
            number(yes, count, groups);
            number(no, count, groups);
        }
    }
}

struct Printer<'a> {
    out: String,
    groups: &'a [Vec<usize>],
    /// Number of groups printed so far.
    group: usize,
    alphabet: Alphabet,
}

impl Printer<'_> {
    fn node(&mut self, node: &Node, context: Context) {
        match node {
            Node::Empty if context == Context::Repeated => self.out.push_str("(?:)"),
            Node::Empty => {}
            Node::Set(set) => self.set(set),
            Node::Look(look) => {
                self.enclosed(context == Context::Repeated, "(?:", |this| this.out.push_str(words(*look)))
            }
            Node::Foreign(words) => self.out.push_str(words),
            Node::Concat(nodes) => self.enclosed(context == Context::Repeated, "(?:", |this| {
                nodes.iter().for_each(|node| this.node(node, Context::Part));
            }),
            Node::Alternate(nodes) => self.enclosed(context != Context::Whole, "(?:", |this| this.branches(nodes)),
            Node::Repeat { node, min, max, greedy } => self.enclosed(context == Context::Repeated, "(?:", |this| {
                this.node(node, Context::Repeated);
                this.counts(*min, *max);
                if !greedy {
                    this.out.push('?');
                }
            }),
            Node::Capture { node, .. } => {
                self.group += 1;
                self.enclosed(true, "(", |this| this.node(node, Context::Whole));
            }
            Node::Atomic(node) => self.atomic(node, context),
            Node::Around { behind, negative, node } => {
                let opening = match (behind, negative) {
                    (false, false) => "(?=",
                    (false, true) => "(?!",
                    (true, false) => "(?<=",
                    (true, true) => "(?<!",
                };
                self.enclosed(context == Context::Repeated, "(?:", |this| {
                    this.enclosed(true, opening, |this| this.node(node, Context::Whole));
                });
            }
            Node::Backreference { slots, fold } => {
                let opening = if *fold { "(?i:" } else { "(?:" };
                self.enclosed(true, opening, |this| this.back_reference(slots));
            }
            Node::Conditional { slot, yes, no } => self.conditional(*slot, yes, no),
        }
    }

    /// Prints the output of `inside`, in a group if `needs` is true.
    fn enclosed(&mut self, needs: bool, opening: &str, inside: impl FnOnce(&mut Self)) {
        if needs {
            self.out.push_str(opening);
        }
        inside(self);
        if needs {
            self.out.push(')');
        }
    }

    fn branches(&mut self, nodes: &[Node]) {
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                self.out.push('|');
            }
            self.node(node, Context::Part);
        }
    }

    /// Prints `(?>…)`, or the equivalent possessive quantifier.
    fn atomic(&mut self, node: &Node, context: Context) {
        if let Node::Repeat { node, min: min @ 0..=1, max: None, greedy: true } = node {
            return self.enclosed(context == Context::Repeated, "(?:", |this| {
                this.node(node, Context::Repeated);
                this.counts(*min, None);
                this.out.push('+');
            });
        }
        // PCRE2 (10.46) wrongly treats `A*` in `A*(?>(?:bc)?)A` as possessive. If an atomic group can end with an
        // optional group, PCRE2 ignores what follows it. PCRE2 does not look into a group that starts with `(?=)`.
        let opening = if has_optional_group(node) { "(?>(?=)" } else { "(?>" };
        self.enclosed(true, opening, |this| this.node(node, Context::Whole));
    }

    fn counts(&mut self, min: u32, max: Option<u32>) {
        let counts = match (min, max) {
            (0, None) => "*".to_owned(),
            (1, None) => "+".to_owned(),
            (0, Some(1)) => "?".to_owned(),
            (min, None) => format!("{{{min},}}"),
            (min, Some(max)) if min == max => format!("{{{min}}}"),
            (min, Some(max)) => format!("{{{min},{max}}}"),
        };
        self.out.push_str(&counts);
    }

    fn groups_of(&self, slot: usize) -> Vec<usize> {
        self.groups.get(slot).cloned().unwrap_or_default()
    }

    /// Prints a back-reference. The last of the captures is tried first, as in Oniguruma.
    fn back_reference(&mut self, slots: &[usize]) {
        let mut alternatives = Vec::new();
        for slot in slots.iter().rev() {
            let nothing = "(?!)".to_owned();
            // For a called group, the last group that took part holds the text.
            let text = self.groups_of(*slot).iter().fold(nothing, |rest, group| match rest.as_str() {
                "(?!)" => format!("\\g{{{group}}}"),
                _ => format!("(?({group})\\g{{{group}}}|{rest})"),
            });
            alternatives.push(text);
        }
        self.out.push_str(&alternatives.join("|"));
    }

    fn conditional(&mut self, slot: usize, yes: &Node, no: &Node) {
        let groups = self.groups_of(slot);
        if let [group] = groups[..] {
            let _ = write!(self.out, "(?({group})");
            self.node(yes, Context::Part);
            self.out.push('|');
            self.node(no, Context::Part);
            self.out.push(')');
            return;
        }
        // `any` matches if one of the groups took part, `none` if no group did.
        let any = groups.iter().fold("(?!)".to_owned(), |rest, group| format!("(?({group})|{rest})"));
        let none = groups.iter().fold(String::new(), |rest, group| format!("(?({group})(?!)|{rest})"));
        self.out.push_str("(?:");
        self.out.push_str(&any);
        self.node(yes, Context::Part);
        self.out.push('|');
        self.out.push_str(&none);
        self.node(no, Context::Part);
        self.out.push(')');
    }

    fn set(&mut self, set: &Set) {
        if *set == Set::any() {
            return self.out.push('.');
        }
        if let Some(c) = set.as_char() {
            return self.character(c);
        }
        if self.alphabet == Alphabet::Bytes {
            let ascii = set.intersect(&Set::ranges([(0, 0x7f)]));
            if ascii.is_empty() && !set.is_empty() && !set.contains_raw() && few(set) {
                return self.spelled(set);
            }
            let beyond = if set.contains_raw() { Set::ranges([(0x80, 0xff)]) } else { Set::empty() };
            let rest = Set::ranges([(0, 0xff)]);
            let (set, negated) = (ascii.union(&beyond), set.contains_raw());
            return if negated { self.class(&set.negate().intersect(&rest), true) } else { self.class(&set, false) };
        }
        if set.contains_raw() { self.class(&set.negate(), true) } else { self.class(set, false) }
    }

    /// Prints the few characters of `set` as alternatives of bytes.
    fn spelled(&mut self, set: &Set) {
        let characters: Vec<String> =
            scalars(set.as_ranges()).flat_map(|(low, high)| low..=high).map(String::from).collect();
        let _ = write!(self.out, "(?:{})", characters.join("|"));
    }

    fn class(&mut self, set: &Set, negated: bool) {
        if let Some(short) = self.shorthand(set, negated) {
            return self.out.push_str(short);
        }
        if set.is_empty() {
            return self.out.push_str(if negated { "." } else { "[^\\s\\S]" });
        }
        self.out.push_str(if negated { "[^" } else { "[" });
        let beyond = set.intersect(&Set::ranges([(0x80, Set::LAST)]));
        let named = if self.alphabet != Alphabet::Bytes {
            NAMED.iter().find(|(name, _)| is_named(set, &beyond, name))
        } else {
            None
        };
        let ranges = match named {
            Some((_, properties)) => {
                self.out.push_str(properties);
                set.intersect(&Set::ranges([(0, 0x7f)]))
            }
            None => set.clone(),
        };
        for (low, high) in scalars(ranges.as_ranges()) {
            self.class_character(low);
            if low < high {
                if u32::from(low) + 1 < u32::from(high) {
                    self.out.push('-');
                }
                self.class_character(high);
            }
        }
        self.out.push(']');
    }

    /// Returns an escape that means the same as the class. In PCRE2's compiled form, a class takes 33 bytes, and an
    /// escape takes one byte. An expression can have 64 KiB.
    fn shorthand(&self, set: &Set, negated: bool) -> Option<&'static str> {
        let known = match self.alphabet {
            Alphabet::Bytes => &SHORTHANDS[..],
            Alphabet::Characters { short: true } => &SHORTHANDS[..2],
            Alphabet::Characters { short: false } => &[],
        };
        let (positive, negative, _) = known.iter().find(|(_, _, ranges)| set.as_ranges() == *ranges)?;
        Some(if negated { negative } else { positive })
    }

    fn class_character(&mut self, c: char) {
        let _ = if c.is_ascii_alphanumeric() {
            write!(self.out, "{c}")
        } else {
            write!(self.out, "\\x{{{:x}}}", u32::from(c))
        };
    }

    fn character(&mut self, c: char) {
        let _ = match c {
            c if c.is_ascii_alphanumeric() || matches!(c, ' ' | '_') => write!(self.out, "{c}"),
            c if c.is_ascii_graphic() => write!(self.out, "\\{c}"),
            c if c.is_ascii() => write!(self.out, "\\x{:02x}", u32::from(c)),
            // In a program of bytes, a quantifier would repeat only the last byte.
            c if self.alphabet != Alphabet::Bytes => write!(self.out, "{c}"),
            c => write!(self.out, "(?:{c})"),
        };
    }
}

type Ranges = &'static [(u32, u32)];

/// Escapes that mean these sets in a program of bytes. The first two mean the same in a program of characters that
/// starts with `(?aDaS)`. `\w` cannot be used there, because the option would change `\b` as well.
const SHORTHANDS: [(&str, &str, Ranges); 3] = [
    ("\\d", "\\D", &[(0x30, 0x39)]),
    ("\\s", "\\S", &[(0x09, 0x0d), (0x20, 0x20)]),
    ("\\w", "\\W", &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)]),
];

/// Large classes, hundreds of ranges long, and the PCRE2 properties that mean the same.
const NAMED: [(&str, &str); 6] = [
    ("alpha", r"\p{Alphabetic}"),
    ("alnum", r"\p{Alphabetic}\p{Nd}"),
    ("lower", r"\p{Lowercase}"),
    ("upper", r"\p{Uppercase}"),
    ("digit", r"\p{Nd}"),
    ("word", r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"),
];

/// Returns whether `set` contains the whole class `name` and has no other characters beyond ASCII. `beyond` is the part
/// of `set` beyond ASCII.
fn is_named(set: &Set, beyond: &Set, name: &str) -> bool {
    // A name is not shorter than a few ranges.
    beyond.as_ranges().len() > 8
        && posix(name).is_some_and(|class| {
            class.intersect(&Set::ranges([(0x80, Set::LAST)])) == *beyond && class.intersect(set) == *class
        })
}

/// Returns whether `node` contains something optional that may be printed as a group.
fn has_optional_group(node: &Node) -> bool {
    match node {
        Node::Empty | Node::Set(_) | Node::Look(_) | Node::Backreference { .. } | Node::Foreign(_) => false,
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().any(has_optional_group),
        Node::Repeat { node, .. } => match &**node {
            // In a program of bytes, a character beyond ASCII is a group.
            Node::Set(set) => !set.contains_raw() && !set.is_disjoint(&Set::ranges([(0x80, Set::LAST)])),
            _ => true,
        },
        Node::Capture { node, .. } | Node::Atomic(node) => has_optional_group(node),
        Node::Around { .. } => false,
        Node::Conditional { yes, no, .. } => has_optional_group(yes) || has_optional_group(no),
    }
}

fn few(set: &Set) -> bool {
    scalars(set.as_ranges()).map(|(low, high)| u32::from(high) - u32::from(low) + 1).sum::<u32>() <= 16
}

fn words(look: Look) -> &'static str {
    match look {
        Look::Start => "\\A",
        Look::End => "\\z",
        Look::EndOrNewline => "\\Z",
        Look::LineStart => "^",
        Look::LineEnd => "$",
        Look::Boundary => "\\b",
        Look::NotBoundary => "\\B",
    }
}
