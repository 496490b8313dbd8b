//! The linear-time engine: finds the leftmost match and its captures in time linear in the line, whether the line
//! matches or not.
//!
//! It gives the same matches as a backtracking engine: the leftmost match, by the first way of each choice that leads
//! to a match. A *choice* is an alternation or a repeat. A *way* is a path through the expression, with one alternative
//! of each choice. A choice is *open* while some of its alternatives are untried.
//!
//! # Modules
//!
//! | module | what it does |
//! |---|---|
//! | `simplify` | removes atomic groups that change nothing |
//! | `lead` | computes the set of characters that a node can start with |
//! | `token` | compiles parts without captures to a DFA each (a *token*) |
//! | `shape` | tells what kind of node a node is |
//! | `compile` | compiles the tree to instructions, for the fast and for the careful machine |
//! | `undo` | finds the captures whose old values need no record |
//! | `fuse` | fuses several simple instructions into one |
//! | `trace` | records the machine's steps over a stretch of a line, and takes them at once on similar lines |
//! | `start` | finds the positions at which a match can start |
//! | `needle` | finds the *needles*: literals that every match contains |
//! | `scout` | the *scout*, a lazy DFA that tells whether any match remains in the line; the *probe*, a DFA that tells whether a match can start at one position |
//! | `doubt` | counts recent failures, and decides whether a cheap check runs before the next line is matched |
//! | `chars`, `blocks` | decoding of characters, character classes, and runs of them 16 bytes at a time |
//! | `window` | 64 bytes of a line as ranges of bytes, and a cache with such ranges as keys |
//! | `machine`, `runs`, `groups`, `back` | the backtracking machine that runs the instructions |
//! | `memory` | captures and the stack of open choices |
//! | `outcomes` | the memo table of the careful machine: where choices have failed |

mod back;
mod blocks;
mod chars;
mod compile;
mod doubt;
mod fuse;
mod groups;
mod lead;
mod machine;
mod memory;
mod needle;
mod op;
mod outcomes;
mod runs;
mod scout;
mod shape;
mod simplify;
mod start;
mod token;
mod trace;
mod undo;
mod window;

use std::sync::OnceLock;

use crate::grok::Span;
use crate::grok::ast::{Expression, Node};

use compile::{Mode, compile};
use doubt::{Automatons, Doubt};
use lead::Lead;
use machine::Machine;
use memory::PackedSpan;
use op::{At, Code};
use scout::{Probe, Scout};
use start::Starts;
use token::Fuel;

pub(in crate::grok) use compile::Refused;
pub(in crate::grok) use doubt::Proof;
pub(in crate::grok) use machine::End;
#[cfg(engines)]
pub(in crate::grok) use memory::Used;

/// Budget of the fast machine, in bytes read and choices resumed: per byte of the line, plus a constant per line.
const FAST_EACH: u64 = 16;
const FAST_ANY: u64 = 4096;

/// Budget of the careful machine, in the same units. Only look-around and atomic groups that contain both choices and
/// captures can use it up, because their outcomes cannot be memoized.
const CAREFUL_EACH: u64 = 512;
const CAREFUL_ANY: u64 = 4_000_000;

/// Number of starting positions after the beginning of the line that are tried without a check. The probe checks each
/// later position first.
const PATIENCE: u32 = 1;
/// Number of the starting position at which the scout checks the rest of the line.
const PROBED: u32 = 3;

/// Limit of bytes that the probe may read while it serves as a proof: per byte of the line, plus a constant per line.
const PROBE_EACH: usize = 4;
const PROBE_ANY: usize = 128;
/// Fixed cost of one call of the probe, in bytes read.
const PROBE: usize = 16;

/// The working memory that one thread needs to search for matches.
#[derive(Debug, Default)]
pub(in crate::grok) struct Memory {
    machine: memory::Memory,
    doubt: Doubt,
    /// The scout. It is created when a line first fails at several positions.
    scout: ScoutOnce,
    /// The machine for which [`Memory::prepare`] has prepared this memory: `true` for the careful one, `false` for the
    /// fast one. `None` before the first search.
    is_careful: Option<bool>,
}

