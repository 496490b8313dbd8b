//! Parses groups: everything in parentheses.

use crate::core::error::Result;
use crate::grok::ast::Node;
use crate::grok::parse::call::{GroupRef, is_call};
use crate::grok::parse::{Options, Parser, Part, Reader, Unicode};
use crate::grok::set::Set;

/// The maximum length of a look-behind with a variable length, and of one with a fixed length. Both limits are PCRE2's.
const MAX_BEHIND: (u64, u64) = (255, 65_535);

impl Parser<'_> {
    /// Parses the group that starts here.
    pub(super) fn group(&mut self, r: &mut Reader<'_>) -> Result<Part> {
        let at = r.at;
        let around = |behind, negative| move |node| Node::Around { behind, negative, node: Box::new(node) };
        if !r.rest().starts_with("(?") {
            return self.plain_group(r);
        }
        if r.eat("(?:") {
            return self.body(r, at);
        } else if r.eat("(?>") {
            return self.wrapped(r, at, |node| Node::Atomic(Box::new(node)));
        } else if r.eat("(?=") {
            return self.wrapped(r, at, around(false, false));
        } else if r.eat("(?!") {
            return self.wrapped(r, at, around(false, true));
        }
        for (opening, negative) in [("(?<=", false), ("(?<!", true)] {
            if r.eat(opening) {
                let part = self.body(r, at)?;
                self.check_behind(r, at, &part.node)?;
                let node = Node::Around { behind: true, negative, node: Box::new(part.node) };
                return Ok(Part { node, levels: part.levels });
            }
        }
        for (opening, closing) in [("(?<", '>'), ("(?P<", '>'), ("(?'", '\'')] {
            if r.eat(opening) {
                return self.named_group(r, at, closing);
            }
        }
        if r.eat("(?(") {
            return self.conditional(r, at);
        }
        if r.rest().starts_with("(?~") {
            return Err(self.fault(r.frame, at, "an absent operator is not supported"));
        }
        self.options(r)
    }

    /// Skips a comment `(?#…)`.
    pub(super) fn comment(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let Some(end) = r.rest().find(')') else {
            return Err(self.fault(r.frame, r.at, "this comment is not closed"));
        };
        r.at += end + 1;
        Ok(())
    }

    fn plain_group(&mut self, r: &mut Reader<'_>) -> Result<Part> {
        let (at, slot) = (r.at, self.plain);
        self.plain += 1;
        r.at += 1;
        let part = self.body(r, at)?;
        if !self.plain_groups {
            return Ok(part);
        }
        Ok(Part { node: Node::Capture { slot, node: Box::new(part.node) }, levels: part.levels })
    }

    fn named_group(&mut self, r: &mut Reader<'_>, at: usize, closing: char) -> Result<Part> {
        let start = r.at;
        let Some(end) = r.text[start..].find(closing).map(|end| start + end) else {
            return Err(self.fault(r.frame, at, "the name of this group is not closed"));
        };
        let written = &r.text[start..end];
        let (name, kind) = match written.split_once(':') {
            Some((name, kind)) => (name, Some((start + name.len() + 1, kind))),
            None => (written, None),
        };
        let slot = self.slot(r.frame, start, name, kind)?;
        self.named.push((name.to_owned(), slot));
        if kind.is_some() {
            self.named.push((written.to_owned(), slot));
        }
        r.at = end + 1;
        self.wrapped(r, at, |node| Node::Capture { slot, node: Box::new(node) })
    }

    fn wrapped(&mut self, r: &mut Reader<'_>, at: usize, wrap: impl Fn(Node) -> Node) -> Result<Part> {
        let part = self.body(r, at)?;
        Ok(Part { node: wrap(part.node), levels: part.levels })
    }

    /// Parses the rest of the group that was opened at `at`.
    fn body(&mut self, r: &mut Reader<'_>, at: usize) -> Result<Part> {
        self.inside(r, at, Self::alternatives)
    }

    fn inside(
        &mut self,
        r: &mut Reader<'_>,
        at: usize,
        parse: impl FnOnce(&mut Self, &mut Reader<'_>) -> Result<Part>,
    ) -> Result<Part> {
        self.enter(r, at)?;
        let options = r.options;
        r.groups += 1;
        let part = parse(self, r)?;
        if !r.eat(")") {
            return Err(self.fault(r.frame, at, "this ( is not closed"));
        }
        r.groups -= 1;
        r.options = options;
        self.open -= 1;
        Ok(Part { node: part.node, levels: part.levels + 1 })
    }

    /// Parses options: `(?imxadu-imx)` and `(?imxadu-imx:…)`.
    fn options(&mut self, r: &mut Reader<'_>) -> Result<Part> {
        let (at, mut options, mut on) = (r.at, r.options, true);
        for (index, c) in r.text[at..].char_indices().skip(2) {
            match c {
                'i' => options.fold = on,
                'm' => options.newline = on,
                'x' => options.extended = on,
                'a' if on => options.unicode = Unicode::None,
                'd' if on => options.unicode = Unicode::Default,
                'u' if on => options.unicode = Unicode::All,
                '-' if on => on = false,
                ':' => {
                    r.at = at + index + 1;
                    return self.inside(r, at, |this, r| {
                        r.options = options;
                        this.alternatives(r)
                    });
                }
                ')' => {
                    r.at = at + index + 1;
                    return self.rest_with(r, at, options);
                }
                _ => return Err(self.fault(r.frame, at + index, "a group of this kind is not known")),
            }
        }
        Err(self.fault(r.frame, at, "this ( is not closed"))
    }

    /// Parses the rest of the enclosing group or text, alternatives included, under `options`.
    fn rest_with(&mut self, r: &mut Reader<'_>, at: usize, options: Options) -> Result<Part> {
        self.enter(r, at)?;
        self.mark_options(r, at);
        let before = std::mem::replace(&mut r.options, options);
        let part = self.alternatives(r)?;
        r.options = before;
        self.open -= 1;
        Ok(Part { node: part.node, levels: part.levels + 1 })
    }

    /// Parses `(?(<name>)yes|no)` or `(?(1)yes|no)`, after the second parenthesis.
    fn conditional(&mut self, r: &mut Reader<'_>, at: usize) -> Result<Part> {
        let start = r.at;
        let Some(length) = r.rest().find(')') else {
            return Err(self.fault(r.frame, at, "this ( is not closed"));
        };
        let written = &r.rest()[..length];
        let quoted = [('<', '>'), ('\'', '\'')]
            .into_iter()
            .find_map(|(open, close)| Some((written.strip_prefix(open)?.strip_suffix(close)?, start + 1)));
        let number = (!written.is_empty() && written.bytes().all(|b| b.is_ascii_digit())).then_some((written, start));
        let Some((name, name_at)) = quoted.or(number) else {
            return Err(self.fault(r.frame, start, "a condition is written (?(<name>)yes|no) or (?(1)yes|no)"));
        };
        let slots = match self.group_ref(r, name_at, name)? {
            GroupRef::Number(number) => vec![number - 1],
            GroupRef::Name => self.slots_named(r, name_at, name)?,
        };
        r.at = start + length + 1;
        self.inside(r, at, |this, r| {
            let mut branches = this.branches(r)?;
            if branches.len() > 2 {
                return Err(this.fault(r.frame, at, "a condition has two branches at most"));
            }
            let levels = branches.iter().map(|part| part.levels).max().unwrap_or(0);
            let no = if branches.len() == 2 { branches.remove(1).node } else { Node::Empty };
            Ok(Part { node: conditional(&slots, branches.remove(0).node, no), levels })
        })
    }

    fn check_behind(&self, r: &Reader<'_>, at: usize, node: &Node) -> Result<()> {
        let message = match length(node) {
            None => "a look-behind must have a maximum length".to_owned(),
            Some((min, max)) if min == max && max > MAX_BEHIND.1 || min != max && max > MAX_BEHIND.0 => {
                let (any, fixed) = MAX_BEHIND;
                format!("a look-behind can be {any} characters long at most, or {fixed} when its length is fixed")
            }
            Some(_) => return Ok(()),
        };
        Err(self.fault(r.frame, at, &message))
    }
}

