//! Grok: named, composable patterns that turn a line into fields.
//!
//! The seam to the rest of the program is small. A [`Library`] holds pattern definitions and formats; it compiles text
//! to a [`Pattern`]; a pattern makes a [`Matcher`] for each thread; a matcher answers with [`Captures`], which are
//! spans into the line. `parse` reads a text into the tree of `ast.rs`; which engine does the matching is known to
//! `engine.rs` alone.
//!
//! Patterns are written in Logstash's language with Oniguruma's syntax: an unanchored search, leftmost and greedy; `.`
//! matches a newline, `^` and `$` stand at lines. What else means something of its own, and what is not known, is told
//! in `parse`.

mod ast;
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
mod stock;
#[cfg(all(test, not(engines)))]
mod tests;
mod unicode;

pub use engine::{Captures, Matcher, Pattern, Stopped};
pub use explain::{Explainer, Parts, Reached};
pub use format::{DateRule, Format, Rule};
pub use library::Library;
pub use pattern_file::Definition;
pub use select::Selector;

/// The type a captured text is converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldType {
    /// Text, as it stood in the line.
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
    /// Its name, one part a level: `[http][request]` is `["http", "request"]`, `clientip` is `["clientip"]`.
    pub path: Vec<String>,
    /// The capture slots that feed it, those written alike (`%{INT:port:int}`, name and type and all) one after the
    /// other, which is the order in which Logstash takes them. Several when the name is repeated: if more than one of
    /// them took part in a match and gives a value, the field is an array.
    pub slots: Vec<FieldSlot>,
}

impl Field {
    /// The first type that is written for it.
    pub fn kind(&self) -> FieldType {
        self.slots.iter().map(|slot| slot.kind).find(|kind| *kind != FieldType::Text).unwrap_or_default()
    }
}

/// A capture that feeds a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSlot {
    /// Its slot.
    pub slot: usize,
    /// What its text is converted to.
    pub kind: FieldType,
    /// Whether an earlier capture of the pattern is written alike. Logstash converts only the first of them.
    pub again: bool,
}

/// Where a capture stands in its line: `start..end` in bytes, or nowhere.
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

    /// The text of the span in `line`; `None` when it took no part or is empty.
    #[inline]
    pub fn text<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        if self.start >= self.end { None } else { line.get(self.start as usize..self.end as usize) }
    }
}
