//! Compiles parts with choices: alternatives, repeats, atomic groups and look-around.

use super::{Compiled, Compiler, Mode, Refused};
use crate::grok::ast::Node;
use crate::grok::linear::lead::{Lead, any, has_capture, is_nullable, lead, width};
use crate::grok::linear::op::{At, Loop, Op};
use crate::grok::linear::shape::exit;
use crate::grok::set::Set;

/// The enclosing atomic group or look-around, if nothing is captured between the part being compiled and the group's
/// end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub(super) end: At,
    pub(super) is_look: bool,
    /// Whether the group discards its captures in any case (negative look-around).
    pub(super) forgets: bool,
}

impl Compiler {
    /// Compiles a part with choices.
    pub(super) fn structure(&mut self, node: &Node, next: At, after: &Lead) -> Compiled {
        match node {
            Node::Alternate(ways) => {
                let ways = ways
                    .iter()
                    .map(|way| Ok((self.node(way, next, after)?, lead(way, after))))
                    .collect::<Result<Vec<_>, _>>()?;
                self.choose(&ways)
            }
            Node::Repeat { node, min, max, greedy } => self.repeat(node, *min, *max, *greedy, next, after),
            Node::Atomic(node) => {
                let end = self.op(Op::Committed { next })?;
                // A loop with empty rounds remembers where a round started. Then the group's end does not depend on the
                // position alone, so it cannot be memoized.
                let is_known = !any(node, &mut is_empty_loop);
                let group = Group { end, is_look: false, forgets: false };
                let inner = self.inside(node, end, is_known.then_some(group))?;
                self.op(Op::Commit { next: inner })
            }
            Node::Around { behind, negative, node } => {
                let back = if *behind { self.behind(node)? } else { 0 };
                let end = self.op(if *negative { Op::Unwanted } else { Op::Seen { next } })?;
                // Without captures, the result of a look-around is only whether it matches.
                let is_known = *negative || !has_capture(node) || !any(node, &mut is_empty_loop);
                let group = is_known.then_some(Group { end, is_look: true, forgets: *negative });
                match &**node {
                    // Alternatives of several widths: each is tried at its own start.
                    Node::Alternate(ways) if *behind && width(node).is_none() => {
                        self.behind_ways(ways, *negative, (end, group), next)
                    }
                    node => {
                        let inner = self.inside(node, end, group)?;
                        self.op(Op::Look { next: inner, otherwise: if *negative { next } else { At::MAX }, back })
                    }
                }
            }
            Node::Backreference { .. } | Node::Conditional { .. } | Node::Foreign(_) => Err(Refused::NotRegular),
            Node::Empty | Node::Set(_) | Node::Look(_) | Node::Concat(_) | Node::Capture { .. } => {
                self.node(node, next, after)
            }
        }
    }

    fn behind(&mut self, node: &Node) -> Result<u32, Refused> {
        match node {
            Node::Alternate(ways) => {
                ways.iter().try_for_each(|way| width(way).map(|_| ()).ok_or(Refused::NotRegular))?;
                Ok(width(node).unwrap_or(0))
            }
            node => width(node).ok_or(Refused::NotRegular),
        }
    }

    fn behind_ways(&mut self, ways: &[Node], negative: bool, (end, group): (At, Option<Group>), next: At) -> Compiled {
        let mut at = if negative { next } else { self.op(Op::Fail)? };
        for way in ways.iter().rev() {
            let inner = self.inside(way, end, group)?;
            let back = width(way).ok_or(Refused::NotRegular)?;
            let look = self.op(Op::Look { next: inner, otherwise: if negative { at } else { At::MAX }, back })?;
            at = if negative { look } else { self.split(look, at)? };
        }
        Ok(at)
    }

    fn split(&mut self, first: At, other: At) -> Compiled {
        let memo = self.memo();
        self.op(Op::Split { first, other, memo })
    }

