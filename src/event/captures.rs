//! [`CaptureEncoder`]: the captures of a pattern as one JSON object, without the fields that logator adds.

use super::field_dates::FieldDates;
use super::plan::{Captured, Naming, Plan};
use crate::core::error::Result;
use crate::document::date::DateOptions;
use crate::document::{Json, Tags};
use crate::grok::{Field, Span};

/// Writes the captured fields of lines as JSON objects. The values are those of [documents](crate::document), the names those of
/// the pattern. There is no `_id`, no `@timestamp` and no `tags`, and no key is renamed.
#[derive(Debug, Clone)]
pub struct CaptureEncoder {
    plan: Plan,
    /// The formats for fields of type `date`.
    dates: FieldDates,
}

impl CaptureEncoder {
    /// Returns an encoder for the lines that match a pattern with these fields.
    ///
    /// # Errors
    /// A usage error when two fields exclude each other.
    pub fn new(fields: &[Field]) -> Result<CaptureEncoder> {
        let plan = Plan::new(fields, Naming::Captured)?;
        Ok(CaptureEncoder { plan, dates: FieldDates::new(&[], &DateOptions::default())? })
    }

    /// Appends the object of `line` to `out`, without a newline after it. `spans` are the captures of the pattern, by
    /// slot. `now_ms` is the time in milliseconds since 1970; only dates without a year depend on it.
    pub fn encode(&mut self, line: &[u8], spans: &[Span], now_ms: i64, out: &mut Vec<u8>) {
        let captured = Captured { line, spans, ascii: line.is_ascii(), now_ms };
        let mut writer = Json::begin_bare(out);
        self.plan.write(&mut writer, &captured, &mut self.dates, &mut Tags::default());
        writer.end();
    }
}
