//! [`OuterFields`]: the fields of an envelope, which stand beside its message in the document.
//!
//! If an outer field and a field of the message have the same name, the field of the message counts, as with Logstash's
//! `overwrite`. The field of the message is the more precise one, and an array would make the type of the field depend
//! on the line. Objects are merged. The same holds for `@timestamp`: the time of the envelope counts only if the
//! message has none.

use super::date::{Formats, nanoseconds};
use super::encoded::Encoding;
use super::keys;
use super::members::ObjectView;
use super::scan::scan;
use super::stored_tape::StoredTape;
use super::tape::{Node, Tape, Text};
use super::writer::{DocumentWriter, Tags, write_text};

/// The outer fields of one message. The memory is reused from line to line.
#[derive(Debug, Clone, Default)]
pub struct OuterFields {
    /// The tape with the names of JSON documents. Its first node is the object of all fields.
    stored: StoredTape,
    /// The tape with the names of BSON documents, if these differ.
    bson: StoredTape,
    /// Whether the names of BSON documents differ.
    differs_in_bson: bool,
    /// The line that the tape was scanned from; empty if the fields were built by a syslog header.
    line: String,
    message: Option<Text>,
    date: Option<i64>,
    /// The text that `date` was read from.
    date_text: Option<Text>,
    stream: Option<Text>,
    tags: Tags,
}

/// An object or array under construction: the index of its node.
pub(crate) struct OpenContainer(usize);

impl OuterFields {
    /// Removes all fields.
    pub(crate) fn clear(&mut self) {
        let tape = &mut self.stored.tape;
        tape.clear();
        tape.nodes.push(Node::Object { end: 1 });
        self.line.clear();
        (self.message, self.date, self.tags) = (None, None, Tags::default());
        (self.date_text, self.stream) = (None, None);
        self.differs_in_bson = false;
    }

