//! Reads a text by the items of a format.

use super::year_rule::YearRule;
use crate::core::calendar::{FIRST_MS, LAST_MS, MS_PER_DAY, days_from_civil, days_in_month, is_leap};

/// One item of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Literal(u8),
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    DayOfYear,
    Weekday,
    Hour,
    Hour12,
    Minute,
    Second,
    AmPm,
    Fraction,
    Offset,
    ZoneName,
    UnixSeconds,
    Iso8601,
}

/// The parts of a date that have been read so far.
#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: u32,
    day: u32,
    day_of_year: u32,
    hour: u32,
    minute: u32,
    second: u32,
    ms: u32,
    afternoon: Option<bool>,
    offset_minutes: i64,
    unix_ms: Option<i64>,
}

/// Returns the date in `text` in milliseconds since 1970; `None` when `items` do not read the whole text.
#[inline]
pub(super) fn read(items: &[Item], text: &[u8], now_ms: i64) -> Option<i64> {
    let mut parts = Parts::default();
    let mut rest = text;
    for item in items {
        rest = match item {
            Item::Literal(byte) => match rest {
                [first, after @ ..] if first == byte => after,
                _ => return None,
            },
            Item::Year => {
                let (year, after) = four_digits(rest)?;
                parts.year = Some(i64::from(year));
                after
            }
            Item::ShortYear => {
                let (year, after) = two_digits(rest)?;
                parts.year = Some(i64::from(year) + if year < 69 { 2000 } else { 1900 });
                after
            }
            Item::Month => number(rest, &mut parts.month)?,
            Item::MonthName => month_name(rest, &mut parts.month)?,
            Item::Day => number(rest.strip_prefix(b" ").unwrap_or(rest), &mut parts.day)?,
            Item::DayOfYear => {
                let digits = digits(rest, 3);
                parts.day_of_year = unsigned(&rest[..digits])? as u32;
                &rest[digits..]
            }
            Item::Weekday => weekday(rest)?,
            Item::Hour | Item::Hour12 => number(rest, &mut parts.hour)?,
            Item::Minute => number(rest, &mut parts.minute)?,
            Item::Second => number(rest, &mut parts.second)?,
            Item::AmPm => {
                let (mark, after) = rest.split_first_chunk::<2>()?;
                parts.afternoon = Some(match mark.map(|byte| byte | 0x20) {
                    [b'a', b'm'] => false,
                    [b'p', b'm'] => true,
                    _ => return None,
                });
                after
            }
            Item::Fraction => fraction(rest, &mut parts.ms)?,
            Item::Offset => offset(rest, &mut parts.offset_minutes)?,
            Item::ZoneName => zone_name(rest, &mut parts.offset_minutes)?,
            Item::UnixSeconds => {
                let (ms, after) = unix_seconds(rest)?;
                parts.unix_ms = Some(ms);
                after
            }
            Item::Iso8601 => iso8601(rest, &mut parts)?,
        };
    }
    if !rest.is_empty() {
        return None;
    }
    // A zone can move a date out of the years 0 to 9999.
    parts.date(now_ms).filter(|date| (FIRST_MS..=LAST_MS).contains(date))
}

impl Parts {
    #[inline]
    fn date(&self, now_ms: i64) -> Option<i64> {
        if let Some(ms) = self.unix_ms {
            return Some(ms);
        }
        let hour = match self.afternoon {
            None => self.hour,
            Some(_) if !(1..=12).contains(&self.hour) => return None,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
        };
        if hour > 23 || self.minute > 59 || self.second > 60 {
            return None;
        }
        let seconds = i64::from(hour * 3600 + self.minute * 60 + self.second) - self.offset_minutes * 60;
        let time_ms = seconds * 1000 + i64::from(self.ms);
        match self.year {
            Some(year) => Some(self.days(year)? * MS_PER_DAY + time_ms),
            None => YearRule::new(now_ms).latest(|year| Some(self.days(year)? * MS_PER_DAY + time_ms)),
        }
    }

    #[inline]
    fn days(&self, year: i64) -> Option<i64> {
        if !(0..=9999).contains(&year) {
            return None;
        }
        if self.day_of_year != 0 && self.month == 0 {
            let last = 365 + u32::from(is_leap(year));
            return (self.day_of_year <= last).then(|| days_from_civil(year, 1, 1) + i64::from(self.day_of_year) - 1);
        }
        if !(1..=12).contains(&self.month) || self.day == 0 || self.day > days_in_month(year, self.month) {
            return None;
        }
        Some(days_from_civil(year, self.month, self.day))
    }
}

/// Returns the number of digits at the beginning of `text`, but no more than `most`.
#[inline]
fn digits(text: &[u8], most: usize) -> usize {
    text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Returns the value of a text that is 1 to 18 digits.
fn unsigned(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    Some(text.iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0')))
}

#[inline]
fn two_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', after @ ..] => Some((u32::from(a - b'0') * 10 + u32::from(b - b'0'), after)),
        _ => None,
    }
}

#[inline]
fn four_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let (high, after) = two_digits(text)?;
    let (low, after) = two_digits(after)?;
    Some((high * 100 + low, after))
}

