//! [`PatternDecoder`]: the captures of a pattern as fields.

use crate::core::error::Result;
use crate::document::date::DateOptions;
use crate::event::captured::CapturedFields;
use crate::event::fields::Fields;
use crate::grok::{DateRule, Matcher, Pattern, Span, Stopped};

/// Matches texts with a pattern.
pub struct PatternDecoder {
    matcher: Matcher,
    slots: usize,
    spans: Vec<Span>,
    fields: CapturedFields,
}

impl PatternDecoder {
    /// Returns a decoder for texts that match `pattern`.
    ///
    /// # Errors
    /// Those of [`CapturedFields::with`].
    pub fn new(pattern: &Pattern, date: Option<&DateRule>, options: &DateOptions) -> Result<PatternDecoder> {
        let fields = CapturedFields::with(pattern.fields(), date, options)?;
        Ok(PatternDecoder { matcher: pattern.matcher(), slots: pattern.slots(), spans: Vec::new(), fields })
    }

    /// Matches `text`; `None` when it does not match.
    #[inline]
    pub(super) fn decode<'a>(&'a mut self, text: &'a [u8]) -> std::result::Result<Option<Fields<'a>>, Stopped> {
        let Some(captures) = self.matcher.captures(text)? else { return Ok(None) };
        self.spans.clear();
        self.spans.extend((0..self.slots).map(|slot| captures.span(slot)));
        let whole = captures.whole();
        let spans_text = whole.start == 0 && whole.end as usize == text.len();
        Ok(Some(Fields::captured_in(&mut self.fields, &self.spans, spans_text)))
    }
}