    /// Reads the JSON object `line` and takes its members as fields, except `message`, which
    /// [`message`](OuterFields::message) returns. A text `@timestamp` that is a time becomes the time of the document.
    /// Returns `false`, with no fields, when `line` is not an object.
    pub(crate) fn read_json(&mut self, line: &[u8], dates: &mut Formats, now_ms: i64) -> bool {
        self.clear();
        for chunk in line.utf8_chunks() {
            self.line.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                self.line.push(char::REPLACEMENT_CHARACTER);
                self.tags.add(Tags::UTF8);
            }
        }
        if scan(&mut self.stored.tape, &self.line).is_none() {
            self.clear();
            return false;
        }
        self.differs_in_bson = self.stored.rename(Encoding::Json, &self.line);
        let tape = &mut self.stored.tape;
        if tape.lone_surrogate {
            self.tags.add(Tags::UTF8);
        }
        let end = tape.after(0);
        let mut at = 1;
        while at < end {
            // A name that occurs more than once stays a field: its values are not separated.
            if let Node::Name { text: name, written: true, next: 0 } = tape.nodes[at] {
                let value = tape.nodes[at + 1];
                let taken = match (tape.text(&self.line, name), value) {
                    (
                        "message",
                        Node::Text(text) | Node::Int(text, _) | Node::Float(text, _) | Node::OutOfRange(text),
                    ) => {
                        self.message = Some(text);
                        true
                    }
                    ("@timestamp_", Node::Text(text)) => {
                        self.date = dates.read(tape.text(&self.line, text).as_bytes(), now_ms);
                        self.date_text = Some(text);
                        self.date.is_some()
                    }
                    ("stream", Node::Text(text)) => {
                        self.stream = Some(text);
                        false
                    }
                    _ => false,
                };
                if taken {
                    tape.nodes[at] = Node::Name { text: name, written: false, next: 0 };
                }
            }
            at = tape.after(at + 1);
        }
        self.rename_for_bson();
        true
    }

    /// Makes the tape for BSON documents, if its names differ.
    fn rename_for_bson(&mut self) {
        if self.differs_in_bson {
            self.bson.copy(&self.stored);
            self.bson.rename(Encoding::Bson, &self.line);
        }
    }

    /// Returns the message that [`read_json`](OuterFields::read_json) found; empty when there was none.
    pub(crate) fn message(&self) -> &[u8] {
        self.message.map_or(&[], |text| self.stored.tape.text(&self.line, text).as_bytes())
    }

    /// Returns the time in nanoseconds since 1970 that [`read_json`](OuterFields::read_json) found; 0 when there was none.
    pub(crate) fn time_ns(&self) -> u64 {
        let text = self.date_text.map_or(&[][..], |text| self.stored.tape.text(&self.line, text).as_bytes());
        self.date.map_or(0, |date| nanoseconds(text, date))
    }

    /// Returns the text of the member `stream` that [`read_json`](OuterFields::read_json) found; empty when there was none.
    pub(crate) fn stream(&self) -> &[u8] {
        self.stream.map_or(&[], |text| self.stored.tape.text(&self.line, text).as_bytes())
    }

    /// Sets the `@timestamp` of documents whose message has no time of its own.
    pub(crate) fn set_date(&mut self, ms: i64) {
        self.date = Some(ms);
    }

    /// Tags the document: its line is not a JSON object.
    pub(crate) fn tag_no_json(&mut self) {
        self.tags.add(Tags::NO_JSON);
    }

    /// Tags the document: its line is not a syslog message.
    pub(crate) fn tag_no_syslog(&mut self) {
        self.tags.add(Tags::NO_SYSLOG);
    }

    /// Adds a name; its value must be added next. The name must be valid in every store and new in its object.
    pub(crate) fn name(&mut self, name: &str) {
        let text = self.stored.tape.store_text(name);
        self.stored.tape.nodes.push(Node::Name { text, written: true, next: 0 });
    }

    /// Adds a name below the top level; its value must be added next. The name may be any ASCII text and must be new in
    /// its object.
    pub(crate) fn any_name(&mut self, name: &[u8]) {
        let tape = &mut self.stored.tape;
        let start = tape.unescaped.len();
        tape.unescaped.extend(name.iter().copied().map(char::from));
        self.differs_in_bson |= keys::is_renamed_in_bson(&tape.unescaped[start..]);
        let text = tape.text_since(start);
        tape.nodes.push(Node::Name { text, written: true, next: 0 });
    }

    /// Adds a text. Invalid UTF-8 in it is replaced.
    pub(crate) fn text(&mut self, text: &[u8]) {
        let kept = self.keep([text]);
        self.stored.tape.nodes.push(Node::Text(kept));
    }

    /// Adds a text that is the concatenation of `parts`.
    pub(crate) fn text_of<'a>(&mut self, parts: impl IntoIterator<Item = &'a [u8]>) {
        let kept = self.keep(parts);
        self.stored.tape.nodes.push(Node::Text(kept));
    }

    /// Adds an integer.
    pub(crate) fn int(&mut self, value: i64) {
        let nothing = Text::default();
        self.stored.tape.nodes.push(Node::Int(nothing, value));
    }

    /// Begins an object.
    pub(crate) fn open(&mut self) -> OpenContainer {
        self.stored.tape.nodes.push(Node::Object { end: 0 });
        OpenContainer(self.stored.tape.nodes.len() - 1)
    }

    /// Begins an array.
    pub(crate) fn open_array(&mut self) -> OpenContainer {
        self.stored.tape.nodes.push(Node::Array { end: 0 });
        OpenContainer(self.stored.tape.nodes.len() - 1)
    }

    /// Ends the object or array that was begun last.
    pub(crate) fn close(&mut self, open: OpenContainer) {
        let end = self.stored.tape.nodes.len() as u32;
        if let Some(node) = self.stored.tape.nodes.get_mut(open.0) {
            *node = match node {
                Node::Array { .. } => Node::Array { end },
                _ => Node::Object { end },
            };
        }
    }

    /// Ends the object of all fields.
    pub(crate) fn finish(&mut self) {
        self.close(OpenContainer(0));
        self.rename_for_bson();
    }

    fn keep<'a>(&mut self, parts: impl IntoIterator<Item = &'a [u8]>) -> Text {
        let start = self.stored.tape.unescaped.len();
        for part in parts {
            for chunk in part.utf8_chunks() {
                self.stored.tape.unescaped.push_str(chunk.valid());
                if !chunk.invalid().is_empty() {
                    self.stored.tape.unescaped.push(char::REPLACEMENT_CHARACTER);
                    self.tags.add(Tags::UTF8);
                }
            }
        }
        self.stored.tape.text_since(start)
    }

    /// Returns the time of the envelope, in milliseconds since 1970.
    pub(super) fn date(&self) -> Option<i64> {
        self.date
    }

    pub(super) fn tags(&self) -> Tags {
        self.tags
    }

    /// Returns the object of all fields with the names of a document of `encoding`.
    pub(super) fn root(&self, encoding: Encoding) -> ObjectView<'_> {
        ObjectView { tape: self.tape(encoding), line: &self.line, index: 0 }
    }

    fn tape(&self, encoding: Encoding) -> &Tape {
        if self.differs_in_bson && encoding == Encoding::Bson { &self.bson.tape } else { &self.stored.tape }
    }

    /// Iterates over the names that occur more than once in one object.
    pub(super) fn duplicates(&self, encoding: Encoding) -> impl Iterator<Item = &str> {
        self.tape(encoding).duplicates(&self.line)
    }

    /// Writes the outer fields and the message of a line that no pattern matches or that no pattern was given for.
    pub(super) fn write_message<W: DocumentWriter>(
        &self,
        writer: &mut W,
        message: &keys::Key,
        text: &[u8],
        mut tags: Tags,
    ) {
        tags.add(self.tags);
        let root = self.root(W::ENCODING);
        root.members().for_each(|member| member.write(writer, &mut tags));
        if !text.is_empty() || root.find("message").is_none() {
            writer.key(message);
            write_text(text, writer, text.is_ascii(), &mut tags);
        }
        tags.write(writer, self.duplicates(W::ENCODING));
    }
}
