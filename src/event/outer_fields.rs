//! [`OuterFields`]: the fields of an envelope, which stand beside its message in the document.
//!
//! If an outer field and a field of the message have the same name, the field of the message counts, as with Logstash's
//! `overwrite`. The field of the message is the more precise one, and an array would make the type of the field depend
//! on the line. Objects are merged. The same holds for `@timestamp`: the time of the envelope counts only if the
//! message has none.

use super::members::ObjectView;
use super::object::Object;
use super::read::read;
use super::tape::{Node, Tape, Text};
use crate::document::date::{Formats, Reading};
use crate::document::{Encoding, Tags};

/// The outer fields of one message. The memory is reused from line to line.
#[derive(Debug, Clone, Default)]
pub struct OuterFields {
    /// The fields. The first node of the tape is the object of all of them.
    object: Object,
    /// Whether a name was added that a BSON document may have to rename.
    any_name: bool,
    /// The line that the tape was read from; empty if the fields were built by a syslog header.
    line: String,
    message: Option<Text>,
    date: Option<Reading>,
    stream: Option<Text>,
    tags: Tags,
    /// The beginning of the tape that [`begin`](OuterFields::begin) keeps, if it holds the fields of `line`.
    kept: Option<Kept>,
}

/// The number of nodes and of bytes of unescaped text that several records have in common.
#[derive(Debug, Clone, Copy)]
struct Kept {
    nodes: usize,
    unescaped: usize,
}

/// An object or array under construction: the index of its node.
pub(crate) struct OpenContainer(usize);

impl OuterFields {
    /// Removes all fields.
    pub(crate) fn clear(&mut self) {
        self.kept = None;
        let tape = self.object.renew();
        tape.clear();
        tape.nodes.push(Node::Object { end: 1 });
        self.line.clear();
        (self.message, self.date, self.tags, self.any_name) = (None, None, Tags::default(), false);
        self.stream = None;
    }

    /// Begins with the members of the JSON object `fields`. They are read once, as long as the text does not change. Returns
    /// `false`, with no fields, when the text is not an object.
    pub(crate) fn begin(&mut self, fields: &str) -> bool {
        if let Some(Kept { nodes, unescaped }) = self.kept.filter(|_| self.line == fields) {
            let tape = self.object.moved();
            tape.nodes.truncate(nodes);
            tape.unescaped.truncate(unescaped);
            // The object has no member but those that are kept.
            tape.nodes[0] = Node::Object { end: nodes as u32 };
            (self.date, self.tags) = (None, Tags::default());
        } else {
            self.clear();
            self.line.push_str(fields);
            if read(&mut self.object.tape, &self.line).is_none() {
                self.clear();
                return false;
            }
            let tape = &self.object.tape;
            self.kept = Some(Kept { nodes: tape.nodes.len(), unescaped: tape.unescaped.len() });
        }
        self.any_name = self.object.tape.nodes.len() > 1;
        true
    }

