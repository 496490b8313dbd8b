//! [`Fields`]: what a decoder found in a text.

use super::captured::CapturedFields;
use super::dates::Dates;
use super::object::Object;
use crate::document::Tags;
use crate::grok::Span;

/// The fields that a decoder found in a text. They are borrowed: from the text, and from the decoder's memory.
pub struct Fields<'a>(pub(super) Content<'a>);

pub(super) enum Content<'a> {
    /// The captures of a pattern. `spans_text` says that the match is the whole text.
    Captured { fields: &'a mut CapturedFields, spans: &'a [Span], spans_text: bool },
    /// The members of a JSON object, and the text that it was read from.
    Object { object: &'a mut Object, text: &'a str, dates: &'a mut Dates, tags: Tags },
    /// The whole text, as the field `message`.
    Message,
    /// Nothing but what is set.
    Nothing,
}

impl<'a> Fields<'a> {
    /// Returns the fields that have the texts of `spans`, which are the captures of the pattern by slot. The match is the whole
    /// text.
    #[inline]
    pub fn captured(fields: &'a mut CapturedFields, spans: &'a [Span]) -> Fields<'a> {
        Fields::captured_in(fields, spans, true)
    }

    /// Returns the same for a match that may be a part of the text. `spans_text` says that it is the whole text.
    #[inline]
    pub fn captured_in(fields: &'a mut CapturedFields, spans: &'a [Span], spans_text: bool) -> Fields<'a> {
        Fields(Content::Captured { fields, spans, spans_text })
    }
}
