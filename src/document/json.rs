//! The JSON writer: one object on one line.

use super::date::{Date, MAX_ISO, write_iso};
use super::encoded::Encoding;
use super::escape::{write_escaped, write_replaced};
use super::keys::Key;
use super::writer::{DocumentWriter, EncodedMembers};
use crate::core::record::RecordId;

/// A JSON object under construction at the end of a buffer. A comma follows every value. Closing an object or array
/// replaces the last comma by the bracket.
pub(crate) struct Json<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Json<'a> {
    /// Begins a document and writes its `_id`.
    #[inline]
    pub fn begin(out: &'a mut Vec<u8>, id: &RecordId) -> Self {
        const START: &[u8; 8] = b"{\"_id\":\"";
        let mut head = [0; START.len() + RecordId::DIGITS + 2];
        head[..START.len()].copy_from_slice(START);
        head[START.len()..START.len() + RecordId::DIGITS].copy_from_slice(id.digits().as_bytes());
        head[START.len() + RecordId::DIGITS..].copy_from_slice(b"\",");
        out.extend_from_slice(&head);
        Json { out }
    }

    /// Begins an object without any member.
    pub fn begin_bare(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Json { out }
    }

    /// Writes values one after the other, without an object that holds them. A comma follows each of them.
    pub fn values(out: &'a mut Vec<u8>) -> Self {
        Json { out }
    }

    /// Ends the document.
    #[inline]
    pub fn end(self) {
        match self.out.last_mut() {
            Some(last) if *last == b',' => *last = b'}',
            _ => self.out.push(b'}'),
        }
    }

    fn close(&mut self, bracket: u8) {
        match self.out.last_mut() {
            Some(last) if *last == b',' => *last = bracket,
            _ => self.out.push(bracket),
        }
        self.out.push(b',');
    }
}

impl DocumentWriter for Json<'_> {
    const ENCODING: Encoding = Encoding::Json;
    const COPIES: bool = true;

    #[inline]
    fn copy(&mut self, members: &str) {
        self.out.extend_from_slice(members.as_bytes());
        self.out.push(b',');
    }

    #[inline]
    fn append(&mut self, members: &EncodedMembers) -> bool {
        self.out.extend_from_slice(&members.json);
        true
    }

    #[inline]
    fn key(&mut self, key: &Key) {
        key.json.write(self.out);
    }

    fn name(&mut self, name: &str) {
        self.out.push(b'"');
        write_escaped(name.as_bytes(), self.out);
        self.out.extend_from_slice(b"\":");
    }

    fn item(&mut self, _index: usize) {}

    fn null(&mut self) {
        self.out.extend_from_slice(b"null,");
    }

    fn bool(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"true," } else { b"false," });
    }

    #[inline]
    fn int(&mut self, value: i64) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self.out.push(b',');
    }

    fn float(&mut self, value: f64) {
        // serde_json writes the shortest text that reads back as the same number, always with a point or an exponent.
        serde_json::to_writer(&mut *self.out, &value).expect("a number is written to memory");
        self.out.push(b',');
    }

    #[inline]
    fn date(&mut self, date: Date) {
        if !date.is_whole_ms() {
            let mut text = [0; MAX_ISO];
            let length = date.write(&mut text);
            self.out.push(b'"');
            self.out.extend_from_slice(&text[..length]);
            return self.out.extend_from_slice(b"\",");
        }
        let mut text = [b'"'; 27];
        text[1..25].copy_from_slice(&write_iso(date.ms()));
        text[26] = b',';
        self.out.extend_from_slice(&text);
    }

    #[inline]
    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        write_escaped(text, self.out);
        self.out.extend_from_slice(b"\",");
    }

    #[cold]
    fn lossy_text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        write_replaced(text, self.out);
        self.out.extend_from_slice(b"\",");
    }

    fn open_object(&mut self) -> usize {
        self.out.push(b'{');
        self.out.len()
    }

    fn close_object(&mut self, _mark: usize) {
        self.close(b'}');
    }

    fn open_array(&mut self) -> usize {
        self.out.push(b'[');
        self.out.len()
    }

    fn close_array(&mut self, _mark: usize) {
        self.close(b']');
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
