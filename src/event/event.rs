//! [`Event`]: the fields of one record, between match and encoding.

use std::sync::LazyLock;

use super::captured::CapturedFields;
use super::changes::{Changed, Changes};
use super::dates::Found;
use super::fields::{Content, Fields};
use super::members::write_merged;
use super::outer_fields::OuterFields;
use super::plan::Captured;
use super::value::{FieldPath, Look, Value};
use crate::core::record::RecordId;
use crate::document::date::{Date, Fault, Notes};
use crate::document::keys::Key;
use crate::document::{Bson, DocumentWriter, Encoding, Json, Tags, TimeSource, write_text};
use crate::grok::Span;

static TIMESTAMP: LazyLock<Key> = LazyLock::new(|| Key::new("@timestamp"));
static MESSAGE: LazyLock<Key> = LazyLock::new(|| Key::new("message"));

static MESSAGE_PATH: LazyLock<FieldPath> = LazyLock::new(|| FieldPath::of(&["message"]));
static ORIGINAL_PATH: LazyLock<FieldPath> = LazyLock::new(|| FieldPath::of(&["event", "original"]));

/// The fields of one record. Nothing is typed or copied before a stage or a document asks for it.
pub struct Event<'a> {
    text: &'a [u8],
    content: Content<'a>,
    outer: Option<&'a OuterFields>,
    changes: &'a mut Changes,
    date: Option<Date>,
    date_from: TimeSource,
    /// What had to be added to the text of the date.
    notes: Notes,
    /// Whether a text that may be the time may be several dates.
    is_ambiguous: bool,
    /// The index of the member that `@timestamp` replaces.
    replaced: Option<usize>,
    tags: Tags,
    /// Whether `text` is ASCII. Then no capture has to be checked for UTF-8.
    ascii: bool,
    now_ms: i64,
}

