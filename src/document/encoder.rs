//! [`Encoder`]: makes documents from lines and the spans of their captures.

use crate::core::error::{Error, Result};
use crate::grok::{DateRule, Field, Span};

use super::bson::Bson;
use super::date::{COMMON, Formats};
use super::encoded::Encoding;
use super::json::Json;
use super::keys::{self, Key};
use super::outer_fields::OuterFields;
use super::plan::{Captured, Naming, Plan};
use super::stored_tape::StoredTape;
use super::writer::{DocumentWriter, Tags, write_text};
use crate::core::record::RecordId;

/// Encodes lines as documents. An encoder keeps state (the last date, buffers): compile one, then clone it for every
/// thread.
#[derive(Debug, Clone)]
pub struct Encoder {
    shape: Shape,
    /// The formats for `@timestamp`.
    dates: Formats,
    /// The formats for fields of type `date`.
    field_dates: Formats,
    timestamp: Key,
    message: Key,
    /// The tags that the next documents get in any case.
    constant_tags: Tags,
}

#[derive(Debug, Clone)]
enum Shape {
    /// The fields of a pattern, and the slots from which `@timestamp` may be read.
    Fields { plan: Plan, date_slots: Vec<usize> },
    /// Lines that are JSON objects, and the paths from which `@timestamp` may be read: as JSON documents name them and
    /// as BSON documents name them.
    JsonObject { json: Vec<Vec<String>>, bson: Vec<Vec<String>>, tape: StoredTape },
}

impl Encoder {
    /// Returns an encoder for the lines that match a pattern with these fields.
    ///
    /// Fields of type `date` are read with the formats of the rule, then with [`COMMON`].
    ///
    /// # Errors
    /// A usage error when two fields exclude each other, when none of the paths of the date rule is a field, or when a
    /// format is invalid.
    pub fn new(fields: &[Field], date: Option<&DateRule>) -> Result<Encoder> {
        let plan = Plan::new(fields, Naming::Stored)?;
        let mut date_slots = Vec::new();
        for path in date.iter().flat_map(|rule| &rule.paths) {
            date_slots.extend(
                fields
                    .iter()
                    .filter(|field| field.path == *path)
                    .flat_map(|field| field.slots.iter().map(|slot| slot.slot)),
            );
        }
        if let Some(rule) = date
            && date_slots.is_empty()
        {
            let wanted: Vec<_> = rule.paths.iter().map(|path| keys::display_path(path)).collect();
            let known: Vec<_> = fields.iter().map(|field| keys::display_path(&field.path)).collect();
            return Err(Error::usage(format!(
                "the date is to be read from {}, which the pattern does not capture; it captures {}",
                wanted.join(" or "),
                if known.is_empty() { "nothing".into() } else { known.join(", ") },
            )));
        }
        Encoder::with_shape(Shape::Fields { plan, date_slots }, date)
    }

    /// Returns an encoder for lines that are JSON objects.
    ///
    /// # Errors
    /// A usage error when a date format is invalid.
    pub fn json_object(date: Option<&DateRule>) -> Result<Encoder> {
        let stored = |encoding: Encoding| {
            let one = |path: &Vec<String>| {
                let parts = path.iter().enumerate();
                parts.map(|(depth, part)| keys::stored_name(encoding, part, depth == 0).into_owned()).collect()
            };
            date.iter().flat_map(|rule| &rule.paths).filter(|path| !path.is_empty()).map(one).collect()
        };
        let (json, bson) = (stored(Encoding::Json), stored(Encoding::Bson));
        Encoder::with_shape(Shape::JsonObject { json, bson, tape: StoredTape::default() }, date)
    }

    fn with_shape(shape: Shape, date: Option<&DateRule>) -> Result<Encoder> {
        let common = COMMON.map(String::from);
        let own = date.map_or(&common[..], |rule| &rule.formats);
        let dates = Formats::new(own)?;
        let field_dates = Formats::new(&[own, &common].concat())?;
        let (timestamp, message) = (Key::new("@timestamp"), Key::new("message"));
        Ok(Encoder { shape, dates, field_dates, timestamp, message, constant_tags: Tags::default() })
    }

    /// Sets whether the next lines are parts of lines. Their documents get the tag `_partial`.
    #[inline]
    pub fn set_partial(&mut self, partial: bool) {
        self.constant_tags = if partial { Tags::PARTIAL } else { Tags::default() };
    }

    /// Appends the document of `line` to `out`. A JSON document has no newline after it.
    ///
    /// `spans` are the captures of the pattern, by slot; they are not used for JSON objects. `now_ms` is the time in
    /// milliseconds since 1970; only dates without a year depend on it.
    ///
    /// Returns `false`, and appends nothing, when the encoder expects JSON objects and the line is not one. The line
    /// then counts as unmatched.
    #[inline]
    pub fn encode(
        &mut self,
        encoding: Encoding,
        id: &RecordId,
        line: &[u8],
        spans: &[Span],
        now_ms: i64,
        out: &mut Vec<u8>,
    ) -> bool {
        self.encode_any(encoding, id, None, line, spans, now_ms, out)
    }