/// Returns a node that matches `yes` if one of `slots` took part, else `no`.
fn conditional(slots: &[usize], yes: Node, no: Node) -> Node {
    if let [slot] = *slots {
        return Node::Conditional { slot, yes: Box::new(yes), no: Box::new(no) };
    }
    let never = || Node::set(Set::empty());
    let test = |slot, yes, no| Node::Conditional { slot, yes: Box::new(yes), no: Box::new(no) };
    let any = slots.iter().fold(never(), |rest, &slot| test(slot, Node::Empty, rest));
    let none = slots.iter().fold(Node::Empty, |rest, &slot| test(slot, never(), rest));
    Node::Alternate(vec![Node::concat([any, yes]), Node::concat([none, no])])
}

/// Returns the minimum and the maximum number of characters; `None` if there is no maximum.
fn length(node: &Node) -> Option<(u64, u64)> {
    match node {
        Node::Empty | Node::Look(_) | Node::Around { .. } => Some((0, 0)),
        Node::Set(_) => Some((1, 1)),
        // The length of a called group is not known yet. The engine checks it.
        Node::Backreference { slots, .. } if is_call(slots) => Some((0, 0)),
        Node::Backreference { .. } | Node::Foreign(_) => None,
        Node::Capture { node, .. } | Node::Atomic(node) => length(node),
        Node::Concat(nodes) => nodes.iter().map(length).try_fold((0, 0), |sum, length| {
            let length = length?;
            Some((u64::saturating_add(sum.0, length.0), u64::saturating_add(sum.1, length.1)))
        }),
        Node::Alternate(nodes) => nodes.iter().map(length).reduce(either).flatten(),
        Node::Conditional { yes, no, .. } => either(length(yes), length(no)),
        Node::Repeat { node, min, max, .. } => {
            let (least, greatest) = length(node)?;
            let max = if greatest == 0 { 0 } else { u64::from((*max)?) };
            Some((least.saturating_mul((*min).into()), greatest.saturating_mul(max)))
        }
    }
}

fn either(one: Option<(u64, u64)>, other: Option<(u64, u64)>) -> Option<(u64, u64)> {
    let (one, other) = (one?, other?);
    Some((one.0.min(other.0), one.1.max(other.1)))
}
