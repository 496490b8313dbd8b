//! Decides whether a cheap check (a *proof*) runs before a line is matched.
//!
//! Lines that fail usually come in groups, and fail for the same reason. A line that matches needs one attempt, and any
//! check before it is lost time. But a failed attempt is expensive: it goes as far as the line resembles a match, and
//! then backtracks through all choices. So [`Doubt`] counts recent failures. While at least a quarter of the lines
//! fail, the proof that excluded the latest failed line runs first on the next line.

use super::machine::End;

/// A check that can prove that a line has no match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grok) enum Proof {
    /// A needle is missing: a literal that every match contains.
    Needles,
    /// The scout finds no match that starts anywhere in the line.
    Scout,
    /// The probe finds no match at any of the few positions where one can start.
    Probe,
}

#[cfg(engines)]
impl Proof {
    /// All kinds of proof.
    pub(in crate::grok) const ALL: [Proof; 3] = [Proof::Needles, Proof::Scout, Proof::Probe];
}

/// The level of doubt at which the proof starts to run first, and the highest level.
const ENOUGH: u8 = 2 * FAILURE;
const MOST: u8 = 3 * FAILURE;
/// The increase of doubt for a failed line. A match decreases doubt by one, so the level stays constant when one line
/// in four fails.
const FAILURE: u8 = 3;

/// Number of failed lines between two searches for a proof, if the first search has found none.
const IDLE: u8 = 64;

/// Number of lines that must fail before an automaton is built, because that takes milliseconds. For a line of at least
/// `LONG` bytes, one is built at once.
const SEVERAL: u8 = 16;
const LONG: usize = 4096;

/// Number of lines that one proof excludes before the cheapest proof is determined again. By then, another automaton
/// may exist, or the log may have changed.
const SETTLED: u32 = 4096;

/// Whether automata may be built to find a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Automatons {
    Never,
    /// Only when the needles prove nothing.
    IfNeeded,
    /// Always, to find out which proof is cheapest.
    Always,
}

/// The statistics of recent lines.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// The doubt whether the next line matches: a count that rises with each failure and falls with each match.
    doubt: u8,
    /// The doubt whether a line still matches after its first way has failed: a similar count of such lines.
    other_ways: u8,
    /// Number of failed lines, up to 255.
    total: u8,
    /// The proof that excluded the latest failed line.
    proof: Option<Proof>,
    /// Number of lines that the proof has excluded since it was chosen.
    ruled_out: u32,
    /// Whether enough lines were excluded for a search for the cheapest proof.
    is_settled: bool,
    /// Number of failed lines until the next search for a proof.
    idle: u8,
}

impl Doubt {
    /// Returns the proof to run on the next line before it is matched.
    #[inline]
    pub(super) fn asks(&self) -> Option<Proof> {
        if self.doubt < ENOUGH { None } else { self.proof }
    }

    /// Returns whether the proof is to run on the next line as soon as its first way has failed.
    #[inline]
    pub(super) fn is_of_other_ways(&self) -> bool {
        self.other_ways >= ENOUGH && self.proof.is_some()
    }

    /// Returns the proof that excluded the latest failed line.
    pub(super) fn proof(&self) -> Option<Proof> {
        self.proof
    }

    /// Records that the proof ran after the first way had failed, and did not exclude the line.
    pub(super) fn asked_in_vain(&mut self) {
        self.other_ways = self.other_ways.saturating_sub(1);
    }

    /// Records that a line matched or was given up. `in_another_way` tells whether its first way had failed. A line
    /// that was given up changes nothing.
    #[inline]
    pub(super) fn ended(&mut self, end: End, in_another_way: bool) {
        if end == End::Found {
            self.doubt = self.doubt.saturating_sub(1);
            self.other_ways = self.other_ways.saturating_sub(u8::from(in_another_way));
        }
    }

    /// Records that the proof excluded a line.
    #[inline]
    pub(super) fn ruled_out(&mut self) {
        self.ruled_out += 1;
        let is_usual = self.total >= SEVERAL;
        self.adds();
        self.is_settled |= self.ruled_out >= SETTLED;
        if self.ruled_out >= SETTLED || is_usual != (self.total >= SEVERAL) {
            self.proof = None;
        }
    }

    /// Returns whether automata should be built for lines like this one.
    pub(super) fn is_usual(&self, line: &[u8]) -> bool {
        self.total >= SEVERAL || line.len() >= LONG
    }

    /// Records that `line` failed. If a proof can help with the next line, calls `prove` to find the cheapest.
    pub(super) fn failed(&mut self, line: &[u8], prove: impl FnOnce(Automatons) -> Option<Proof>) {
        let is_usual = self.is_usual(line);
        self.adds();
        if self.doubt.max(self.other_ways) < ENOUGH {
            return;
        }
        if self.idle > 0 {
            (self.idle, self.proof) = (self.idle - 1, None);
            return;
        }
        let automatons = match (self.is_settled, is_usual) {
            (true, _) => Automatons::Always,
            (false, true) => Automatons::IfNeeded,
            (false, false) => Automatons::Never,
        };
        (self.proof, self.ruled_out) = (prove(automatons), 0);
        if self.proof.is_none() && is_usual {
            self.idle = IDLE;
        }
    }

    /// Records that a line failed because no match can start in it. No proof can show that sooner.
    pub(super) fn failed_at_once(&mut self) {
        self.adds();
        self.proof = None;
    }

    #[inline(always)]
    fn adds(&mut self) {
        self.doubt = (self.doubt + FAILURE).min(MOST);
        self.other_ways = (self.other_ways + FAILURE).min(MOST);
        self.total = self.total.saturating_add(1);
    }

    /// Makes the next line run `proof`: before it is matched, or when its first way has failed.
    #[cfg(engines)]
    pub(super) fn ask(&mut self, proof: Proof, at_once: bool) {
        (self.doubt, self.other_ways, self.proof) = (if at_once { ENOUGH } else { 0 }, ENOUGH, Some(proof));
    }
}
