//! [`JsonDecoder`]: the members of a JSON object as fields.
//!
//! Members of one object that have the same stored name become one member: the array of their values, in their order.
//! The document is tagged with the name.

use crate::core::error::Result;
use crate::document::date::{COMMON, Formats};
use crate::document::keys;
use crate::document::{Encoding, Tags};
use crate::event::event::{Content, Fields};
use crate::event::members::ObjectView;
use crate::event::object::Object;
use crate::event::read::read;
use crate::event::shape::{Shapes, is_plain};
use crate::event::tape::Node;
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

/// The paths from which `@timestamp` may be read, with stored names, and its formats.
#[derive(Debug, Clone)]
pub(in crate::event) struct Dates {
    paths: Vec<Vec<String>>,
    formats: Formats,
}

/// What was found where the time may be.
#[derive(Default)]
pub(in crate::event) struct Found {
    /// The time, in milliseconds since 1970.
    pub date: Option<i64>,
    /// Whether there is a value that is no date.
    pub failed: bool,
    /// The index of the member `@timestamp_` that the time replaces.
    pub member: Option<usize>,
}

impl JsonDecoder {
    /// Returns a decoder for texts that are JSON objects.
    ///
    /// # Errors
    /// A usage error when a date format is invalid.
    pub fn new(date: Option<&DateRule>) -> Result<JsonDecoder> {
        let stored = |path: &Vec<String>| {
            let parts = path.iter().enumerate();
            parts.map(|(depth, part)| keys::stored_name(Encoding::Json, part, depth == 0).into_owned()).collect()
        };
        let paths = date.iter().flat_map(|rule| &rule.paths).filter(|path| !path.is_empty()).map(stored).collect();
        let formats = match date {
            Some(rule) => Formats::new(&rule.formats)?,
            None => Formats::new(&COMMON)?,
        };
        Ok(JsonDecoder {
            object: Object::default(),
            shapes: Shapes::default(),
            replaced: String::new(),
            dates: Dates { paths, formats },
        })
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
        let dates = &mut self.dates;
        let is_plain = is_plain(text);
        if is_plain && let Some(shape) = self.shapes.find(text) {
            let object = self.shapes.object(shape);
            return Some(Fields(Content::Object { object, text, dates, tags }));
        }
        let tape = self.object.renew();
        read(tape, text)?;
        if is_plain {
            self.shapes.learn(tape, text);
        }
        if tape.lone_surrogate {
            tags.add(Tags::UTF8);
        }
        Some(Fields(Content::Object { object: &mut self.object, text, dates, tags }))
    }
}

impl Dates {
    /// Finds the time of `object`.
    pub fn find(&mut self, object: ObjectView<'_>, now_ms: i64) -> Found {
        let ObjectView { tape, line, .. } = object;
        let mut found = Found::default();
        for path in &self.paths {
            let Some(name) = object.at(path) else { continue };
            for at in tape.joined_with(name) {
                let text = match tape.nodes[at + 1] {
                    Node::Text(text) | Node::Int(text, _) | Node::Float(text, _) => text,
                    Node::Null => continue,
                    _ => {
                        found.failed = true;
                        continue;
                    }
                };
                found.failed = true;
                if let Some(date) = self.formats.read(tape.text(line, text).as_bytes(), now_ms) {
                    let is_own = matches!(&path[..], [name] if name == "@timestamp_");
                    return Found { date: Some(date), failed: false, member: is_own.then_some(name) };
                }
            }
        }
        found
    }
}
