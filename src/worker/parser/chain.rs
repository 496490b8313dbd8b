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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::core::batch::{Batch, Origin};
    use crate::event::{FieldPath, Value};
    use crate::grok::Library;
    use crate::observe::counters::{HANDLED, KEPT, Scope};
    use crate::sink::Encoding;
    use crate::worker::parser::{Fate, Formats, Unmatched};

    /// A stage that a function describes.
    struct Spec(&'static str, fn(&mut Event<'_>) -> Verdict);
    struct Step(fn(&mut Event<'_>) -> Verdict);

    impl StageSpec for Spec {
        fn name(&self) -> &str {
            self.0
        }

        fn stage(&self) -> Result<Box<dyn Stage>> {
            Ok(Box::new(Step(self.1)))
        }
    }

    impl Stage for Step {
        fn apply(&mut self, event: &mut Event<'_>) -> Verdict {
            (self.0)(event)
        }
    }

    fn path(name: &str) -> FieldPath {
        FieldPath::new(name).unwrap()
    }

    #[test]
    fn stages_change_drop_and_send_events_in_their_order_and_are_counted() {
        let double = Spec("double", |event| {
            let Some(Value::Int(n)) = event.get(&path("n")) else { return Verdict::Keep };
            event.set(&path("[twice][n]"), Value::Int(n * 2));
            Verdict::Keep
        });
        let even = Spec("even", |event| match event.get(&path("[twice][n]")) {
            Some(Value::Int(n)) if n % 4 != 0 => Verdict::Drop,
            Some(_) => Verdict::Only(SinkSet::of([1])),
            None => Verdict::Keep,
        });
        let library = Library::builtin();
        let given = vec![library.pattern("^%{INT:n:int}$").unwrap()];
        let stages: Vec<Arc<dyn StageSpec>> = vec![Arc::new(double), Arc::new(even)];
        let formats = Arc::new(Formats::new(given, library, Unmatched::Keep, |_| ()).with_stages(stages));
        let mut parser = formats.parser([Encoding::Json]).unwrap();
        let mut parsed = parser.buffer();
        let batch = Batch::new(Arc::new(Origin::new(1, "x")), 0, 4, Bytes::from_static(b"1\n2\nno number\n4\n"));
        parser.parse(&batch, &mut parsed).unwrap();
        assert_eq!(parsed.fates(), [Fate::Filtered, Fate::Matched, Fate::Unmatched, Fate::Matched]);
        assert_eq!(parsed.limited, [(0, SinkSet::of([1])), (2, SinkSet::of([1]))]);
        let documents = parsed.encoded(&Encoding::Json.into()).iter().map(|document| {
            let mut json: Json = serde_json::from_slice(document.bytes).unwrap();
            json.as_object_mut().unwrap().remove("_id");
            json
        });
        let message = json!({"message": "no number", "tags": ["_grokparsefailure"]});
        let expected = [json!({"n": 2, "twice": {"n": 4}}), message, json!({"n": 4, "twice": {"n": 8}})];
        assert_eq!(documents.collect::<Vec<_>>(), expected);
        let stages = formats.counts().into_iter().filter(|row| row.scope() == Some(Scope::Stage));
        let counts = stages.map(|row| (row.get(&HANDLED), row.get(&KEPT), row.label));
        let expected = [(4, 4, "double"), (4, 3, "even")].map(|(tried, kept, name)| (tried, kept, name.to_owned()));
        assert_eq!(counts.collect::<Vec<_>>(), expected);
    }
}
