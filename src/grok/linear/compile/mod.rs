//! Compiles the tree of an expression to instructions.
//!
//! The tree is compiled from its end to its start. So for each part, the compiler knows the next instruction and what
//! the next part can start with ([`Lead`]). That shows which choices are unnecessary. A run needs no choice if the next
//! part cannot start with its characters. Alternatives need no choice if the next byte selects one. A part without
//! captures whose end is unique becomes a [`Token`](super::token::Token). The module [`choices`] compiles the parts
//! that need a choice.

mod choices;

use crate::grok::ast::{Look, Node};
use crate::grok::set::Set;

use super::chars::Class;
use super::lead::{Lead, any, has_capture, lead};
use super::op::{At, Code, Edge, Goal, Op, Won};
use super::shape::{MAX_SHAPE, fixed, is_ascii, is_decided, is_look, is_one, is_simple, joins};
use super::token::{self, Ends, Fuel};
use choices::Group;

/// The most instructions. Counted repeats of groups are unrolled. The largest built-in pattern has about 2,000
/// instructions.
const MAX_OPS: usize = 60_000;

/// The machine that will run the instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The fast machine: with tokens, without a memo table.
    Fast,
    /// The careful machine: every choice has a row in the memo table, so the time is proved to be linear.
    Careful,
}

/// Why an expression has no instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grok) enum Refused {
    /// It is not regular: it contains back-references or similar constructs.
    NotRegular,
    /// It is too large after its counted repeats are unrolled.
    TooLarge,
}

/// Compiles `node`.
pub(super) fn compile(node: &Node, mode: Mode) -> Result<Code, Refused> {
    let mut compiler = Compiler {
        code: Code::default(),
        mode,
        sets: Vec::new(),
        shapes: Vec::new(),
        fuel: Fuel::default(),
        group: None,
    };
    let end = compiler.op(Op::Match)?;
    let everything = Lead::anything();
    compiler.code.entry = match node {
        Node::Concat(parts) => compiler.concat(parts, end, &everything, true)?,
        node => compiler.node(node, end, &everything)?,
    };
    compiler.code.first = compiler.code.entry;
    // Joins are created from the end to the start. This reverses their numbers, so that the first join has number 0.
    let joins = compiler.code.joins;
    for op in &mut compiler.code.ops {
        if let Op::Join { join, .. } = op {
            *join = joins - 1 - *join;
        }
    }
    if let Node::Concat(parts) = node {
        let after = parts[1..].iter().rev().fold(everything, |after, part| lead(part, &after));
        if joins > 0 && is_one(&parts[0], &after).is_some() {
            compiler.code.behind_first = Some(Class::new(&after.set));
        }
    }
    Ok(compiler.code)
}

struct Compiler {
    code: Code,
    mode: Mode,
    /// The sets of `code.classes`.
    sets: Vec<Set>,
    /// The sets of `code.bits`.
    shapes: Vec<Set>,
    /// The work that is left for tokens.
    fuel: Fuel,
    /// The group around the part that is being compiled.
    group: Option<Group>,
}

type Compiled = Result<At, Refused>;

impl Compiler {
    fn op(&mut self, op: Op) -> Compiled {
        if self.code.ops.len() >= MAX_OPS {
            return Err(Refused::TooLarge);
        }
        self.code.ops.push(op);
        Ok(self.code.ops.len() as At - 1)
    }

    fn class(&mut self, set: &Set) -> u32 {
        let known = self.sets.iter().position(|known| known == set);
        known.unwrap_or_else(|| {
            self.sets.push(set.clone());
            self.code.classes.push(Class::new(set));
            self.sets.len() - 1
        }) as u32
    }

    /// Adds a row to the memo table for a choice, and registers what the choice records when its group succeeds.
    fn memo(&mut self) -> u32 {
        let memo = self.row();
        if let (Some(Group { end, is_look, .. }), Mode::Careful) = (self.group, self.mode) {
            let won = if is_look {
                Won::At { memo: self.row() }
            } else {
                self.code.endings += 1;
                Won::Ending { number: self.code.endings - 1 }
            };
            self.code.goals[memo as usize] = Some(Goal { end, won });
        }
        memo
    }

    fn row(&mut self) -> u32 {
        self.code.memos += 1;
        self.code.goals.push(None);
        self.code.memos - 1
    }

    /// Compiles `node` followed by `next`; `after` is the lead of `next`.
    fn node(&mut self, node: &Node, next: At, after: &Lead) -> Compiled {
        match node {
            Node::Concat(parts) => self.concat(parts, next, after, false),
            Node::Capture { slot, node } => {
                let capture = *slot as u32;
                self.captures();
                let end = self.op(Op::Save { slot: 2 * capture + 1, next })?;
                let inner = self.node(node, end, after)?;
                self.op(Op::Save { slot: 2 * capture, next: inner })
            }
            node if self.shape_before(std::slice::from_ref(node)).is_some() => {
                self.shape(std::slice::from_ref(node), next)
            }
            node => match self.simple(node, next, after)? {
                Some(at) => Ok(at),
                None => match self.token(node, next, after)? {
                    Some(at) => Ok(at),
                    None => self.structure(node, next, after),
                },
            },
        }
    }

