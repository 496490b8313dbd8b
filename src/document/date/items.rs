//! Reads a text by the items of a format.

use super::names::{english_month, english_weekday};
use super::parts::{Day, Parts, Year, ZoneText};
use super::scan::{am_pm, digits, four_digits, fraction, number, offset, two_digits, unsigned};

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
    UnixMilliseconds,
    Tai64n,
    Iso8601,
}

/// Reads the parts of the date in `text`. Returns `None` when `items` do not read the whole text.
#[inline]
pub(super) fn read<'a>(items: &[Item], text: &'a [u8], parts: &mut Parts<'a>) -> Option<()> {
    let (mut month, mut day) = (0, 0);
    let mut rest = text;
    for item in items {
        rest = match item {
            Item::Literal(byte) => match rest {
                [first, after @ ..] if first == byte => after,
                _ => return None,
            },
            Item::Year => {
                let (year, after) = four_digits(rest)?;
                parts.year = Year::Full(i64::from(year));
                after
            }
            Item::ShortYear => {
                let (year, after) = two_digits(rest)?;
                parts.year = Year::Short(i64::from(year));
                after
            }
            Item::Month => into(&mut month, number(rest)?),
            Item::MonthName => into(&mut month, english_month(rest).or_else(|| super::names::month(rest))?),
            Item::Day => into(&mut day, number(rest.strip_prefix(b" ").unwrap_or(rest))?),
            Item::DayOfYear => {
                let length = digits(rest, 3);
                parts.day = Day::OfYear(unsigned(&rest[..length])? as u32);
                &rest[length..]
            }
            Item::Weekday => english_weekday(rest)?,
            Item::Hour | Item::Hour12 => into(&mut parts.hour, number(rest)?),
            Item::Minute => into(&mut parts.minute, number(rest)?),
            Item::Second => into(&mut parts.second, number(rest)?),
            Item::AmPm => {
                let (afternoon, after) = am_pm(rest)?;
                parts.afternoon = Some(afternoon);
                after
            }
            Item::Fraction => fraction(rest, parts)?,
            Item::Offset => offset(rest, parts)?,
            Item::ZoneName => {
                let (name, after) = rest.split_at(rest.iter().take_while(|byte| in_zone_name(**byte)).count());
                parts.zone = ZoneText::Name(name);
                after
            }
            Item::UnixSeconds => unix_seconds(rest, parts)?,
            Item::UnixMilliseconds => unix_milliseconds(rest, parts)?,
            Item::Tai64n => super::epoch::tai64n(rest, parts)?,
            Item::Iso8601 => iso8601(rest, parts, &mut month, &mut day)?,
        };
    }
    if !rest.is_empty() {
        return None;
    }
    if month != 0 || day != 0 {
        parts.day = Day::Month { month, day };
    }
    Some(())
}

fn in_zone_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'_')
}

#[inline]
fn into<'a>(place: &mut u32, (value, after): (u32, &'a [u8])) -> &'a [u8] {
    *place = value;
    after
}

/// Reads seconds since 1970, perhaps negative, perhaps with a fraction.
fn unix_seconds<'a>(text: &'a [u8], parts: &mut Parts<'_>) -> Option<&'a [u8]> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let length = digits(rest, 19);
    let seconds = unsigned(&rest[..length])?;
    let mut after = &rest[length..];
    if let [b'.' | b',', more @ ..] = after
        && let Some(rest) = fraction(more, parts)
    {
        after = rest;
    }
    parts.unix = Some(seconds);
    if negative {
        let borrows = parts.nanos > 0;
        parts.unix = Some(-seconds - i64::from(borrows));
        parts.nanos = if borrows { 1_000_000_000 - parts.nanos } else { 0 };
    }
    Some(after)
}

fn unix_milliseconds<'a>(text: &'a [u8], parts: &mut Parts<'_>) -> Option<&'a [u8]> {
    let length = digits(text, 18);
    let ms = unsigned(&text[..length])?;
    parts.unix = Some(ms / 1000);
    (parts.nanos, parts.digits) = ((ms % 1000) as u32 * 1_000_000, 3);
    Some(&text[length..])
}

fn iso8601<'a>(text: &'a [u8], parts: &mut Parts<'_>, month: &mut u32, day: &mut u32) -> Option<&'a [u8]> {
    let (year, rest) = four_digits(text)?;
    let (read_month, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let (read_day, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let rest = match rest {
        [b'T' | b't' | b' ', rest @ ..] => rest,
        _ => return None,
    };
    let (hour, rest) = two_digits(rest)?;
    let (minute, mut rest) = two_digits(rest.strip_prefix(b":").unwrap_or(rest))?;
    parts.year = Year::Full(i64::from(year));
    (*month, *day, parts.hour, parts.minute) = (read_month, read_day, hour, minute);
    if let Some((second, after)) = two_digits(rest.strip_prefix(b":").unwrap_or(rest)) {
        parts.second = second;
        rest = after;
        if let [b'.' | b',', more @ ..] = rest
            && let Some(after) = fraction(more, parts)
        {
            rest = after;
        }
    }
    let zone = match rest {
        [b' ', zone @ ..] if matches!(zone.first(), Some(b'+' | b'-' | b'Z')) => zone,
        _ => rest,
    };
    Some(offset(zone, parts).unwrap_or(rest))
}