impl Memory {
    /// Returns the captures of the latest match.
    #[inline]
    pub(in crate::grok) fn found(&self) -> Found<'_> {
        Found { places: &self.machine.places, matched: self.machine.matched }
    }

    /// Allocates the space that `code` needs. A memory belongs to one program.
    #[cold]
    fn prepare(&mut self, code: &Code, captures: usize) {
        let memory = &mut self.machine;
        memory.places.resize(captures, PackedSpan::NOWHERE);
        memory.registers.resize(code.registers as usize, memory::NOWHERE);
        memory.joins.prepare(code.joins);
        memory.sites.resize_with((code.sites as usize).max(memory.sites.len()), trace::Site::default);
    }
}

/// The scout of a memory: `None` until it is first asked for, `Some(None)` if the expression cannot have one.
type ScoutOnce = Option<Option<Box<Scout>>>;

/// Start and end of each capture of a match.
pub(in crate::grok) struct Found<'m> {
    places: &'m [PackedSpan],
    matched: (u32, u32),
}

impl Found<'_> {
    /// Returns the span of capture `slot`.
    #[inline]
    pub(in crate::grok) fn span(&self, slot: usize) -> Span {
        self.places.get(slot).map_or(Span::NONE, |place| place.span())
    }

    /// Returns the span of the whole match.
    #[inline]
    pub(in crate::grok) fn whole(&self) -> Span {
        let (start, end) = self.matched;
        Span { start, end }
    }
}

#[cfg(engines)]
impl Memory {
    /// Returns the cost of all searches since the last call.
    pub(in crate::grok) fn used(&mut self) -> Used {
        let stretches = self.scout.iter_mut().flatten().map(|scout| std::mem::take(&mut scout.recalled)).sum();
        Used { stretches, ..std::mem::take(&mut self.machine.used) }
    }

    /// Makes the next line run `proof`: before its first attempt, or when the first way of that attempt has failed.
    pub(in crate::grok) fn doubt(&mut self, proof: Proof, at_once: bool) {
        self.doubt.ask(proof, at_once);
    }
}

/// A compiled expression.
#[derive(Debug)]
pub(in crate::grok) struct Program {
    fast: Code,
    /// The instructions of the careful machine. They are compiled when a line first needs them.
    careful: OnceLock<Result<Code, Refused>>,
    starts: Starts,
    /// The probe. It is compiled when lines often fail at several positions.
    probe: OnceLock<Option<Probe>>,
    node: Node,
    captures: usize,
}

impl Program {
    /// Compiles `expression`. The caller reads the captures whose numbers are below `fields`.
    pub(in crate::grok) fn new(expression: &Expression, fields: usize) -> Result<Program, Refused> {
        let node = simplify::prune(
            &simplify::simplify(&expression.node, &mut Fuel::default()),
            &Lead::anything(),
            &Lead::anything(),
        );
        let mut fast = compile(&node, Mode::Fast)?;
        undo::mark(&mut fast);
        fuse::fuse(&mut fast);
        trace::place(&mut fast);
        let starts = Starts::new(&node);
        Ok(Program {
            fast,
            careful: OnceLock::new(),
            starts,
            probe: OnceLock::new(),
            node,
            captures: fields.max(expression.captures),
        })
    }

    /// Searches `line` for the leftmost match. After a match, [`Memory::found`] returns its captures until the memory
    /// is used again.
    #[inline]
    pub(in crate::grok) fn search(&self, memory: &mut Memory, line: &[u8]) -> End {
        if let Some(proof) = memory.doubt.asks() {
            let is_out = match (proof, &mut memory.scout) {
                // This path is kept short: for a short line, it takes as long as a match.
                (Proof::Scout, Some(Some(scout))) => !scout.finds(line, 0),
                (proof, scout) => self.rules_out(scout, line, proof).is_some(),
            };
            if is_out {
                memory.doubt.ruled_out();
                return End::NotFound;
            }
        }
        let budget = FAST_ANY + FAST_EACH * line.len() as u64;
        match self.run::<false>(&self.fast, memory, line, budget) {
            End::Work | End::Memory => self.search_carefully(memory, line),
            end => end,
        }
    }

