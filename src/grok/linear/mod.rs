//! The linear-time engine: matches and captures in time linear in the line, matching or not.
//!
//! # How
//!
//! | part | does |
//! |---|---|
//! | `simplify` | takes atomic groups out where they change nothing |
//! | `lead` | what a part can begin with |
//! | `token` | parts without captures as automata that know their end |
//! | `compile` | from the tree to instructions, for two kinds of machine |
//! | `start` | where a match can begin |
//! | `machine` | runs the instructions |
//! | `memory` | captures, open choices, places of failure |
//!
//! The meaning is that of a backtracking engine: the leftmost match, the first way of each choice that leads to one.

mod chars;
mod compile;
mod fuse;
mod lead;
mod machine;
mod memory;
mod op;
mod simplify;
mod start;
mod token;

use std::sync::OnceLock;

use crate::grok::Span;
use crate::grok::ast::{Expression, Node};

use compile::{Mode, compile};
use lead::Lead;
use machine::Machine;
use memory::Seen;
use op::Code;
use start::Starts;
use token::Last;

pub(in crate::grok) use compile::Refused;
pub(in crate::grok) use machine::End;
pub(in crate::grok) use memory::Memory;

/// Work that the fast machine may do for each byte of the line, in bytes read and choices taken up, and for any line.
const FAST_EACH: u64 = 16;
const FAST_ANY: u64 = 4096;

/// The same of the careful machine, which needs it only for what has no memory of failures: look-around with choices in
/// it, and atomic groups.
const CAREFUL_EACH: u64 = 4096;
const CAREFUL_ANY: u64 = 4_000_000;

/// A compiled expression.
#[derive(Debug)]
pub(in crate::grok) struct Program {
    fast: Code,
    /// Made when a line first needs it.
    careful: OnceLock<Result<Code, Refused>>,
    starts: Starts,
    node: Node,
    slots: usize,
}

impl Program {
    /// Compiles `expression`, of which the captures below `fields` are asked for.
    pub(in crate::grok) fn new(expression: &Expression, fields: usize) -> Result<Program, Refused> {
        let node = simplify::prune(&simplify::simplify(&expression.node), &Lead::anything(), &Lead::anything());
        let mut fast = compile(&node, Mode::Fast)?;
        fuse::fuse(&mut fast);
        let starts = Starts::new(&node);
        Ok(Program { fast, careful: OnceLock::new(), starts, node, slots: 2 * fields.max(expression.captures) })
    }

    /// Looks for the leftmost match in `line`. When there is one, [`span`](Self::span) answers for it until the memory
    /// is used again.
    #[inline]
    pub(in crate::grok) fn search(&self, memory: &mut Memory, line: &[u8]) -> End {
        let budget = FAST_ANY + FAST_EACH * line.len() as u64;
        match self.run::<false>(&self.fast, memory, line, budget) {
            End::Work | End::Memory => self.search_carefully(memory, line),
            end => end,
        }
    }

    #[cold]
    fn search_carefully(&self, memory: &mut Memory, line: &[u8]) -> End {
        let code = match self.careful.get_or_init(|| compile(&self.node, Mode::Careful)) {
            Ok(code) => code,
            Err(_) => return End::Memory,
        };
        memory.failures.prepare(code.memos, code.loops.len(), code.classes.len(), line.len());
        let budget = CAREFUL_ANY + CAREFUL_EACH * line.len() as u64;
        let end = self.run::<true>(code, memory, line, budget);
        if line.len() > 1 << 14 {
            memory.failures.release();
            memory.frames = Vec::new();
        }
        end
    }

    #[inline]
    fn run<const CAREFUL: bool>(&self, code: &Code, memory: &mut Memory, line: &[u8], budget: u64) -> End {
        if memory.slots.len() != self.slots {
            memory.slots.resize(self.slots, memory::NOWHERE);
        }
        if memory.lasts.len() < code.tokens.len() {
            memory.lasts.resize_with(code.tokens.len(), Last::default);
        }
        if memory.registers.len() != code.registers as usize {
            memory.registers.resize(code.registers as usize, memory::NOWHERE);
        }
        if memory.seen.len() != code.joins as usize {
            memory.seen.resize_with(code.joins as usize, Seen::default);
        }
        memory.seen.iter_mut().for_each(Seen::clear);
        let mut machine = Machine::<CAREFUL> { code, line, memory, budget };
        let mut at = 0;
        if self.starts.at_beginning(line) {
            machine.reset();
            match machine.attempt(0) {
                End::NotFound => {}
                end => return end,
            }
            at = self.after(&machine, 0, 0);
        }
        self.go_on(&mut machine, at)
    }

