//! [`DocumentWriter`]: the interface of both encodings, and the names of the tags of documents. A document is written by one piece of code, so JSON and BSON
//! cannot differ.

use super::date::Date;
use super::encoded::Encoding;
use super::keys::Key;

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

/// The tags of a document, in the order in which they are written to its field `tags`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tags(u16);

impl Tags {
    pub const UNMATCHED: Tags = Tags(1);
    pub const TYPE: Tags = Tags(2);
    pub const DATE: Tags = Tags(4);
    pub const UTF8: Tags = Tags(8);
    pub const NO_SYSLOG: Tags = Tags(16);
    pub const NO_JSON: Tags = Tags(32);
    /// The line is only a part of a line.
    pub const PARTIAL: Tags = Tags(64);
    /// The line is not wrapped as its container runtime wraps lines.
    pub const NO_CONTAINER: Tags = Tags(128);
    /// `@timestamp` is the time of arrival.
    pub const ARRIVAL: Tags = Tags(256);
    /// The record ended at a limit of time, lines or bytes.
    pub const MULTILINE_CUT: Tags = Tags(1 << 12);
    /// A text may be several dates.
    pub const AMBIGUOUS_DATE: Tags = Tags(512);
    /// The clock showed the time of a date twice.
    pub const FOLD: Tags = Tags(1024);

    const NAMES: [(Tags, &'static str); 12] = [
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

    #[inline]
    pub fn add(&mut self, tag: Tags) {
        self.0 |= tag.0;
    }

    /// Whether `tag` was added.
    pub fn has(self, tag: Tags) -> bool {
        self.0 & tag.0 != 0
    }

    /// Takes a tag away.
    #[inline]
    pub fn remove(&mut self, tag: Tags) {
        self.0 &= !tag.0;
    }

    /// Writes the field `tags` if there are any tags. `duplicates` are the names that occurred more than once.
    #[inline]
    pub fn write<'a, W: DocumentWriter>(self, writer: &mut W, duplicates: impl Iterator<Item = &'a str>) {
        let mut duplicates = duplicates.peekable();
        if self != Tags::default() || duplicates.peek().is_some() {
            self.write_all(writer, &mut duplicates);
        }
    }

    #[cold]
    fn write_all<W: DocumentWriter>(self, writer: &mut W, duplicates: &mut dyn Iterator<Item = &str>) {
        writer.name("tags");
        let mark = writer.open_array();
        let present = Self::NAMES.iter().filter(|(tag, _)| self.0 & tag.0 != 0);
        let mut index = 0;
        for (_, name) in present {
            writer.item(index);
            writer.text(name.as_bytes());
            index += 1;
        }
        for name in duplicates {
            writer.item(index);
            writer.text(format!("{DUPLICATE_TAG}{name}").as_bytes());
            index += 1;
        }
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
