//! Fields that are added to those of a record: [`Addition`], and [`Merging`], which writes them into the objects of the record.

use serde_json::Value as Json;

use crate::document::date::Date;
use crate::document::keys::Key;
use crate::document::{DocumentWriter, Encoding, Tags, write_text};

/// A field that is added to those of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addition<'a> {
    /// The levels of its name.
    pub keys: &'a [Key],
    pub value: Added<'a>,
    /// Its name if the record has a field of the first name; without one, the field is left out then.
    pub spare: Option<&'a [Key]>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Added<'a> {
    /// A value that is no object.
    Json(&'a Json),
    /// A text of the record.
    Text(&'a [u8]),
}

impl<'a> Addition<'a> {
    /// Returns the same field under its other name, if it has one.
    pub fn under_spare(self) -> Option<Addition<'a>> {
        Some(Addition { keys: self.spare?, spare: None, ..self })
    }

    /// Whether one of the names is the other one, or leads into it.
    pub fn excludes(&self, keys: &[Key]) -> bool {
        self.keys.iter().zip(keys).all(|(one, other)| one.name == other.name)
    }
}

/// Writes additions that stand in one object, `depth` levels below the document. Those with a common level follow each other.
pub(super) fn write_all<W: DocumentWriter>(additions: &[Addition<'_>], depth: usize, writer: &mut W, tags: &mut Tags) {
    let mut rest = additions;
    while let Some((Addition { keys, value, .. }, key)) = rest.first().and_then(|it| Some((it, it.keys.get(depth)?))) {
        let same = |other: &&Addition<'_>| other.keys.get(depth).is_some_and(|other| other.name == key.name);
        let (run, after) = rest.split_at(rest.iter().take_while(same).count());
        writer.key(key);
        if keys.len() == depth + 1 {
            match value {
                Added::Json(value) => write_json(value, writer),
                Added::Text(text) => write_text(text, writer, text.is_ascii(), tags),
            }
        } else {
            let mark = writer.open_object();
            write_all(run, depth + 1, writer, tags);
            writer.close_object(mark);
        }
        rest = after;
    }
}

fn write_json<W: DocumentWriter>(value: &Json, writer: &mut W) {
    match value {
        Json::Null => writer.null(),
        Json::Bool(value) => writer.bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => writer.int(value),
            (None, Some(value)) if !number.is_u64() && value.is_finite() => writer.float(value),
            _ => writer.text(number.to_string().as_bytes()),
        },
        Json::String(text) => writer.text(text.as_bytes()),
        Json::Array(items) => {
            let mark = writer.open_array();
            for (index, item) in items.iter().enumerate() {
                writer.item(index);
                write_json(item, writer);
            }
            writer.close_array(mark);
        }
        Json::Object(members) => {
            let mark = writer.open_object();
            for (name, member) in members {
                writer.key(&Key::stored(name, false));
                write_json(member, writer);
            }
            writer.close_object(mark);
        }
    }
}

/// An addition that was not written yet.
struct Pending<'a> {
    addition: Addition<'a>,
    /// The number of its levels that are the objects that are open now.
    within: usize,
    /// Whether the name that came last is its next level.
    is_next: bool,
    is_written: bool,
}

/// A writer that adds fields to those that are written to it. What is written counts; an addition with the same name gets its
/// other name, or is left out. Additions within an object stand at the end of that object.
pub(super) struct Merging<'w, 'a, W> {
    writer: &'w mut W,
    pending: Vec<Pending<'a>>,
    /// The number of open objects that additions lead into.
    depth: usize,
    /// The number of open objects and arrays beyond those. Nothing is added within them.
    beyond: usize,
    /// The names of the record at the top level that additions have as their other name.
    spares: Vec<String>,
    tags: Tags,
}

impl<'w, 'a, W: DocumentWriter> Merging<'w, 'a, W> {
    /// Returns a writer to `writer` that adds `additions`. Those with a common level follow each other.
    pub fn new(writer: &'w mut W, additions: impl IntoIterator<Item = Addition<'a>>) -> Self {
        let pending = |addition| Pending { addition, within: 0, is_next: false, is_written: false };
        let pending = additions.into_iter().map(pending).collect();
        Merging { writer, pending, depth: 0, beyond: 0, spares: Vec::new(), tags: Tags::default() }
    }

    /// Writes what was not written yet, and adds the tags that belong to it.
    pub fn finish(mut self, tags: &mut Tags) {
        self.write_pending();
        tags.merge(&self.tags);
    }

    fn announce(&mut self, name: &str) {
        if self.beyond > 0 {
            return;
        }
        let depth = self.depth;
        for pending in &mut self.pending {
            let Addition { keys, spare, .. } = pending.addition;
            let is_same = |key: &Key| key.name(W::ENCODING) == name;
            pending.is_next = !pending.is_written && pending.within == depth && keys.get(depth).is_some_and(is_same);
            if depth == 0 && spare.and_then(|spare| spare.first()).is_some_and(is_same) {
                self.spares.push(name.to_owned());
            }
            if pending.is_next && keys.len() == depth + 1 {
                pending.give_way();
            }
        }
    }

