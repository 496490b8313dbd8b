//! The order of day, month and year in dates of numbers, such as `03/04/2024`.
//!
//! A date is read only if one order is possible, or if the user names the order. Neighbours are not looked at, so the document
//! of a record does not depend on them.

use super::reading::Fault;
use super::rules::Order;
use super::year_rule::YearRule;
use crate::core::calendar::{days_from_civil, days_in_month};

/// Numbers of a date whose order is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Two numbers without a year.
    Pair(u32, u32),
    /// Two numbers, and a year of four digits after them.
    YearLast(u32, u32, i64),
    /// Three numbers of at most two digits.
    Short(u32, u32, u32),
}

/// The meaning of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub year: Option<i64>,
    pub month: u32,
    pub day: u32,
}

/// Returns the meaning of `numbers`, in the order of the user if there is one. `years` gives a year of two digits its century.
///
/// # Errors
/// [`Fault::Ambiguous`] if several orders are possible, and [`Fault::Unread`] if none is.
pub(super) fn read(numbers: Numbers, order: Option<Order>, years: YearRule) -> Result<Found, Fault> {
    let found = |order: Order| match (numbers, order) {
        (Numbers::Pair(day, month), Order::Dmy) | (Numbers::Pair(month, day), Order::Mdy | Order::Ymd) => {
            Some(Found { year: None, month, day })
        }
        (Numbers::YearLast(day, month, year), Order::Dmy) | (Numbers::YearLast(month, day, year), Order::Mdy) => {
            Some(Found { year: Some(year), month, day })
        }
        (Numbers::YearLast(..), Order::Ymd) => None,
        (Numbers::Short(day, month, year), Order::Dmy)
        | (Numbers::Short(month, day, year), Order::Mdy)
        | (Numbers::Short(year, month, day), Order::Ymd) => {
            Some(Found { year: Some(years.nearest(i64::from(year))), month, day })
        }
    };
    let possible = |order: Order| {
        found(order).filter(|found| {
            // In a year that is not known, February has 29 days.
            let last = (1..=12).contains(&found.month).then(|| days_in_month(found.year.unwrap_or(2000), found.month));
            last.is_some_and(|last| (1..=last).contains(&found.day))
        })
    };
    if let Some(order) = order {
        // A date that cannot have the order of the user has another one, if only one is possible.
        if let Some(found) = possible(order) {
            return Ok(found);
        }
    }
    let year_last = [possible(Order::Dmy), possible(Order::Mdy)];
    let mut year_first = possible(Order::Ymd).filter(|_| matches!(numbers, Numbers::Short(..)));
    let in_future = |found: &Found| {
        found.year.is_some_and(|year| days_from_civil(year, found.month, found.day) > years.latest_day())
    };
    // A year of two digits may stand first or last. Logs are not written in the future, so that a year in the future is not
    // meant if another one is possible.
    let is_past = year_last.iter().flatten().any(|found| !in_future(found));
    if is_past {
        year_first = year_first.filter(|found| !in_future(found));
    }
    let year_last = match year_first {
        Some(first) if !is_past && !in_future(&first) => [None; 2],
        _ => year_last,
    };
    let mut found = year_last.into_iter().chain([year_first]).flatten();
    let first = found.next().ok_or(Fault::Unread)?;
    if found.any(|other| other != first) { Err(Fault::Ambiguous) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_the_only_order_that_is_possible_or_in_that_of_the_user() {
        use Numbers::{Pair, Short, YearLast};
        let years = YearRule::new(1_780_000_000_000, None); // 2026-05-28
        let found = |year, month, day| Ok(Found { year, month, day });
        let (dmy, mdy, ymd) = (Some(Order::Dmy), Some(Order::Mdy), Some(Order::Ymd));
        let (ambiguous, unread) = (Err(Fault::Ambiguous), Err(Fault::Unread));
        for (numbers, order, expected) in [
            (YearLast(3, 4, 2024), None, ambiguous),
            (YearLast(3, 4, 2024), dmy, found(Some(2024), 4, 3)),
            (YearLast(3, 4, 2024), mdy, found(Some(2024), 3, 4)),
            (YearLast(13, 4, 2024), None, found(Some(2024), 4, 13)),
            (YearLast(4, 13, 2024), None, found(Some(2024), 4, 13)),
            (YearLast(4, 13, 2024), dmy, found(Some(2024), 4, 13)),
            (YearLast(4, 4, 2024), None, found(Some(2024), 4, 4)),
            (YearLast(13, 13, 2024), None, unread),
            (YearLast(30, 2, 2024), None, unread),
            (YearLast(29, 2, 2023), mdy, unread),
            (Pair(11, 30), None, found(None, 11, 30)),
            (Pair(30, 11), mdy, found(None, 11, 30)),
            (Pair(10, 11), None, ambiguous),
            (Pair(10, 11), ymd, found(None, 10, 11)),
            // Year first or last: 17 June 2009, or 9 June 2017.
            (Short(17, 6, 9), None, ambiguous),
            (Short(17, 6, 9), ymd, found(Some(2017), 6, 9)),
            (Short(17, 6, 9), dmy, found(Some(2009), 6, 17)),
            (Short(31, 12, 24), None, found(Some(2024), 12, 31)),
            (Short(26, 1, 30), None, found(Some(2026), 1, 30)),
            (Short(25, 12, 98), None, found(Some(1998), 12, 25)),
            (Short(3, 4, 98), None, ambiguous),
        ] {
            assert_eq!(read(numbers, order, years), expected, "{numbers:?} in {order:?}");
        }
    }
}
