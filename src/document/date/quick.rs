//! The three shapes that most records have, read from fixed places: the date of web servers, ISO 8601 with a zone, and the date of
//! classic syslog.
//!
//! A text that is not exactly so is left to the other readers.

use super::format::ANY;
use super::names::english_month;
use super::point::Date;
use super::reading::{Notes, Reading};
use super::rules::Rules;
use super::scan::two_digits;
use super::year_rule::YearRule;
use crate::core::calendar::{FIRST_MS, LAST_MS, days_from_civil, days_in_month};

/// The shapes that the first of several formats reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quick {
    None,
    Http,
    Iso,
    Syslog,
    All,
}

impl Quick {
    /// Returns the shapes that `format` reads.
    pub fn of(format: &str) -> Quick {
        match format {
            "%d/%b/%Y:%H:%M:%S %z" => Quick::Http,
            "ISO8601" => Quick::Iso,
            "%b %e %H:%M:%S" => Quick::Syslog,
            ANY => Quick::All,
            _ => Quick::None,
        }
    }

    /// Reads `text` if it has one of the shapes.
    #[inline]
    pub fn read(self, text: &[u8], rules: &Rules, base_ms: i64) -> Option<Reading> {
        let shape = match text.get(2)? {
            b'/' => Quick::Http,
            b'0'..=b'9' => Quick::Iso,
            _ => Quick::Syslog,
        };
        if self != shape && self != Quick::All {
            return None;
        }
        let date = match shape {
            Quick::Http => http(text)?,
            Quick::Iso => iso(text)?,
            _ => return syslog(text, rules, base_ms),
        };
        Some(Reading { date, notes: Notes::default() })
    }
}

/// Reads `Nov 30 11:00:00`, if a date without a zone is in UTC.
#[inline]
fn syslog(text: &[u8], rules: &Rules, base_ms: i64) -> Option<Reading> {
    let text: &[u8; 15] = text.try_into().ok()?;
    if [text[3], text[6], text[9], text[12]] != *b"  ::" || rules.zone.is_some() {
        return None;
    }
    let (month, _) = english_month(&text[..3])?;
    let day = match text[4] {
        b' ' => u32::from(text[5].checked_sub(b'0').filter(|digit| *digit < 10)?),
        _ => pair(text, 4)?,
    };
    let [hour, minute, second] = [pair(text, 7)?, pair(text, 10)?, pair(text, 13)?];
    if day == 0 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let time = i64::from(hour * 3600 + minute * 60 + second);
    let at = |year: i64| {
        let valid = day <= days_in_month(year, month) && (0..=9999).contains(&year);
        valid.then(|| days_from_civil(year, month, day) * 86_400 + time)
    };
    let seconds = YearRule::new(base_ms, rules.base_year).latest(at, |seconds| seconds * 1000)?;
    let date = (seconds <= LAST_MS / 1000).then(|| Date::new(seconds, 0, 0))?;
    Some(Reading { date, notes: Notes::GUESSED_YEAR.with(Notes::ZONELESS) })
}

/// Reads `30/Nov/2026:11:00:00 +0100`.
#[inline]
fn http(text: &[u8]) -> Option<Date> {
    let text: &[u8; 26] = text.try_into().ok()?;
    if [text[6], text[11], text[14], text[17], text[20]] != *b"/::: " {
        return None;
    }
    let (month, rest) = english_month(&text[3..6])?;
    let zone = offset(&text[21..])?;
    let clock = [pair(text, 12)?, pair(text, 15)?, pair(text, 18)?];
    let year = pair(text, 7)? * 100 + pair(text, 9)?;
    if !rest.is_empty() {
        return None;
    }
    date(year, month, pair(text, 0)?, clock, zone, (0, 0))
}

