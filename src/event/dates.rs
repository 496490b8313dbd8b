//! [`Dates`]: where the time of a JSON object may be, and how it is read.

use std::sync::Arc;

use super::members::ObjectView;
use super::tape::Node;
use crate::core::error::Result;
use crate::document::date::{COMMON, Formats};
use crate::document::keys::display_path;
use crate::document::{Encoding, keys};
use crate::grok::DateRule;

/// The paths from which `@timestamp` may be read, with stored names, and its formats.
#[derive(Debug, Clone)]
pub(super) struct Dates {
    paths: Vec<Vec<String>>,
    formats: Formats,
}

/// What was found where the time may be.
#[derive(Default)]
pub(super) struct Found {
    /// The time, in milliseconds since 1970.
    pub date: Option<i64>,
    /// The name of the first field whose value is no date; `None` if there is none, or if another field is a date.
    pub failed: Option<Arc<str>>,
    /// The index of the member `@timestamp_` that the time replaces.
    pub member: Option<usize>,
}

impl Dates {
    /// Compiles `rule`.
    ///
    /// # Errors
    /// A usage error when a format is invalid.
    pub fn new(rule: Option<&DateRule>) -> Result<Dates> {
        let stored = |path: &Vec<String>| {
            let parts = path.iter().enumerate();
            parts.map(|(depth, part)| keys::stored_name(Encoding::Json, part, depth == 0).into_owned()).collect()
        };
        let paths = rule.iter().flat_map(|rule| &rule.paths).filter(|path| !path.is_empty()).map(stored).collect();
        let formats = match rule {
            Some(rule) => Formats::new(&rule.formats)?,
            None => Formats::new(&COMMON)?,
        };
        Ok(Dates { paths, formats })
    }

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
                        found.failed.get_or_insert_with(|| display_path(path).into());
                        continue;
                    }
                };
                if let Some(date) = self.formats.read(tape.text(line, text).as_bytes(), now_ms) {
                    let is_own = matches!(&path[..], [name] if name == "@timestamp_");
                    return Found { date: Some(date), failed: None, member: is_own.then_some(name) };
                }
                found.failed.get_or_insert_with(|| display_path(path).into());
            }
        }
        found
    }
}