    /// The value after the last name is no object, so nothing can be added within it.
    fn pass(&mut self) {
        if self.beyond == 0 {
            self.pending.iter_mut().filter(|pending| pending.is_next).for_each(Pending::give_way);
        }
    }

    /// Writes the additions that stand in the open object.
    fn write_pending(&mut self) {
        let depth = self.depth;
        let mut due = Vec::new();
        for pending in self.pending.iter_mut().filter(|pending| !pending.is_written && pending.within == depth) {
            pending.is_written = true;
            let first = pending.addition.keys.first().map_or("", |key| key.name(W::ENCODING));
            if depth > 0 || !self.spares.iter().any(|name| name == first) {
                due.push(pending.addition);
            }
        }
        write_all(&due, depth, self.writer, &mut self.tags);
    }

    fn has_pending(&self) -> bool {
        self.pending.iter().any(|pending| !pending.is_written && pending.within == self.depth)
    }
}

impl Pending<'_> {
    /// The record has a field in its place.
    fn give_way(&mut self) {
        self.is_next = false;
        match self.addition.spare.take() {
            Some(spare) => (self.addition.keys, self.within) = (spare, 0),
            None => self.is_written = true,
        }
    }
}

impl<W: DocumentWriter> DocumentWriter for Merging<'_, '_, W> {
    const ENCODING: Encoding = W::ENCODING;

    fn key(&mut self, key: &Key) {
        self.announce(key.name(W::ENCODING));
        self.writer.key(key);
    }

    fn name(&mut self, name: &str) {
        self.announce(name);
        self.writer.name(name);
    }

    fn item(&mut self, index: usize) {
        self.writer.item(index);
    }

    fn null(&mut self) {
        self.pass();
        self.writer.null();
    }

    fn bool(&mut self, value: bool) {
        self.pass();
        self.writer.bool(value);
    }

    fn int(&mut self, value: i64) {
        self.pass();
        self.writer.int(value);
    }

    fn float(&mut self, value: f64) {
        self.pass();
        self.writer.float(value);
    }

    fn date(&mut self, date: Date) {
        self.pass();
        self.writer.date(date);
    }

    fn text(&mut self, text: &[u8]) {
        self.pass();
        self.writer.text(text);
    }

    fn lossy_text(&mut self, text: &[u8]) {
        self.pass();
        self.writer.lossy_text(text);
    }

    fn open_object(&mut self) -> usize {
        if self.beyond == 0 && self.pending.iter().any(|pending| pending.is_next) {
            self.depth += 1;
            for pending in self.pending.iter_mut().filter(|pending| pending.is_next) {
                (pending.within, pending.is_next) = (self.depth, false);
            }
        } else {
            self.beyond += 1;
        }
        self.writer.open_object()
    }

    fn close_object(&mut self, mark: usize) {
        if self.beyond > 0 {
            self.beyond -= 1;
        } else {
            self.write_pending();
            self.depth -= 1;
        }
        self.writer.close_object(mark);
    }

    fn open_array(&mut self) -> usize {
        self.pass();
        self.beyond += 1;
        self.writer.open_array()
    }

    fn close_array(&mut self, mark: usize) {
        self.beyond -= 1;
        self.writer.close_array(mark);
    }

    fn position(&self) -> usize {
        self.writer.position()
    }

    /// Takes back an object that stayed empty. Nothing is added within it.
    fn undo(&mut self, position: usize) {
        self.beyond -= 1;
        self.writer.undo(position);
    }

    fn is_empty(&self, mark: usize) -> bool {
        (self.beyond > 0 || !self.has_pending()) && self.writer.is_empty(mark)
    }
}

/// A writer that writes nothing. It shows which tags a document would have.
pub(super) struct Dry<const JSON: bool>(usize);

impl<const JSON: bool> Dry<JSON> {
    pub fn new() -> Self {
        Dry(0)
    }

    fn value(&mut self) {
        self.0 += 1;
    }
}

impl<const JSON: bool> DocumentWriter for Dry<JSON> {
    const ENCODING: Encoding = if JSON { Encoding::Json } else { Encoding::Bson };

    fn key(&mut self, _: &Key) {}

    fn name(&mut self, _: &str) {}

    fn item(&mut self, _: usize) {}

    fn null(&mut self) {
        self.value();
    }

    fn bool(&mut self, _: bool) {
        self.value();
    }

    fn int(&mut self, _: i64) {
        self.value();
    }

    fn float(&mut self, _: f64) {
        self.value();
    }

    fn date(&mut self, _: Date) {
        self.value();
    }

    fn text(&mut self, _: &[u8]) {
        self.value();
    }

    fn lossy_text(&mut self, _: &[u8]) {
        self.value();
    }

    fn open_object(&mut self) -> usize {
        self.0
    }

    fn close_object(&mut self, _: usize) {
        self.value();
    }

    fn open_array(&mut self) -> usize {
        self.0
    }

    fn close_array(&mut self, _: usize) {
        self.value();
    }

    fn position(&self) -> usize {
        self.0
    }

    fn undo(&mut self, position: usize) {
        self.0 = position;
    }

    fn is_empty(&self, mark: usize) -> bool {
        self.0 == mark
    }
}
