//! [`YearRule`]: the year of a date that names none.

use crate::core::calendar::{MS_PER_DAY, civil_from_days};

/// A date without a year gets the latest year that puts it no later than one day after the time of its
/// [context](crate::core::context::Context). A line of 31 December that was read on 1 January belongs to the year before. The
/// day in advance covers zones and clocks that differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct YearRule {
    /// The latest date that is allowed, in milliseconds since 1970.
    latest_ms: i64,
    /// The year after the year of the context's time.
    last_year: i64,
}

impl YearRule {
    /// Returns the rule for a context with this time, in milliseconds since 1970.
    pub(super) fn new(time_ms: i64) -> YearRule {
        let (year, ..) = civil_from_days(time_ms.div_euclid(MS_PER_DAY).clamp(-719_528, 2_932_896));
        YearRule { latest_ms: time_ms.saturating_add(MS_PER_DAY), last_year: year + 1 }
    }

    /// Returns the latest allowed date among those that `date` returns for a year, in milliseconds since 1970. `date` returns
    /// `None` for a year that does not have the day.
    pub(super) fn latest(self, date: impl Fn(i64) -> Option<i64>) -> Option<i64> {
        // The previous 29 February may be eight years back (1904 to 1896). Any other date needs two steps at most.
        (0..=9).filter_map(|back| date(self.last_year - back)).find(|&date| date <= self.latest_ms)
    }
}