    /// Compiles a part for which one instruction without a choice suffices. Returns `None` for other parts.
    fn simple(&mut self, node: &Node, next: At, after: &Lead) -> Result<Option<At>, Refused> {
        let op = match node {
            Node::Empty => return Ok(Some(next)),
            Node::Set(set) => self.one(set, next),
            Node::Look(look) => match look {
                Look::Start => Op::Edge { edge: Edge::Start, next },
                Look::End => Op::Edge { edge: Edge::End, next },
                Look::EndOrNewline => Op::Edge { edge: Edge::EndOrNewline, next },
                Look::LineStart => Op::Edge { edge: Edge::LineStart, next },
                Look::LineEnd => Op::Edge { edge: Edge::LineEnd, next },
                Look::Boundary => Op::Boundary { inside: false, next },
                Look::NotBoundary => Op::Boundary { inside: true, next },
            },
            Node::Around { behind, negative, node } => {
                let Node::Set(set) = &**node else { return Ok(None) };
                let (class, negative) = (self.class(set), *negative);
                if *behind { Op::Behind { class, negative, next } } else { Op::Ahead { class, negative, next } }
            }
            Node::Repeat { node, min, max, greedy } => {
                let Node::Set(set) = &**node else { return Ok(None) };
                if !is_decided(set, *max, *min, after) {
                    return Ok(None);
                }
                let class = self.class(set);
                match max {
                    _ if after.sure && !greedy => Op::RunUpTo { class, min: *min, max: *min, next },
                    None => Op::Run { class, min: *min, next: self.after_run(class, next) },
                    Some(max) => Op::RunUpTo { class, min: *min, max: *max, next },
                }
            }
            Node::Atomic(inner) => {
                let Node::Repeat { node, min, max, greedy: true } = &**inner else { return Ok(None) };
                let Node::Set(set) = &**node else { return Ok(None) };
                let class = self.class(set);
                match max {
                    None => Op::Run { class, min: *min, next },
                    Some(max) => Op::RunUpTo { class, min: *min, max: *max, next },
                }
            }
            _ => return Ok(None),
        };
        self.op(op).map(Some)
    }

    /// Returns the instruction after a run of `class`. If that instruction tests that no character of the class
    /// follows, returns the one after the test, because the end of the run implies the result.
    fn after_run(&self, class: u32, next: At) -> At {
        match self.code.ops[next as usize] {
            Op::Ahead { class: asked, negative: true, next } if asked == class => next,
            _ => next,
        }
    }

    fn one(&mut self, set: &Set, next: At) -> Op {
        match set.as_char() {
            Some(c) if c.is_ascii() => Op::Byte { byte: c as u8, next },
            Some(c) => {
                let start = self.code.text.len() as u32;
                self.code.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                Op::Text { start, end: self.code.text.len() as u32, next }
            }
            None => Op::One { class: self.class(set), next },
        }
    }

    /// Compiles a part to a token. Returns `None` if that is not possible.
    fn token(&mut self, node: &Node, next: At, after: &Lead) -> Result<Option<At>, Refused> {
        if self.mode == Mode::Careful {
            return Ok(None);
        }
        let found = match node {
            Node::Atomic(inner) if !has_capture(inner) => token::build(inner, Ends::First, &mut self.fuel),
            node if has_capture(node) => None,
            node => token::build(node, Ends::Unique(after), &mut self.fuel)
                .or_else(|| if after.sure { token::build(node, Ends::First, &mut self.fuel) } else { None }),
        };
        let Some(found) = found else { return Ok(None) };
        // Equal tokens share one DFA, so that it stays in the processor's cache.
        let known = self.code.tokens.iter().position(|known| *known == found);
        let token = known.unwrap_or_else(|| {
            self.code.tokens.push(found);
            self.code.tokens.len() - 1
        }) as u32;
        self.op(Op::Token { token, next }).map(Some)
    }

    /// Compiles parts in sequence. Neighbours without captures become one token if possible.
    fn concat(&mut self, parts: &[Node], next: At, after: &Lead, is_whole: bool) -> Compiled {
        let mut leads = vec![after.clone(); parts.len() + 1];
        for (index, part) in parts.iter().enumerate().rev() {
            leads[index] = lead(part, &leads[index + 1]);
        }
        let (mut at, mut end) = (next, parts.len());
        while end > 0 {
            let start = self.plain_before(parts, end);
            if start < end {
                at = self.plain(&parts[start..end], &leads[start..=end], at)?;
                end = start;
            } else {
                end -= 1;
                let looks = parts[..end].iter().rev().take_while(|part| is_look(part)).count();
                match &parts[end] {
                    // A test of the position before an atomic group means the same inside the group.
                    Node::Atomic(inner) if looks > 0 => {
                        let inner = Node::concat(parts[end - looks..end].iter().cloned().chain([(**inner).clone()]));
                        let inner = Node::Atomic(Box::new(inner));
                        match self.token(&inner, at, &leads[end + 1])? {
                            Some(token) => (at, end) = (token, end - looks),
                            None => at = self.node(&parts[end], at, &leads[end + 1])?,
                        }
                    }
                    part => at = self.node(part, at, &leads[end + 1])?,
                }
            }
            if is_whole && self.mode == Mode::Fast && joins(parts, end, &leads) {
                at = self.op(Op::Join { join: self.code.joins, next: at })?;
                self.code.joins += 1;
            }
        }
        Ok(at)
    }

