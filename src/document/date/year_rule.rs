//! [`YearRule`]: the year of a date that names none, or only two digits of it.

use crate::core::calendar::{MS_PER_DAY, civil_from_days};

/// A date without a year gets the latest year that puts it no later than one day after the time of its
/// [context](crate::core::context::Context). A line of 31 December that was read on 1 January belongs to the year before. The
/// day in advance covers zones and clocks that differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct YearRule {
    /// The latest date that is allowed, in milliseconds since 1970.
    latest_ms: i64,
    /// The year of the context's time.
    year: i64,
    /// The year that the user gives to all dates without one.
    fixed: Option<i64>,
}

impl YearRule {
    /// Returns the rule for a context with this time, in milliseconds since 1970. `fixed` is the year that the user gives to
    /// dates without one.
    pub(super) fn new(time_ms: i64, fixed: Option<i64>) -> YearRule {
        let (year, ..) = civil_from_days(time_ms.div_euclid(MS_PER_DAY).clamp(-719_528, 2_932_896));
        YearRule { latest_ms: time_ms.saturating_add(MS_PER_DAY), year: fixed.unwrap_or(year), fixed }
    }

    /// Returns the latest allowed date among those that `date` returns for a year. `date` returns `None` for a year that does
    /// not have the day; `ms` gives the milliseconds since 1970 of what it returns.
    pub(super) fn latest<T>(self, date: impl Fn(i64) -> Option<T>, ms: impl Fn(&T) -> i64) -> Option<T> {
        if let Some(year) = self.fixed {
            return date(year);
        }
        // The previous 29 February may be eight years back (1904 to 1896). Any other date needs two steps at most.
        (0..=9).filter_map(|back| date(self.year + 1 - back)).find(|date| ms(date) <= self.latest_ms)
    }

    /// Returns the year nearest to the context's time that ends with these two digits. Of two years that are equally near, it
    /// is the earlier one.
    pub(super) fn nearest(self, two_digits: i64) -> i64 {
        let century = self.year.div_euclid(100) * 100;
        let years = [century - 100, century, century + 100].map(|century| century + two_digits);
        years.into_iter().min_by_key(|year| (self.year - year).abs()).unwrap_or(two_digits)
    }

    /// Returns the latest allowed date, in days since 1970.
    pub(super) fn latest_day(self) -> i64 {
        self.latest_ms.div_euclid(MS_PER_DAY)
    }
}
