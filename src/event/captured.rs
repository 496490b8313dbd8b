//! [`CapturedFields`]: the fields of a pattern.

use std::sync::Arc;

use super::message_rule::TextPlace;
use super::plan::{Naming, Plan};
use super::source_fields::Meeting;
use crate::core::error::{Error, Result};
use crate::document::Encoding;
use crate::document::date::{COMMON, Formats};
use crate::document::keys::display_path;
use crate::grok::{DateRule, Field};

/// The fields of a pattern: how its captures are named, typed and nested, and which of them may be the time.
#[derive(Debug, Clone)]
pub struct CapturedFields {
    pub(super) plan: Plan,
    /// The slots from which `@timestamp` may be read, and its formats.
    pub(super) date_slots: Vec<usize>,
    pub(super) dates: Formats,
    /// The names of the fields of `date_slots`, for tags.
    pub(super) date_names: Vec<Arc<str>>,
    /// The formats for fields of type `date`.
    pub(super) field_dates: Formats,
    /// Whether a value may not be of the type of its field.
    pub(super) has_types: bool,
    /// The place of the text of a record, for JSON and for BSON.
    pub(super) text_places: [TextPlace; 2],
    /// How the fields meet those of a source: the number of the source, and the result for JSON and for BSON.
    pub(super) meeting: Option<(u64, [Meeting; 2])>,
}

impl CapturedFields {
    /// Compiles the fields of a pattern. Fields of type `date` are read with the formats of the rule, then with
    /// [`COMMON`].
    ///
    /// # Errors
    /// A usage error when two fields exclude each other, when none of the paths of the date rule is a field, or when a
    /// format is invalid.
    pub fn new(fields: &[Field], date: Option<&DateRule>) -> Result<CapturedFields> {
        let plan = Plan::new(fields, Naming::Stored)?;
        let paths = date.iter().flat_map(|rule| &rule.paths);
        let named = paths.flat_map(|path| fields.iter().filter(move |field| field.path == *path));
        let named =
            named.flat_map(|field| field.slots.iter().map(|slot| (slot.slot, display_path(&field.path).into())));
        let (date_slots, date_names): (Vec<usize>, Vec<Arc<str>>) = named.unzip();
        if let Some(rule) = date
            && date_slots.is_empty()
        {
            let wanted: Vec<_> = rule.paths.iter().map(|path| display_path(path)).collect();
            let known: Vec<_> = fields.iter().map(|field| display_path(&field.path)).collect();
            return Err(Error::usage(format!(
                "the date is to be read from {}, which the pattern does not capture; it captures {}",
                wanted.join(" or "),
                if known.is_empty() { "nothing".into() } else { known.join(", ") },
            )));
        }
        let common = COMMON.map(String::from);
        let own = date.map_or(&common[..], |rule| &rule.formats);
        let (dates, field_dates) = (Formats::new(own)?, Formats::new(&[own, &common].concat())?);
        let has_types = plan.has_types();
        let place = |encoding| {
            let has_original = || plan.excludes(encoding, TextPlace::WithinEvent.keys());
            TextPlace::of(|name| plan.holds(encoding, name), has_original)
        };
        let text_places = [Encoding::Json, Encoding::Bson].map(place);
        Ok(CapturedFields { plan, date_slots, dates, date_names, field_dates, has_types, text_places, meeting: None })
    }
}
