//! The BSON writer (bsonspec.org, version 1.1): double, string, object, array, boolean, date, null and int64.

use super::bson_type::{ARRAY, BOOL, DATE, DOUBLE, INT64, NULL, OBJECT, TEXT};
use super::date::Date;
use super::encoded::Encoding;
use super::keys::Key;
use super::writer::{DocumentWriter, EncodedMembers};
use crate::core::record::RecordId;

/// A BSON document under construction at the end of a buffer.
pub(crate) struct Bson<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    /// The position of the type byte of the next value: it precedes the key.
    kind_at: usize,
}

impl<'a> Bson<'a> {
    /// Begins a document and writes its `_id`.
    #[inline]
    pub fn begin(out: &'a mut Vec<u8>, id: &RecordId) -> Self {
        const START: &[u8; 13] = b"\0\0\0\0\x02_id\0\x2d\0\0\0";
        const { assert!(RecordId::DIGITS + 1 == 0x2d) };
        let start = out.len();
        let mut head = [0; START.len() + RecordId::DIGITS + 1];
        head[..START.len()].copy_from_slice(START);
        head[START.len()..START.len() + RecordId::DIGITS].copy_from_slice(id.digits().as_bytes());
        out.extend_from_slice(&head);
        Bson { out, start, kind_at: 0 }
    }

    /// Begins a document without any member.
    pub fn begin_bare(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        Bson { out, start, kind_at: 0 }
    }

    /// Writes elements one after the other, without a document that holds them.
    pub fn elements(out: &'a mut Vec<u8>) -> Self {
        Bson { out, start: 0, kind_at: 0 }
    }

    /// Ends the document: writes its closing NUL and its length.
    #[inline]
    pub fn end(self) {
        self.out.push(0);
        let length = self.out.len() - self.start;
        patch(self.out, self.start, length);
    }

    #[inline]
    fn value<const N: usize>(&mut self, kind: u8, bytes: [u8; N]) {
        self.out[self.kind_at] = kind;
        self.out.extend_from_slice(&bytes);
    }

    fn open(&mut self, kind: u8) -> usize {
        self.out[self.kind_at] = kind;
        self.out.extend_from_slice(&[0; 4]);
        self.out.len()
    }

    fn close(&mut self, mark: usize) {
        self.out.push(0);
        let length = self.out.len() - (mark - 4);
        patch(self.out, mark - 4, length);
    }
}

/// Returns `length` as BSON writes it. A document over 2 GiB has no valid length, but stores refuse far smaller ones.
#[inline]
fn length_bytes(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap_or(i32::MAX).to_le_bytes()
}

#[inline]
fn patch(out: &mut [u8], at: usize, length: usize) {
    out[at..at + 4].copy_from_slice(&length_bytes(length));
}

impl DocumentWriter for Bson<'_> {
    const ENCODING: Encoding = Encoding::Bson;

    #[inline]
    fn append(&mut self, members: &EncodedMembers) -> bool {
        self.out.extend_from_slice(&members.bson);
        true
    }

    #[inline]
    fn key(&mut self, key: &Key) {
        self.kind_at = self.out.len();
        key.bson.write(self.out);
    }

    fn name(&mut self, name: &str) {
        self.kind_at = self.out.len();
        self.out.push(TEXT);
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(0);
    }

    fn item(&mut self, index: usize) {
        self.name(itoa::Buffer::new().format(index));
    }

    fn null(&mut self) {
        self.value(NULL, []);
    }

    fn bool(&mut self, value: bool) {
        self.value(BOOL, [u8::from(value)]);
    }

    #[inline]
    fn int(&mut self, value: i64) {
        self.value(INT64, value.to_le_bytes());
    }

    fn float(&mut self, value: f64) {
        self.value(DOUBLE, value.to_le_bytes());
    }

    #[inline]
    fn date(&mut self, date: Date) {
        self.value(DATE, date.ms().to_le_bytes());
    }

    /// The type byte is already correct: `key` and `name` write the type byte of a string.
    #[inline]
    fn text(&mut self, text: &[u8]) {
        self.out.extend_from_slice(&length_bytes(text.len() + 1));
        self.out.extend_from_slice(text);
        self.out.push(0);
    }

    #[cold]
    fn lossy_text(&mut self, text: &[u8]) {
        let start = self.open(TEXT);
        for chunk in text.utf8_chunks() {
            self.out.extend_from_slice(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.out.extend_from_slice("\u{FFFD}".as_bytes());
            }
        }
        self.out.push(0);
        let length = self.out.len() - start;
        patch(self.out, start - 4, length);
    }

    fn open_object(&mut self) -> usize {
        self.open(OBJECT)
    }

    fn close_object(&mut self, mark: usize) {
        self.close(mark);
    }

    fn open_array(&mut self) -> usize {
        self.open(ARRAY)
    }

    fn close_array(&mut self, mark: usize) {
        self.close(mark);
    }

    fn position(&self) -> usize {
        self.out.len()
    }

    fn undo(&mut self, position: usize) {
        self.out.truncate(position);
    }

    fn is_empty(&self, mark: usize) -> bool {
        self.out.len() == mark
    }
}