    /// Looks for a match from `at` on, after all places before it.
    #[inline(never)]
    fn go_on<const CAREFUL: bool>(&self, machine: &mut Machine<'_, CAREFUL>, mut at: usize) -> End {
        let line = machine.line;
        // Lines that match do so at the first place as a rule; only for others it is worth while to look for what every
        // match must contain.
        let Some(last) = self.starts.last(line) else { return End::NotFound };
        while let Some(start) = self.starts.find(line, at).filter(|start| *start <= last) {
            let seen = machine.memory.seen.first().map_or(0, |seen| seen.last().0);
            machine.reset();
            match machine.attempt(start) {
                End::NotFound => {}
                end => return end,
            }
            at = self.after(machine, start, seen);
        }
        End::NotFound
    }

    /// The next place at which a match can begin when none begins at `start`; `seen` places had been noted at the first
    /// join before.
    fn after<const CAREFUL: bool>(&self, machine: &Machine<'_, CAREFUL>, start: usize, seen: usize) -> usize {
        let next = Starts::after(machine.line, start);
        let Some((behind, passed)) = machine.code.behind_first.as_ref().zip(machine.memory.seen.first()) else {
            return next;
        };
        match passed.last() {
            (count, place) if count == seen + 1 && behind.at(machine.line, place as usize) => next.max(place as usize),
            _ => next,
        }
    }

    /// Where the capture of `slot` stood in the match that was found last.
    #[inline]
    pub(in crate::grok) fn span(memory: &Memory, slot: usize) -> Span {
        match (memory.slots.get(2 * slot), memory.slots.get(2 * slot + 1)) {
            (Some(&start), Some(&end)) if start <= end && end != memory::NOWHERE => Span { start, end },
            _ => Span::NONE,
        }
    }
}

#[cfg(test)]
mod smoke {
    use super::*;
    use crate::grok::ast::Look;
    use crate::grok::linear::op::Op;
    use crate::grok::set::Set;
    use regex_syntax::hir::{Class, Hir, HirKind};

    fn convert(hir: &Hir) -> Node {
        match hir.kind() {
            HirKind::Empty => Node::Empty,
            HirKind::Literal(l) => Node::concat(std::str::from_utf8(&l.0).unwrap().chars().map(|c| Node::set(Set::one(c)))),
            HirKind::Class(Class::Unicode(c)) => {
                let s = Set::ranges(c.iter().map(|r| (r.start() as u32, r.end() as u32)));
                Node::set(s)
            }
            HirKind::Class(Class::Bytes(c)) => Node::set(Set::ranges(c.iter().map(|r| (r.start() as u32, r.end() as u32)))),
            HirKind::Look(l) => Node::Look(match l {
                regex_syntax::hir::Look::Start => Look::Start,
                regex_syntax::hir::Look::End => Look::End,
                regex_syntax::hir::Look::WordUnicode => Look::Boundary,
                regex_syntax::hir::Look::WordUnicodeNegate => Look::NotBoundary,
                other => panic!("{other:?}"),
            }),
            HirKind::Repetition(r) => Node::Repeat { node: Box::new(convert(&r.sub)), min: r.min, max: r.max, greedy: r.greedy },
            HirKind::Capture(c) => Node::Capture { slot: c.index as usize - 1, node: Box::new(convert(&c.sub)) },
            HirKind::Concat(p) => Node::concat(p.iter().map(convert)),
            HirKind::Alternation(p) => Node::Alternate(p.iter().map(convert).collect()),
        }
    }

