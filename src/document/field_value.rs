//! [`Value`]: the value of one field.

use super::writer::{DocumentWriter, Tags, write_text};

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// JSON's `null`.
    Null,
    /// True or false.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// Milliseconds since 1970, in the years 0 to 9999.
    Date(i64),
    /// A text. Invalid UTF-8 in it is replaced when it is written.
    Text(&'a [u8]),
}

impl Value<'_> {
    /// Writes the value.
    pub(crate) fn write<W: DocumentWriter>(self, writer: &mut W, tags: &mut Tags) {
        match self {
            Value::Null => writer.null(),
            Value::Bool(value) => writer.bool(value),
            Value::Int(value) => writer.int(value),
            Value::Float(value) => writer.float(value),
            Value::Date(ms) => writer.date(ms),
            Value::Text(text) => write_text(text, writer, text.is_ascii(), tags),
        }
    }
}
