//! What had to be added to the times of records: a year, a zone. The receipt says it.

use std::sync::{Mutex, PoisonError};

use crate::document::date::Notes;
use crate::observe::counters::{AMBIGUOUS, DATES, FOLDS, GUESSED_YEARS, Row, ZONELESS};

/// The counts of one batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DateCounts {
    zoneless: u64,
    guessed_years: u64,
    folds: u64,
    ambiguous: u64,
}

impl DateCounts {
    /// Counts the time of one record: what had to be added to it, and whether it may be several times.
    #[inline]
    pub fn add(&mut self, (notes, is_ambiguous): (Notes, bool)) {
        if notes != Notes::default() || is_ambiguous {
            self.zoneless += u64::from(notes.has(Notes::ZONELESS));
            self.guessed_years += u64::from(notes.has(Notes::GUESSED_YEAR));
            self.folds += u64::from(notes.has(Notes::FOLD));
            self.ambiguous += u64::from(is_ambiguous);
        }
    }
}

/// The counts of all threads of a process.
#[derive(Debug, Default)]
pub(super) struct DateCounters(Mutex<DateCounts>);

impl DateCounters {
    /// Adds the counts of a batch.
    pub fn add(&self, counts: &DateCounts) {
        if *counts == DateCounts::default() {
            return;
        }
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.zoneless += counts.zoneless;
        sum.guessed_years += counts.guessed_years;
        sum.folds += counts.folds;
        sum.ambiguous += counts.ambiguous;
    }

    /// Returns the counts so far, under the name of the zone of dates that name none; `None` if there is nothing to say.
    pub fn row(&self, zone: &str) -> Option<Row> {
        let DateCounts { zoneless, guessed_years, folds, ambiguous } =
            *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let values = [zoneless, guessed_years, folds, ambiguous];
        debug_assert_eq!(DATES.len(), values.len());
        let specs = [&ZONELESS, &GUESSED_YEARS, &FOLDS, &AMBIGUOUS];
        let counts = specs.into_iter().zip(values.map(Some)).collect();
        values.iter().any(|value| *value > 0).then(|| Row { label: zone.to_owned(), counts })
    }
}
