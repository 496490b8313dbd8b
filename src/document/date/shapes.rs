//! Reads a text in any of the shapes that logs have. `doc/dates.md` lists them.
//!
//! The first characters decide how the text is read, so that no list of formats is tried.

use super::epoch;
use super::names::{month, weekday};
use super::order::Numbers;
use super::parts::{Day, Parts, Year, ZoneText};
use super::scan::{am_pm, digits, four_digits, fraction, number, offset, two_digits, unsigned};

/// The longest text that is read, in bytes.
const MAX_LENGTH: usize = 100;

/// Reads the parts of the date in `text`. Returns `None` when it is no date.
pub(super) fn read<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<()> {
    let text = text.trim_ascii();
    if text.len() > MAX_LENGTH {
        return None;
    }
    let text = match text {
        [b'[', inside @ .., b']'] if !inside.contains(&b'[') => inside.trim_ascii(),
        _ => text,
    };
    let rest = match text.first()? {
        b'0'..=b'9' => digits_first(text, parts)?,
        b'@' => epoch::tai64n(text, parts)?,
        // A router of Cisco marks a clock that is not set, or not in step.
        b'*' | b'.' => month_first(&text[1..], parts)?,
        byte if byte.is_ascii_alphabetic() || !byte.is_ascii() => words_first(text, parts)?,
        _ => return None,
    };
    (rest.is_empty() && (parts.day != Day::None || parts.unix.is_some())).then_some(())
}

/// Reads a text that begins with the name of a month or a weekday.
fn words_first<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    // Some names are a month in one language, and a weekday in another.
    if let Some(rest) = month_first(text, parts).filter(|rest| rest.is_empty()) {
        return Some(rest);
    }
    *parts = Parts::default();
    let text = weekday(text)?;
    if text.first()?.is_ascii_digit() { digits_first(text, parts) } else { month_first(text, parts) }
}

fn digits_first<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let length = digits(text, 20);
    let after = &text[length..];
    match (length, after.first()) {
        (4, Some(b'-' | b'/' | b'.')) => year_first(text, parts),
        (4, Some(b' ')) => match after[1..].first()? {
            b'0'..=b'9' => {
                // The log library glog leaves out the year, and all marks.
                let (month, rest) = two_digits(text)?;
                let (day, _) = two_digits(rest)?;
                parts.day = Day::Month { month, day };
                clock(blanks(after), parts)
            }
            _ => {
                parts.year = Year::Full(unsigned(&text[..4])?);
                let (month, rest) = month(blanks(after))?;
                let (day, rest) = number(blanks(rest))?;
                parts.day = Day::Month { month, day };
                after_day(rest, parts)
            }
        },
        (8 | 14, _) => {
            let (year, rest) = four_digits(text)?;
            parts.year = Year::Full(i64::from(year));
            compact_day(rest, parts)
        }
        (7, Some(b'T')) => {
            parts.year = Year::Full(unsigned(&text[..4])?);
            parts.day = Day::OfYear(unsigned(&text[4..7])? as u32);
            after_day(after, parts)
        }
        (6, Some(b' ')) => {
            let (year, rest) = two_digits(text)?;
            parts.year = Year::Short(i64::from(year));
            compact_day(rest, parts)
        }
        (1 | 2, Some(b'-' | b'/' | b'.' | b' ')) if after.get(1).is_some() => day_first(text, parts).or_else(|| {
            *parts = Parts::default();
            epoch::read(text, parts).map(|()| &text[text.len()..])
        }),
        (10 | 13 | 16 | 19, _) | (1, Some(b'.' | b'e' | b'E')) => {
            epoch::read(text, parts).map(|()| &text[text.len()..])
        }
        _ => None,
    }
}

/// Reads `MMDD` without marks, and what follows: a time without a mark before it, or with one.
fn compact_day<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let (month, rest) = two_digits(text)?;
    let (day, rest) = two_digits(rest)?;
    parts.day = Day::Month { month, day };
    if rest.first().is_some_and(u8::is_ascii_digit) { clock(rest, parts) } else { after_day(rest, parts) }
}

