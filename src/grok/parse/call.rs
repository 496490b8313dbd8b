//! Parses uses of a group by name or by number: back-references and calls.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::error::Result;
use crate::grok::ast::Node;
use crate::grok::parse::{MAX_NESTING, MAX_PARTS, Parser, Reader};

/// A call, `\g<name>`, before all groups are known. In the tree, a back-reference to the number [`FIRST_CALL`] plus the
/// index of the call stands for it. No capture has such a number.
pub(super) struct Call {
    frame: usize,
    at: usize,
    /// The number of a plain group, or a name.
    group: Result<usize, String>,
}

const FIRST_CALL: usize = usize::MAX / 2;

/// Returns whether `slots` of a back-reference stand for a call.
pub(super) fn is_call(slots: &[usize]) -> bool {
    slots[0] >= FIRST_CALL
}

/// The kind of a group's name.
pub(super) enum GroupRef {
    /// By its number, from 1.
    Number(usize),
    Name,
}

impl Parser<'_> {
    /// Tells whether `name` at `at` is a number: `2`, `-1` and `+1` are.
    pub(super) fn group_ref(&mut self, r: &Reader<'_>, at: usize, name: &str) -> Result<GroupRef> {
        let digits = name.trim_start_matches(['+', '-']);
        if digits.is_empty() || name.len() > digits.len() + 1 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(GroupRef::Name);
        }
        let written: usize = digits.parse().unwrap_or(usize::MAX);
        let number = match name.as_bytes()[0] {
            b'-' => (self.plain + 1).checked_sub(written).filter(|_| written > 0),
            b'+' => self.plain.checked_add(written).filter(|_| written > 0),
            _ => Some(written),
        };
        let Some(number) = number.filter(|&number| number > 0) else {
            return Err(self.fault(r.frame, at, &format!("there is no group {name}")));
        };
        self.numbered.get_or_insert((r.frame, at));
        if self.greatest.is_none_or(|(_, _, greatest)| number > greatest) {
            self.greatest = Some((r.frame, at, number));
        }
        Ok(GroupRef::Number(number))
    }

    /// Returns the numbers of the groups called `name` that were read before.
    pub(super) fn slots_named(&self, r: &Reader<'_>, at: usize, name: &str) -> Result<Vec<usize>> {
        let slots: Vec<usize> = self.named.iter().filter(|(known, _)| known == name).map(|(_, slot)| *slot).collect();
        if slots.is_empty() {
            return Err(self.fault(r.frame, at, "no group (?<name>…) with this name stands before this place"));
        }
        Ok(slots)
    }

    /// Parses `\k<name>` or `\k'name'`, after the `\k`.
    pub(super) fn back_reference(&mut self, r: &mut Reader<'_>, at: usize) -> Result<Node> {
        let Some((start, name)) = quoted(r) else {
            return Err(self.fault(r.frame, at, "a back-reference is written \\k<name>"));
        };
        let slots = match self.group_ref(r, start, name)? {
            GroupRef::Number(number) => vec![number - 1],
            GroupRef::Name if has_level(name) && self.named.iter().all(|(known, _)| known != name) => {
                return Err(self.fault(r.frame, start, "a back-reference with a level is not supported"));
            }
            GroupRef::Name => self.slots_named(r, start, name)?,
        };
        Ok(Node::Backreference { slots, fold: r.options.fold })
    }

    /// Parses `\g<name>` or `\g'name'`, after the `\g`.
    pub(super) fn call(&mut self, r: &mut Reader<'_>, at: usize) -> Result<Node> {
        let Some((start, name)) = quoted(r) else {
            return Err(self.fault(r.frame, at, "a call is written \\g<name>"));
        };
        if name == "0" {
            return Err(self.fault(r.frame, at, "the pattern calls itself, which is not supported"));
        }
        let group = match self.group_ref(r, start, name)? {
            GroupRef::Number(number) => Ok(number - 1),
            GroupRef::Name => Err(name.to_owned()),
        };
        self.calls.push(Call { frame: r.frame, at: start, group });
        Ok(Node::Backreference { slots: vec![FIRST_CALL + self.calls.len() - 1], fold: false })
    }

    /// Replaces each call with the group that it calls.
    pub(super) fn resolve_calls(&mut self, node: Node) -> Result<Node> {
        if self.calls.is_empty() {
            return Ok(node);
        }
        let mut slots = Vec::new();
        for call in &self.calls {
            slots.push(match &call.group {
                Ok(slot) => *slot,
                Err(name) => {
                    let known: BTreeSet<usize> =
                        self.named.iter().filter(|(known, _)| known == name).map(|(_, slot)| *slot).collect();
                    let message = match known.len() {
                        0 => "there is no group (?<name>…) of this name",
                        1 => "",
                        _ => "several groups have this name: it is not clear which one is called",
                    };
                    match known.first() {
                        Some(&slot) if message.is_empty() => slot,
                        _ => return Err(self.fault(call.frame, call.at, message)),
                    }
                }
            });
        }
        let mut groups = BTreeMap::new();
        collect(&node, &slots.iter().copied().collect(), &mut groups);
        let mut resolver = Resolver { parser: self, slots: &slots, groups: &groups, active: Vec::new(), parts: 0 };
        resolver.node(&node, 0)
    }
}

