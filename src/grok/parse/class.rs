//! Parses character classes.

use crate::core::error::Result;
use crate::grok::ast::Node;
use crate::grok::parse::escape::Escape;
use crate::grok::parse::{Options, Parser, Reader, Unicode};
use crate::grok::set::Set;
use crate::grok::unicode;

/// A class being read.
#[derive(Default)]
struct Class {
    ranges: Vec<(u32, u32)>,
    sets: Set,
    /// The set before the last `&&`.
    before: Option<Set>,
    /// The last character, if a range can start with it.
    last: Option<char>,
}

impl Class {
    fn character(&mut self, c: char) {
        self.ranges.push((c.into(), c.into()));
        self.last = Some(c);
    }

    fn set(&mut self, set: &Set) {
        self.sets = self.sets.union(set);
        self.last = None;
    }

    /// Returns the set read so far, intersected with the set before `&&`.
    fn take(&mut self) -> Set {
        let Class { ranges, sets, before, .. } = std::mem::take(self);
        let set = Set::ranges(ranges).union(&sets);
        before.map_or(set.clone(), |before| before.intersect(&set))
    }
}

impl Parser<'_> {
    /// Parses the class that starts here.
    pub(super) fn class(&mut self, r: &mut Reader<'_>) -> Result<Node> {
        let at = r.at;
        let (set, negated) = self.class_inside(r)?;
        // As in Oniguruma, case is folded once, before the whole class is negated.
        let set = if r.options.fold { unicode::fold(&set) } else { set };
        self.grow(r, at, set.as_ranges().len() / 4)?;
        Ok(Node::set(if negated { set.negate() } else { set }))
    }

    /// Parses a class in brackets. Returns the set, and whether it must be negated.
    fn class_inside(&mut self, r: &mut Reader<'_>) -> Result<(Set, bool)> {
        let start = r.at;
        self.enter(r, start)?;
        r.at += 1;
        let negated = r.eat("^");
        let mut class = Class::default();
        if r.rest().starts_with(']') && r.rest()[1..].contains(']') {
            r.at += 1;
            class.character(']');
        }
        loop {
            let (at, rest) = (r.at, r.rest());
            let Some(c) = r.peek() else {
                return Err(self.fault(r.frame, start, "this [ is not closed"));
            };
            // A long class costs time at every use of its definition, so each fourth byte counts as a part.
            self.grow(r, at, usize::from(at % 4 == 0))?;
            match c {
                ']' => {
                    r.at += 1;
                    self.open -= 1;
                    return Ok((class.take(), negated));
                }
                '[' => match posix(rest, r.options) {
                    Some((length, set)) => {
                        r.at += length;
                        class.set(&set);
                        self.grow(r, at, set.as_ranges().len() / 4)?;
                    }
                    None => {
                        let (set, negated) = self.class_inside(r)?;
                        let set = if negated { set.negate() } else { set };
                        class.set(&set);
                        self.grow(r, at, set.as_ranges().len() / 4)?;
                    }
                },
                '&' if rest.starts_with("&&") => {
                    r.at += 2;
                    class.before = Some(class.take());
                }
                '-' => {
                    r.at += 1;
                    self.hyphen(r, at, &mut class)?;
                }
                _ => match self.class_character(r)? {
                    Escape::Char(c) => class.character(c),
                    Escape::Set(set) => {
                        self.grow(r, at, set.as_ranges().len() / 4)?;
                        class.set(&set);
                    }
                    Escape::Node(_) => return Err(self.fault(r.frame, at, "this cannot stand in a class")),
                },
            }
        }
    }

    /// Handles the hyphen at `at`, which has been read already. It is part of a range, or a literal.
    fn hyphen(&mut self, r: &mut Reader<'_>, at: usize, class: &mut Class) -> Result<()> {
        let rest = r.rest();
        let ends = rest.is_empty() || rest.starts_with(']') || rest.starts_with("&&") || is_set(rest);
        let Some(low) = class.last.filter(|_| !ends) else {
            class.character('-');
            return Ok(());
        };
        let Escape::Char(high) = self.class_character(r)? else {
            return Err(self.fault(r.frame, at, "this range does not end with a character"));
        };
        if low > high {
            return Err(self.fault(r.frame, at, "range out of order in character class"));
        }
        class.ranges.push((low.into(), high.into()));
        class.last = None;
        Ok(())
    }

    /// Reads one character or one escape.
    fn class_character(&mut self, r: &mut Reader<'_>) -> Result<Escape> {
        let found = match r.peek() {
            Some('\\') => self.read_escape(r, true)?,
            Some(c) => {
                r.at += c.len_utf8();
                Escape::Char(c)
            }
            None => return Err(self.fault(r.frame, r.at, "a character is missing")),
        };
        self.beyond_ascii |= matches!(found, Escape::Char(c) if !c.is_ascii());
        Ok(found)
    }
}

/// Returns whether `rest` starts with something that stands for a set in a class.
fn is_set(rest: &str) -> bool {
    let mut chars = rest.chars();
    match chars.next() {
        Some('\\') => matches!(chars.next(), Some('w' | 'W' | 'd' | 'D' | 's' | 'S' | 'h' | 'H' | 'p' | 'P')),
        Some('[') => true,
        _ => false,
    }
}

/// Reads a POSIX class `[:name:]` or `[:^name:]` at the start of `rest`. Returns its length and its set.
fn posix(rest: &str, options: Options) -> Option<(usize, Set)> {
    let (name, _) = rest.strip_prefix("[:")?.split_once(":]")?;
    let plain = name.strip_prefix('^').unwrap_or(name);
    let set = unicode::posix(plain)?;
    let set = match options.unicode {
        Unicode::None => set.intersect(&Set::ranges([(0, 0x7f)])),
        _ => set.clone(),
    };
    Some((name.len() + 4, if plain.len() < name.len() { set.negate() } else { set }))
}