/// Reads `2024-02-03`, `2024/Feb/03` or `2024-034`, and what follows.
fn year_first<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let (year, rest) = four_digits(text)?;
    parts.year = Year::Full(i64::from(year));
    let (mark, rest) = rest.split_first()?;
    if digits(rest, 4) == 3 {
        parts.day = Day::OfYear(unsigned(&rest[..3])? as u32);
        return after_day(&rest[3..], parts);
    }
    let (month, rest) = number(rest).or_else(|| month(rest))?;
    let (day, rest) = number(rest.strip_prefix(&[*mark])?)?;
    parts.day = Day::Month { month, day };
    after_day(rest, parts)
}

/// Reads `3 Feb 2024`, `03/Feb/2024`, `03-Feb` or numbers such as `03/02/2024`, and what follows.
fn day_first<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let (first, rest) = number(text)?;
    let (mark, after) = rest.split_first()?;
    if let Some((month, rest)) = month(blanks(after)) {
        parts.day = Day::Month { month, day: first };
        return year_after_month(rest, *mark, parts);
    }
    if *mark == b' ' {
        return None;
    }
    let (second, rest) = number(after)?;
    let last = rest.strip_prefix(&[*mark]).filter(|last| last.first().is_some_and(u8::is_ascii_digit));
    let Some(last) = last else {
        // Without a year, only a time of day tells a date from a number.
        let rest = rest.strip_prefix(b".").filter(|_| *mark == b'.').unwrap_or(rest);
        parts.day = Day::Numbers(Numbers::Pair(first, second));
        return (rest.first() == Some(&b' ')).then(|| clock(blanks(rest), parts)).flatten();
    };
    let (numbers, rest) = match digits(last, 5) {
        4 => (Numbers::YearLast(first, second, unsigned(&last[..4])?), &last[4..]),
        2 => (Numbers::Short(first, second, unsigned(&last[..2])? as u32), &last[2..]),
        _ => return None,
    };
    parts.day = Day::Numbers(numbers);
    after_day(rest, parts)
}

/// Reads what follows the month of a date that begins with the day. `mark` stands between day and month.
fn year_after_month<'a>(text: &'a [u8], mark: u8, parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let rest = match text {
        [byte, rest @ ..] if *byte == mark || matches!(byte, b' ' | b',') => blanks(rest),
        // The point after the month counted as that of an abbreviation.
        [b'0'..=b'9', ..] if mark == b'.' => text,
        [] => return Some(text),
        _ => return None,
    };
    let rest = match (digits(rest, 5), rest.get(2)) {
        (4, _) => {
            parts.year = Year::Full(unsigned(&rest[..4])?);
            &rest[4..]
        }
        (2, after) if !matches!(after, Some(b':' | b'.')) => {
            parts.year = Year::Short(unsigned(&rest[..2])?);
            &rest[2..]
        }
        // There is no year: the time of day follows.
        _ => return clock(rest, parts),
    };
    after_day(rest, parts)
}

/// Reads `Feb  3`, `Feb 03, 2024` or `Feb-03-2024`, and what follows.
fn month_first<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let (month, rest) = month(text)?;
    let (mark, rest) = rest.split_first().filter(|(mark, _)| matches!(mark, b' ' | b'-' | b'/'))?;
    let (day, mut rest) = number(blanks(rest))?;
    parts.day = Day::Month { month, day };
    if let [a, b, after @ ..] = rest
        && matches!([a | 0x20, b | 0x20], [b's', b't'] | [b'n', b'd'] | [b'r', b'd'] | [b't', b'h'])
    {
        rest = after;
    }
    let after = match rest {
        [byte, after @ ..] if *byte == *mark || matches!(byte, b' ' | b',') => blanks(after),
        [] => return Some(rest),
        _ => return None,
    };
    if digits(after, 5) == 4 {
        parts.year = Year::Full(unsigned(&after[..4])?);
        return after_day(&after[4..], parts);
    }
    after_day(rest, parts)
}

