//! Batches for the tests of sinks, and the sink in memory. `tests/sinks.rs` has the suite that every kind of sink passes.

use super::memory::MemorySink;
use super::{Encoding, Outcome, Sink};
use crate::core::record::RecordId;
use crate::document::Documents;
use crate::event::{Changes, Event};

fn id(number: u64) -> RecordId {
    RecordId::at(1, number * 100, format!("line {number}").as_bytes())
}

/// Returns a batch of the documents with these numbers.
pub(super) fn batch(numbers: impl IntoIterator<Item = u64>) -> Documents {
    let mut changes = Changes::default();
    let mut documents = Documents::new(Encoding::Json);
    for (line, number) in numbers.into_iter().enumerate() {
        let text = format!("line {number} \0 é \"quoted\"");
        documents.push(line as u32, id(number), |out| {
            let mut event = Event::undecoded(text.as_bytes(), true, None, &mut changes);
            event.encode(Encoding::Json, &id(number), out);
            true
        });
    }
    documents
}

pub(super) fn store(sink: &dyn Sink, numbers: impl IntoIterator<Item = u64>) -> Vec<Outcome> {
    let documents = batch(numbers);
    let mut outcomes = vec![Outcome::Duplicate; 3];
    sink.store(&documents, &mut outcomes).unwrap();
    assert_eq!(outcomes.len(), documents.len(), "one outcome per document");
    outcomes
}

#[test]
fn the_memory_sink_rejects_and_fails_as_told() {
    let sink = MemorySink::new(Encoding::Json);
    sink.reject(id(1), "too odd");
    sink.fail(id(2), 1, "not now");
    let first = store(&sink, [0, 1, 2]);
    assert_eq!(first, [Outcome::Stored, Outcome::Rejected("too odd".into()), Outcome::Failed("not now".into())]);
    let second = store(&sink, [0, 1, 2]);
    assert_eq!(second, [Outcome::Duplicate, Outcome::Rejected("too odd".into()), Outcome::Stored]);
    assert_eq!(sink.get(&id(2)).as_deref(), Some(batch([2]).get(0).bytes));
    assert!(!sink.is_empty());
}
