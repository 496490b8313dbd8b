//! [`Beside`]: values that stand beside the bodies of documents, for a sink that asks for them.

use super::field_value::Value;
use crate::core::context::Context;

/// Where the `@timestamp` of a document came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// From a field of the record, by the date rule of its format.
    Record,
    /// From the envelope of the record.
    Envelope,
    /// From a stage.
    Stage,
    /// The record has none: it is the time of its arrival, which another run would not give it again.
    Arrival,
}

/// The values beside the documents of a batch, by the index of the document. It holds only what the sink asked for.
#[derive(Debug, Default)]
pub struct Beside {
    times: Vec<Option<(i64, TimeSource)>>,
    contexts: Vec<Context>,
    /// The values of the named fields: all those of the first document, then those of the second, and so on.
    fields: Vec<Option<Kept>>,
    /// The number of named fields of each document.
    width: usize,
    texts: Vec<u8>,
}

/// A value whose text stands among the other texts.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Text { start: usize, end: usize },
    Other(Value<'static>),
}

impl Beside {
    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.contexts.clear();
        self.fields.clear();
        self.texts.clear();
    }

    /// Adds the time of the next document.
    pub fn push_time(&mut self, time: Option<(i64, TimeSource)>) {
        self.times.push(time);
    }

    /// Adds the context of the next document.
    pub fn push_context(&mut self, context: &Context) {
        self.contexts.push(context.clone());
    }

    /// Adds the named fields of the next document. All documents have the same number of them.
    pub fn push_fields<'v>(&mut self, values: impl ExactSizeIterator<Item = Option<Value<'v>>>) {
        self.width = values.len();
        for value in values {
            let kept = value.map(|value| match value {
                Value::Text(text) => {
                    let start = self.texts.len();
                    self.texts.extend_from_slice(text);
                    Kept::Text { start, end: self.texts.len() }
                }
                Value::Null => Kept::Other(Value::Null),
                Value::Bool(value) => Kept::Other(Value::Bool(value)),
                Value::Int(value) => Kept::Other(Value::Int(value)),
                Value::Float(value) => Kept::Other(Value::Float(value)),
                Value::Date(value) => Kept::Other(Value::Date(value)),
            });
            self.fields.push(kept);
        }
    }

    /// Returns the `@timestamp` of document number `index` in milliseconds since 1970, and where it came from; `None` if
    /// the document has none.
    pub fn time(&self, index: usize) -> Option<(i64, TimeSource)> {
        self.times.get(index).copied().flatten()
    }

    /// Returns the context of document number `index`; `None` if the sink did not ask for it.
    pub fn context(&self, index: usize) -> Option<&Context> {
        self.contexts.get(index)
    }

    /// Returns the value of named field number `field` of document number `index`. There is none if the field is missing, is
    /// an object or has several values.
    pub fn field(&self, index: usize, field: usize) -> Option<Value<'_>> {
        Some(match *self.fields.get(index * self.width + field)?.as_ref()? {
            Kept::Text { start, end } => Value::Text(&self.texts[start..end]),
            Kept::Other(value) => value,
        })
    }

    /// Returns a copy of the values of the documents at `indexes`, in that order.
    pub(super) fn only(&self, indexes: &[usize]) -> Beside {
        let mut some = Beside::default();
        for &index in indexes {
            some.times.extend(self.times.get(index));
            some.contexts.extend(self.contexts.get(index).cloned());
            some.push_fields((0..self.width).map(|field| self.field(index, field)));
        }
        some
    }
}
