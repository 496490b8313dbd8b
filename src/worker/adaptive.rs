//! [`Adaptive`]: a limit that follows the throughput, the latency and the refusals of the sinks.
//!
//! The limit changes after a *window*: a time in which each place was used about once. There are two phases.
//!
//! | phase | the limit |
//! |---|---|
//! | doubling | is doubled as long as the throughput rises with it; then it returns to the last value that raised it |
//! | adding | grows by one in each window whose answers took no longer than usual. At a quarter more, the throughput decides again: it has risen and the limit is doubled, or it has not and the limit returns |
//!
//! In both phases, a window with a refusal cuts the limit. While doubling it is halved, because the value before was good. Later
//! it loses a tenth, as it does when answers take much longer than usual. When the refusals have ended, the limit is doubled up
//! to a half of the limit that was refused. From there it grows by one for some time, whatever the throughput is.
//!
//! The limit grows only if batches wait for it, during a tenth of the window at least. Otherwise nothing shows that a larger
//! limit would be of use. The workers prepare only a few batches beyond the limit, so the number that waits says little.

use std::time::Duration;

use super::limiter::{Limiter, StoreCall};

/// The limit at the start, if the bounds allow it.
const FIRST: usize = 4;

/// The shortest window. A window of fewer than [`FEW_CALLS`] lasts longer.
const SHORTEST: Duration = Duration::from_millis(20);

/// Windows with fewer calls last at least [`LONG`], because the rate of a few calls is inexact.
const FEW_CALLS: u32 = 8;

/// The length of a window with few calls.
const LONG: Duration = Duration::from_millis(200);

/// By how much the throughput must rise so that more requests count as useful.
const RISES: f64 = 1.1;

/// The part that is left after a cut.
const CUT: f64 = 0.9;

/// The weight of a new window in the average of latencies.
const WEIGHT: f64 = 0.4;

/// By how many standard deviations a latency must exceed the average so that the limit is cut.
const DEVIATIONS: f64 = 2.5;

/// By which part of the average a latency must exceed it at least, because a steady server has hardly any deviation.
const EXCESS: f64 = 0.25;

/// The part of the average by which a latency may exceed it and still count as usual.
const USUAL: f64 = 0.05;

/// The part of a window in which batches must wait so that the limit may grow.
const DEMAND: f64 = 0.1;

/// The number of windows without further growth after a growth that was of no use, and without doubling after a refusal.
const REST: u32 = 32;

/// A limit between two bounds. See the [module](self).
#[derive(Debug)]
pub struct Adaptive {
    least: usize,
    most: usize,
    limit: usize,
    phase: Phase,
    window: Window,
    /// The average latency in seconds, and its variance; `None` before the first window.
    latency: Option<(f64, f64)>,
    /// The last limit that was of use.
    proven: Proven,
    /// The calls of the current window began under another limit, so it decides nothing.
    settling: bool,
    /// The number of windows without further growth.
    rest: u32,
    /// The last refusals, until some time has passed without any.
    refused: Option<Refused>,
}

/// Refusals that belong together.
#[derive(Debug, Clone, Copy)]
struct Refused {
    /// The limit when they began.
    limit: usize,
    /// The number of windows until they are forgotten.
    left: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Doubling,
    Adding,
}

#[derive(Debug, Clone, Copy)]
struct Proven {
    limit: usize,
    /// The records in a second under this limit; `None` if it was not measured yet.
    rate: Option<f64>,
}

/// The calls since the last decision.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    begin: Option<Duration>,
    calls: u32,
    records: u64,
    took: Duration,
    answered: u32,
    refused: u32,
    /// How long batches waited.
    waited: Duration,
}

impl Adaptive {
    /// Returns a limit from `least` to `most`.
    pub fn new(least: usize, most: usize) -> Adaptive {
        let (least, most) = (least.max(1), most.max(least).max(1));
        let limit = FIRST.clamp(least, most);
        Adaptive {
            least,
            most,
            limit,
            phase: Phase::Doubling,
            window: Window::default(),
            latency: None,
            proven: Proven { limit, rate: None },
            settling: false,
            rest: 0,
            refused: None,
        }
    }

