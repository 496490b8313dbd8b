//! [`DocumentWriter`]: the interface of both encodings, and the names of the tags of documents. A document is written by one piece of code, so JSON and BSON
//! cannot differ.

use std::sync::Arc;

use super::date::Date;
use super::encoded::Encoding;
use super::keys::Key;

/// Members of a document that are encoded once for many documents.
#[derive(Debug, Clone, Default)]
pub(crate) struct EncodedMembers {
    /// As the JSON writer writes them: a comma follows each.
    pub json: Vec<u8>,
    /// As BSON elements.
    pub bson: Vec<u8>,
}

/// A document under construction at the end of a buffer.
///
/// A value in an object is preceded by [`key`](DocumentWriter::key) or [`name`](DocumentWriter::name), a value in an
/// array by [`item`](DocumentWriter::item). Texts are UTF-8 unless the method says otherwise.
pub(crate) trait DocumentWriter {
    /// The encoding that the writer produces. Names depend on it.
    const ENCODING: Encoding;

    /// Whether a member of a JSON object can be copied as it is.
    const COPIES: bool = false;

    /// Writes members of a JSON object as they are: names, values and the commas between them.
    fn copy(&mut self, _members: &str) {}

    /// Appends members that were encoded before. Returns `false`, and writes nothing, if the writer needs them one by one.
    fn append(&mut self, _members: &EncodedMembers) -> bool {
        false
    }

    /// Writes the key of the next value. It is encoded already.
    fn key(&mut self, key: &Key);
    /// Writes the key of the next value and encodes it now. It holds no NUL.
    fn name(&mut self, name: &str);
    /// Announces the next value as number `index` of an array.
    fn item(&mut self, index: usize);

    fn null(&mut self);
    fn bool(&mut self, value: bool);
    fn int(&mut self, value: i64);
    /// Writes a number, which must be finite.
    fn float(&mut self, value: f64);
    /// Writes a date.
    fn date(&mut self, date: Date);
    /// Writes a text, which must be UTF-8.
    fn text(&mut self, text: &[u8]);
    /// Writes any bytes as a text. Invalid UTF-8 becomes U+FFFD.
    fn lossy_text(&mut self, text: &[u8]);

    /// Begins an object and returns the position of its content.
    fn open_object(&mut self) -> usize;
    fn close_object(&mut self, mark: usize);
    /// Begins an array and returns the position of its content.
    fn open_array(&mut self) -> usize;
    fn close_array(&mut self, mark: usize);

    /// Returns the position for [`undo`](DocumentWriter::undo).
    fn position(&self) -> usize;
    /// Removes everything written since `position`.
    fn undo(&mut self, position: usize);
    /// Returns whether the object or array is still empty.
    fn is_empty(&self, mark: usize) -> bool;
}

/// A kind of tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag(u32);

/// The tags of a document, in the order in which they are written to its field `tags`. A tag that is about a field is written
/// with the name of the field: `TAG:FIELD`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tags {
    kinds: u32,
    /// The tags that name a field. Few documents have one.
    named: Vec<(Tag, Arc<str>)>,
}

impl Tags {
    pub const UNMATCHED: Tag = Tag(1);
    pub const TYPE: Tag = Tag(2);
    pub const DATE: Tag = Tag(4);
    pub const UTF8: Tag = Tag(8);
    pub const NO_SYSLOG: Tag = Tag(16);
    pub const NO_JSON: Tag = Tag(32);
    /// The line is only a part of a line.
    pub const PARTIAL: Tag = Tag(64);
    /// The line is not wrapped as its container runtime wraps lines.
    pub const NO_CONTAINER: Tag = Tag(128);
    /// `@timestamp` is the time of arrival.
    pub const ARRIVAL: Tag = Tag(256);
    /// The record ended at a limit of time, lines or bytes.
    pub const MULTILINE_CUT: Tag = Tag(1 << 12);
    /// A text may be several dates.
    pub const AMBIGUOUS_DATE: Tag = Tag(512);
    /// The clock showed the time of a date twice.
    pub const FOLD: Tag = Tag(1024);

