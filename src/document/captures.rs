//! [`CaptureEncoder`]: what a pattern captured, as one JSON object and nothing beside it.

use super::date::{COMMON, Formats};
use super::json::Json;
use super::plan::{Captured, Naming, Plan};
use super::writer::Tags;
use crate::core::error::Result;
use crate::grok::{Field, Span};

/// Writes the captured fields of lines, with the values of [documents](super) and the names of the pattern: no `_id`,
/// no `@timestamp`, no `tags`, no key renamed.
#[derive(Debug, Clone)]
pub struct CaptureEncoder {
    plan: Plan,
    /// Formats of fields of type `date`.
    dates: Formats,
}

impl CaptureEncoder {
    /// An encoder for the lines that a pattern with these fields matches.
    ///
    /// # Errors
    /// A usage error when two fields exclude each other.
    pub fn new(fields: &[Field]) -> Result<CaptureEncoder> {
        let plan = Plan::new(fields, Naming::Captured)?;
        Ok(CaptureEncoder { plan, dates: Formats::new(&COMMON.map(String::from))? })
    }

    /// Appends the object of `line` to `out`, without a newline after it. `spans` are the pattern's captures, by slot;
    /// `now_ms` is the time in milliseconds since 1970, which only matters to dates without a year.
    pub fn encode(&mut self, line: &[u8], spans: &[Span], now_ms: i64, out: &mut Vec<u8>) {
        let captured = Captured { line, spans, ascii: line.is_ascii(), now_ms };
        let mut writer = Json::begin_bare(out);
        self.plan.write(&mut writer, &captured, &mut self.dates, &mut Tags::default());
        writer.end();
    }
}
