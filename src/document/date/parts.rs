//! [`Parts`]: what was read of a date, and the point in time that follows from it.

use super::order::{self, Numbers};
use super::point::Date;
use super::reading::{Fault, Notes, Outcome, Reading};
use super::rules::Rules;
use super::year_rule::YearRule;
use super::zone::{self, Named};
use crate::core::calendar::{FIRST_MS, LAST_MS, days_from_civil, days_in_month, is_leap};

const SECONDS_PER_DAY: i64 = 86_400;

/// The zone that a text names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ZoneText<'a> {
    #[default]
    None,
    /// An offset in minutes.
    Minutes(i64),
    Name(&'a [u8]),
}

/// The day that a text names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Day {
    #[default]
    None,
    /// A month and a day.
    Month { month: u32, day: u32 },
    /// A day of the year.
    OfYear(u32),
    /// Numbers whose order is not known.
    Numbers(Numbers),
}

/// The year that a text names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Year {
    #[default]
    None,
    Full(i64),
    /// The last two digits.
    Short(i64),
}

/// The parts of a date that have been read so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parts<'a> {
    pub year: Year,
    pub day: Day,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    /// The fraction of the second, and the number of digits that it had.
    pub nanos: u32,
    pub digits: u8,
    pub afternoon: Option<bool>,
    pub zone: ZoneText<'a>,
    /// Seconds since 1970, which need no other part but the fraction.
    pub unix: Option<i64>,
}

impl Parts<'_> {
    /// Returns the point in time. `base_ms` is the time of the context.
    #[inline]
    pub fn resolve(&self, rules: &Rules, base_ms: i64) -> Outcome {
        if let Some(seconds) = self.unix {
            return self.finish(seconds, Notes::default());
        }
        let time = self.seconds_of_day().ok_or(Fault::Unread)?;
        // The usual case: the offset is known, and the order of the parts.
        let (offset, mut notes) = match (self.zone, &rules.zone) {
            (ZoneText::Minutes(minutes), _) => (minutes * 60, Notes::default()),
            (ZoneText::None, None) => (0, Notes::ZONELESS),
            _ => return self.resolve_with(rules, base_ms, time),
        };
        if matches!(self.day, Day::Numbers(_)) {
            return self.resolve_with(rules, base_ms, time);
        }
        let at = |year: i64| Some(days(self.day, year)? * SECONDS_PER_DAY + time - offset);
        let found = match self.year {
            Year::Full(year) => at(year),
            Year::Short(two) => {
                notes.add(Notes::BY_CONTEXT);
                at(YearRule::new(base_ms, rules.base_year).nearest(two))
            }
            Year::None => {
                notes.add(Notes::GUESSED_YEAR);
                YearRule::new(base_ms, rules.base_year).latest(at, |seconds| seconds * 1000)
            }
        };
        self.finish(found.ok_or(Fault::Unread)?, notes)
    }

    #[cold]
    fn resolve_with(&self, rules: &Rules, base_ms: i64, time: i64) -> Outcome {
        let years = YearRule::new(base_ms, rules.base_year);
        let (year, day) = match self.day {
            Day::Numbers(numbers) => {
                let found = order::read(numbers, rules.order, years)?;
                (found.year.map_or(self.year, Year::Full), Day::Month { month: found.month, day: found.day })
            }
            day => (self.year, day),
        };
        let at = |year: i64| Some(self.at_zone(days(day, year)? * SECONDS_PER_DAY + time, rules));
        let mut notes = Notes::default();
        if matches!(self.year, Year::Short(_)) || matches!(self.day, Day::Numbers(_)) {
            notes.add(Notes::BY_CONTEXT);
        }
        let (seconds, more) = match year {
            Year::Full(year) => at(year).ok_or(Fault::Unread)??,
            Year::Short(two) => at(years.nearest(two)).ok_or(Fault::Unread)??,
            Year::None => {
                notes.add(Notes::GUESSED_YEAR);
                let ms = |found: &Result<(i64, Notes), Fault>| found.map_or(i64::MIN, |(seconds, _)| seconds * 1000);
                years.latest(at, ms).ok_or(Fault::Unread)??
            }
        };
        notes.add(more);
        self.finish(seconds, notes)
    }

    /// Returns the seconds since 1970 of a local time, in seconds since 1970 by the local clock.
    fn at_zone(&self, local: i64, rules: &Rules) -> Result<(i64, Notes), Fault> {
        let zone = rules.zone.as_ref();
        match self.zone {
            ZoneText::Minutes(minutes) => Ok((local - minutes * 60, Notes::default())),
            ZoneText::Name(name) => match zone::named(name, zone, local) {
                Named::Offset(seconds) => Ok((local - seconds, Notes::default())),
                Named::Several => Err(Fault::Ambiguous),
                Named::Unknown => Err(Fault::Unread),
            },
            ZoneText::None => {
                let mut notes = Notes::ZONELESS;
                let Some(zone) = zone else { return Ok((local, notes)) };
                let offset = zone.offset(local).ok_or(Fault::Unread)?;
                if offset.is_fold {
                    notes.add(Notes::FOLD);
                }
                Ok((local - offset.seconds, notes))
            }
        }
    }

    #[inline]
    fn seconds_of_day(&self) -> Option<i64> {
        let hour = match self.afternoon {
            None => self.hour,
            Some(_) if !(1..=12).contains(&self.hour) => return None,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
        };
        if hour > 23 || self.minute > 59 || self.second > 60 {
            return None;
        }
        Some(i64::from(hour * 3600 + self.minute * 60 + self.second))
    }

    #[inline]
    fn finish(&self, seconds: i64, notes: Notes) -> Outcome {
        // A zone can move a date out of the years 0 to 9999.
        match (FIRST_MS.div_euclid(1000)..=LAST_MS.div_euclid(1000)).contains(&seconds) {
            true => Ok(Reading { date: Date::new(seconds, self.nanos, self.digits), notes }),
            false => Err(Fault::Unread),
        }
    }
}

/// Returns the days since 1970 of a day of `year`; `None` if the year does not have it.
#[inline]
fn days(day: Day, year: i64) -> Option<i64> {
    if !(0..=9999).contains(&year) {
        return None;
    }
    match day {
        Day::Month { month, day } => {
            let valid = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
            valid.then(|| days_from_civil(year, month, day))
        }
        Day::OfYear(day) => {
            let last = 365 + u32::from(is_leap(year));
            (1..=last).contains(&day).then(|| days_from_civil(year, 1, 1) + i64::from(day) - 1)
        }
        Day::None | Day::Numbers(_) => None,
    }
}
