//! [`CapturedFields`]: the fields of a pattern.

use std::borrow::Cow;
use std::sync::Arc;

use super::dates::Found;
use super::field_dates::FieldDates;
use super::message_rule::TextPlace;
use super::plan::{Naming, Plan};
use super::source_fields::Meeting;
use crate::core::error::{Error, Result};
use crate::document::Encoding;
use crate::document::date::{DateOptions, Fault, Notes};
use crate::document::keys::display_path;
use crate::grok::{DateRule, Field, FieldType, Span};

/// The fields of a pattern: how its captures are named, typed and nested, and which of them may be the time.
#[derive(Debug, Clone)]
pub struct CapturedFields {
    pub(super) plan: Plan,
    /// The captures from which `@timestamp` may be read.
    times: Vec<TimeSlot>,
    /// The readers of dates.
    pub(super) dates: FieldDates,
    /// Whether a value may not be of the type of its field.
    pub(super) has_types: bool,
    /// The place of the text of a record, for JSON and for BSON.
    pub(super) text_places: [TextPlace; 2],
    /// How the fields meet those of a source: the number of the source, and the result for JSON and for BSON.
    pub(super) meeting: Option<(u64, [Meeting; 2])>,
}

/// A capture from which `@timestamp` may be read.
#[derive(Debug, Clone)]
struct TimeSlot {
    slot: usize,
    /// The index of its reader.
    reader: u32,
    /// The name of its field, for tags.
    name: Arc<str>,
}

impl CapturedFields {
    /// Compiles the fields of a pattern. Fields of type `date` are read with the formats of the rule, then in any shape that is
    /// known. Without a rule, the first field of type `date` becomes `@timestamp`.
    ///
    /// # Errors
    /// A usage error when two fields exclude each other, when none of the paths of the date rule is a field, or when a
    /// format is invalid.
    pub fn new(fields: &[Field], date: Option<&DateRule>) -> Result<CapturedFields> {
        CapturedFields::with(fields, date, &DateOptions::default())
    }

    /// Compiles the fields of a pattern, with what the user says about dates. A field whose format the user names is a date.
    ///
    /// # Errors
    /// Those of [`new`](CapturedFields::new).
    pub fn with(fields: &[Field], date: Option<&DateRule>, options: &DateOptions) -> Result<CapturedFields> {
        let fields = dated(fields, options);
        let plan = Plan::new(&fields, Naming::Stored)?.with_own_dates(options);
        let own_path = options.timestamp.as_ref().filter(|path| fields.iter().any(|field| field.path == **path));
        let paths: Vec<&Vec<String>> = match (own_path, date) {
            (Some(path), _) => vec![path],
            (None, Some(rule)) => rule.paths.iter().collect(),
            (None, None) => first_date(&fields).map(|field| &field.path).into_iter().collect(),
        };
        let named = paths.iter().flat_map(|path| fields.iter().filter(move |field| field.path == **path));
        let times: Vec<TimeSlot> = named
            .flat_map(|field| {
                let (reader, name) = (FieldDates::index_of(&field.path, options), Arc::from(display_path(&field.path)));
                field.slots.iter().map(move |slot| TimeSlot { slot: slot.slot, reader, name: Arc::clone(&name) })
            })
            .collect();
        if let Some(rule) = date
            && times.is_empty()
        {
            let wanted: Vec<_> = rule.paths.iter().map(|path| display_path(path)).collect();
            let known: Vec<_> = fields.iter().map(|field| display_path(&field.path)).collect();
            return Err(Error::usage(format!(
                "the date is to be read from {}, which the pattern does not capture; it captures {}",
                wanted.join(" or "),
                if known.is_empty() { "nothing".into() } else { known.join(", ") },
            )));
        }
        let dates = FieldDates::new(date.map_or(&[], |rule| &rule.formats), options)?;
        let has_types = plan.has_types();
        let place = |encoding| {
            let has_original = || plan.excludes(encoding, TextPlace::WithinEvent.keys());
            TextPlace::of(|name| plan.holds(encoding, name), has_original)
        };
        let text_places = [Encoding::Json, Encoding::Bson].map(place);
        Ok(CapturedFields { plan, times, dates, has_types, text_places, meeting: None })
    }

    /// Finds the time of a line with these captures.
    #[inline]
    pub(super) fn find_time(&mut self, line: &[u8], spans: &[Span], base_ms: i64) -> Found {
        let CapturedFields { times, dates, .. } = self;
        let mut found = Found::default();
        for TimeSlot { slot, reader, name } in times {
            let Some(text) = spans.get(*slot).and_then(|span| span.text(line)) else { continue };
            match dates.at(*reader).read(text, base_ms) {
                Ok(reading) => {
                    found = Found::of(reading);
                    if reading.notes.has(Notes::FOLD) {
                        found.field = Some(Arc::clone(name));
                    }
                    break;
                }
                Err(fault) => found.fail(fault, name),
            }
        }
        found
    }
}

/// Returns the first field of type `date`.
fn first_date(fields: &[Field]) -> Option<&Field> {
    let dates = fields.iter().filter(|field| field.slots.iter().any(|slot| slot.kind == FieldType::Date));
    dates.min_by_key(|field| field.slots.iter().map(|slot| slot.slot).min())
}

/// Returns the fields with the type `date` for those whose formats the user names.
fn dated<'a>(fields: &'a [Field], options: &DateOptions) -> Cow<'a, [Field]> {
    if options.formats.is_empty() {
        return Cow::Borrowed(fields);
    }
    let mut fields = fields.to_vec();
    for field in &mut fields {
        if !options.formats_of(&field.path).is_empty() {
            field.slots.iter_mut().for_each(|slot| slot.kind = FieldType::Date);
        }
    }
    Cow::Owned(fields)
}

impl Found {
    /// Notes that the text of `field` is no date. The first such field counts, but one that may be several dates comes before one
    /// that is none.
    pub(super) fn fail(&mut self, fault: Fault, field: &Arc<str>) {
        if self.fault.is_none() || (self.fault == Some(Fault::Unread) && fault == Fault::Ambiguous) {
            (self.fault, self.field) = (Some(fault), Some(Arc::clone(field)));
        }
    }
}