/// Reads `2026-11-30T11:00:00Z`, with a fraction or without one, and with any offset.
#[inline]
fn iso(text: &[u8]) -> Option<Date> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    if [head[4], head[7], head[13], head[16]] != *b"--::" || !matches!(head[10], b'T' | b' ') {
        return None;
    }
    let (fraction, zone) = match rest {
        [b'.', rest @ ..] => {
            let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&length) {
                return None;
            }
            let (digits, zone) = rest.split_at(length);
            let value = digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
            ((value * 10_u32.pow(9 - length as u32), length as u8), zone)
        }
        zone => ((0, 0), zone),
    };
    let clock = [pair(head, 11)?, pair(head, 14)?, pair(head, 17)?];
    let year = pair(head, 0)? * 100 + pair(head, 2)?;
    date(year, pair(head, 5)?, pair(head, 8)?, clock, offset(zone)?, fraction)
}

#[inline]
fn pair(text: &[u8], at: usize) -> Option<u32> {
    Some(two_digits(text.get(at..)?)?.0)
}

/// Returns the seconds of an offset that is the whole text: `Z`, `+0100` or `+01:00`.
#[inline]
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match text {
        b"Z" => return Some(0),
        [sign, hours @ .., b':', a, b] if hours.len() == 2 => (sign, hours, [*a, *b]),
        [sign, a, b, c, d] => (sign, &[*a, *b][..], [*c, *d]),
        _ => return None,
    };
    let (hours, minutes) = (two_digits(hours)?.0, two_digits(&minutes)?.0);
    let seconds = i64::from(hours * 3600 + minutes * 60);
    match sign {
        _ if hours > 23 || minutes > 59 => None,
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

#[inline]
fn date(year: u32, month: u32, day: u32, clock: [u32; 3], zone: i64, (nanos, digits): (u32, u8)) -> Option<Date> {
    let [hour, minute, second] = clock;
    let year = i64::from(year);
    if !(1..=12).contains(&month)
        || day == 0
        || day > days_in_month(year, month)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - zone;
    (FIRST_MS / 1000..=LAST_MS / 1000).contains(&seconds).then(|| Date::new(seconds, nanos, digits))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::document::date::Formats;

    proptest! {
        #[test]
        fn what_is_read_quickly_is_read_alike_by_the_other_readers(
            text in r"([0-9]{1,2}/(Feb|nov|Mai|Sept)/[0-9]{4}:[0-9]{2}:[0-6][0-9]:[0-6][0-9] [-+][0-9]{4}|[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-9]{2}:[0-9]{2}([.,][0-9]{1,10})?(Z|[-+][0-9]{2}:?[0-9]{2})?|(Feb|dec|Mai) [ 0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9])",
            base in -62_167_219_200_000_i64..253_402_300_800_000,
        ) {
            if let Some(reading) = Quick::All.read(text.as_bytes(), &Rules::default(), base) {
                for formats in [&["any"][..], &["%d/%b/%Y:%H:%M:%S %z", "ISO8601", "%b %e %H:%M:%S"]] {
                    let other = Formats::with(formats, &Arc::default()).unwrap().look(text.as_bytes(), base);
                    prop_assert_eq!(other, Ok(reading), "{}", text);
                }
            }
        }
    }

    #[test]
    fn the_shapes_are_read_by_the_formats_that_have_them() {
        let read = |quick: Quick, text: &str| quick.read(text.as_bytes(), &Rules::default(), 1_796_040_000_000);
        for (text, date) in [
            ("30/Nov/2026:11:00:00 +0100", "2026-11-30T10:00:00.000Z"),
            ("2026-11-30T11:00:00Z", "2026-11-30T11:00:00.000Z"),
            ("2026-11-30 11:00:00.123456-03:30", "2026-11-30T14:30:00.123456Z"),
            ("Dec  3 11:00:00", "2025-12-03T11:00:00.000Z"),
        ] {
            assert_eq!(read(Quick::All, text).unwrap().date.to_text(), date);
            let formats = [Quick::Http, Quick::Iso, Quick::Syslog, Quick::None];
            assert_eq!(formats.into_iter().filter(|format| read(*format, text).is_some()).count(), 1, "{text}");
        }
        for text in [
            "",
            "30",
            "30/Nov/2026:11:00:00",
            "2026-11-30T11:00:00",
            "2026-02-30T11:00:00Z",
            "30/Mai/2026:11:00:00 +0100",
        ] {
            assert_eq!(read(Quick::All, text), None, "{text}");
        }
    }
}
