//! [`OuterFields`]: the fields that an envelope puts around a message, and how they and those of the message make one
//! document.
//!
//! Where both have a value under one name, that of the message counts, as with Logstash's `overwrite`: it is the more
//! precise one, and an array would make a field's type depend on the line. Objects are merged. Of `@timestamp` the
//! same: the envelope's is the one of messages that have none of their own.

use super::date::Formats;
use super::encoded::Encoding;
use super::keys;
use super::members::ObjectView;
use super::scan::scan;
use super::stored_tape::StoredTape;
use super::tape::{Node, Tape, Text};
use super::writer::{DocumentWriter, Tags, write_text};

/// The fields around one message. The memory is kept from line to line.
#[derive(Debug, Clone, Default)]
pub struct OuterFields {
    /// Its first node is the object of all fields, their names as JSON documents have them.
    stored: StoredTape,
    /// The same with the names of BSON documents, where those are others.
    bson: StoredTape,
    /// Whether they are.
    differs_in_bson: bool,
    /// What the tape was scanned from; empty when the fields were built.
    line: String,
    message: Option<Text>,
    date: Option<i64>,
    tags: Tags,
}

/// An object or array that is being built.
pub(crate) struct OpenContainer(usize);

impl OuterFields {
    /// No fields.
    pub(crate) fn clear(&mut self) {
        let tape = &mut self.stored.tape;
        tape.clear();
        tape.nodes.push(Node::Object { end: 1 });
        self.line.clear();
        (self.message, self.date, self.tags) = (None, None, Tags::default());
        self.differs_in_bson = false;
    }

    /// Takes the members of the JSON object that `line` is, but for `message`, which [`message`](OuterFields::message) gives.
    /// A text `@timestamp` that is a time is the document's. Answers `false`, with no fields, when `line` is no object.
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
            // Of a name that is there more than once, nothing is taken: all values stay together.
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
                        self.date.is_some()
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

    /// Makes the fields of BSON documents, if they have other names.
    fn rename_for_bson(&mut self) {
        if self.differs_in_bson {
            self.bson.copy(&self.stored);
            self.bson.rename(Encoding::Bson, &self.line);
        }
    }

    /// The message that [`read_json`](OuterFields::read_json) found; empty when there was none.
    pub(crate) fn message(&self) -> &[u8] {
        self.message.map_or(&[], |text| self.stored.tape.text(&self.line, text).as_bytes())
    }

    /// What `@timestamp` is unless the message has a time of its own.
    pub(crate) fn set_date(&mut self, ms: i64) {
        self.date = Some(ms);
    }

    /// Marks the document as one whose line is no JSON object.
    pub(crate) fn tag_no_json(&mut self) {
        self.tags.add(Tags::NO_JSON);
    }

    /// Marks the document as one whose line is no syslog message.
    pub(crate) fn tag_no_syslog(&mut self) {
        self.tags.add(Tags::NO_SYSLOG);
    }

    /// Adds a name, whose value comes next. It is one that every store takes and that stands nowhere in the object yet.
    pub(crate) fn name(&mut self, name: &str) {
        let text = self.stored.tape.store_text(name);
        self.stored.tape.nodes.push(Node::Name { text, written: true, next: 0 });
    }

    /// Adds a name below the top that is any ASCII, and stands nowhere in the object yet.
    pub(crate) fn any_name(&mut self, name: &[u8]) {
        let tape = &mut self.stored.tape;
        let start = tape.unescaped.len();
        tape.unescaped.extend(name.iter().copied().map(char::from));
        self.differs_in_bson |= keys::is_renamed_in_bson(&tape.unescaped[start..]);
        let text = tape.text_since(start);
        tape.nodes.push(Node::Name { text, written: true, next: 0 });
    }

    /// Adds a text; what is not UTF-8 in it is replaced.
    pub(crate) fn text(&mut self, text: &[u8]) {
        let kept = self.keep([text]);
        self.stored.tape.nodes.push(Node::Text(kept));
    }

    /// Adds a text that is made of parts.
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

    /// Ends what was begun last.
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

    /// The envelope's time.
    pub(super) fn date(&self) -> Option<i64> {
        self.date
    }

    pub(super) fn tags(&self) -> Tags {
        self.tags
    }

    /// All fields, as a document of `encoding` has them.
    pub(super) fn root(&self, encoding: Encoding) -> ObjectView<'_> {
        ObjectView { tape: self.tape(encoding), line: &self.line, index: 0 }
    }

    fn tape(&self, encoding: Encoding) -> &Tape {
        if self.differs_in_bson && encoding == Encoding::Bson { &self.bson.tape } else { &self.stored.tape }
    }

    /// The names of fields that are there more than once.
    pub(super) fn duplicates(&self, encoding: Encoding) -> impl Iterator<Item = &str> {
        self.tape(encoding).duplicates(&self.line)
    }

    /// Writes the fields and the message, for which there is no rule or none that matches.
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