    /// Returns the limit after a window, and the reason for it. `seconds` is the length of the window.
    fn decide(&mut self, window: Window, seconds: f64) -> (usize, String) {
        let stay = (self.limit, String::new());
        let rate = window.records as f64 / seconds;
        let took = (window.answered > 0).then(|| window.took.as_secs_f64() / f64::from(window.answered));
        let usual = self.latency;
        if let Some(took) = took {
            self.latency = Some(averaged(usual, took));
        }
        if std::mem::take(&mut self.settling) {
            return stay;
        }
        if window.refused > 0 {
            return self.cut_after_refusals(window.refused);
        }
        self.refused = self.refused.and_then(|refused| Some(Refused { left: refused.left.checked_sub(1)?, ..refused }));
        if self.phase == Phase::Adding
            && let (Some(took), Some((mean, variance))) = (took, usual)
            && took > mean + (DEVIATIONS * variance.sqrt()).max(EXCESS * mean)
        {
            let to = self.less();
            self.proven = Proven { limit: to, rate: None };
            return (to, format!("answers take {:.0} ms and took {:.0} ms before", took * 1e3, mean * 1e3));
        }
        if window.waited.as_secs_f64() < DEMAND * seconds {
            return stay;
        }
        let rises = self.proven.rate.is_none_or(|before| rate >= before * RISES);
        if self.phase == Phase::Doubling {
            return self.double_or_return(rises, rate);
        }
        if let Some(half) = self.refused.map(|refused| refused.limit / 2).filter(|half| self.limit < *half) {
            let to = (self.limit * 2).min(half);
            self.proven = Proven { limit: to, rate: None };
            return (to, "nothing is refused any more".to_owned());
        }
        if self.limit == self.proven.limit {
            self.proven.rate = Some(self.proven.rate.map_or(rate, |before| before + WEIGHT * (rate - before)));
        }
        if self.rest > 0 {
            self.rest -= 1;
            return stay;
        }
        if self.limit >= self.proven.limit + (self.proven.limit / 4).max(2) {
            return self.double_or_return(rises, rate);
        }
        let is_usual = took.zip(usual).is_none_or(|(took, (mean, _))| took <= mean * (1.0 + USUAL));
        match is_usual {
            true => (self.limit + 1, "batches wait, and answers take no longer than usual".to_owned()),
            false => stay,
        }
    }

    fn cut_after_refusals(&mut self, refused: u32) -> (usize, String) {
        let to = if self.phase == Phase::Doubling { (self.limit / 2).max(self.least) } else { self.less() };
        let limit = self.refused.map_or(self.limit, |refused| refused.limit);
        self.refused = Some(Refused { limit, left: REST });
        self.phase = Phase::Adding;
        self.proven = Proven { limit: to, rate: None };
        (to, format!("{refused} requests were refused"))
    }

    /// Doubles the limit if the throughput has risen. Otherwise returns to the last limit that was of use.
    fn double_or_return(&mut self, rises: bool, rate: f64) -> (usize, String) {
        if rises {
            self.proven = Proven { limit: self.limit, rate: Some(rate) };
            if self.refused.is_some() {
                return (self.limit + 1, "the throughput rises, a little at a time after refusals".to_owned());
            }
            self.phase = if self.limit == self.most { Phase::Adding } else { Phase::Doubling };
            return (self.limit * 2, "the throughput rises".to_owned());
        }
        self.phase = Phase::Adding;
        self.rest = REST;
        (self.proven.limit, "the throughput does not rise any more".to_owned())
    }

    /// Returns the limit after a cut.
    fn less(&self) -> usize {
        ((self.limit as f64 * CUT) as usize).max(self.least)
    }
}

/// Returns the average and the variance after another latency.
fn averaged(before: Option<(f64, f64)>, took: f64) -> (f64, f64) {
    let Some((mean, variance)) = before else { return (took, 0.0) };
    let difference = took - mean;
    (mean + WEIGHT * difference, (1.0 - WEIGHT) * (variance + WEIGHT * difference * difference))
}

impl Limiter for Adaptive {
    fn limit(&self) -> usize {
        self.limit
    }

    fn observe(&mut self, call: &StoreCall) -> Option<String> {
        let window = &mut self.window;
        let begin = *window.begin.get_or_insert_with(|| call.at.saturating_sub(call.took));
        window.calls += 1;
        window.records += u64::from(call.records);
        window.refused += call.refused;
        window.waited += call.waited;
        if !call.took.is_zero() {
            window.answered += 1;
            window.took += call.took;
        }
        let length = call.at.saturating_sub(begin);
        let mean = self.latency.map_or(window.took.as_secs_f64() / f64::from(window.answered.max(1)), |(mean, _)| mean);
        let least = if window.calls < FEW_CALLS { LONG } else { SHORTEST };
        if length < least || length.as_secs_f64() < mean || (window.calls as usize) < self.limit.min(self.most) {
            return None;
        }
        let window = std::mem::replace(&mut self.window, Window { begin: Some(call.at), ..Window::default() });
        let before = self.limit;
        let (to, reason) = self.decide(window, length.as_secs_f64());
        self.limit = to.clamp(self.least, self.most);
        self.settling |= self.limit != before;
        (self.limit != before).then_some(reason)
    }
}

#[cfg(test)]
mod tests;