    /// Runs `proof` on `line`. If it proves that `line` has no match, returns its cost, in bytes that an automaton
    /// could read in the same time. Otherwise, returns `None`.
    #[inline(never)]
    fn rules_out(&self, scout: &mut ScoutOnce, line: &[u8], proof: Proof) -> Option<usize> {
        match proof {
            Proof::Needles => {
                let is_out = self.starts.last(line).is_none() || self.starts.lacks(line);
                is_out.then_some(self.starts.price())
            }
            Proof::Scout => {
                let scout = self.scout(scout)?;
                (!scout.finds(line, 0)).then(|| scout.price(line.len()))
            }
            Proof::Probe => {
                let probe = self.probe()?;
                let Some(last) = self.starts.last(line) else { return Some(self.starts.price()) };
                let (mut at, mut spent) = (0, self.starts.price());
                while let Some(start) = self.starts.find(line, at).filter(|start| *start <= last) {
                    let (is_found, read) = probe.finds(line, start);
                    spent += read - start + PROBE;
                    if is_found || spent > PROBE_ANY + PROBE_EACH * line.len() {
                        return None;
                    }
                    at = self.starts.after_probe(line, start, read);
                }
                Some(spent)
            }
        }
    }

    /// Returns the cheapest proof that `line` has no match. The caller has searched the line and found none.
    fn proof(&self, scout: &mut ScoutOnce, line: &[u8], automatons: Automatons) -> Option<Proof> {
        let needles = self.rules_out(scout, line, Proof::Needles).map(|spent| (spent, Proof::Needles));
        let is_enough = automatons == Automatons::Never || (automatons == Automatons::IfNeeded && needles.is_some());
        let others = [Proof::Probe, Proof::Scout].into_iter().take(if is_enough { 0 } else { 2 });
        let taking = others.filter_map(|proof| Some((self.rules_out(scout, line, proof)?, proof)));
        needles.into_iter().chain(taking).min_by_key(|&(spent, _)| spent).map(|(_, proof)| proof)
    }

