//! Parses alternatives, sequences and quantifiers.

use crate::core::error::Result;
use crate::grok::ast::{Look, Node};
use crate::grok::parse::{Parser, Part, Reader};
use crate::grok::set::Set;
use crate::grok::unicode;

/// The highest repeat count. The limit is PCRE2's.
const MAX_REPEAT: u32 = 65_535;

/// The node that the next quantifier repeats.
struct Atom {
    part: Part,
    /// Whether it is already a repeat, because a quantifier has been read.
    quantified: bool,
}

/// A quantifier as it is written.
struct Quantifier {
    length: usize,
    min: u32,
    max: Option<u32>,
    greedy: bool,
    possessive: bool,
}

impl Parser<'_> {
    /// Parses everything up to the end of the group or of the text.
    pub(super) fn alternatives(&mut self, r: &mut Reader<'_>) -> Result<Part> {
        let mut branches = self.branches(r)?;
        if branches.len() == 1 {
            return Ok(branches.remove(0));
        }
        let levels = branches.iter().map(|part| part.levels).max().unwrap_or(0);
        Ok(Part { node: Node::Alternate(branches.into_iter().map(|part| part.node).collect()), levels })
    }

    /// Like `alternatives`, but returns each alternative on its own.
    pub(super) fn branches(&mut self, r: &mut Reader<'_>) -> Result<Vec<Part>> {
        let mut branches = vec![self.sequence(r)?];
        while r.peek() == Some('|') {
            self.grow(r, r.at, 1)?;
            self.mark_bar(r);
            r.at += 1;
            branches.push(self.sequence(r)?);
        }
        Ok(branches)
    }

    fn sequence(&mut self, r: &mut Reader<'_>) -> Result<Part> {
        let mut nodes = Vec::new();
        let mut levels = 0;
        let mut last: Option<Atom> = None;
        while let Some(c) = r.peek() {
            let at = r.at;
            match c {
                '|' => break,
                ')' if r.groups > 0 => break,
                ')' => return Err(self.fault(r.frame, at, "this ) closes nothing")),
                c if r.options.extended && c.is_ascii_whitespace() => {
                    r.at += 1;
                    continue;
                }
                '#' if r.options.extended => {
                    r.at += r.rest().find('\n').unwrap_or(r.rest().len());
                    continue;
                }
                '(' if r.rest().starts_with("(?#") => {
                    self.comment(r)?;
                    continue;
                }
                _ => {}
            }
            if let Some(quantifier) = self.quantifier(r)? {
                let Some(atom) = last.take() else {
                    return Err(self.fault(r.frame, at, "there is nothing to repeat here"));
                };
                r.at += quantifier.length;
                self.mark_repeated(r);
                last = Some(self.repeat(r, at, atom, &quantifier)?);
                continue;
            }
            let part = self.atom(r, c)?;
            self.mark(r, at, c);
            // Even a text without parts costs time, so each atom counts.
            self.grow(r, at, 1)?;
            if let Some(atom) = last.replace(Atom { part, quantified: false }) {
                levels = levels.max(atom.part.levels);
                nodes.push(atom.part.node);
            }
        }
        if let Some(atom) = last {
            levels = levels.max(atom.part.levels);
            nodes.push(atom.part.node);
        }
        Ok(Part { node: Node::concat(nodes), levels })
    }

    fn atom(&mut self, r: &mut Reader<'_>, c: char) -> Result<Part> {
        let leaf = |node| Ok(Part { node, levels: 0 });
        match c {
            '(' => return self.group(r),
            '%' if r.rest().starts_with("%{") => return self.reference(r),
            '[' => return leaf(self.class(r)?),
            '\\' => return leaf(self.escape(r)?),
            _ => r.at += c.len_utf8(),
        }
        leaf(match c {
            '.' if r.options.newline => Node::set(Set::any()),
            '.' => Node::set(Set::one('\n').negate()),
            '^' => Node::Look(Look::LineStart),
            '$' => Node::Look(Look::LineEnd),
            c => character(r, c),
        })
    }

    fn repeat(&mut self, r: &Reader<'_>, at: usize, atom: Atom, quantifier: &Quantifier) -> Result<Atom> {
        let Part { node, mut levels } = atom.part;
        if atom.quantified {
            levels += 1;
            self.check_nesting(r, at, levels)?;
            self.grow(r, at, 1)?;
        }
        let Quantifier { min, max, greedy, possessive, .. } = *quantifier;
        let node = Node::Repeat { node: Box::new(node), min, max, greedy };
        let node = if possessive { Node::Atomic(Box::new(node)) } else { node };
        Ok(Atom { part: Part { node, levels }, quantified: true })
    }

    /// Reads the quantifier that comes next, if there is one.
    fn quantifier(&self, r: &Reader<'_>) -> Result<Option<Quantifier>> {
        let rest = r.rest();
        let (length, (min, max), exact, simple) = match rest.as_bytes().first() {
            Some(b'*') => (1, (0, None), false, true),
            Some(b'+') => (1, (1, None), false, true),
            Some(b'?') => (1, (0, Some(1)), false, true),
            Some(b'{') => match interval(rest) {
                Some((length, min, max)) => {
                    let counts = self.counts(r, min, max)?;
                    (length, counts, !rest[..length].contains(','), false)
                }
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let suffix = rest.as_bytes().get(length);
        let lazy = suffix == Some(&b'?') && !exact;
        let possessive = suffix == Some(&b'+') && simple;
        let length = length + usize::from(lazy || possessive);
        Ok(Some(Quantifier { length, min, max, greedy: !lazy, possessive }))
    }

    /// Parses the numbers of an interval. A missing number before the comma is 0; a missing one after it means no
    /// limit.
    fn counts(&self, r: &Reader<'_>, min: &str, max: &str) -> Result<(u32, Option<u32>)> {
        let number = |digits: &str| match digits.parse::<u32>() {
            Ok(number) if number <= MAX_REPEAT => Ok(number),
            _ => Err(self.fault(r.frame, r.at, &format!("a repeat count can be {MAX_REPEAT} at most"))),
        };
        let min = if min.is_empty() { 0 } else { number(min)? };
        let max = if max.is_empty() { None } else { Some(number(max)?) };
        if max.is_some_and(|max| max < min) {
            return Err(self.fault(r.frame, r.at, "the first number of this repeat is greater than the second"));
        }
        Ok((min, max))
    }
}

/// Returns a node for a literal character.
pub(super) fn character(r: &Reader<'_>, c: char) -> Node {
    let set = Set::one(c);
    Node::set(if r.options.fold { unicode::fold(&set) } else { set })
}

/// Reads a repeat count `{n}`, `{n,}`, `{n,m}` or `{,m}` at the start of `rest`. Returns its length and its numbers.
fn interval(rest: &str) -> Option<(usize, &str, &str)> {
    let (inner, _) = rest.strip_prefix('{')?.split_once('}')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (min, max) = match inner.split_once(',') {
        None if !inner.is_empty() => (inner, inner),
        Some((min, max)) if inner.len() > 1 => (min, max),
        _ => return None,
    };
    (digits(min) && digits(max)).then_some((inner.len() + 2, min, max))
}
