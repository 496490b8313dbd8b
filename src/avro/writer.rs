//! [`AvroWriter`]: takes the fields of an event in their order, and gives an Avro record with the fields in the order of the
//! schema.
//!
//! Each value is encoded into memory that all documents reuse, and [`Memory::finish`] puts the values in order. What has no
//! place in the schema goes into the map `extra`: the name of the field, and its value as a text. A text is itself, and any
//! other value is its JSON text.

use super::binary::{write_bytes, write_length, write_long};
use super::plan::{Field, Leaf, Plan, Record, Scalar, Shape};
use super::single::Single;
use crate::document::date::Date;
use crate::document::keys::Key;
use crate::document::{DocumentWriter, Encoding, Json};

/// The memory of a writer.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The encoded values, in the order in which they came.
    values: Vec<u8>,
    /// For each slot, where its value stands; an empty range if it has none.
    slots: Vec<(usize, usize)>,
    /// The names and values of the map `extra`, and their number.
    extra: Vec<u8>,
    extra_count: usize,
    /// The open objects that are records of the schema. The first is the document.
    open: Vec<Open>,
    next: Next,
    /// The name of the next value, if the schema does not have it.
    unknown: String,
    /// A value that is written as JSON because it is an object or an array.
    json: Vec<u8>,
    /// Where the open containers in `json` begin.
    containers: Vec<usize>,
    /// The field that the array in `json` belongs to, as long as all its items have the types of that field.
    list: Option<Leaf>,
    items: Vec<u8>,
    item_count: usize,
    /// The number of steps before those that `json` counts.
    steps: usize,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    record: usize,
    /// The index of the field that is probably the next one.
    likely: usize,
    /// The number of steps when it was opened.
    at: usize,
}

/// The field of the next value.
#[derive(Debug, Clone, Copy, Default)]
enum Next {
    /// A field of the open record.
    Field(usize),
    #[default]
    Unknown,
}

impl Memory {
    /// Begins a document.
    pub fn begin(&mut self, plan: &Plan) {
        self.values.clear();
        self.slots.clear();
        self.slots.resize(plan.slots, (0, 0));
        self.extra.clear();
        (self.extra_count, self.steps) = (0, 0);
        self.json.clear();
        self.containers.clear();
        self.list = None;
        self.open.clear();
        self.open.push(Open { record: 0, likely: 0, at: 0 });
    }

    /// Appends the record to `out`.
    pub fn finish(&self, plan: &Plan, out: &mut Vec<u8>) {
        if let Some(root) = plan.records.first() {
            self.finish_record(plan, root, out);
        }
        if self.extra_count == 0 {
            out.push(0);
        } else {
            write_long(1, out);
            write_length(self.extra_count, out);
            out.extend_from_slice(&self.extra);
            out.push(0);
        }
    }

    fn finish_record(&self, plan: &Plan, record: &Record, out: &mut Vec<u8>) {
        for field in &record.fields {
            match field.shape {
                Shape::Leaf(leaf) => match self.slots.get(leaf.slot).copied().unwrap_or_default() {
                    // Null is the first branch.
                    (0, 0) => out.push(0),
                    (start, end) => out.extend_from_slice(&self.values[start..end]),
                },
                Shape::Record(index) => match plan.records.get(index) {
                    Some(inner) if self.slots[inner.slots.clone()].iter().any(|slot| *slot != (0, 0)) => {
                        write_long(1, out);
                        self.finish_record(plan, inner, out);
                    }
                    _ => out.push(0),
                },
            }
        }
    }
}

/// A document under construction.
pub(super) struct AvroWriter<'a> {
    plan: &'a Plan,
    memory: &'a mut Memory,
}

