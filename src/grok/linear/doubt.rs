//! Lines that fail come together as a rule, and fail alike: what has ruled out the last ones is looked at first then.
//!
//! A line that matches is decided by its first attempt, and nothing that is done before it is paid back. But when lines
//! have failed of late, the next one is first asked what showed that they cannot match: a text that was missing, or an
//! automaton that found nothing. That is quicker than the attempt, which goes as far as the line is like a match.

use super::machine::End;

/// What shows that there is no match in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grok) enum Proof {
    /// A text that every match contains is missing.
    Needles,
    /// The scout finds no match from the beginning on.
    Scout,
    /// The probe finds none at the few places where one can begin.
    Probe,
}

#[cfg(test)]
impl Proof {
    /// All of them.
    pub(in crate::grok) const ALL: [Proof; 3] = [Proof::Needles, Proof::Scout, Proof::Probe];
}

/// The lines in a row that must have failed before the next one is doubted: among lines that match, none is.
const ENOUGH: u8 = 2;

/// The lines that go by before it is tried again to prove a failure, when it could not be done.
const IDLE: u8 = 64;

/// The lines that must have failed before an automaton is made, and how long a line must be for one to be made for it:
/// making it takes milliseconds.
const SEVERAL: u8 = 16;
const LONG: usize = 4096;

/// The lines that a proof rules out before another one may take its place: those that could be made meanwhile, or that
/// what goes by now asks for.
const SETTLED: u32 = 4096;

/// What is remembered of the lines of late.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// How many in a row have failed.
    failed: u8,
    /// How many have failed in all.
    total: u8,
    /// What showed it of the last one.
    proof: Option<Proof>,
    /// The lines that it has ruled out since.
    ruled_out: u32,
    /// Lines for which nothing is to be proved.
    idle: u8,
}

impl Doubt {
    /// What is to be asked about the next line before it is tried.
    #[inline]
    pub(super) fn asks(&self) -> Option<Proof> {
        if self.failed < ENOUGH { None } else { self.proof }
    }

    /// A line has come to an end other than failure: most have matched. Of one that has been given up, nothing is known.
    #[inline]
    pub(super) fn ended(&mut self, end: End) {
        if end == End::Found {
            self.failed = 0;
        }
    }

    /// A line has been ruled out by what was asked.
    #[inline]
    pub(super) fn ruled_out(&mut self) {
        self.ruled_out += 1;
        let is_usual = self.total >= SEVERAL;
        self.total = self.total.saturating_add(1);
        if self.ruled_out >= SETTLED || is_usual != (self.total >= SEVERAL) {
            self.proof = None;
        }
    }

    /// Whether it is worth while to make automatons of lines like this one.
    pub(super) fn is_usual(&self, line: &[u8]) -> bool {
        self.total >= SEVERAL || line.len() >= LONG
    }

    /// `line` has failed. `prove` looks for what shows it, with automatons or without; it is asked when it may be of use
    /// for the next line.
    pub(super) fn failed(&mut self, line: &[u8], prove: impl FnOnce(bool) -> Option<Proof>) {
        let is_usual = self.is_usual(line);
        self.failed = self.failed.saturating_add(1);
        self.total = self.total.saturating_add(1);
        if self.failed < ENOUGH {
            return;
        }
        if self.idle > 0 {
            (self.idle, self.proof) = (self.idle - 1, None);
            return;
        }
        (self.proof, self.ruled_out) = (prove(is_usual), 0);
        if self.proof.is_none() && is_usual {
            self.idle = IDLE;
        }
    }

    /// Asks `proof` about the next line.
    #[cfg(test)]
    pub(super) fn ask(&mut self, proof: Proof) {
        (self.failed, self.proof) = (ENOUGH, Some(proof));
    }
}
