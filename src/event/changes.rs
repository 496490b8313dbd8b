//! [`Changes`]: the fields of an event that were set or removed, and [`Changed`], which writes them into its document.

use std::ops::Range;

use super::value::{FieldPath, Value, write_value};
use crate::document::date::Date;
use crate::document::keys::Key;
use crate::document::{DocumentWriter, Encoding, Tags};

/// The fields that were set or removed. The memory is reused from event to event.
#[derive(Debug, Default)]
pub struct Changes {
    /// No path holds another one, unless the outer one is removed.
    entries: Vec<Change>,
    /// The texts that were set.
    texts: Vec<u8>,
    /// Working memory: the names of the levels above the value that is written, and where each ends.
    names: String,
    ends: Vec<usize>,
}

#[derive(Debug)]
struct Change {
    path: FieldPath,
    /// `None` if the field is removed.
    value: Option<Kept>,
    written: bool,
}

#[derive(Debug, Clone)]
enum Kept {
    Plain(Value<'static>),
    Text(Range<usize>),
}

impl Change {
    fn is_due(&self) -> bool {
        self.value.is_some() && !self.written
    }

    fn value<'a>(&self, texts: &'a [u8]) -> Option<Value<'a>> {
        Some(match self.value.as_ref()? {
            Kept::Plain(value) => *value,
            Kept::Text(range) => Value::Text(&texts[range.clone()]),
        })
    }
}

impl Changes {
    /// Notes that `name` is the name at `depth` levels below the top.
    fn enter(&mut self, depth: usize, name: &str) {
        self.ends.truncate(depth);
        self.names.truncate(self.ends.last().copied().unwrap_or_default());
        self.names.push_str(name);
        self.ends.push(self.names.len());
    }

    /// Iterates over the changes of the field with the first `length` names, and of those within it.
    fn at(&self, encoding: Encoding, length: usize) -> impl Iterator<Item = &Change> {
        let within = move |change: &&Change| {
            let keys = change.path.keys();
            let mut start = 0;
            keys.len() >= length
                && self.ends[..length].iter().zip(keys).all(|(&end, key)| {
                    let name = &self.names[std::mem::replace(&mut start, end)..end];
                    name == key.name(encoding)
                })
        };
        self.entries.iter().filter(within)
    }

    /// Returns the index of the first value that has to be written in the object of the first `length` names.
    fn due(&self, encoding: Encoding, length: usize) -> Option<usize> {
        let first = self.at(encoding, length).find(|change| change.is_due())?;
        self.entries.iter().position(|change| std::ptr::eq(change, first))
    }

    /// Removes all changes and keeps the memory.
    #[inline]
    pub(super) fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.entries.clear();
            self.texts.clear();
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the value of the field `path` if it was set, `Some(None)` if the changes leave none, and `None` if the
    /// field is as it was.
    pub(super) fn get(&self, path: &FieldPath) -> Option<Option<Value<'_>>> {
        let same = self.entries.iter().find(|change| change.path.holds(path) && path.holds(&change.path));
        if let Some(change) = same {
            return Some(change.value(&self.texts));
        }
        let touched = |change: &Change| change.path.holds(path) || (change.value.is_some() && path.holds(&change.path));
        self.entries.iter().any(touched).then_some(None)
    }

    pub(super) fn set(&mut self, path: &FieldPath, value: Value<'_>) {
        let value = match value {
            Value::Text(text) => {
                let start = self.texts.len();
                self.texts.extend_from_slice(text);
                Kept::Text(start..self.texts.len())
            }
            Value::Null => Kept::Plain(Value::Null),
            Value::Bool(value) => Kept::Plain(Value::Bool(value)),
            Value::Int(value) => Kept::Plain(Value::Int(value)),
            Value::Float(value) => Kept::Plain(Value::Float(value)),
            Value::Date(date) => Kept::Plain(Value::Date(date)),
        };
        self.entries.retain(|change| !path.holds(&change.path));
        // A value in the place of an object gives way to it.
        self.entries.iter_mut().filter(|change| change.path.holds(path)).for_each(|change| change.value = None);
        self.entries.push(Change { path: path.clone(), value: Some(value), written: false });
    }

    pub(super) fn remove(&mut self, path: &FieldPath) {
        self.entries.retain(|change| !path.holds(&change.path));
        self.entries.push(Change { path: path.clone(), value: None, written: false });
    }
}

/// A writer that leaves out what was removed, and puts what was set at the end of its object.
pub(super) struct Changed<'w, W> {
    writer: &'w mut W,
    changes: Changes,
    /// The number of open containers that are left out. Nothing is written within them.
    left_out: usize,
    /// The number of open arrays, and of open objects within the first of them. No path leads into an array.
    in_array: usize,
    /// The number of open objects, not counting those in arrays.
    depth: usize,
    /// Whether the next value is left out.
    skips: bool,
    /// What the values that were set add to the tags.
    tags: Tags,
    /// The position of the key of the next value.
    key_at: usize,
}

