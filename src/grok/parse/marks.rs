//! Marks the top-level parts of a text, those in no group. [`explain`](crate::grok::explain) splits a pattern at these
//! marks.

use crate::core::error::Result;
use crate::grok::fault::Written;
use crate::grok::parse::{Definitions, Parser, Reader};

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Its start, in bytes.
    pub(crate) start: usize,
    /// Its end, in bytes, with its quantifier.
    pub(crate) end: usize,
    /// Its kind.
    pub(crate) kind: Kind,
}

/// The kind of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A literal character.
    Character,
    /// `%{…}`, without a quantifier.
    Reference,
    /// Anything else.
    Other,
    /// Not a part: the bar between two alternatives.
    Bar,
    /// Not a part: options that hold to the end of the text.
    Options,
}

/// Returns the marks of `written`, ordered by the ends of their parts.
pub(crate) fn marks(written: &Written, definitions: &Definitions) -> Result<Vec<Mark>> {
    let mut parser = Parser::new(written, definitions, false);
    parser.marks = Some(Vec::new());
    parser.root(written)?;
    Ok(parser.marks.unwrap_or_default())
}

impl Parser<'_> {
    /// Marks the part from `start` to here. `c` is its first character.
    pub(super) fn mark(&mut self, r: &Reader<'_>, start: usize, c: char) {
        let Some(marks) = &mut self.marks else { return };
        if r.frame != 0 || r.groups > 0 {
            return;
        }
        if marks.last().is_some_and(|last| last.end > start) {
            // These are options together with all that they include, which is marked already.
            return;
        }
        let kind = match c {
            '%' if r.text[start..].starts_with("%{") => Kind::Reference,
            '(' | '[' | '\\' | '.' | '^' | '$' => Kind::Other,
            _ => Kind::Character,
        };
        marks.push(Mark { start, end: r.at, kind });
    }

    /// Extends the last mark to here, because its part is repeated.
    pub(super) fn mark_repeated(&mut self, r: &Reader<'_>) {
        if let Some(mark) = self.marks.as_mut().and_then(|marks| marks.last_mut())
            && r.frame == 0
            && r.groups == 0
        {
            (mark.end, mark.kind) = (r.at, Kind::Other);
        }
    }

    /// Marks the options that started at `start`.
    pub(super) fn mark_options(&mut self, r: &Reader<'_>, start: usize) {
        if let Some(marks) = &mut self.marks
            && r.frame == 0
            && r.groups == 0
        {
            marks.push(Mark { start, end: r.at, kind: Kind::Options });
        }
    }

    /// Marks the bar that comes next.
    pub(super) fn mark_bar(&mut self, r: &Reader<'_>) {
        if let Some(marks) = &mut self.marks
            && r.frame == 0
            && r.groups == 0
        {
            marks.push(Mark { start: r.at, end: r.at + 1, kind: Kind::Bar });
        }
    }
}