impl<'a> Event<'a> {
    /// Returns the event of a text that was decoded. `text` is the record, or the message of its envelope; `outer` has
    /// the other fields of the envelope. `changes` is memory that is reused. `now_ms` is the time in milliseconds since
    /// 1970; only dates without a year depend on it.
    #[inline]
    pub fn decoded(
        text: &'a [u8],
        fields: Fields<'a>,
        outer: Option<&'a OuterFields>,
        changes: &'a mut Changes,
        now_ms: i64,
    ) -> Event<'a> {
        let mut content = fields.0;
        let mut tags = outer.map_or(Tags::default(), OuterFields::tags);
        let mut ascii = false;
        let found = match &mut content {
            Content::Captured { fields, spans } => {
                ascii = text.is_ascii();
                fields.find_time(text, spans, now_ms)
            }
            Content::Object { object, text, dates, tags: own } => {
                tags.add(*own);
                dates.find(object.stored(Encoding::Json, text), now_ms)
            }
            Content::Message | Content::Nothing => Found::default(),
        };
        match found.fault {
            None => {}
            Some(Fault::Unread) => tags.add(Tags::DATE),
            Some(Fault::Ambiguous) => tags.add(Tags::AMBIGUOUS_DATE),
        }
        changes.clear();
        let (reading, date_from) = match found.reading {
            Some(reading) => (Some(reading), TimeSource::Record),
            None => (outer.and_then(OuterFields::reading), TimeSource::Envelope),
        };
        let (date, notes) = reading.map_or_else(Default::default, |reading| (Some(reading.date), reading.notes));
        if notes.has(Notes::FOLD) {
            tags.add(Tags::FOLD);
        }
        let (replaced, is_ambiguous) = (found.member, found.fault == Some(Fault::Ambiguous));
        Event { text, content, outer, changes, date, date_from, notes, is_ambiguous, replaced, tags, ascii, now_ms }
    }

    /// Returns the event of a text that is not decoded: the text is the field `message`. `unmatched` says that decoders
    /// were tried and none fits; the document is then tagged.
    pub fn undecoded(
        text: &'a [u8],
        unmatched: bool,
        outer: Option<&'a OuterFields>,
        changes: &'a mut Changes,
    ) -> Event<'a> {
        let mut event = Event::decoded(text, Fields(Content::Message), outer, changes, 0);
        if unmatched {
            event.tags.add(Tags::UNMATCHED);
        }
        event
    }

    /// Returns an event without a text. It has the fields that are set.
    pub fn without_text(changes: &'a mut Changes) -> Event<'a> {
        Event::decoded(&[], Fields(Content::Nothing), None, changes, 0)
    }

    /// Tags the document: the record is only a part of a line.
    #[inline]
    pub fn tag_partial(&mut self) {
        self.tags.add(Tags::PARTIAL);
    }

    /// Tags the document: the record ended at a limit of time, lines or bytes.
    pub fn tag_multiline_cut(&mut self) {
        self.tags.add(Tags::MULTILINE_CUT);
    }

    /// Keeps the lines of a record that its text does not have. `rest` are the lines after the first one, and `field` is the
    /// field that the format names for them. Without it, the whole `record` becomes `message`, or `event.original` if the text
    /// itself has a field `message`.
    pub fn keep_lines(&mut self, record: &[u8], rest: &[u8], field: Option<&FieldPath>) {
        match field {
            Some(field) => self.set(field, Value::Text(rest)),
            None if self.own(&MESSAGE_PATH).is_some() => self.set(&ORIGINAL_PATH, Value::Text(record)),
            None => self.set(&MESSAGE_PATH, Value::Text(record)),
        }
    }

    /// Gives a record without a time the time at which it arrived, and tags the document. Returns whether it had none.
    pub(super) fn set_arrival(&mut self, ms: i64) -> bool {
        let is_undated = self.date.is_none();
        if is_undated {
            (self.date, self.date_from) = (Some(Date::of_ms(ms)), TimeSource::Arrival);
            self.tags.add(Tags::ARRIVAL);
        }
        is_undated
    }

    /// Takes back what [`set_arrival`](Event::set_arrival) has set.
    pub(super) fn forget_arrival(&mut self) {
        self.date = None;
        self.tags.remove(Tags::ARRIVAL);
    }

    /// Returns the text of the record, or the message of its envelope.
    pub fn text(&self) -> &[u8] {
        self.text
    }

    /// Returns the value of the field `path` as a document has it. There is none if the field is an object or has
    /// several values.
    pub fn get(&self, path: &FieldPath) -> Option<Value<'_>> {
        if path.is_timestamp() {
            return self.date.map(Value::Date);
        }
        if let Some(changed) = self.changes.get(path) {
            return changed;
        }
        // A field of the text hides a field of the envelope, and so does a value in the place of an object.
        self.own(path).or_else(|| self.outer?.root(Encoding::Json).look(path.keys(), None))?.value()
    }

    /// Returns `@timestamp` in milliseconds since 1970, and where it came from.
    pub fn time(&self) -> Option<(i64, TimeSource)> {
        self.date.map(|date| (date.ms(), self.date_from))
    }

    /// Returns what had to be added to the text of `@timestamp`, and whether a text that may be the time may be several dates.
    #[inline]
    pub fn date_notes(&self) -> (Notes, bool) {
        (self.notes, self.is_ambiguous)
    }

    /// Looks for a field in the text.
    fn own(&self, path: &FieldPath) -> Option<Look<'_>> {
        match &self.content {
            Content::Captured { fields, spans } => {
                let captured = self.captured(spans);
                fields.plan.look(path.keys(), &captured, &fields.dates)
            }
            Content::Object { object, text, .. } => {
                object.stored(Encoding::Json, text).look(path.keys(), self.replaced)
            }
            Content::Message => match path.keys() {
                [key, rest @ ..] if key.name == "message" && self.has_message(Encoding::Json) => Some(match rest {
                    [] => Look::Value(Value::Text(self.text)),
                    _ => Look::Other,
                }),
                _ => None,
            },
            Content::Nothing => None,
        }
    }

    /// Returns whether the text itself is a field. An empty message does not replace a field of that name.
    fn has_message(&self, encoding: Encoding) -> bool {
        !self.text.is_empty() || self.outer.is_none_or(|outer| outer.root(encoding).find("message").is_none())
    }

    fn captured(&self, spans: &'a [Span]) -> Captured<'a> {
        Captured { line: self.text, spans, ascii: self.ascii, now_ms: self.now_ms }
    }

    /// Sets the field `path`. If it is an object, or if a value stands where an object must be, this is replaced.
    pub fn set(&mut self, path: &FieldPath, value: Value<'_>) {
        match value {
            Value::Date(date) if path.is_timestamp() => (self.date, self.date_from) = (Some(date), TimeSource::Stage),
            value => self.changes.set(path, value),
        }
    }

    /// Removes the field `path`, with all fields within it. A field of that name in the envelope is removed as well.
    pub fn remove(&mut self, path: &FieldPath) {
        match path.is_timestamp() {
            true => self.date = None,
            false => self.changes.remove(path),
        }
    }

    /// Appends the document of the event to `out`. A JSON document has no newline after it.
    #[inline]
    pub fn encode(&mut self, encoding: Encoding, id: &RecordId, out: &mut Vec<u8>) {
        out.reserve(self.text.len() * 2 + 256);
        match encoding {
            Encoding::Json => {
                let mut writer = Json::begin(out, id);
                self.write(&mut writer);
                writer.end();
            }
            Encoding::Bson => {
                let mut writer = Bson::begin(out, id);
                self.write(&mut writer);
                writer.end();
            }
        }
    }

    /// Appends the document of the event to `out`, without an `_id`. In JSON, it stands for the text of an event that has
    /// none.
    pub fn encode_bare(&mut self, encoding: Encoding, out: &mut Vec<u8>) {
        match encoding {
            Encoding::Json => {
                let mut writer = Json::begin_bare(out);
                self.write(&mut writer);
                writer.end();
            }
            Encoding::Bson => {
                let mut writer = Bson::begin_bare(out);
                self.write(&mut writer);
                writer.end();
            }
        }
    }

    /// Writes the fields of the event, without an `_id`.
    #[inline]
    pub(crate) fn write<W: DocumentWriter>(&mut self, writer: &mut W) {
        if let Some(date) = self.date {
            writer.key(&TIMESTAMP);
            writer.date(date);
        }
        let mut tags = self.tags;
        if self.changes.is_empty() {
            self.write_fields(writer, &mut tags);
        } else {
            let changes = std::mem::take(self.changes);
            let mut changed = Changed::new(writer, changes);
            self.write_fields(&mut changed, &mut tags);
            *self.changes = changed.finish(&mut tags);
        }
        let outer = self.outer.into_iter().flat_map(|outer| outer.root(W::ENCODING).duplicates());
        match &self.content {
            Content::Object { object, text, .. } => {
                let own = object.stored(W::ENCODING, text);
                tags.write(writer, own.duplicates().chain(outer.filter(|name| !own.is_duplicate(name))));
            }
            _ => tags.write(writer, outer),
        }
    }

    #[inline]
    fn write_fields<W: DocumentWriter>(&mut self, writer: &mut W, tags: &mut Tags) {
        let Event { text, ascii, now_ms, replaced, .. } = *self;
        let outer = self.outer.map(|outer| outer.root(W::ENCODING));
        match &mut self.content {
            Content::Captured { fields, spans } => {
                let captured = Captured { line: text, spans, ascii, now_ms };
                let CapturedFields { plan, dates, .. } = &mut **fields;
                match outer {
                    None => plan.write(writer, &captured, dates, tags),
                    Some(outer) => plan.write_enveloped(outer, writer, &captured, dates, tags),
                }
            }
            Content::Object { object, text, .. } => {
                object.prepare(W::ENCODING, text);
                let (view, names) = object.parts(W::ENCODING, text);
                let except = replaced.filter(|&at| !view.is_joined(at));
                match outer {
                    None => view.write_members(except, writer, tags),
                    Some(outer) => write_merged(outer, view, except, names, writer, tags),
                }
            }
            Content::Message => {
                if let Some(outer) = outer {
                    outer.write_members(None, writer, tags);
                }
                if self.has_message(W::ENCODING) {
                    writer.key(&MESSAGE);
                    write_text(text, writer, text.is_ascii(), tags);
                }
            }
            Content::Nothing => {}
        }
    }
}
