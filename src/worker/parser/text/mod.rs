//! From the bytes of a record to its text: [`Texts`] decodes the encoding of the content, and leaves out the byte order mark and
//! the sequences that control a terminal. Ids and dead letters are made from the bytes, so nothing here changes them.

mod decode;

use std::borrow::Cow;

use encoding_rs::Encoding;
use memchr::memchr;

use crate::core::ansi;
use crate::core::batch::Batch;
use crate::core::context::Origin;
use crate::core::lines::without_mark;

/// Makes the texts of records. Each thread has its own; its memory is used again for the next record.
#[derive(Debug, Default)]
pub struct Texts {
    keeps_ansi: bool,
    /// Whether the batch holds the character ESC, in the bytes that it has.
    has_escapes: bool,
    /// The encoding that was looked up last, by its name.
    known: Option<(String, Option<&'static Encoding>)>,
    decoded: Vec<u8>,
    plain: Vec<u8>,
}

impl Texts {
    /// Creates the buffers. With `keeps_ansi`, sequences that control a terminal stay.
    pub fn new(keeps_ansi: bool) -> Texts {
        Texts { keeps_ansi, has_escapes: true, ..Texts::default() }
    }

    /// Begins a batch. One look at all its bytes replaces a look at each record.
    pub fn begin(&mut self, batch: &Batch) {
        self.has_escapes = !self.keeps_ansi && memchr(ansi::ESCAPE, &batch.data).is_some();
    }

    /// Returns the text of `record`, which begins at `offset` of a content of `origin`. The text of a record in UTF-8 without
    /// sequences is a part of the record.
    #[inline]
    pub fn of<'a>(&'a mut self, record: &'a [u8], offset: u64, origin: &Origin) -> &'a [u8] {
        match &origin.encoding {
            None if !self.has_escapes => without_mark(record, offset),
            encoding => self.convert(record, offset, encoding.as_deref(), true),
        }
    }

    /// Returns the text of `record` as [`of`](Texts::of) does, but with the sequences that control a terminal: an id is made from
    /// a part of it.
    #[inline]
    pub fn with_ansi<'a>(&'a mut self, record: &'a [u8], offset: u64, origin: &Origin) -> &'a [u8] {
        match &origin.encoding {
            None => without_mark(record, offset),
            encoding => self.convert(record, offset, encoding.as_deref(), false),
        }
    }

    #[cold]
    fn convert<'a>(&'a mut self, record: &'a [u8], offset: u64, encoding: Option<&str>, strips: bool) -> &'a [u8] {
        let Texts { keeps_ansi, known, decoded, plain, .. } = self;
        let record = match encoding.and_then(|name| lookup(known, name)) {
            None => record,
            Some(encoding) => {
                decoded.clear();
                decode::decode(encoding, record, decoded);
                &decoded[..]
            }
        };
        let record = without_mark(record, offset);
        match strips && !*keeps_ansi {
            true => ansi::without(record, plain),
            false => record,
        }
    }
}

/// Leaves out the sequences that control a terminal in messages that were taken out of an envelope. Each thread has its own.
#[derive(Debug, Default)]
pub struct Messages {
    keeps_ansi: bool,
    plain: Vec<u8>,
}

impl Messages {
    /// Creates the buffer. With `keeps_ansi`, sequences stay.
    pub fn new(keeps_ansi: bool) -> Messages {
        Messages { keeps_ansi, plain: Vec::new() }
    }

    /// Returns `message` without sequences.
    #[inline]
    pub fn of<'a>(&'a mut self, message: &'a [u8]) -> &'a [u8] {
        if self.keeps_ansi { message } else { ansi::without(message, &mut self.plain) }
    }
}

/// Returns the text of `record` in UTF-8, with the sequences that control a terminal, for a peer that knows no other encoding.
pub fn in_utf8<'a>(record: &'a [u8], offset: u64, origin: &Origin) -> Cow<'a, [u8]> {
    let Some(encoding) = origin.encoding.as_deref().and_then(decode::encoding) else { return Cow::Borrowed(record) };
    let mut decoded = Vec::new();
    decode::decode(encoding, record, &mut decoded);
    Cow::Owned(without_mark(&decoded, offset).to_vec())
}

fn lookup(known: &mut Option<(String, Option<&'static Encoding>)>, name: &str) -> Option<&'static Encoding> {
    if known.as_ref().is_none_or(|(last, _)| last != name) {
        *known = Some((name.to_owned(), decode::encoding(name)));
    }
    known.as_ref().and_then(|(_, encoding)| *encoding)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn origin(encoding: Option<&str>) -> Origin {
        Origin { encoding: encoding.map(str::to_owned), ..Origin::new(1, "x") }
    }

    fn text(encoding: Option<&str>, record: &[u8], offset: u64, keeps_ansi: bool) -> String {
        let mut text = Texts::new(keeps_ansi);
        let batch = Batch::new(Arc::new(origin(encoding)), offset, 1, record.to_vec().into());
        text.begin(&batch);
        String::from_utf8_lossy(text.of(record, offset, &batch.context.origin)).into_owned()
    }

    #[test]
    fn a_record_becomes_text_without_mark_and_sequences() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for (encoding, record, offset, shown) in [
            (None, b"\xef\xbb\xbfa\x1b[31mb".to_vec(), 0, "ab"),
            (None, b"\xef\xbb\xbfab".to_vec(), 3, "\u{feff}ab"),
            (Some("UTF-16LE"), utf16("\u{feff}a\u{1b}[31mb"), 0, "ab"),
            (Some("windows-1252"), b"\x1b[1mcaf\xe9".to_vec(), 7, "café"),
            (Some("iso-2022-jp"), b"\x1b$B%m%0\x1b(B".to_vec(), 7, "ログ"),
            // A name that this version does not know: the bytes are taken as UTF-8.
            (Some("later-2"), b"ab".to_vec(), 0, "ab"),
        ] {
            assert_eq!(text(encoding, &record, offset, false), shown, "{encoding:?} {record:x?}");
        }
        assert_eq!(text(None, b"a\x1b[31mb", 0, true), "a\x1b[31mb");
    }

    #[test]
    fn a_plain_record_is_not_copied() {
        let record = b"\xef\xbb\xbfplain".to_vec();
        let mut text = Texts::new(false);
        let of = text.of(&record, 0, &origin(None));
        assert_eq!(of.as_ptr(), record[3..].as_ptr());
        assert!(matches!(in_utf8(&record, 0, &origin(None)), Cow::Borrowed(_)));
    }
}
