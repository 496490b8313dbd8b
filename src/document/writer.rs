//! What the two encodings have in common: a document is written once, to a [`DocumentWriter`], so that JSON and BSON cannot differ.

use super::encoded::Encoding;
use super::keys::Key;

/// One document under construction at the end of a buffer.
///
/// Each value is preceded by [`key`](DocumentWriter::key) or [`name`](DocumentWriter::name) in an object and by [`item`](DocumentWriter::item) in an
/// array. Texts given as bytes are UTF-8 unless said otherwise.
pub(super) trait DocumentWriter {
    /// Where an object or array began.
    type Mark: Copy;
    /// Which one it is: names depend on it.
    const ENCODING: Encoding;

    /// The key of the next value, encoded beforehand.
    fn key(&mut self, key: &Key);
    /// The key of the next value, encoded now; it holds no NUL.
    fn name(&mut self, name: &str);
    /// The next value is the `index`th of an array.
    fn item(&mut self, index: usize);

    fn null(&mut self);
    fn bool(&mut self, value: bool);
    fn int(&mut self, value: i64);
    /// `value` is finite.
    fn float(&mut self, value: f64);
    /// Milliseconds since 1970, in the years 0 to 9999.
    fn date(&mut self, ms: i64);
    /// UTF-8.
    fn text(&mut self, text: &[u8]);
    /// Any bytes: what is not UTF-8 becomes U+FFFD.
    fn lossy_text(&mut self, text: &[u8]);

    fn open_object(&mut self) -> Self::Mark;
    fn close_object(&mut self, mark: Self::Mark);
    fn open_array(&mut self) -> Self::Mark;
    fn close_array(&mut self, mark: Self::Mark);

    /// The position to go back to with [`undo`](DocumentWriter::undo).
    fn position(&self) -> usize;
    /// Takes back what was written since `position`.
    fn undo(&mut self, position: usize);
    /// Whether nothing was written into the object or array since it was opened.
    fn is_empty(&self, mark: Self::Mark) -> bool;
}

/// The marks a document can bear in its `tags`, in the order they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tags(u8);

impl Tags {
    pub const UNMATCHED: Tags = Tags(1);
    pub const TYPE: Tags = Tags(2);
    pub const DATE: Tags = Tags(4);
    pub const UTF8: Tags = Tags(8);
    pub const NO_SYSLOG: Tags = Tags(16);
    pub const NO_JSON: Tags = Tags(32);
    /// The line is a part of a line.
    pub const PARTIAL: Tags = Tags(64);

    const NAMES: [(Tags, &'static str); 7] = [
        (Tags::NO_SYSLOG, "_grokparsefailure_sysloginput"),
        (Tags::NO_JSON, "_jsonparsefailure"),
        (Tags::UNMATCHED, "_grokparsefailure"),
        (Tags::TYPE, "_typefailure"),
        (Tags::DATE, "_dateparsefailure"),
        (Tags::UTF8, "_invalid_utf8"),
        (Tags::PARTIAL, "_partial"),
    ];

    #[inline]
    pub fn add(&mut self, tag: Tags) {
        self.0 |= tag.0;
    }

    /// Writes `tags` if there are any; `duplicates` are the names of fields that were there more than once.
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

/// The tag of a field of which a line has several, before the field's name.
const DUPLICATE_TAG: &str = "_duplicate_field:";

/// Writes bytes as text; what is not UTF-8 is replaced and the document is marked.
#[inline]
pub(super) fn write_text<W: DocumentWriter>(text: &[u8], writer: &mut W, ascii: bool, tags: &mut Tags) {
    if ascii || std::str::from_utf8(text).is_ok() {
        writer.text(text);
    } else {
        tags.add(Tags::UTF8);
        writer.lossy_text(text);
    }
}