    struct Rng(u64);
    impl Rng {
        fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % n
        }
    }

    fn random(r: &mut Rng, depth: u32) -> String {
        match if depth == 0 { r.below(5) } else { r.below(14) } {
            0 | 1 => ["a", "b", "c", "0"][r.below(4) as usize].into(),
            2 => ["[ab]", "[^a]", "[a-c]", "."][r.below(4) as usize].into(),
            3 => ["é", "[^é]", "b", "a"][r.below(4) as usize].into(),
            4 => [r"\b", r"\B", "^", "$", "a", "b", "c", "a"][r.below(8) as usize].into(),
            5 | 6 | 7 => format!("{}{}", random(r, depth - 1), random(r, depth - 1)),
            8 => format!("(?:{}|{})", random(r, depth - 1), random(r, depth - 1)),
            9 => format!("({})", random(r, depth - 1)),
            10 => format!("(?:{}|{}|{})", random(r, depth - 1), random(r, depth - 1), random(r, depth - 1)),
            _ => format!("(?:{}){}", random(r, depth - 1), ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "{2,}"][r.below(10) as usize]),
        }
    }

    #[test]
    fn dump() {
        let Ok(text) = std::env::var("DUMP") else { return };
        let mut library = crate::grok::Library::stock();
        if let Ok(dir) = std::env::var("DIR") { library.add_dir(std::path::Path::new(&dir)).unwrap(); }
        let pattern = match text.strip_prefix("format=") {
            Some(f) => match library.format(f).unwrap().rule { crate::grok::Rule::Pattern(p) => p, _ => panic!() },
            None => library.compile(&text).unwrap(),
        };
        let program = pattern.linear().expect("linear");
        let code = &program.fast;
        println!("entry {} starts {:?}", code.entry, program.starts.describe());
        for (i, op) in code.ops.iter().enumerate().rev() {
            let more = match op {
                Op::Token { token, .. } => format!("{} states", code.tokens[*token as usize].states()),
                Op::Text { start, end, .. } => format!("{:?}", String::from_utf8_lossy(&code.text[*start as usize..*end as usize])),
                Op::Byte { byte, .. } => format!("{:?}", *byte as char),
                Op::Greedy { run } | Op::Lazy { run } => format!("{:?}", (code.loops[*run as usize].min, code.loops[*run as usize].max, code.loops[*run as usize].next, match &code.loops[*run as usize].exit { crate::grok::linear::op::Exit::Byte(b) => (*b as char).to_string(), crate::grok::linear::op::Exit::Anywhere => "any".into(), _ => "bytes".into() })),
                Op::Branch { table } => { let mut t: Vec<u32> = code.tables[*table as usize].to_vec(); t.sort(); t.dedup(); format!("{t:?}") }
                _ => String::new(),
            };
            println!("{i:4} {op:?} {more}");
        }
    }

    #[test]
    fn smoke() {
        let seed: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(88172645463325252);
        let n: u64 = std::env::var("N").ok().and_then(|s| s.parse().ok()).unwrap_or(20000);
        let mut r = Rng(seed);
        let mut bad = 0;
        let mut tokens = 0;
        for _ in 0..n {
            let text = random(&mut r, 5);
            let Ok(re) = regex::Regex::new(&text) else { continue };
            let hir = regex_syntax::ParserBuilder::new().build().parse(&text).unwrap();
            let node = convert(&hir);
            let captures = re.captures_len() - 1;
            let Ok(program) = Program::new(&Expression { node, captures }, captures) else { continue };
            tokens += program.fast.tokens.len();
            let mut memory = Memory::default();
            for _ in 0..8 {
                let len = r.below(12);
                let line: String = (0..len).map(|_| ["a", "b", "c", "0", "a", "b", "-", "é"][r.below(8) as usize]).collect();
                let want: Option<Vec<Option<(usize, usize)>>> = re.captures(&line).map(|c| (1..=captures).map(|i| c.get(i).map(|m| (m.start(), m.end()))).collect());
                for careful in [false, true] {
                    let end = if careful { program.search_carefully(&mut memory, line.as_bytes()) } else { program.search(&mut memory, line.as_bytes()) };
                    let got = (end == End::Found).then(|| (0..captures).map(|i| {
                        let s = Program::span(&memory, i);
                        (s != Span::NONE).then_some((s.start as usize, s.end as usize))
                    }).collect::<Vec<_>>());
                    if (std::env::var("FOUND").is_ok() && got.is_some() != want.is_some()) || (std::env::var("FOUND").is_err() && got != want) {
                        bad += 1;
                        if bad < 20 { println!("careful {careful} end {end:?} {text:?} on {line:?}\n want {want:?}\n got  {got:?}"); }
                    }
                }
            }
        }
        println!("{bad} bad, {tokens} tokens");
        assert_eq!(bad, 0);
    }
}
