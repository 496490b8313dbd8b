//! [`Text`]: what decoders see of a record of several lines.

use crate::core::lines;
use crate::event::decoder::Decoder;
use crate::grok::is_json_object;

/// The text that is parsed: a record, or the message of its envelope. A pattern sees its first line.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub record: &'a [u8],
    pub first: &'a [u8],
    /// The lines after the first one, without the last line end.
    rest: Option<&'a [u8]>,
}

impl<'a> Text<'a> {
    /// Splits `record`. If it is known to be a line, `may_span` is not set.
    #[inline]
    pub fn of(record: &'a [u8], may_span: bool) -> Text<'a> {
        let (first, rest) = if may_span { lines::split_first_line(record) } else { (record, None) };
        Text { record, first, rest }
    }

    /// Returns what a decoder sees of the record, and the lines that it does not see.
    #[inline]
    pub fn seen(self, decoder: &Decoder, spans_lines: bool) -> (&'a [u8], Option<&'a [u8]>) {
        match (self.rest, decoder) {
            (None, _) => (self.record, None),
            // Lines after a JSON object are no part of it.
            (Some(_), Decoder::Json(_)) if !is_json_object(self.record) => (self.first, self.rest),
            (Some(_), _) if spans_lines => (self.record, None),
            _ => (self.first, self.rest),
        }
    }
}
