//! Grok: named patterns that can use each other and that turn a line into fields.
//!
//! The rest of the program uses four types. A [`Library`] holds pattern definitions and formats, and compiles a text to
//! a [`Pattern`]. A pattern creates a [`Matcher`] for each thread. A matcher returns [`Captures`], which are spans in
//! the line. The module `parse` reads a text into the tree of `ast.rs`. Only `engine.rs` knows which engine runs a
//! pattern.
//!
//! Patterns are written in Logstash's language with Oniguruma's syntax. A search is not anchored, and finds the
//! leftmost match; repeats are greedy. `.` matches a newline, and `^` and `$` match at the start and the end of each
//! line in the input. The module `parse` lists what else differs from other engines, and what is not supported.

mod ast;
mod builtin;
// The comparisons of engines are a package of their own, which compiles this module once more.
#[cfg(engines)]
#[path = "../../tests/engines/comparisons.rs"]
mod comparisons;
mod engine;
mod explain;
mod fault;
mod field;
mod format;
mod library;
mod linear;
mod literals;
mod parse;
mod pattern_file;
mod pcre;
mod select;
mod set;
#[cfg(all(test, not(engines)))]
mod tests;
mod unicode;

pub use engine::{Captures, Matcher, Pattern, Stopped};
pub use explain::{Explainer, Parts, Reached};
pub(crate) use field::parse_path;
pub use format::{DateRule, Format, Rule, is_json_object};
pub use library::Library;
pub use pattern_file::Definition;
pub use select::Selector;

/// The type to which a captured text is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldType {
    /// Text, unchanged.
    #[default]
    Text,
    /// A 64-bit signed integer (`int`, `long`).
    Int,
    /// A 64-bit floating-point number (`float`, `double`).
    Float,
    /// `true` or `false` (`bool`, `boolean`).
    Bool,
    /// A point in time, in milliseconds UTC (`date`).
    Date,
    /// An IP address, kept as text (`ip`).
    Ip,
}

/// One field of a pattern's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The levels of the field's name: `[http][request]` is `["http", "request"]`, `clientip` is `["clientip"]`.
    pub path: Vec<String>,
    /// The capture slots that feed the field. Slots with the same text in the pattern (`%{INT:port:int}`, with name and
    /// type) follow each other, because Logstash takes them in this order. A field has several slots if its name is
    /// repeated. If more than one of them gives a value, the field is an array.
    pub slots: Vec<FieldSlot>,
}

impl Field {
    /// Returns the first type that the pattern gives to the field; [`FieldType::Text`] if it gives none.
    pub fn kind(&self) -> FieldType {
        self.slots.iter().map(|slot| slot.kind).find(|kind| *kind != FieldType::Text).unwrap_or_default()
    }
}

/// A capture that feeds a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSlot {
    /// The number of the slot.
    pub slot: usize,
    /// The type to which the text is converted.
    pub kind: FieldType,
    /// Whether an earlier capture of the pattern has the same text. Logstash converts only the first of them.
    pub again: bool,
}

/// The position of a capture in its line: `start..end` in bytes, or nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte; `u32::MAX` when the capture took no part in the match.
    pub start: u32,
    /// One past the last byte; 0 when the capture took no part.
    pub end: u32,
}

impl Span {
    /// The span of a capture that took no part in the match.
    pub const NONE: Span = Span { start: u32::MAX, end: 0 };

    /// Returns the bytes of the span in `line`; `None` if the capture took no part in the match or is empty.
    #[inline]
    pub fn text<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        if self.start >= self.end { None } else { line.get(self.start as usize..self.end as usize) }
    }
}
