//! Where the parts of a text end that stand one after the other in no group: what [`explain`](crate::grok::explain)
//! takes a pattern apart by.

use crate::core::error::Result;
use crate::grok::fault::Written;
use crate::grok::parse::{Definitions, Parser, Reader};

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Where it begins, in bytes.
    pub(crate) start: usize,
    /// Where it ends, its quantifier included.
    pub(crate) end: usize,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A character that stands for itself.
    Character,
    /// `%{…}`, without a quantifier.
    Reference,
    /// Anything else.
    Other,
    /// Not a part, but the bar between two alternatives.
    Bar,
    /// Not a part, but options that reach to the end of the text.
    Options,
}

/// The marks of `written`, in the order in which their parts end.
pub(crate) fn marks(written: &Written, definitions: &Definitions) -> Result<Vec<Mark>> {
    let mut parser = Parser::new(written, definitions, false);
    parser.marks = Some(Vec::new());
    parser.root(written)?;
    Ok(parser.marks.unwrap_or_default())
}

impl Parser<'_> {
    /// Notes what stands from `start` to here. `c` is its first character.
    pub(super) fn mark(&mut self, r: &Reader<'_>, start: usize, c: char) {
        let Some(marks) = &mut self.marks else { return };
        if r.frame != 0 || r.groups > 0 {
            return;
        }
        if marks.last().is_some_and(|last| last.end > start) {
            // Options and all that they reach over, which is marked already.
            return;
        }
        let kind = match c {
            '%' if r.text[start..].starts_with("%{") => Kind::Reference,
            '(' | '[' | '\\' | '.' | '^' | '$' => Kind::Other,
            _ => Kind::Character,
        };
        marks.push(Mark { start, end: r.at, kind });
    }

    /// Notes that what was marked last is repeated, up to here.
    pub(super) fn mark_repeated(&mut self, r: &Reader<'_>) {
        if let Some(mark) = self.marks.as_mut().and_then(|marks| marks.last_mut())
            && r.frame == 0
            && r.groups == 0
        {
            (mark.end, mark.kind) = (r.at, Kind::Other);
        }
    }

    /// Notes that options were read that began at `start`.
    pub(super) fn mark_options(&mut self, r: &Reader<'_>, start: usize) {
        if let Some(marks) = &mut self.marks
            && r.frame == 0
            && r.groups == 0
        {
            marks.push(Mark { start, end: r.at, kind: Kind::Options });
        }
    }

    /// Notes the bar that stands here.
    pub(super) fn mark_bar(&mut self, r: &Reader<'_>) {
        if let Some(marks) = &mut self.marks
            && r.frame == 0
            && r.groups == 0
        {
            marks.push(Mark { start: r.at, end: r.at + 1, kind: Kind::Bar });
        }
    }
}
