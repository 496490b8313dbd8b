//! Decoders: each reads the fields of a record from its text.
//!
//! A decoder of another syntax stands beside these two: a file of its own, a variant here, and the fields that it gives.

mod json;
mod pattern;

use super::fields::Fields;
use crate::core::error::Result;
use crate::document::date::DateOptions;
use crate::grok::{Format, Rule, Stopped};

pub use json::JsonDecoder;
pub use pattern::PatternDecoder;

/// The decoder of a format. It keeps state, so each thread has its own.
pub enum Decoder {
    /// For texts that match a pattern.
    Pattern(PatternDecoder),
    /// For texts that are JSON objects.
    Json(JsonDecoder),
}

impl Decoder {
    /// Returns the decoder of `format`.
    ///
    /// # Errors
    /// A usage error when its fields cannot form a document, or when its date rule is invalid.
    pub fn new(format: &Format) -> Result<Decoder> {
        Decoder::with(format, &DateOptions::default())
    }

    /// Returns the decoder of `format`, with what the user says about dates.
    ///
    /// # Errors
    /// Those of [`new`](Decoder::new).
    pub fn with(format: &Format, options: &DateOptions) -> Result<Decoder> {
        let date = format.date.as_ref();
        Ok(match &format.rule {
            Rule::Pattern(pattern) => Decoder::Pattern(PatternDecoder::new(pattern, date, options)?),
            Rule::JsonObject => Decoder::Json(JsonDecoder::with(date, options)?),
        })
    }

    /// Reads the fields of `text`; `None` when it does not have the format.
    ///
    /// # Errors
    /// The matching was given up.
    #[inline]
    pub fn decode<'a>(&'a mut self, text: &'a [u8]) -> std::result::Result<Option<Fields<'a>>, Stopped> {
        match self {
            Decoder::Pattern(decoder) => decoder.decode(text),
            Decoder::Json(decoder) => Ok(decoder.decode(text)),
        }
    }
}
