//! Lines that are JSON objects: `_id` is put first, names take their stored form, and `@timestamp` is read.
//!
//! Members of one object that have the same stored name become one member: the array of their values, in their order.
//! The document is tagged with the name.

use std::borrow::Cow;

use super::date::Formats;
use super::encoded::Encoding;
use super::members::{ObjectView, write_merged};
use super::outer_fields::OuterFields;
use super::scan::scan;
use super::stored_tape::StoredTape;
use super::tape::{Node, Tape};
use super::writer::{DocumentWriter, Tags};

/// A line that was read as a JSON object.
pub(super) struct Object<'a> {
    tape: &'a Tape,
    /// Working memory.
    names: &'a mut Vec<u32>,
    line: Cow<'a, str>,
    /// The index of the top-level member `@timestamp_` that `@timestamp` replaces.
    replaced: Option<usize>,
    date: Option<i64>,
    tags: Tags,
}

impl Object<'_> {
    /// Adds `tags` to the tags of the document.
    pub fn tag(&mut self, tags: Tags) {
        self.tags.add(tags);
    }
}

impl StoredTape {
    /// Reads `line` for a document of `encoding`; `None` when it is not a JSON object. `paths` are the candidates for
    /// `@timestamp`, with stored names.
    pub fn read<'a>(
        &'a mut self,
        encoding: Encoding,
        line: &'a [u8],
        paths: &[Vec<String>],
        dates: &mut Formats,
        now_ms: i64,
    ) -> Option<Object<'a>> {
        let line = String::from_utf8_lossy(line);
        scan(&mut self.tape, &line)?;
        self.rename(encoding, &line);
        let mut tags = Tags::default();
        if self.tape.lone_surrogate || matches!(line, Cow::Owned(_)) {
            tags.add(Tags::UTF8);
        }
        let (mut date, mut replaced, mut seen) = (None, None, false);
        'paths: for path in paths {
            let Some(name) = self.find(&line, path) else { continue };
            for at in self.tape.joined_with(name) {
                let text = match self.tape.nodes[at + 1] {
                    Node::Text(text) | Node::Int(text, _) | Node::Float(text, _) => text,
                    Node::Null => continue,
                    _ => {
                        seen = true;
                        continue;
                    }
                };
                seen = true;
                date = dates.read(self.tape.text(&line, text).as_bytes(), now_ms);
                if date.is_some() {
                    // If there are several values, none is dropped: all stay in `@timestamp_`.
                    let is_only = self.tape.joined_with(name).count() == 1;
                    let is_own = matches!(&path[..], [name] if name == "@timestamp_");
                    replaced = (is_only && is_own).then_some(name);
                    break 'paths;
                }
            }
        }
        if seen && date.is_none() {
            tags.add(Tags::DATE);
        }
        Some(Object { tape: &self.tape, names: &mut self.names, line, replaced, date, tags })
    }
}

impl Object<'_> {
    /// Writes everything after `_id`: the members of the line and, if there is an envelope, its outer fields.
    pub fn write<W: DocumentWriter>(&mut self, writer: &mut W, outer: Option<&OuterFields>) {
        let mut tags = self.tags;
        if let Some(date) = self.date.or_else(|| outer?.date()) {
            writer.name("@timestamp");
            writer.date(date);
        }
        let own = ObjectView { tape: self.tape, line: &self.line, index: 0 };
        match outer {
            None => {
                let members = own.members().filter(|member| Some(member.at) != self.replaced);
                members.for_each(|member| member.write(writer, &mut tags));
            }
            Some(outer) => {
                tags.add(outer.tags());
                write_merged(outer.root(W::ENCODING), own, self.replaced, self.names, writer, &mut tags);
            }
        }
        let own = self.tape.duplicates(&self.line);
        let outer = outer.into_iter().flat_map(|outer| outer.duplicates(W::ENCODING));
        tags.write(writer, own.chain(outer.filter(|name| !self.tape.is_duplicate(&self.line, name))));
    }
}
