//! [`JsonDecoder`]: the members of a JSON object as fields.
//!
//! Members of one object that have the same stored name become one member: the array of their values, in their order.
//! The document is tagged with the name.

use crate::core::error::Result;
use crate::document::Tags;
use crate::document::date::DateOptions;
use crate::event::dates::Dates;
use crate::event::fields::{Content, Fields};
use crate::event::object::Object;
use crate::event::read::read;
use crate::event::shape::{Shapes, has_backslash};
use crate::grok::DateRule;

/// Reads texts that are JSON objects. The memory is reused from text to text.
#[derive(Debug, Clone)]
pub struct JsonDecoder {
    object: Object,
    shapes: Shapes,
    /// The text with U+FFFD in the place of invalid UTF-8.
    replaced: String,
    dates: Dates,
}

impl JsonDecoder {
    /// Returns a decoder for texts that are JSON objects.
    ///
    /// # Errors
    /// A usage error when a date format is invalid.
    pub fn new(date: Option<&DateRule>) -> Result<JsonDecoder> {
        JsonDecoder::with(date, &DateOptions::default())
    }

    /// Returns a decoder for texts that are JSON objects, with what the user says about dates.
    ///
    /// # Errors
    /// A usage error when a date format is invalid.
    pub fn with(date: Option<&DateRule>, options: &DateOptions) -> Result<JsonDecoder> {
        let dates = Dates::new(date, options)?;
        Ok(JsonDecoder { object: Object::default(), shapes: Shapes::default(), replaced: String::new(), dates })
    }

    /// Reads `text`; `None` when it is not a JSON object.
    pub fn decode<'a>(&'a mut self, text: &'a [u8]) -> Option<Fields<'a>> {
        let mut tags = Tags::default();
        let text = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => {
                tags.add(Tags::UTF8);
                self.replaced.clear();
                for chunk in text.utf8_chunks() {
                    self.replaced.push_str(chunk.valid());
                    if !chunk.invalid().is_empty() {
                        self.replaced.push(char::REPLACEMENT_CHARACTER);
                    }
                }
                &self.replaced
            }
        };
        let escapes = has_backslash(text);
        let known = escapes.and_then(|escapes| self.shapes.find(text, escapes));
        let object = match known {
            Some(shape) => self.shapes.object(shape),
            None => {
                let tape = self.object.renew();
                read(tape, text)?;
                if escapes.is_some() {
                    self.shapes.learn(tape, text);
                }
                &mut self.object
            }
        };
        if object.tape.lone_surrogate {
            tags.add(Tags::UTF8);
        }
        if object.tape.out_of_range {
            object.tape.each_out_of_range(text, |name| tags.add_of(Tags::TYPE, name));
        }
        Some(Fields(Content::Object { object, text, dates: &mut self.dates, tags }))
    }
}