    /// Returns the start of the plain parts before `end`. A plain part has no captures and does not need the
    /// backtracking machine.
    fn plain_before(&self, parts: &[Node], end: usize) -> usize {
        let is_plain = |node: &Node| {
            !any(node, &mut |node| match node {
                Node::Capture { .. } | Node::Atomic(_) | Node::Backreference { .. } => true,
                Node::Conditional { .. } | Node::Foreign(_) | Node::Look(Look::EndOrNewline) => true,
                Node::Around { node, .. } => !matches!(**node, Node::Set(_)),
                _ => false,
            })
        };
        parts[..end].iter().rposition(|part| !is_plain(part)).map_or(0, |last| last + 1)
    }

    /// Compiles neighbours without captures. Simple parts at the start stay single; the rest becomes one token if
    /// possible.
    fn plain(&mut self, parts: &[Node], leads: &[Lead], next: At) -> Compiled {
        let (mut at, mut end) = (next, parts.len());
        // A test of the position before the token is part of the token's DFA.
        let simple = |index: usize| is_simple(&parts[index], &leads[index + 1]);
        let mut start = (0..end).find(|&index| !simple(index)).unwrap_or(end);
        if start < end {
            start -= parts[..start].iter().rev().take_while(|part| is_look(part)).count();
        }
        if end > start
            && let Some(token) = self.token(&Node::concat(parts[start..end].to_vec()), at, &leads[end])?
        {
            (at, end) = (token, start);
        }
        while end > 0 {
            if is_simple(&parts[end - 1], &leads[end]) {
                at = self.simple_run(parts, leads, &mut end, at)?;
            } else {
                end -= 1;
                at = self.node(&parts[end], at, &leads[end + 1])?;
            }
        }
        Ok(at)
    }

    /// Compiles the simple part before `end`. Several literal characters become one text, and several sets become one
    /// shape.
    fn simple_run(&mut self, parts: &[Node], leads: &[Lead], end: &mut usize, next: At) -> Compiled {
        if let Some(start) = self.shape_before(&parts[..*end]) {
            let at = self.shape(&parts[start..*end], next)?;
            *end = start;
            return Ok(at);
        }
        let single = |node: &Node| match node {
            Node::Set(set) => set.as_char(),
            _ => None,
        };
        let count = parts[..*end].iter().rev().map_while(single).count();
        if count > 1 {
            *end -= count;
            let start = self.code.text.len() as u32;
            self.code.text.extend(parts[*end..*end + count].iter().filter_map(single).collect::<String>().bytes());
            return self.op(Op::Text { start, end: self.code.text.len() as u32, next });
        }
        *end -= 1;
        match self.simple(&parts[*end], next, &leads[*end + 1])? {
            Some(at) => Ok(at),
            None => self.node(&parts[*end], next, &leads[*end + 1]),
        }
    }

    /// Returns the start of the characters at the end of `parts` that one shape can compare: sets of ASCII characters.
    /// At least one of the sets has several characters.
    fn shape_before(&self, parts: &[Node]) -> Option<usize> {
        let (mut start, mut length, mut single) = (parts.len(), 0, true);
        for part in parts.iter().rev() {
            let Some((set, count)) = fixed(part).filter(|(set, count)| is_ascii(set) && length + count <= MAX_SHAPE)
            else {
                break;
            };
            single &= set.as_char().is_some();
            (start, length) = (start - 1, length + count);
        }
        (length > 1 && !single).then_some(start)
    }

    fn shape(&mut self, parts: &[Node], next: At) -> Compiled {
        let start = self.code.masks.len() as u32;
        for (set, count) in parts.iter().filter_map(fixed) {
            let Some(mask) = self.shape_mask(set) else {
                // All 32 bits are used up, so the characters are compiled one by one.
                self.code.masks.truncate(start as usize);
                return parts.iter().rev().try_fold(next, |next, part| {
                    let (set, count) = fixed(part).ok_or(Refused::TooLarge)?;
                    (0..count).try_fold(next, |next, _| {
                        let op = self.one(set, next);
                        self.op(op)
                    })
                });
            };
            self.code.masks.extend(std::iter::repeat_n(mask, count));
        }
        self.op(Op::Shape { start, end: self.code.masks.len() as u32, next })
    }

    fn shape_mask(&mut self, set: &Set) -> Option<u32> {
        let index = self.shapes.iter().position(|known| known == set).unwrap_or_else(|| {
            self.shapes.push(set.clone());
            self.shapes.len() - 1
        });
        let mask = 1u32.checked_shl(index as u32)?;
        for byte in (0..0x80).filter(|&byte| set.contains(byte)) {
            self.code.bits.0[byte as usize] |= mask;
        }
        Some(mask)
    }
}