struct Resolver<'a, 'd> {
    parser: &'a Parser<'d>,
    /// For each call, the number of the group that it calls.
    slots: &'a [usize],
    groups: &'a BTreeMap<usize, Node>,
    /// The calls that are being resolved.
    active: Vec<usize>,
    parts: usize,
}

impl Resolver<'_, '_> {
    /// Returns a copy of `node` in which every call is replaced. `levels` is the number of levels above it.
    fn node(&mut self, node: &Node, levels: usize) -> Result<Node> {
        self.parts += 1;
        if let (Some(&call), true) = (self.active.last(), self.parts > MAX_PARTS) {
            return Err(self.fault(call, &format!("the pattern grows beyond {MAX_PARTS} parts by this call")));
        }
        // One level of the text can become four levels of the tree.
        if let (Some(&call), true) = (self.active.last(), levels > 4 * MAX_NESTING) {
            return Err(self.fault(call, &format!("this call nests groups more than {MAX_NESTING} deep")));
        }
        let levels = levels + 1;
        Ok(match node {
            Node::Backreference { slots, .. } if is_call(slots) => {
                let call = slots[0] - FIRST_CALL;
                if self.active.iter().any(|&active| self.slots[active] == self.slots[call]) {
                    return Err(self.fault(call, "this group calls itself, which is not supported"));
                }
                self.active.push(call);
                let groups = self.groups;
                let found = match groups.get(&self.slots[call]) {
                    Some(group) => self.node(group, levels)?,
                    None => return Err(self.fault(call, "this group cannot be called")),
                };
                self.active.pop();
                found
            }
            Node::Empty | Node::Set(_) | Node::Look(_) | Node::Backreference { .. } | Node::Foreign(_) => node.clone(),
            Node::Concat(nodes) => Node::concat(self.nodes(nodes, levels)?),
            Node::Alternate(nodes) => Node::Alternate(self.nodes(nodes, levels)?),
            Node::Repeat { node, min, max, greedy } => {
                Node::Repeat { node: self.boxed(node, levels)?, min: *min, max: *max, greedy: *greedy }
            }
            Node::Capture { slot, node } => Node::Capture { slot: *slot, node: self.boxed(node, levels)? },
            Node::Atomic(node) => Node::Atomic(self.boxed(node, levels)?),
            Node::Around { behind, negative, node } => {
                Node::Around { behind: *behind, negative: *negative, node: self.boxed(node, levels)? }
            }
            Node::Conditional { slot, yes, no } => {
                Node::Conditional { slot: *slot, yes: self.boxed(yes, levels)?, no: self.boxed(no, levels)? }
            }
        })
    }

    fn boxed(&mut self, node: &Node, levels: usize) -> Result<Box<Node>> {
        Ok(Box::new(self.node(node, levels)?))
    }

    fn nodes(&mut self, nodes: &[Node], levels: usize) -> Result<Vec<Node>> {
        nodes.iter().map(|node| self.node(node, levels)).collect()
    }

    fn fault(&self, call: usize, message: &str) -> crate::core::error::Error {
        let call = &self.parser.calls[call];
        self.parser.fault(call.frame, call.at, message)
    }
}

/// Collects the groups whose number is one of `slots`.
fn collect(node: &Node, slots: &BTreeSet<usize>, groups: &mut BTreeMap<usize, Node>) {
    match node {
        Node::Empty | Node::Set(_) | Node::Look(_) | Node::Backreference { .. } | Node::Foreign(_) => {}
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().for_each(|node| collect(node, slots, groups)),
        Node::Capture { slot, node: inner } => {
            if slots.contains(slot) {
                groups.insert(*slot, node.clone());
            }
            collect(inner, slots, groups);
        }
        Node::Repeat { node, .. } | Node::Atomic(node) | Node::Around { node, .. } => collect(node, slots, groups),
        Node::Conditional { yes, no, .. } => {
            collect(yes, slots, groups);
            collect(no, slots, groups);
        }
    }
}

/// Parses a name in `<…>` or `'…'`. Returns its start and the name.
fn quoted<'t>(r: &mut Reader<'t>) -> Option<(usize, &'t str)> {
    let closing = match r.peek()? {
        '<' => '>',
        '\'' => '\'',
        _ => return None,
    };
    let start = r.at + 1;
    let end = start + r.text[start..].find(closing)?;
    r.at = end + 1;
    Some((start, &r.text[start..end]))
}

/// Returns whether the name ends with a level of recursion, such as `+1`.
fn has_level(name: &str) -> bool {
    name.rfind(['+', '-']).is_some_and(|sign| {
        let digits = &name[sign + 1..];
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    })
}
