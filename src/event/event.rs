//! [`Event`]: the fields of one record, between match and encoding.

use super::changes::Changes;
use super::dates::Found;
use super::fields::{Content, Fields};
use super::message_rule::MessageRule;
use super::outer_fields::OuterFields;
use super::plan::Captured;
use super::source_fields::SourceFields;
use super::tag_counts::TagCounts;
use super::value::{FieldPath, Look, Value};
use crate::core::record::RecordId;
use crate::document::date::{Date, Fault, Notes};
use crate::document::keys::Key;
use crate::document::{Bson, Encoding, Json, Tags, TimeSource};
use crate::grok::Span;

/// The fields of one record. Nothing is typed or copied before a stage or a document asks for it.
pub struct Event<'a> {
    pub(super) text: &'a [u8],
    /// The whole record, if `text` is only its first line.
    pub(super) record: Option<&'a [u8]>,
    /// Whether lines of the record are neither in the text nor in a field of their own.
    pub(super) lacks_lines: bool,
    /// The lines after the first one, and the field for them.
    pub(super) rest: Option<(FieldPath, &'a [u8])>,
    pub(super) content: Content<'a>,
    pub(super) outer: Option<&'a OuterFields>,
    /// The fields of its source.
    pub(super) source: Option<&'a SourceFields>,
    pub(super) changes: &'a mut Changes,
    pub(super) date: Option<Date>,
    date_from: TimeSource,
    /// What had to be added to the text of the date.
    notes: Notes,
    /// Whether a text that may be the time may be several dates.
    is_ambiguous: bool,
    /// The index of the member that `@timestamp` replaces.
    pub(super) replaced: Option<usize>,
    pub(super) tags: Tags,
    /// Counts the tags of the document that is written first.
    pub(super) counts: Option<&'a mut TagCounts>,
    pub(super) message: MessageRule,
    /// Whether `text` is ASCII. Then no capture has to be checked for UTF-8.
    pub(super) ascii: bool,
    pub(super) now_ms: i64,
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
        let mut tags = outer.map_or_else(Tags::default, |outer| outer.tags().clone());
        let mut ascii = false;
        let found = match &mut content {
            Content::Captured { fields, spans, .. } => {
                ascii = text.is_ascii();
                fields.find_time(text, spans, now_ms)
            }
            Content::Object { object, text, dates, tags: own } => {
                tags.merge(own);
                dates.find(object.stored(Encoding::Json, text), now_ms)
            }
            Content::Message | Content::Nothing => Found::default(),
        };
        let found_field = found.field.as_ref();
        match (found.fault, found_field) {
            (Some(Fault::Unread), Some(field)) => tags.add_of(Tags::DATE, field),
            (Some(Fault::Ambiguous), Some(field)) => tags.add_of(Tags::AMBIGUOUS_DATE, field),
            _ => {}
        }
        changes.clear();
        let (reading, date_from) = match found.reading {
            Some(reading) => (Some(reading), TimeSource::Record),
            None => (outer.and_then(OuterFields::reading), TimeSource::Envelope),
        };
        let (date, notes) = reading.map_or_else(Default::default, |reading| (Some(reading.date), reading.notes));
        if notes.has(Notes::FOLD) {
            match found_field {
                Some(field) => tags.add_of(Tags::FOLD, field),
                None => tags.add(Tags::FOLD),
            }
        }
        Event {
            text,
            record: None,
            lacks_lines: false,
            rest: None,
            content,
            outer,
            source: None,
            changes,
            date,
            date_from,
            notes,
            is_ambiguous: found.fault == Some(Fault::Ambiguous),
            replaced: found.member,
            tags,
            counts: None,
            message: MessageRule::Never,
            ascii,
            now_ms,
        }
    }

    /// Adds the fields of the source of the record.
    #[inline]
    pub fn set_source(&mut self, source: Option<&'a SourceFields>) {
        self.source = source;
    }

    /// Sets when the document has the text of the record beside its fields. Without it, the document has the fields alone.
    #[inline]
    pub fn set_message(&mut self, message: MessageRule) {
        self.message = message;
    }

    /// Keeps the lines of a record that its text does not have. `rest` are the lines after the first one, and `field` is the
    /// field that the format names for them. Without it, and if the text itself has this field, the document has the whole
    /// `record` ([`MessageRule`]).
    pub fn keep_lines(&mut self, record: &'a [u8], rest: &'a [u8], field: Option<&FieldPath>) {
        self.record = Some(record);
        // Blank lines after a record say nothing.
        if !rest.trim_ascii().is_empty() {
            self.rest = field.filter(|path| !self.excludes(path.keys())).map(|path| (path.clone(), rest));
            self.lacks_lines = self.rest.is_none();
        }
    }

    /// Divides the text of an event that is not decoded: its `first` line stays the message, and `rest`, the lines after it, get
    /// the field `field`. If the envelope has this field, the message stays whole.
    pub fn divide(&mut self, first: &'a [u8], rest: &'a [u8], field: &FieldPath) {
        if !self.excludes(field.keys()) {
            (self.text, self.rest) = (first, Some((field.clone(), rest)));
        }
    }

    /// Whether the record has a field that excludes one of this name.
    fn excludes(&self, keys: &[Key]) -> bool {
        let own = match &self.content {
            Content::Captured { fields, .. } => fields.plan.excludes(Encoding::Json, keys),
            Content::Object { object, text, .. } => object.stored(Encoding::Json, text).excludes(keys),
            Content::Message => keys.first().is_some_and(|key| key.name == "message"),
            Content::Nothing => false,
        };
        own || self.outer.is_some_and(|outer| outer.root(Encoding::Json).excludes(keys))
    }

    /// Counts the tags of the document that is written next.
    #[inline]
    pub fn count_tags(&mut self, counts: &'a mut TagCounts) {
        self.counts = Some(counts);
    }

    /// Returns the text of the whole record, or the message of its envelope.
    pub(super) fn whole_text(&self) -> &'a [u8] {
        self.record.unwrap_or(self.text)
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
        match self.own(path).or_else(|| self.outer?.root(Encoding::Json).look(path.keys(), None)) {
            Some(found) => found.value(),
            None => self.of_source(path),
        }
    }

    /// Looks for a field of the source, under the name that the document has for it.
    fn of_source(&self, path: &FieldPath) -> Option<Value<'_>> {
        let source = self.source?;
        if let Some((keys, value)) = source.get_spare(path) {
            return self.excludes(keys).then_some(value);
        }
        source.get(path).filter(|_| !self.excludes(path.keys()))
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
            Content::Captured { fields, spans, .. } => {
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
    pub(super) fn has_message(&self, encoding: Encoding) -> bool {
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
}
