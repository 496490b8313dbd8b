//! The linear-time engine: matches and captures in time linear in the line, matching or not.
//!
//! # How
//!
//! | part | does |
//! |---|---|
//! | `simplify` | takes atomic groups out where they change nothing |
//! | `lead` | what a part can begin with |
//! | `token` | parts without captures as automata that know their end |
//! | `shape` | what kind of part a part is |
//! | `compile` | from the tree to instructions, for two kinds of machine |
//! | `undo` | captures that need no note of what they were |
//! | `fuse` | one instruction of several simple ones |
//! | `trace` | ways that have been walked before, taken at once |
//! | `start`, `needle` | where a match can begin; what every match contains |
//! | `scout` | whether there can be a match at a place, or behind it |
//! | `doubt` | what is asked about a line before it is tried |
//! | `chars`, `blocks` | characters and sets of them; many bytes looked at at a time |
//! | `window` | stretches of lines that are alike, and a memory of them |
//! | `machine`, `runs`, `groups`, `back` | runs the instructions |
//! | `memory`, `outcomes` | captures and open choices; what came of choices |
//!
//! The meaning is that of a backtracking engine: the leftmost match, the first way of each choice that leads to one.

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
use memory::Place;
use op::{At, Code};
use scout::{Probe, Scout};
use start::Starts;
use token::Fuel;

pub(in crate::grok) use compile::Refused;
pub(in crate::grok) use doubt::Proof;
pub(in crate::grok) use machine::End;
#[cfg(test)]
pub(in crate::grok) use memory::Used;

/// Work that the fast machine may do for each byte of the line, in bytes read and choices taken up, and for any line.
const FAST_EACH: u64 = 16;
const FAST_ANY: u64 = 4096;

/// The same of the careful machine, which needs it only for what has no memory of where it has led: look-around and atomic
/// groups with choices and captures in them.
const CAREFUL_EACH: u64 = 512;
const CAREFUL_ANY: u64 = 4_000_000;

/// The places behind the first one that are tried without further ado, and at which one the scout is sent. Where neither
/// is to be done, the probe is sent.
const PATIENCE: u32 = 1;
const PROBED: u32 = 3;

/// Bytes that the probe may read for each byte of the line, and in any line.
const PROBE_EACH: usize = 4;
const PROBE_ANY: usize = 128;
/// What sending it takes, in such bytes.
const PROBE: usize = 16;

/// What one thread needs to look for matches.
#[derive(Debug, Default)]
pub(in crate::grok) struct Memory {
    machine: memory::Memory,
    doubt: Doubt,
    /// Made when a line first fails at several places.
    scout: ScoutOnce,
    /// For which machine it has been prepared: [`Memory::prepare`].
    is_careful: Option<bool>,
}

impl Memory {
    /// The captures of the match that was found last.
    #[inline]
    pub(in crate::grok) fn found(&self) -> Found<'_> {
        Found(&self.machine.places)
    }

    /// Makes room for what `code` needs. A memory is for one program.
    #[cold]
    fn prepare(&mut self, code: &Code, captures: usize) {
        let memory = &mut self.machine;
        memory.places.resize(captures, Place::NOWHERE);
        memory.registers.resize(code.registers as usize, memory::NOWHERE);
        memory.joins.prepare(code.joins);
        memory.sites.resize_with((code.sites as usize).max(memory.sites.len()), trace::Site::default);
    }
}

/// A scout, if there can be one; not asked for yet at first.
type ScoutOnce = Option<Option<Box<Scout>>>;

/// Captures: for each, where it begins and ends.
pub(in crate::grok) struct Found<'m>(&'m [Place]);

impl Found<'_> {
    /// Where the capture of `slot` stands.
    #[inline]
    pub(in crate::grok) fn span(&self, slot: usize) -> Span {
        self.0.get(slot).map_or(Span::NONE, |place| place.span())
    }
}

#[cfg(test)]
impl Memory {
    /// What searches have cost since the last call.
    pub(in crate::grok) fn used(&mut self) -> Used {
        let stretches = self.scout.iter_mut().flatten().map(|scout| std::mem::take(&mut scout.recalled)).sum();
        Used { stretches, ..std::mem::take(&mut self.machine.used) }
    }

    /// Asks `proof` about the next line, before it is tried or when its first way has failed.
    pub(in crate::grok) fn doubt(&mut self, proof: Proof, at_once: bool) {
        self.doubt.ask(proof, at_once);
    }
}

/// A compiled expression.
#[derive(Debug)]
pub(in crate::grok) struct Program {
    fast: Code,
    /// Made when a line first needs it.
    careful: OnceLock<Result<Code, Refused>>,
    starts: Starts,
    /// The same when lines often fail at several places.
    probe: OnceLock<Option<Probe>>,
    node: Node,
    captures: usize,
}

impl Program {
    /// Compiles `expression`, of which the captures below `fields` are asked for.
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

    /// Looks for the leftmost match in `line`. When there is one, [`Memory::found`] answers for it until the
    /// memory is used again.
    #[inline]
    pub(in crate::grok) fn search(&self, memory: &mut Memory, line: &[u8]) -> End {
        if let Some(proof) = memory.doubt.asks() {
            let is_out = match (proof, &mut memory.scout) {
                // The shortest way, because for a short line all of this takes as long as a match.
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

    /// Whether `proof` shows that there is no match in `line`; with what that took, in bytes read by an automaton.
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

    /// What shows soonest that there is no match in `line`, in which none was found.
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

    /// Whether there are instructions for the careful machine.
    pub(in crate::grok) fn has_careful(&self) -> bool {
        self.careful().is_ok()
    }

    /// The same with the careful machine alone.
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
        #[cfg(test)]
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

    /// Looks for a match from `at` on, after all places before it.
    #[inline(never)]
    fn go_on<const CAREFUL: bool>(
        &self,
        machine: &mut Machine<'_, CAREFUL>,
        mut at: usize,
        doubt: &mut Doubt,
        scout: &mut ScoutOnce,
    ) -> End {
        let line = machine.line;
        // Where lines are alike, the scout is quicker than anything else.
        if at > 0
            && doubt.is_usual(line)
            && self.scout(scout).is_some_and(|scout| scout.is_awake() && !scout.finds(line, 0))
        {
            doubt.failed(line, |automatons| self.proof(scout, line, automatons));
            return End::NotFound;
        }
        let mut tries = 0;
        // Bytes that the probe may read, so that it stays linear.
        let mut left = PROBE_ANY + line.len();
        // Lines that match do so at the first place as a rule; only for others it is worth while to look for what every
        // match must contain.
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

    /// Looks for a match from `start` on: how the search ends with that; `None` when there is none and other places are
    /// left.
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
        doubt.ended(end, machine.memory.joins.has_failed());
        Some(end)
    }

    /// The next place at which a match can begin when none begins at `start`; `seen` places had been noted at the first
    /// join before.
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