impl<'a> AvroWriter<'a> {
    /// Begins a document.
    pub fn begin(plan: &'a Plan, memory: &'a mut Memory) -> AvroWriter<'a> {
        memory.begin(plan);
        AvroWriter { plan, memory }
    }

    /// Returns whether a value is being written as JSON.
    #[inline]
    fn is_nested(&self) -> bool {
        !self.memory.containers.is_empty()
    }

    fn json(&mut self) -> Json<'_> {
        Json::values(&mut self.memory.json)
    }

    /// Returns the open record, and the index of its field that is probably the next one.
    #[inline]
    fn record(&self) -> Option<(&'a Record, usize)> {
        let open = self.memory.open.last()?;
        Some((self.plan.records.get(open.record)?, open.likely))
    }

    /// Returns the field of the next value.
    #[inline]
    fn next(&self) -> Option<&'a Field> {
        let Next::Field(index) = self.memory.next else { return None };
        self.record()?.0.fields.get(index)
    }

    /// Looks for the field `name`. Fields mostly come in the order of the schema.
    #[inline]
    fn announce(&mut self, name: &str) {
        self.memory.steps += 1;
        let found = self.record().and_then(|(record, likely)| {
            let fields = record.fields.iter().enumerate();
            let (before, after) = (fields.clone().take(likely), fields.skip(likely));
            after.chain(before).find(|(_, field)| field.name == name).map(|(index, _)| index)
        });
        match (found, self.memory.open.last_mut()) {
            (Some(index), Some(open)) => {
                open.likely = index + 1;
                self.memory.next = Next::Field(index);
            }
            _ => {
                self.memory.next = Next::Unknown;
                self.memory.unknown.clear();
                self.memory.unknown.push_str(name);
            }
        }
    }

    #[inline]
    fn single(&mut self, value: Single<'_>) {
        if self.is_nested() {
            value.write_json(&mut self.json());
            return self.item_of_list(value);
        }
        self.memory.steps += 1;
        if let Some(Shape::Leaf(leaf)) = self.next().map(|field| field.shape)
            && let Some((scalar, rank)) = value.choose(leaf.scalars)
        {
            let Memory { values, slots, .. } = &mut *self.memory;
            let start = values.len();
            write_long(i64::from(rank) + 1, values);
            value.write(scalar, values);
            if let Some(slot) = slots.get_mut(leaf.slot) {
                *slot = (start, values.len());
            }
            return;
        }
        self.write_extra_name();
        value.write(Scalar::Text, &mut self.memory.extra);
    }

    /// Adds an item to the list that is open. The list is no list of its field if an item has another type.
    fn item_of_list(&mut self, value: Single<'_>) {
        let Some(types) = self.memory.list.and_then(|leaf| leaf.items) else { return };
        match value.choose(types) {
            Some((scalar, rank)) if self.memory.containers.len() == 1 => {
                if types.len() > 1 {
                    write_long(i64::from(rank), &mut self.memory.items);
                }
                value.write(scalar, &mut self.memory.items);
                self.memory.item_count += 1;
            }
            _ => self.memory.list = None,
        }
    }

    /// Begins an entry of the map `extra` with the name of the next value.
    fn write_extra_name(&mut self) {
        let path = self.record().map_or("", |(record, _)| record.path.as_str());
        let name = self.next().map(|field| field.name.as_str());
        let Memory { extra, extra_count, unknown, .. } = &mut *self.memory;
        let name = name.unwrap_or(unknown.as_str());
        *extra_count += 1;
        if path.is_empty() {
            return write_bytes(name.as_bytes(), extra);
        }
        write_length(path.len() + name.len() + 2, extra);
        for part in [path, "[", name, "]"] {
            extra.extend_from_slice(part.as_bytes());
        }
    }

    /// Begins a container that is written as JSON.
    fn open_container(&mut self, is_array: bool) -> usize {
        if self.is_nested() {
            self.memory.list = None;
        } else {
            self.memory.steps += 1;
            self.memory.list = match self.next().map(|field| field.shape) {
                Some(Shape::Leaf(leaf)) if is_array && leaf.items.is_some() => Some(leaf),
                _ => None,
            };
            self.memory.items.clear();
            self.memory.item_count = 0;
        }
        let mark = if is_array { self.json().open_array() } else { self.json().open_object() };
        self.memory.containers.push(mark);
        self.memory.steps + mark
    }

    /// Ends a container, and writes the value if this is its end.
    fn close_container(&mut self, is_array: bool) {
        if is_array {
            self.json().close_array(0);
        } else {
            self.json().close_object(0);
        }
        self.memory.containers.pop();
        if self.is_nested() {
            return;
        }
        match self.memory.list.take() {
            Some(leaf) => {
                let Memory { values, slots, items, item_count, .. } = &mut *self.memory;
                let start = values.len();
                write_length(1 + leaf.scalars.len(), values);
                if *item_count > 0 {
                    write_length(*item_count, values);
                    values.extend_from_slice(items);
                }
                values.push(0);
                if let Some(slot) = slots.get_mut(leaf.slot) {
                    *slot = (start, values.len());
                }
            }
            None => {
                self.write_extra_name();
                let Memory { extra, json, .. } = &mut *self.memory;
                // A comma follows the value.
                write_bytes(json.strip_suffix(b",").unwrap_or(json), extra);
            }
        }
        self.memory.steps += self.memory.json.len() + 1;
        self.memory.json.clear();
    }
}

