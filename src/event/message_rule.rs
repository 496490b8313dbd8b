//! [`MessageRule`]: when a document has the text of its record, and [`TextPlace`]: where.

use std::sync::LazyLock;

use super::value::Holds;
use crate::document::keys::Key;

static MESSAGE: LazyLock<[Key; 1]> = LazyLock::new(|| [Key::new("message")]);
static EVENT_ORIGINAL: LazyLock<[Key; 2]> = LazyLock::new(|| [Key::new("event"), Key::new("original")]);
static ORIGINAL: LazyLock<[Key; 1]> = LazyLock::new(|| [Key::new("@original")]);

/// When a document has the whole text of its record, beside the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageRule {
    /// If the match does not span the text, and if a part of it could not be read.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never. What follows the first line of a record, and has no field of its own, is kept all the same.
    Never,
}

/// The place of the text of a record in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextPlace {
    /// `message`.
    Message,
    /// `event.original`, in an object of its own.
    EventOriginal,
    /// `event.original`, in an object of the record.
    WithinEvent,
    /// `@original`, because the record has all other names.
    Original,
}

impl TextPlace {
    /// Returns the levels of the name.
    pub fn keys(self) -> &'static [Key] {
        match self {
            TextPlace::Message => &*MESSAGE,
            TextPlace::EventOriginal | TextPlace::WithinEvent => &*EVENT_ORIGINAL,
            TextPlace::Original => &*ORIGINAL,
        }
    }

    /// Returns the place of the text of a record. `holds` looks up what the record has at the top level, and `has_original`
    /// whether it has an `event.original`.
    pub fn of(holds: impl Fn(&str) -> Option<Holds>, has_original: impl Fn() -> bool) -> TextPlace {
        if holds("message").is_none() {
            return TextPlace::Message;
        }
        match holds("event") {
            None => TextPlace::EventOriginal,
            Some(Holds::Object) if !has_original() => TextPlace::WithinEvent,
            Some(_) => TextPlace::Original,
        }
    }
}