    const NAMES: [(Tag, &'static str); 12] = [
        (Tags::NO_SYSLOG, "_grokparsefailure_sysloginput"),
        (Tags::NO_JSON, "_jsonparsefailure"),
        (Tags::NO_CONTAINER, "_containerparsefailure"),
        (Tags::UNMATCHED, "_grokparsefailure"),
        (Tags::TYPE, "_typefailure"),
        (Tags::DATE, "_dateparsefailure"),
        (Tags::AMBIGUOUS_DATE, "_dateambiguous"),
        (Tags::FOLD, "_datefold"),
        (Tags::UTF8, "_invalid_utf8"),
        (Tags::PARTIAL, "_partial"),
        (Tags::MULTILINE_CUT, "_multilinecut"),
        (Tags::ARRIVAL, "_arrival_time"),
    ];

    /// The tags that say that a part of the record could not be read.
    const FAILURES: u32 = Tags::NO_SYSLOG.0
        | Tags::NO_JSON.0
        | Tags::NO_CONTAINER.0
        | Tags::UNMATCHED.0
        | Tags::TYPE.0
        | Tags::DATE.0
        | Tags::AMBIGUOUS_DATE.0;

    #[inline]
    pub fn add(&mut self, tag: Tag) {
        self.kinds |= tag.0;
    }

    /// Adds a tag that is about `field`.
    #[cold]
    pub fn add_of(&mut self, tag: Tag, field: &Arc<str>) {
        self.add(tag);
        if !self.named.iter().any(|(known, name)| *known == tag && name == field) {
            self.named.push((tag, Arc::clone(field)));
        }
    }

    /// Adds all tags of `other`.
    #[inline]
    pub fn merge(&mut self, other: &Tags) {
        self.kinds |= other.kinds;
        other.named.iter().for_each(|(tag, field)| self.add_of(*tag, field));
    }

    /// Whether `tag` was added.
    #[inline]
    pub fn has(&self, tag: Tag) -> bool {
        self.kinds & tag.0 != 0
    }

    /// Whether a part of the record could not be read.
    #[inline]
    pub fn has_failure(&self) -> bool {
        self.kinds & Tags::FAILURES != 0
    }

    /// Takes a tag away.
    #[inline]
    pub fn remove(&mut self, tag: Tag) {
        self.kinds &= !tag.0;
    }

    /// Writes the field `tags` if there are any tags, and calls `count` with each of them. `duplicates` are the names that
    /// occurred more than once.
    #[inline]
    pub fn write<'a, W: DocumentWriter>(
        &self,
        writer: &mut W,
        duplicates: impl Iterator<Item = &'a str>,
        count: &mut dyn FnMut(&str),
    ) {
        let mut duplicates = duplicates.peekable();
        if self.kinds != 0 || duplicates.peek().is_some() {
            self.write_all(writer, &mut duplicates, count);
        }
    }

    #[cold]
    fn write_all<W: DocumentWriter>(
        &self,
        writer: &mut W,
        duplicates: &mut dyn Iterator<Item = &str>,
        count: &mut dyn FnMut(&str),
    ) {
        writer.name("tags");
        let mark = writer.open_array();
        let mut index = 0;
        let mut write = |text: &str| {
            writer.item(index);
            writer.text(text.as_bytes());
            count(text);
            index += 1;
        };
        for (tag, name) in Self::NAMES.into_iter().filter(|(tag, _)| self.has(*tag)) {
            let mut is_named = false;
            for (_, field) in self.named.iter().filter(|(known, _)| *known == tag) {
                is_named = true;
                write(&format!("{name}:{field}"));
            }
            if !is_named {
                write(name);
            }
        }
        duplicates.for_each(|name| write(&format!("{DUPLICATE_TAG}{name}")));
        writer.close_array(mark);
    }
}

/// The tag for a name that occurs more than once: this text, followed by the name.
const DUPLICATE_TAG: &str = "_duplicate_field:";

/// Writes bytes as a text. Invalid UTF-8 is replaced, and the document is tagged.
#[inline]
pub(crate) fn write_text<W: DocumentWriter>(text: &[u8], writer: &mut W, ascii: bool, tags: &mut Tags) {
    if ascii || std::str::from_utf8(text).is_ok() {
        writer.text(text);
    } else {
        tags.add(Tags::UTF8);
        writer.lossy_text(text);
    }
}