    fn scout<'m>(&self, scout: &'m mut ScoutOnce) -> Option<&'m mut Scout> {
        scout.get_or_insert_with(|| Scout::new(&self.node).map(Box::new)).as_deref_mut()
    }

    fn probe(&self) -> Option<&Probe> {
        self.probe.get_or_init(|| Probe::new(&self.node)).as_ref()
    }

    fn careful(&self) -> &Result<Code, Refused> {
        self.careful.get_or_init(|| compile(&self.node, Mode::Careful))
    }

    /// Returns whether the expression has instructions for the careful machine.
    pub(in crate::grok) fn has_careful(&self) -> bool {
        self.careful().is_ok()
    }

    /// Searches `line` with the careful machine alone.
    #[cold]
    pub(in crate::grok) fn search_carefully(&self, memory: &mut Memory, line: &[u8]) -> End {
        let Ok(code) = self.careful() else { return End::Memory };
        memory.machine.outcomes.prepare(code, line.len());
        let budget = CAREFUL_ANY + CAREFUL_EACH * line.len() as u64;
        let end = self.run::<true>(code, memory, line, budget);
        if line.len() > 1 << 14 {
            memory.machine.outcomes.release();
            memory.machine.frames = Vec::new();
        }
        end
    }

    #[inline]
    fn run<const CAREFUL: bool>(&self, code: &Code, memory: &mut Memory, line: &[u8], budget: u64) -> End {
        if memory.is_careful != Some(CAREFUL) {
            memory.prepare(code, self.captures);
            memory.is_careful = Some(CAREFUL);
        }
        let Memory { machine: memory, doubt, scout, .. } = memory;
        memory.joins.begin();
        let stops = doubt.is_of_other_ways();
        let mut machine = Machine::<CAREFUL> { code, line, memory, budget, stops, stopped: None };
        let end = self.begin(&mut machine, doubt, scout);
        #[cfg(engines)]
        machine.memory.used.add(budget - machine.budget, machine.memory.outcomes.size());
        end
    }

    #[inline]
    fn begin<const CAREFUL: bool>(
        &self,
        machine: &mut Machine<'_, CAREFUL>,
        doubt: &mut Doubt,
        scout: &mut ScoutOnce,
    ) -> End {
        let line = machine.line;
        let mut at = 0;
        if self.starts.at_beginning(line) {
            if let Some(end) = self.attempt(machine, machine.code.first, 0, doubt, scout) {
                return end;
            }
            at = self.after(machine, 0, 0);
        }
        self.go_on(machine, at, doubt, scout)
    }

    /// Searches for a match that starts at `at` or later. The caller has excluded all earlier positions.
    #[inline(never)]
    fn go_on<const CAREFUL: bool>(
        &self,
        machine: &mut Machine<'_, CAREFUL>,
        mut at: usize,
        doubt: &mut Doubt,
        scout: &mut ScoutOnce,
    ) -> End {
        let line = machine.line;
        // When most lines are similar, the scout is faster than every other check.
        if at > 0
            && doubt.is_usual(line)
            && self.scout(scout).is_some_and(|scout| scout.is_awake() && !scout.finds(line, 0))
        {
            doubt.failed(line, |automatons| self.proof(scout, line, automatons));
            return End::NotFound;
        }
        let mut tries = 0;
        // The bytes that the probe may still read, so that its work stays linear in the line.
        let mut left = PROBE_ANY + line.len();
        // Lines that match usually match at the first position. The needles are looked for only when that attempt has
        // failed.
        let mut bound = None;
        while let Some(start) = self.starts.find(line, at) {
            if at > 0 {
                let last = || self.starts.last(line).filter(|_| !self.starts.lacks(line));
                if bound.get_or_insert_with(last).is_none_or(|last| start > last) {
                    break;
                }
            }
            tries += 1;
            if tries == PROBED
                && doubt.is_usual(line)
                && self.scout(scout).is_some_and(|scout| !scout.finds(line, start))
            {
                break;
            }
            if tries > PATIENCE
                && left > 0
                && doubt.is_usual(line)
                && let Some(probe) = self.probe()
            {
                let (is_found, read) = probe.finds(line, start);
                left = left.saturating_sub(read - start + PROBE);
                if !is_found {
                    at = self.starts.after_probe(line, start, read);
                    continue;
                }
            }
            let seen = machine.memory.joins.first().map_or(0, |(count, _)| count);
            let pc = if at == 0 { machine.code.first } else { machine.code.entry };
            if let Some(end) = self.attempt(machine, pc, start, doubt, scout) {
                return end;
            }
            at = self.after(machine, start, seen);
        }
        if tries == 0 && at == 0 {
            doubt.failed_at_once();
            return End::NotFound;
        }
        doubt.failed(line, |automatons| self.proof(scout, line, automatons));
        End::NotFound
    }

    /// Searches for a match that starts at `start`. Returns the result of the whole search; `None` if no match starts
    /// there and other positions are left.
    #[inline]
    fn attempt<const CAREFUL: bool>(
        &self,
        machine: &mut Machine<'_, CAREFUL>,
        pc: At,
        start: usize,
        doubt: &mut Doubt,
        scout: &mut ScoutOnce,
    ) -> Option<End> {
        machine.reset();
        let mut end = machine.attempt(pc, start);
        if let Some(stop) = machine.stopped.take() {
            if let Some(proof) = doubt.proof()
                && self.rules_out(scout, machine.line, proof).is_some()
            {
                doubt.ruled_out();
                return Some(End::NotFound);
            }
            doubt.asked_in_vain();
            end = machine.go_on(stop);
        }
        if end == End::NotFound {
            return None;
        }
        machine.memory.matched.0 = start as u32;
        doubt.ended(end, machine.memory.joins.has_failed());
        Some(end)
    }

    /// Returns the next position at which a match can start if none starts at `start`. `seen` is the number of
    /// positions that join 0 had recorded before that attempt.
    fn after<const CAREFUL: bool>(&self, machine: &Machine<'_, CAREFUL>, start: usize, seen: usize) -> usize {
        let next = Starts::after(machine.line, start);
        match machine.code.behind_first.as_ref().zip(machine.memory.joins.first()) {
            Some((behind, (count, place))) if count == seen + 1 && behind.at(machine.line, place as usize) => {
                next.max(place as usize)
            }
            _ => next,
        }
    }
}
