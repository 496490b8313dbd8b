//! Lines that fail come together as a rule, and fail alike: what has ruled out the last ones is looked at first then.
//!
//! A line that matches is decided by its first attempt, and nothing that is done before it is paid back. But when lines
//! have failed of late, the next one is first asked what showed that they cannot match: a text that was missing, or an
//! automaton that found nothing. That is quicker than the attempt, which goes as far as the line is like a match, and
//! then as far back as there were choices. So it pays off as long as a quarter of the lines fail.

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

/// The doubt from which on lines are doubted, and the most of it.
const ENOUGH: u8 = 2 * FAILURE;
const MOST: u8 = 3 * FAILURE;
/// What a line that fails adds to it, where one that matches takes one away: it stays where one in four fails.
const FAILURE: u8 = 3;

/// The lines that go by before it is tried again to prove a failure, when it could not be done.
const IDLE: u8 = 64;

/// The lines that must have failed before an automaton is made, and how long a line must be for one to be made for it:
/// making it takes milliseconds.
const SEVERAL: u8 = 16;
const LONG: usize = 4096;

/// The lines that a proof rules out before another one may take its place: those that could be made meanwhile, or that
/// what goes by now asks for.
const SETTLED: u32 = 4096;

/// Whether automatons are made to prove a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Automatons {
    Never,
    /// When the needles do not show it.
    IfNeeded,
    /// To find out which is quickest.
    Always,
}

/// What is remembered of the lines of late.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// How likely it is that the next one fails.
    doubt: u8,
    /// How likely it is that the next one fails whose first way has failed.
    other_ways: u8,
    /// How many have failed in all.
    total: u8,
    /// What showed it of the last one.
    proof: Option<Proof>,
    /// The lines that it has ruled out since.
    ruled_out: u32,
    /// Whether so many have been ruled out that it is worth while to find out what does it quickest.
    is_settled: bool,
    /// Lines for which nothing is to be proved.
    idle: u8,
}

impl Doubt {
    /// What is to be asked about the next line before it is tried.
    #[inline]
    pub(super) fn asks(&self) -> Option<Proof> {
        if self.doubt < ENOUGH { None } else { self.proof }
    }

    /// Whether that is to be asked about the next line when its first way has failed, before others are taken.
    #[inline]
    pub(super) fn is_of_other_ways(&self) -> bool {
        self.other_ways >= ENOUGH && self.proof.is_some()
    }

    /// What showed it of the last line that failed.
    pub(super) fn proof(&self) -> Option<Proof> {
        self.proof
    }

    /// It was asked when the first way had failed, and did not rule the line out.
    pub(super) fn asked_in_vain(&mut self) {
        self.other_ways = self.other_ways.saturating_sub(1);
    }

    /// A line has come to an end other than failure: most have matched, some of them in another than the first way. Of
    /// one that has been given up, nothing is known.
    #[inline]
    pub(super) fn ended(&mut self, end: End, in_another_way: bool) {
        if end == End::Found {
            self.doubt = self.doubt.saturating_sub(1);
            self.other_ways = self.other_ways.saturating_sub(u8::from(in_another_way));
        }
    }

    /// A line has been ruled out by what was asked.
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

    /// Whether it is worth while to make automatons of lines like this one.
    pub(super) fn is_usual(&self, line: &[u8]) -> bool {
        self.total >= SEVERAL || line.len() >= LONG
    }

    /// `line` has failed. `prove` looks for what shows it; it is asked when it may be of use for the next line.
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

    /// A line has failed because nothing in it can begin a match: there is nothing that shows it sooner.
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

    /// Asks `proof` about the next line: before it is tried, or when its first way has failed.
    #[cfg(test)]
    pub(super) fn ask(&mut self, proof: Proof, at_once: bool) {
        (self.doubt, self.other_ways, self.proof) = (if at_once { ENOUGH } else { 0 }, ENOUGH, Some(proof));
    }
}