impl<'w, W: DocumentWriter> Changed<'w, W> {
    /// Returns a writer to `writer` that makes `changes`.
    pub fn new(writer: &'w mut W, mut changes: Changes) -> Self {
        changes.entries.iter_mut().for_each(|change| change.written = false);
        changes.names.clear();
        changes.ends.clear();
        Changed { writer, changes, left_out: 0, in_array: 0, depth: 0, skips: false, tags: Tags::default(), key_at: 0 }
    }

    /// Writes what was set and has not been written. Returns the changes.
    pub fn finish(mut self, tags: &mut Tags) -> Changes {
        self.write_rest(0);
        tags.merge(&self.tags);
        self.changes
    }

    /// Notes the name of the next value. Returns whether its key is to be written.
    fn begin(&mut self, name: &str) -> bool {
        if self.left_out > 0 {
            return false;
        }
        self.key_at = self.writer.position();
        if self.in_array == 0 {
            self.changes.enter(self.depth, name);
            let length = self.depth + 1;
            self.skips = self.changes.at(W::ENCODING, length).any(|change| change.path.keys().len() == length);
        }
        !self.skips
    }

    /// Returns whether something was set in the object of the first `length` names and has not been written.
    fn has_rest(&self, length: usize) -> bool {
        self.in_array == 0 && self.changes.at(W::ENCODING, length).any(|change| change.is_due())
    }

    /// Returns whether the next value is written. A value in the place of an object gives way to it.
    fn takes(&mut self, is_object: bool) -> bool {
        if self.left_out > 0 || std::mem::take(&mut self.skips) {
            return false;
        }
        if !is_object && self.has_rest(self.depth + 1) {
            self.writer.undo(self.key_at);
            return false;
        }
        true
    }

    /// Writes what was set in the object of the first `length` names.
    fn write_rest(&mut self, length: usize) {
        while let Some(index) = self.changes.due(W::ENCODING, length) {
            let path = self.changes.entries[index].path.clone();
            let key = &path.keys()[length];
            self.writer.key(key);
            if path.keys().len() > length + 1 {
                self.changes.enter(length, key.name(W::ENCODING));
                let mark = self.writer.open_object();
                self.write_rest(length + 1);
                self.writer.close_object(mark);
            } else {
                let Changes { entries, texts, .. } = &mut self.changes;
                entries[index].written = true;
                if let Some(value) = entries[index].value(texts) {
                    write_value(value, self.writer, &mut self.tags);
                }
            }
        }
    }
}

impl<W: DocumentWriter> DocumentWriter for Changed<'_, W> {
    const ENCODING: Encoding = W::ENCODING;

    fn key(&mut self, key: &Key) {
        if self.begin(key.name(W::ENCODING)) {
            self.writer.key(key);
        }
    }

    fn name(&mut self, name: &str) {
        if self.begin(name) {
            self.writer.name(name);
        }
    }

    fn item(&mut self, index: usize) {
        if self.left_out == 0 {
            self.writer.item(index);
        }
    }

    fn null(&mut self) {
        if self.takes(false) {
            self.writer.null();
        }
    }

    fn bool(&mut self, value: bool) {
        if self.takes(false) {
            self.writer.bool(value);
        }
    }

    fn int(&mut self, value: i64) {
        if self.takes(false) {
            self.writer.int(value);
        }
    }

    fn float(&mut self, value: f64) {
        if self.takes(false) {
            self.writer.float(value);
        }
    }

    fn date(&mut self, date: Date) {
        if self.takes(false) {
            self.writer.date(date);
        }
    }

    fn text(&mut self, text: &[u8]) {
        if self.takes(false) {
            self.writer.text(text);
        }
    }

    fn lossy_text(&mut self, text: &[u8]) {
        if self.takes(false) {
            self.writer.lossy_text(text);
        }
    }

    fn open_object(&mut self) -> usize {
        if !self.takes(true) {
            self.left_out += 1;
            return 0;
        }
        *(if self.in_array > 0 { &mut self.in_array } else { &mut self.depth }) += 1;
        self.writer.open_object()
    }

    fn close_object(&mut self, mark: usize) {
        if self.left_out > 0 {
            self.left_out -= 1;
            return;
        }
        if self.in_array > 0 {
            self.in_array -= 1;
        } else {
            self.write_rest(self.depth);
            self.depth -= 1;
        }
        self.writer.close_object(mark);
    }

    fn open_array(&mut self) -> usize {
        if !self.takes(false) {
            self.left_out += 1;
            return 0;
        }
        self.in_array += 1;
        self.writer.open_array()
    }

    fn close_array(&mut self, mark: usize) {
        if self.left_out > 0 {
            self.left_out -= 1;
            return;
        }
        self.in_array -= 1;
        self.writer.close_array(mark);
    }

    fn position(&self) -> usize {
        self.writer.position()
    }

    /// Takes back an object that stayed empty.
    fn undo(&mut self, position: usize) {
        self.writer.undo(position);
        self.depth -= 1;
    }

    fn is_empty(&self, mark: usize) -> bool {
        self.left_out == 0 && !self.has_rest(self.depth) && self.writer.is_empty(mark)
    }
}
