//! [`Value`] and [`FieldPath`]: what stages read and write, and where.

use std::sync::Arc;

use crate::core::error::{Error, Result};
pub use crate::document::Value;
use crate::document::keys::Key;
use crate::document::{DocumentWriter, Tags, write_text};
use crate::grok::parse_path;

/// Writes a value.
pub(super) fn write_value<W: DocumentWriter>(value: Value<'_>, writer: &mut W, tags: &mut Tags) {
    match value {
        Value::Null => writer.null(),
        Value::Bool(value) => writer.bool(value),
        Value::Int(value) => writer.int(value),
        Value::Float(value) => writer.float(value),
        Value::Date(date) => writer.date(date),
        Value::Text(text) => write_text(text, writer, text.is_ascii(), tags),
    }
}

/// The name of a field, compiled for both encodings. A clone shares it.
#[derive(Debug, Clone)]
pub struct FieldPath(Arc<[Key]>);

impl FieldPath {
    /// Compiles a name as patterns write it: `client`, or `[client][ip]`. The name `@timestamp` is the time of the
    /// document; other names that belong to logator get a `_` at their end.
    ///
    /// # Errors
    /// A usage error when the name is empty or its brackets do not match.
    pub fn new(name: &str) -> Result<FieldPath> {
        let fault = |(_, words)| Error::usage(format!("{name:?} is not the name of a field: {words}"));
        let parts = parse_path(name).map_err(fault)?;
        if parts[..] == ["@timestamp"] {
            return Ok(FieldPath([Key::new("@timestamp")].into()));
        }
        Ok(FieldPath(parts.iter().enumerate().map(|(depth, part)| Key::stored(part, depth == 0)).collect()))
    }

    /// Returns the field with these levels, none of which belongs to logator.
    pub fn of(levels: &[impl AsRef<str>]) -> FieldPath {
        FieldPath(levels.iter().enumerate().map(|(depth, part)| Key::stored(part.as_ref(), depth == 0)).collect())
    }

    /// Returns the keys of its levels.
    pub(super) fn keys(&self) -> &[Key] {
        &self.0
    }

    /// Returns whether it names the time of the document.
    pub(super) fn is_timestamp(&self) -> bool {
        matches!(&*self.0, [key] if key.name == "@timestamp")
    }

    /// Returns whether `other` is this field or within it.
    pub(super) fn holds(&self, other: &FieldPath) -> bool {
        let same = |(a, b): (&Key, &Key)| a.name == b.name;
        self.0.len() <= other.0.len() && self.0.iter().zip(&*other.0).all(same)
    }
}

/// What a record has at the top level under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Object,
    Value,
}

/// What stands at a path.
pub(super) enum Look<'a> {
    Value(Value<'a>),
    /// An object, several values, or a value in the place of an object.
    Other,
}

impl<'a> Look<'a> {
    pub fn value(self) -> Option<Value<'a>> {
        match self {
            Look::Value(value) => Some(value),
            Look::Other => None,
        }
    }
}
