//! Format texts become items: those of `strftime`, those of Joda (Java, Logstash, Elasticsearch), and words.
//!
//! A text with a percent sign is of `strftime`, and so is one with the word `ISO8601`. Any other text is of Joda.

use super::items::Item;
use crate::core::error::{Error, Result};

/// A compiled format.
#[derive(Debug, Clone)]
pub(super) enum Format {
    /// Any shape that is known.
    Any,
    /// These items.
    Items(Vec<Item>),
}

/// The word for any shape that is known.
pub const ANY: &str = "any";

impl Format {
    pub fn new(text: &str) -> Result<Format> {
        let items = match text {
            ANY => return Ok(Format::Any),
            "UNIX" => vec![Item::UnixSeconds],
            "UNIX_MS" => vec![Item::UnixMilliseconds],
            "TAI64N" => vec![Item::Tai64n],
            _ if text.contains('%') || text.contains("ISO8601") => strftime(text)?,
            _ => joda(text)?,
        };
        let has = |wanted: &[Item]| items.iter().any(|item| wanted.contains(item));
        let whole = has(&[Item::Iso8601, Item::UnixSeconds, Item::UnixMilliseconds, Item::Tai64n]);
        let day = has(&[Item::DayOfYear]) || (has(&[Item::Month, Item::MonthName]) && has(&[Item::Day]));
        if !whole && !day {
            return Err(Error::usage(format!(
                "date format {text:?} names no day: it needs a month and a day, as in %Y-%m-%d %H:%M:%S or yyyy-MM-dd \
                 HH:mm:ss, or the day of the year, or Unix time, or ISO8601"
            )));
        }
        if has(&[Item::Hour12]) != has(&[Item::AmPm]) {
            return Err(Error::usage(format!(
                "date format {text:?}: the hour of 12 hours and AM or PM go together (%I and %p, or hh and a)"
            )));
        }
        Ok(Format::Items(items))
    }
}

fn strftime(text: &str) -> Result<Vec<Item>> {
    const ISO: &[u8] = b"ISO8601";
    let mut items = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(ISO) {
            items.push(Item::Iso8601);
            rest = after;
            continue;
        }
        if first != b'%' {
            items.push(Item::Literal(first));
            rest = after;
            continue;
        }
        let short = |item: Item, mark: u8| [item, Item::Literal(mark)];
        match after.first() {
            Some(b'F') => items.extend([short(Item::Year, b'-'), short(Item::Month, b'-')].concat().into_iter().chain([Item::Day])),
            Some(b'T') => {
                items.extend([short(Item::Hour, b':'), short(Item::Minute, b':')].concat().into_iter().chain([Item::Second]));
            }
            letter => items.push(strftime_item(letter).ok_or_else(|| {
                let at = text.len() - rest.len();
                let unknown = text[at + 1..].chars().next().map_or("% at its end".into(), |c| format!("%{c}"));
                Error::usage(format!(
                    "date format {text:?}: {unknown} is not known; the items are %Y %y %m %b %B %d %e %j %a %A %H %I %p %M %S \
                     %F %T %f %z %Z %s %% and the word ISO8601"
                ))
            })?),
        }
        rest = &after[1..];
    }
    Ok(items)
}

fn strftime_item(letter: Option<&u8>) -> Option<Item> {
    Some(match letter? {
        b'Y' => Item::Year,
        b'y' => Item::ShortYear,
        b'm' => Item::Month,
        b'b' | b'B' | b'h' => Item::MonthName,
        b'd' | b'e' => Item::Day,
        b'j' => Item::DayOfYear,
        b'a' | b'A' => Item::Weekday,
        b'H' => Item::Hour,
        b'I' => Item::Hour12,
        b'M' => Item::Minute,
        b'S' => Item::Second,
        b'p' => Item::AmPm,
        b'f' => Item::Fraction,
        b'z' => Item::Offset,
        b'Z' => Item::ZoneName,
        b's' => Item::UnixSeconds,
        b'%' => Item::Literal(b'%'),
        _ => return None,
    })
}

fn joda(text: &str) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&letter, after)) = rest.split_first() {
        if letter == b'\'' {
            rest = quoted(after, &mut items)
                .ok_or_else(|| Error::usage(format!("date format {text:?}: a quote (') is not closed")))?;
            continue;
        }
        if !letter.is_ascii_alphabetic() {
            items.push(Item::Literal(letter));
            rest = after;
            continue;
        }
        let count = rest.iter().take_while(|byte| **byte == letter).count();
        rest = &rest[count..];
        items.push(match (letter, count) {
            (b'y' | b'Y' | b'u', 2) => Item::ShortYear,
            (b'y' | b'Y' | b'u', _) => Item::Year,
            (b'M' | b'L', 1 | 2) => Item::Month,
            (b'M' | b'L', _) => Item::MonthName,
            (b'd', _) => Item::Day,
            (b'D', _) => Item::DayOfYear,
            (b'E' | b'e', _) => Item::Weekday,
            (b'H', _) => Item::Hour,
            (b'h', _) => Item::Hour12,
            (b'm', _) => Item::Minute,
            (b's', _) => Item::Second,
            (b'S' | b'n', _) => Item::Fraction,
            (b'a', _) => Item::AmPm,
            (b'Z' | b'x' | b'X', _) => Item::Offset,
            (b'z', _) => Item::ZoneName,
            _ => {
                let letter = char::from(letter);
                return Err(Error::usage(format!(
                    "date format {text:?}: the letter {letter} is not known; those of Joda are y M d D E H h m s S a Z z, and \
                     other text stands in quotes ('T'); the items of strftime are written with %, as in %Y-%m-%d"
                )));
            }
        });
    }
    Ok(items)
}

/// Reads a quoted text, after its first quote. Two quotes are one quote of the text.
fn quoted<'a>(text: &'a [u8], items: &mut Vec<Item>) -> Option<&'a [u8]> {
    if let Some(rest) = text.strip_prefix(b"'") {
        items.push(Item::Literal(b'\''));
        return Some(rest);
    }
    let mut rest = text;
    loop {
        rest = match rest {
            [b'\'', b'\'', after @ ..] => {
                items.push(Item::Literal(b'\''));
                after
            }
            [b'\'', after @ ..] => return Some(after),
            [byte, after @ ..] => {
                items.push(Item::Literal(*byte));
                after
            }
            [] => return None,
        };
    }
}