impl DocumentWriter for AvroWriter<'_> {
    const ENCODING: Encoding = Encoding::Json;

    #[inline]
    fn key(&mut self, key: &Key) {
        match self.is_nested() {
            true => self.json().key(key),
            false => self.announce(&key.name),
        }
    }

    fn name(&mut self, name: &str) {
        match self.is_nested() {
            true => self.json().name(name),
            false => self.announce(name),
        }
    }

    fn item(&mut self, _index: usize) {}

    /// Null is the same as no value in a field of the schema.
    fn null(&mut self) {
        if self.is_nested() {
            self.memory.list = None;
            return self.json().null();
        }
        self.memory.steps += 1;
        if !matches!(self.next().map(|field| field.shape), Some(Shape::Leaf(_))) {
            self.write_extra_name();
            write_bytes(b"null", &mut self.memory.extra);
        }
    }

    fn bool(&mut self, value: bool) {
        self.single(Single::Boolean(value));
    }

    #[inline]
    fn int(&mut self, value: i64) {
        self.single(Single::Long(value));
    }

    fn float(&mut self, value: f64) {
        self.single(Single::Double(value));
    }

    fn date(&mut self, date: Date) {
        self.single(Single::Time(date));
    }

    #[inline]
    fn text(&mut self, text: &[u8]) {
        self.single(Single::Text(text));
    }

    #[cold]
    fn lossy_text(&mut self, text: &[u8]) {
        self.single(Single::Lossy(text));
    }

    fn open_object(&mut self) -> usize {
        if !self.is_nested()
            && let Some(Shape::Record(record)) = self.next().map(|field| field.shape)
        {
            self.memory.steps += 1;
            let at = self.memory.steps;
            self.memory.open.push(Open { record, likely: 0, at });
            return at;
        }
        self.open_container(false)
    }

    fn close_object(&mut self, _mark: usize) {
        match self.is_nested() {
            true => self.close_container(false),
            // The document itself stays open.
            false => {
                let inner = self.memory.open.len().max(2) - 1;
                self.memory.open.truncate(inner);
            }
        }
    }

    fn open_array(&mut self) -> usize {
        self.open_container(true)
    }

    fn close_array(&mut self, _mark: usize) {
        self.close_container(true);
    }

    fn position(&self) -> usize {
        self.memory.steps + self.memory.json.len()
    }

    /// Takes back what was announced or opened after `position`. No value was written since.
    fn undo(&mut self, position: usize) {
        let Memory { open, json, containers, list, steps, .. } = &mut *self.memory;
        if !containers.is_empty() && position >= *steps {
            let length = position - *steps;
            json.truncate(length);
            containers.retain(|mark| *mark <= length);
            *list = None;
            return;
        }
        json.clear();
        containers.clear();
        *list = None;
        open.retain(|open| open.at <= position);
        *steps = position;
    }

    fn is_empty(&self, mark: usize) -> bool {
        self.position() == mark
    }
}
