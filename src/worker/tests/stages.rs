//! Tests of stages between match and encoding.

use serde_json::{Value as Json, json};

use super::*;
use crate::event::stage::{SinkSet, Stage, StageSpec, Verdict};
use crate::event::{Event, FieldPath, Value};
use crate::observe::counters::{HANDLED, KEPT, Scope};

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

fn double(event: &mut Event<'_>) -> Verdict {
    if let Some(Value::Int(number)) = event.get(&path("number")) {
        event.set(&path("[twice][number]"), Value::Int(number * 2));
        event.remove(&path("word"));
    }
    Verdict::Keep
}

/// Sends the double of two to the second sink alone, and the double of three to none. Drops the double of one.
fn sort(event: &mut Event<'_>) -> Verdict {
    match event.get(&path("[twice][number]")) {
        Some(Value::Int(2)) => Verdict::Drop,
        Some(Value::Int(4)) => Verdict::Only(SinkSet::of([1])),
        Some(Value::Int(6)) => Verdict::Only(SinkSet::of([])),
        _ => Verdict::Keep,
    }
}

fn documents(sink: &MemorySink) -> Vec<Json> {
    let document = |bytes: &Vec<u8>| {
        let mut json: Json = serde_json::from_slice(bytes).unwrap();
        json.as_object_mut().unwrap().remove("_id");
        json
    };
    sink.all().iter().map(|(_, bytes)| document(bytes)).collect()
}

#[test]
fn stages_change_drop_and_route_events_in_their_order_and_are_counted() {
    let batch = batch(0, "a 1\nb 2\nno number\nc 3\nd 4\n");
    let library = Library::builtin();
    let given = vec![library.pattern("^%{WORD:word} %{INT:number:int}$").unwrap()];
    let stages: Vec<Arc<dyn StageSpec>> = vec![Arc::new(Spec("double", double)), Arc::new(Spec("sort", sort))];
    let formats = Arc::new(Formats::new(given, library, Unmatched::Keep, |_| ()).with_stages(stages));
    let mut parser = formats.parser([Encoding::Json]).unwrap();
    let mut parsed = parser.buffer();
    parser.parse(&batch, &mut parsed).unwrap();

    let sinks = [0, 1].map(|_| Arc::new(MemorySink::new(Encoding::Json)));
    let letters = LetterFolder::new();
    let storer = letters.storer(sinks.iter().cloned().map(AnySink::from).collect());
    let tally = storer.store(&batch, &parsed, &mut Vec::new()).unwrap().tally;
    assert_eq!(tally, Tally { stored: 2, unmatched: 1, filtered: 2, ..Tally::default() });
    let message = json!({"message": "no number", "tags": ["_grokparsefailure"]});
    let (two, four) = (json!({"number": 2, "twice": {"number": 4}}), json!({"number": 4, "twice": {"number": 8}}));
    assert_eq!(documents(&sinks[0]), [message.clone(), four.clone()]);
    assert_eq!(documents(&sinks[1]), [two, message, four]);

    let rows = formats.counts().into_iter().filter(|row| row.scope() == Some(Scope::Stage));
    let counts: Vec<_> = rows.map(|row| (row.get(&HANDLED), row.get(&KEPT), row.label)).collect();
    let expected = [(5, 5, "double"), (5, 3, "sort")].map(|(handled, kept, name)| (handled, kept, name.to_owned()));
    assert_eq!(counts, expected);
}