    /// Does the same as [`encode`](Encoder::encode) for a message from an envelope, and also writes the outer fields.
    /// `line` is the message.
    #[expect(clippy::too_many_arguments, reason = "the arguments of encode, and one more")]
    pub fn encode_enveloped(
        &mut self,
        encoding: Encoding,
        id: &RecordId,
        outer: &OuterFields,
        line: &[u8],
        spans: &[Span],
        now_ms: i64,
        out: &mut Vec<u8>,
    ) -> bool {
        self.encode_any(encoding, id, Some(outer), line, spans, now_ms, out)
    }

    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the arguments of encode, and one more")]
    fn encode_any(
        &mut self,
        encoding: Encoding,
        id: &RecordId,
        outer: Option<&OuterFields>,
        line: &[u8],
        spans: &[Span],
        now_ms: i64,
        out: &mut Vec<u8>,
    ) -> bool {
        match &mut self.shape {
            Shape::Fields { .. } => {
                out.reserve(line.len() * 2 + 256);
                match encoding {
                    Encoding::Json => {
                        let mut writer = Json::begin(out, id);
                        self.write_fields(&mut writer, outer, line, spans, now_ms);
                        writer.end();
                    }
                    Encoding::Bson => {
                        let mut writer = Bson::begin(out, id);
                        self.write_fields(&mut writer, outer, line, spans, now_ms);
                        writer.end();
                    }
                }
                true
            }
            Shape::JsonObject { json, bson, tape } => {
                let paths = if encoding == Encoding::Json { json } else { bson };
                let read = tape.read(encoding, line, paths, &mut self.dates, now_ms);
                let Some(mut object) = read else { return false };
                object.tag(self.constant_tags);
                out.reserve(line.len() + 128);
                match encoding {
                    Encoding::Json => {
                        let mut writer = Json::begin(out, id);
                        object.write(&mut writer, outer);
                        writer.end();
                    }
                    Encoding::Bson => {
                        let mut writer = Bson::begin(out, id);
                        object.write(&mut writer, outer);
                        writer.end();
                    }
                }
                true
            }
        }
    }

    /// Appends the document of a line that matched no pattern: its whole text as `message`, and the tag.
    pub fn encode_unmatched(&self, encoding: Encoding, id: &RecordId, line: &[u8], out: &mut Vec<u8>) {
        match encoding {
            Encoding::Json => {
                let mut writer = Json::begin(out, id);
                write_unmatched(&mut writer, &self.message, line, self.constant_tags);
                writer.end();
            }
            Encoding::Bson => {
                let mut writer = Bson::begin(out, id);
                write_unmatched(&mut writer, &self.message, line, self.constant_tags);
                writer.end();
            }
        }
    }

    /// Appends the document of a message from an envelope that is not parsed: the outer fields, and the whole message
    /// as `message`. `unmatched` says that patterns were tried and none matched; the document is then tagged.
    pub fn encode_message(
        &self,
        encoding: Encoding,
        id: &RecordId,
        outer: &OuterFields,
        message: &[u8],
        unmatched: bool,
        out: &mut Vec<u8>,
    ) {
        out.reserve(message.len() * 2 + 512);
        match encoding {
            Encoding::Json => {
                let mut writer = Json::begin(out, id);
                self.write_message(&mut writer, outer, message, unmatched);
                writer.end();
            }
            Encoding::Bson => {
                let mut writer = Bson::begin(out, id);
                self.write_message(&mut writer, outer, message, unmatched);
                writer.end();
            }
        }
    }

    fn write_message<W: DocumentWriter>(&self, writer: &mut W, outer: &OuterFields, message: &[u8], unmatched: bool) {
        if let Some(date) = outer.date() {
            writer.key(&self.timestamp);
            writer.date(date);
        }
        let mut tags = if unmatched { Tags::UNMATCHED } else { Tags::default() };
        tags.add(self.constant_tags);
        outer.write_message(writer, &self.message, message, tags);
    }

    #[inline]
    fn write_fields<W: DocumentWriter>(
        &mut self,
        writer: &mut W,
        outer: Option<&OuterFields>,
        line: &[u8],
        spans: &[Span],
        now_ms: i64,
    ) {
        let Shape::Fields { plan, date_slots } = &self.shape else { return };
        let captured = Captured { line, spans, ascii: line.is_ascii(), now_ms };
        let mut tags = self.constant_tags;
        let (mut present, mut dated) = (false, false);
        for &slot in date_slots {
            let Some(text) = captured.text(slot) else { continue };
            present = true;
            if let Some(date) = self.dates.read(text, now_ms) {
                writer.key(&self.timestamp);
                writer.date(date);
                (present, dated) = (false, true);
                break;
            }
        }
        if present {
            tags.add(Tags::DATE);
        }
        match outer {
            None => plan.write(writer, &captured, &mut self.field_dates, &mut tags),
            Some(outer) => {
                if let Some(date) = outer.date().filter(|_| !dated) {
                    writer.key(&self.timestamp);
                    writer.date(date);
                }
                tags.add(outer.tags());
                plan.write_enveloped(outer.root(W::ENCODING), writer, &captured, &mut self.field_dates, &mut tags);
            }
        }
        tags.write(writer, outer.into_iter().flat_map(|outer| outer.duplicates(W::ENCODING)));
    }
}

fn write_unmatched<W: DocumentWriter>(writer: &mut W, message: &Key, line: &[u8], constant_tags: Tags) {
    let mut tags = Tags::UNMATCHED;
    tags.add(constant_tags);
    writer.key(message);
    write_text(line, writer, line.is_ascii(), &mut tags);
    tags.write(writer, std::iter::empty());
}