    /// Compiles a choice between `ways`. Where the next byte fits only one way, a table selects that way.
    fn choose(&mut self, ways: &[(At, Lead)]) -> Compiled {
        let beyond = Set::ranges([(0x80, Set::LAST)]);
        let list = |test: &dyn Fn(&Lead) -> bool| -> Vec<At> {
            ways.iter().filter(|(_, lead)| test(lead)).map(|(at, _)| *at).collect()
        };
        let mut lists: Vec<Vec<At>> = (0..0x80).map(|c| list(&|lead| lead.set.contains(c))).collect();
        let long = list(&|lead| lead.set.contains_raw() || !lead.set.is_disjoint(&beyond));
        lists.extend(std::iter::repeat_n(long, 0x80));
        lists.push(list(&|lead| lead.end));
        let mut made: Vec<(Vec<At>, At)> = Vec::new();
        let mut table = [0; 257];
        for (entry, list) in table.iter_mut().zip(lists) {
            if let Some((_, at)) = made.iter().find(|(known, _)| *known == list) {
                *entry = *at;
                continue;
            }
            *entry = match list[..] {
                [] => self.op(Op::Fail)?,
                [only] => only,
                [ref some @ .., last] => some.iter().rev().try_fold(last, |other, &first| self.split(first, other))?,
            };
            made.push((list, *entry));
        }
        if let [(_, only)] = made[..] {
            return Ok(only);
        }
        self.code.tables.push(table);
        self.op(Op::Branch { table: self.code.tables.len() as u32 - 1 })
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, greedy: bool, next: At, after: &Lead) -> Compiled {
        if let Node::Set(set) = node {
            return self.run(set, min, max, greedy, next, after);
        }
        if has_capture(node) {
            // The loop captures in each round.
            self.captures();
        }
        let once = lead(node, after);
        let in_order = |inside: (At, Lead), outside: (At, Lead)| {
            if greedy { [inside, outside] } else { [outside, inside] }
        };
        let (mut at, mut before) = (next, after.clone());
        match max {
            None => {
                let again = after.or(&once);
                let head = self.op(Op::Fail)?;
                let nullable = is_nullable(node);
                let mut end = head;
                let register = self.code.registers;
                if nullable {
                    self.code.registers += 1;
                    end = self.op(Op::RoundEnd { register, again: head, exit: next })?;
                }
                let mut inner = self.node(node, end, &again)?;
                if nullable {
                    inner = self.op(Op::RoundStart { register, next: inner })?;
                }
                let choice = self.choose(&in_order((inner, lead(node, &again)), (next, after.clone())))?;
                self.code.ops[head as usize] = match self.mode {
                    Mode::Fast => self.code.ops[choice as usize],
                    Mode::Careful => Op::Head { next: choice, memo: self.memo() },
                };
                (at, before) = (head, again);
            }
            Some(max) => {
                for _ in min..max {
                    let inner = self.node(node, at, &before)?;
                    let inside = lead(node, &before);
                    before = inside.or(after);
                    at = self.choose(&in_order((inner, inside), (next, after.clone())))?;
                }
            }
        }
        for _ in 0..min {
            let inside = lead(node, &before);
            at = self.node(node, at, &before)?;
            before = inside;
        }
        Ok(at)
    }

    /// Compiles a run of characters of `set` that may have to end earlier or later.
    fn run(&mut self, set: &Set, min: u32, max: Option<u32>, greedy: bool, next: At, after: &Lead) -> Compiled {
        let class = self.class(set);
        let is_bounded = max.is_some() && self.mode == Mode::Careful;
        let next = if is_bounded {
            let memo = self.memo();
            self.op(Op::Head { next, memo })?
        } else {
            next
        };
        let exit = exit(after);
        let group = self.group.map(|group| group.end);
        self.code.loops.push(Loop { class, min, max: max.unwrap_or(u32::MAX), next, exit, clears: (0, 0), group });
        let run = self.code.loops.len() as u32 - 1;
        let at = self.op(if greedy { Op::Greedy { run } } else { Op::Lazy { run } })?;
        if !is_bounded {
            return Ok(at);
        }
        let memo = self.memo();
        self.op(Op::Head { next: at, memo })
    }

    /// Compiles the content of a group that continues at `end`.
    fn inside(&mut self, node: &Node, end: At, group: Option<Group>) -> Compiled {
        let around = std::mem::replace(&mut self.group, group);
        // Only the first way through the group counts, whatever follows. So for the content, the rest always matches.
        let inner = self.node(node, end, &Lead::anything());
        self.group = around;
        if has_capture(node) {
            self.captures();
        }
        inner
    }

    /// Records that something is captured here. A choice before the capture cannot record its success, because a jump
    /// to the group's end would skip the capture.
    pub(super) fn captures(&mut self) {
        self.group = self.group.filter(|group| group.forgets);
    }
}

/// Returns whether `node` is a loop whose rounds can be empty. Such a loop remembers where a round started.
fn is_empty_loop(node: &Node) -> bool {
    matches!(node, Node::Repeat { node, max: None, .. } if !matches!(**node, Node::Set(_)) && is_nullable(node))
}
