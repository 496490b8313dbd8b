//! [`Reading`]: a date that was read from a text, or why there is none.

use super::point::Date;

/// A date that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The date.
    pub date: Date,
    /// What had to be added to the text.
    pub notes: Notes,
}

/// What had to be added to a text so that it became a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notes(u8);

impl Notes {
    /// The text has no year.
    pub const GUESSED_YEAR: Notes = Notes(1);
    /// The text has no zone.
    pub const ZONELESS: Notes = Notes(2);
    /// The clock showed the time twice, when daylight saving time ended. The date is the first of both.
    pub const FOLD: Notes = Notes(4);
    /// The date depends on the time of the context in another way: the year has two digits, or the order of numbers follows
    /// from it.
    pub(super) const BY_CONTEXT: Notes = Notes(8);

    /// Returns these notes together with `more`.
    pub(super) const fn with(self, more: Notes) -> Notes {
        Notes(self.0 | more.0)
    }

    /// Whether the date depends on the time of the context.
    pub(super) fn depend_on_context(self) -> bool {
        self.has(Notes::GUESSED_YEAR.with(Notes::BY_CONTEXT))
    }

    #[inline]
    pub(super) fn add(&mut self, more: Notes) {
        self.0 |= more.0;
    }

    /// Whether one of these notes is there.
    #[inline]
    pub fn has(self, notes: Notes) -> bool {
        self.0 & notes.0 != 0
    }
}

/// The reason why a text gives no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is no date that is known.
    Unread,
    /// It may be several dates: the order of its numbers or the meaning of its zone is not known.
    Ambiguous,
}

/// The result of reading a text.
pub type Outcome = std::result::Result<Reading, Fault>;
