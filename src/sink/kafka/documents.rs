//! [`KafkaSink`]: documents as messages.

use std::io::Write as _;
use std::sync::Arc;

use super::delivery::{Delivery, Message, Messages};
use crate::core::error::Result;
use crate::document::{Documents, Value};
use crate::event::Layout;
use crate::observe::counters::Counters;
use crate::sink::api::{Outcome, Sink};

/// A sink of documents.
pub(super) struct KafkaSink {
    delivery: Delivery,
    layout: Layout,
}

impl KafkaSink {
    /// Creates the sink of documents with `layout`, which has the context beside each document, and the key if there is one.
    pub fn new(delivery: Delivery, layout: Layout) -> Arc<KafkaSink> {
        Arc::new(KafkaSink { delivery, layout })
    }
}

impl Sink for KafkaSink {
    fn name(&self) -> &str {
        &self.delivery.name
    }

    fn layout(&self) -> Layout {
        self.layout.clone()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let has_key = self.delivery.target.key.is_some();
        self.delivery.deliver(&OfDocuments { documents, has_key }, outcomes)
    }

    fn counters(&self) -> Option<&Counters> {
        Some(&self.delivery.counters)
    }
}

struct OfDocuments<'a> {
    documents: &'a Documents,
    has_key: bool,
}

impl Messages for OfDocuments<'_> {
    fn len(&self) -> usize {
        self.documents.len()
    }

    fn with<T>(&self, index: usize, take: impl FnOnce(Message<'_>) -> T) -> T {
        let (document, beside) = (self.documents.get(index), self.documents.beside());
        let value = if self.has_key { beside.field(index, 0) } else { None };
        let mut text = Vec::new();
        let key = match value {
            Some(Value::Text(text)) => Some(text),
            Some(value) => key_text(value, &mut text).then_some(&text[..]),
            None => None,
        };
        let origin = beside.context(index).map_or(0, |context| context.origin.id);
        take(Message { value: document.bytes, key, id: document.id, origin })
    }
}

/// Writes the key that a value without a text of its own makes. Returns whether it makes one.
fn key_text(value: Value<'_>, out: &mut Vec<u8>) -> bool {
    let written = match value {
        Value::Null => return false,
        Value::Text(text) => out.write_all(text),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::Float(value) => write!(out, "{value}"),
        Value::Date(date) => out.write_all(date.to_text().as_bytes()),
    };
    written.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_text_of_a_value_and_null_is_none() {
        for (value, expected) in [
            (Value::Text(b"a"), Some("a")),
            (Value::Int(-7), Some("-7")),
            (Value::Bool(true), Some("true")),
            (Value::Float(1.5), Some("1.5")),
            (Value::Date(0.into()), Some("1970-01-01T00:00:00.000Z")),
            (Value::Null, None),
        ] {
            let mut text = Vec::new();
            let is_key = key_text(value, &mut text);
            assert_eq!(is_key.then_some(text), expected.map(|text| text.as_bytes().to_vec()), "{value:?}");
        }
    }
}
