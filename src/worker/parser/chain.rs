//! [`Chain`]: the stages of one thread, in their order, with counts of their own.

use std::sync::Arc;

use crate::core::error::Result;
use crate::event::Event;
use crate::event::stage::{SinkSet, Stage, StageSpec, Verdict};
use crate::worker::pattern_counts::{Clock, PatternCounters, Trials};

/// The stages of one thread.
pub(super) struct Chain(Vec<Step>);

struct Step {
    name: String,
    stage: Box<dyn Stage>,
    trials: Trials,
}

impl Chain {
    /// Makes the stages.
    pub fn new(specs: &[Arc<dyn StageSpec>]) -> Result<Chain> {
        let step = |spec: &Arc<dyn StageSpec>| {
            Ok(Step { name: spec.name().to_owned(), stage: spec.stage()?, trials: Trials::default() })
        };
        specs.iter().map(step).collect::<Result<_>>().map(Chain)
    }

    /// Lets every stage handle `event`. Returns the sinks that may have it; `None` if it is dropped.
    #[inline]
    pub fn apply(&mut self, event: &mut Event<'_>, clock: &mut Clock) -> Option<SinkSet> {
        let mut sinks = SinkSet::ALL;
        for Step { stage, trials, .. } in &mut self.0 {
            let started = trials.start(clock);
            let verdict = stage.apply(event);
            trials.stop(started, clock);
            match verdict {
                Verdict::Keep => {}
                Verdict::Drop => return None,
                Verdict::Only(some) => sinks = sinks.and(some),
            }
            if sinks.is_empty() {
                return None;
            }
            trials.matched += 1;
        }
        Some(sinks)
    }

    /// Adds the counts to the shared ones.
    pub fn add_up(&mut self, sums: &PatternCounters) {
        for (index, step) in self.0.iter_mut().enumerate() {
            sums.add(index, &step.name, &mut step.trials);
        }
    }
}