    /// Whether there is a member called `name`, after [`begin`](OuterFields::begin).
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.tape.nodes.len() > 1 && self.root(Encoding::Json).find(name).is_some()
    }

    /// Removes the field `name`, so that another one with this name can be added.
    pub(crate) fn remove(&mut self, name: &str) {
        if self.object.tape.nodes.len() <= 1 {
            return;
        }
        let end = self.object.tape.after(0);
        let mut at = 1;
        while at < end {
            let tape = self.object.moved();
            if let Node::Name { text, written: true, next, copied_to } = tape.nodes[at]
                && tape.text(&self.line, text) == name
            {
                tape.nodes[at] = Node::Name { text, written: false, next, copied_to };
                self.kept = None;
            }
            at = self.object.tape.after(at + 1);
        }
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
        if read(&mut self.object.tape, &self.line).is_none() {
            self.clear();
            return false;
        }
        let tape = &mut self.object.tape;
        if tape.lone_surrogate {
            self.tags.add(Tags::UTF8);
        }
        if tape.out_of_range {
            let tags = &mut self.tags;
            tape.each_out_of_range(&self.line, |name| tags.add_of(Tags::TYPE, name));
        }
        let end = tape.after(0);
        let mut at = 1;
        while at < end {
            // A name that occurs more than once stays a field: its values are not separated.
            if let Node::Name { text: name, written: true, next: 0, .. } = tape.nodes[at] {
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
                        self.date = dates.read(tape.text(&self.line, text).as_bytes(), now_ms).ok();
                        self.date.is_some()
                    }
                    ("stream", Node::Text(text)) => {
                        self.stream = Some(text);
                        false
                    }
                    _ => false,
                };
                if taken {
                    tape.nodes[at] = Node::Name { text: name, written: false, next: 0, copied_to: 0 };
                }
            }
            at = tape.after(at + 1);
        }
        self.object.prepare(Encoding::Bson, &self.line);
        true
    }

    fn tape(&mut self) -> &mut Tape {
        &mut self.object.tape
    }

    /// Returns the message that [`read_json`](OuterFields::read_json) found; empty when there was none.
    pub(crate) fn message(&self) -> &[u8] {
        self.message.map_or(&[], |text| self.object.tape.text(&self.line, text).as_bytes())
    }

    /// Returns the time in nanoseconds since 1970 that [`read_json`](OuterFields::read_json) found; 0 when there was none.
    pub(crate) fn time_ns(&self) -> u64 {
        self.date.map_or(0, |reading| reading.date.ns())
    }

    /// Returns the text of the member `stream` that [`read_json`](OuterFields::read_json) found; empty when there was none.
    pub(crate) fn stream(&self) -> &[u8] {
        self.stream.map_or(&[], |text| self.object.tape.text(&self.line, text).as_bytes())
    }

    /// Sets the `@timestamp` of documents whose message has no time of its own.
    pub(crate) fn set_date(&mut self, reading: Reading) {
        self.date = Some(reading);
    }

    /// Tags the document: its line is not a JSON object.
    pub(crate) fn tag_no_json(&mut self) {
        self.tags.add(Tags::NO_JSON);
    }

    /// Tags the document: its line is not wrapped as those of a container.
    pub(crate) fn tag_no_container(&mut self) {
        self.tags.add(Tags::NO_CONTAINER);
    }

    /// Whether the document is tagged like this.
    pub(crate) fn is_tagged_no_container(&self) -> bool {
        self.tags.has(Tags::NO_CONTAINER)
    }

    /// Tags the document: its line is not a syslog message.
    pub(crate) fn tag_no_syslog(&mut self) {
        self.tags.add(Tags::NO_SYSLOG);
    }

    /// Adds a name; its value must be added next. The name must be valid in every store and new in its object.
    pub(crate) fn name(&mut self, name: &str) {
        let text = self.tape().store_text(name);
        self.tape().nodes.push(Node::name(text));
    }

    /// Adds a name below the top level; its value must be added next. The name may be any ASCII text and must be new in
    /// its object.
    pub(crate) fn any_name(&mut self, name: &[u8]) {
        self.any_name = true;
        let tape = self.tape();
        let start = tape.unescaped.len();
        tape.unescaped.extend(name.iter().copied().map(char::from));
        let text = tape.text_since(start);
        tape.nodes.push(Node::name(text));
    }

    /// Adds a text. Invalid UTF-8 in it is replaced.
    pub(crate) fn text(&mut self, text: &[u8]) {
        let kept = self.keep([text]);
        self.tape().nodes.push(Node::Text(kept));
    }

    /// Adds a text that is the concatenation of `parts`.
    pub(crate) fn text_of<'a>(&mut self, parts: impl IntoIterator<Item = &'a [u8]>) {
        let kept = self.keep(parts);
        self.tape().nodes.push(Node::Text(kept));
    }

    /// Adds an integer.
    pub(crate) fn int(&mut self, value: i64) {
        let nothing = Text::default();
        self.tape().nodes.push(Node::Int(nothing, value));
    }

    /// Begins an object.
    pub(crate) fn open(&mut self) -> OpenContainer {
        self.tape().nodes.push(Node::Object { end: 0 });
        OpenContainer(self.tape().nodes.len() - 1)
    }

    /// Begins an array.
    pub(crate) fn open_array(&mut self) -> OpenContainer {
        self.tape().nodes.push(Node::Array { end: 0 });
        OpenContainer(self.tape().nodes.len() - 1)
    }

    /// Ends the object or array that was begun last.
    pub(crate) fn close(&mut self, open: OpenContainer) {
        let end = self.tape().nodes.len() as u32;
        if let Some(node) = self.tape().nodes.get_mut(open.0) {
            *node = match node {
                Node::Array { .. } => Node::Array { end },
                _ => Node::Object { end },
            };
        }
    }

    /// Ends the object of all fields.
    pub(crate) fn finish(&mut self) {
        self.close(OpenContainer(0));
        if self.any_name {
            self.object.prepare(Encoding::Bson, &self.line);
        }
    }

    fn keep<'a>(&mut self, parts: impl IntoIterator<Item = &'a [u8]>) -> Text {
        let start = self.tape().unescaped.len();
        for part in parts {
            for chunk in part.utf8_chunks() {
                self.tape().unescaped.push_str(chunk.valid());
                if !chunk.invalid().is_empty() {
                    self.tape().unescaped.push(char::REPLACEMENT_CHARACTER);
                    self.tags.add(Tags::UTF8);
                }
            }
        }
        self.tape().text_since(start)
    }

    /// Returns the time of the envelope.
    pub(super) fn reading(&self) -> Option<Reading> {
        self.date
    }

    pub(super) fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Returns the object of all fields with the names of a document of `encoding`.
    pub(super) fn root(&self, encoding: Encoding) -> ObjectView<'_> {
        self.object.stored(encoding, &self.line)
    }
}