/// Reads one or two digits.
#[inline]
fn number<'a>(text: &'a [u8], into: &mut u32) -> Option<&'a [u8]> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', after @ ..] => {
            *into = u32::from(a - b'0') * 10 + u32::from(b - b'0');
            Some(after)
        }
        [a @ b'0'..=b'9', after @ ..] => {
            *into = u32::from(a - b'0');
            Some(after)
        }
        _ => None,
    }
}

fn fraction<'a>(text: &'a [u8], ms: &mut u32) -> Option<&'a [u8]> {
    let length = digits(text, usize::MAX);
    if length == 0 {
        return None;
    }
    let digit = |index: usize| if index < length { u32::from(text[index] - b'0') } else { 0 };
    *ms = digit(0) * 100 + digit(1) * 10 + digit(2);
    Some(&text[length..])
}

const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];
const WEEKDAYS: [&[u8]; 7] = [b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday"];

#[inline]
fn month_name<'a>(text: &'a [u8], month: &mut u32) -> Option<&'a [u8]> {
    let (short, after) = text.split_first_chunk::<3>()?;
    let index = match &short.map(|byte| byte | 0x20) {
        b"jan" => 0,
        b"feb" => 1,
        b"mar" => 2,
        b"apr" => 3,
        b"may" => 4,
        b"jun" => 5,
        b"jul" => 6,
        b"aug" => 7,
        b"sep" => 8,
        b"oct" => 9,
        b"nov" => 10,
        b"dec" => 11,
        _ => return None,
    };
    *month = index as u32 + 1;
    Some(without_rest_of(MONTHS[index], after))
}

fn weekday(text: &[u8]) -> Option<&[u8]> {
    let (short, after) = text.split_first_chunk::<3>()?;
    let name = WEEKDAYS.iter().find(|name| name[..3].eq_ignore_ascii_case(short))?;
    Some(without_rest_of(name, after))
}

/// Returns the text after a name whose first three letters were read. If the rest of the name is there, it is skipped
/// too.
#[inline]
fn without_rest_of<'a>(name: &[u8], after: &'a [u8]) -> &'a [u8] {
    let more = &name[3..];
    match after.get(..more.len()) {
        Some(next) if next.eq_ignore_ascii_case(more) => &after[more.len()..],
        _ => after,
    }
}

#[inline]
fn offset<'a>(text: &'a [u8], minutes: &mut i64) -> Option<&'a [u8]> {
    let (sign, after) = match text {
        [b'Z' | b'z', after @ ..] => {
            *minutes = 0;
            return Some(after);
        }
        [b'+', after @ ..] => (1, after),
        [b'-', after @ ..] => (-1, after),
        _ => return None,
    };
    let (hours, after) = two_digits(after)?;
    let (more, after) = match after {
        [b':', rest @ ..] => two_digits(rest).unwrap_or((0, after)),
        _ => two_digits(after).unwrap_or((0, after)),
    };
    if hours > 23 || more > 59 {
        return None;
    }
    *minutes = sign * i64::from(hours * 60 + more);
    Some(after)
}

fn zone_name<'a>(text: &'a [u8], minutes: &mut i64) -> Option<&'a [u8]> {
    let length = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (name, after) = text.split_at(length);
    let hours = match name {
        b"UTC" | b"UT" | b"GMT" | b"Z" => 0,
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        _ => return None,
    };
    *minutes = hours * 60;
    Some(after)
}

/// Reads seconds since 1970 with an optional fraction and returns milliseconds.
fn unix_seconds(text: &[u8]) -> Option<(i64, &[u8])> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let length = digits(rest, 19);
    let seconds = unsigned(&rest[..length])?;
    let mut after = &rest[length..];
    let mut ms = 0;
    if let [b'.' | b',', more @ ..] = after
        && let Some(rest) = fraction(more, &mut ms)
    {
        after = rest;
    }
    let value = seconds.checked_mul(1000)?.checked_add(i64::from(ms))?;
    let value = if negative { -value } else { value };
    Some((value, after))
}

fn iso8601<'a>(text: &'a [u8], parts: &mut Parts) -> Option<&'a [u8]> {
    let (year, rest) = four_digits(text)?;
    let (month, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let (day, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let rest = match rest {
        [b'T' | b't' | b' ', rest @ ..] => rest,
        _ => return None,
    };
    let (hour, rest) = two_digits(rest)?;
    let (minute, mut rest) = two_digits(rest.strip_prefix(b":").unwrap_or(rest))?;
    parts.year = Some(i64::from(year));
    (parts.month, parts.day, parts.hour, parts.minute) = (month, day, hour, minute);
    if let Some((second, after)) = two_digits(rest.strip_prefix(b":").unwrap_or(rest)) {
        parts.second = second;
        rest = after;
        if let [b'.' | b',', more @ ..] = rest
            && let Some(after) = fraction(more, &mut parts.ms)
        {
            rest = after;
        }
    }
    let zone = match rest {
        [b' ', zone @ ..] if matches!(zone.first(), Some(b'+' | b'-' | b'Z')) => zone,
        _ => rest,
    };
    Some(offset(zone, &mut parts.offset_minutes).unwrap_or(rest))
}