/// Reads what follows a day: nothing, or a mark and a time of day, or a zone.
fn after_day<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let rest = match text {
        [] => return Some(text),
        [b'T' | b't' | b'_' | b':' | b'-', rest @ ..] => return clock(rest, parts),
        [b',', rest @ ..] => blanks(rest),
        [b' ' | b'\t', ..] => blanks(text),
        _ => return None,
    };
    let rest = match rest {
        [b'@', b' ', rest @ ..] | [b'a', b't', b' ', rest @ ..] | [b'-', b' ', rest @ ..] => blanks(rest),
        _ => rest,
    };
    clock(rest, parts)
}

/// Reads a time of day, and what follows it: a fraction, `AM` or `PM`, a zone, a year.
fn clock<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let (hour, rest) = number(text)?;
    let (mark, rest) = match rest {
        [mark @ (b':' | b'.'), rest @ ..] => (*mark, rest),
        _ => (b':', rest),
    };
    parts.hour = hour;
    let (minute, mut rest) = match am_pm(blanks(rest)) {
        Some(_) => (0, rest),
        None => number(rest)?,
    };
    parts.minute = minute;
    let seconds = rest.strip_prefix(&[mark]).unwrap_or(rest);
    if let Some((second, after)) = number(seconds) {
        parts.second = second;
        rest = after;
        if let [b'.' | b',' | b':', more @ ..] = rest
            && let Some(after) = fraction(more, parts)
        {
            rest = after;
        }
    }
    after_clock(rest, parts)
}

/// Reads what may follow a time of day, in any order.
fn after_clock<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let mut rest = text;
    loop {
        let blank = matches!(rest.first(), Some(b' ' | b'\t'));
        rest = blanks(rest);
        let has_zone = parts.zone != ZoneText::None;
        rest = match rest {
            [] => return Some(rest),
            // Go adds the reading of another clock, Java the name of the zone, and mail a comment.
            [b'm', b'=', ..] if has_zone => return Some(&[]),
            [b'[', .., b']'] | [b'(', .., b')'] if has_zone => return Some(&[]),
            [b'0'..=b'9', ..] if blank && parts.year == Year::None && digits(rest, 5) == 4 => {
                parts.year = Year::Full(unsigned(&rest[..4])?);
                &rest[4..]
            }
            [b'+' | b'-', ..] if !has_zone => offset(rest, parts)?,
            [b'Z' | b'z'] if !has_zone => offset(rest, parts)?,
            [byte, ..] if byte.is_ascii_alphabetic() => match am_pm(rest) {
                Some((afternoon, after)) if parts.afternoon.is_none() && !starts_with_letter(after) => {
                    parts.afternoon = Some(afternoon);
                    after
                }
                _ => zone_name(rest, parts)?,
            },
            _ => return None,
        };
    }
}

fn starts_with_letter(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
}

/// Reads the name of a zone, or `GMT+0100`. A name after an offset says nothing new.
fn zone_name<'a>(text: &'a [u8], parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let in_name = |byte: &&u8| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'_');
    let (name, rest) = text.split_at(text.iter().take_while(in_name).count());
    if let (b"GMT" | b"UTC", [sign @ (b'+' | b'-'), digit @ b'0'..=b'9', rest @ ..]) = (name, rest)
        && !rest.first().is_some_and(u8::is_ascii_digit)
        && parts.zone == ZoneText::None
    {
        let minutes = i64::from(digit - b'0') * 60;
        parts.zone = ZoneText::Minutes(if *sign == b'-' { -minutes } else { minutes });
        return Some(rest);
    }
    if let (b"GMT" | b"UTC", [b'+' | b'-', ..]) = (name, rest) {
        return offset(rest, parts);
    }
    if parts.zone == ZoneText::None {
        parts.zone = if name == b"UTC" || name == b"GMT" { ZoneText::Minutes(0) } else { ZoneText::Name(name) };
    }
    Some(rest)
}

/// Returns `text` without the blanks at its beginning.
#[inline]
fn blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &text[blanks..]
}
