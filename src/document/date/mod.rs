//! Points in time, read from the text of a log line.
//!
//! A [`Formats`] is compiled once from a list of format texts and tries them in order. A format text is literal, except
//! for the word `ISO8601` and these items:
//!
//! | item | reads |
//! |---|---|
//! | `%Y`, `%y` | year: four digits; two digits, 69–99 are 1969–1999 and 00–68 are 2000–2068 |
//! | `%m`, `%b`, `%B` | month: one or two digits; an English name, short or whole, in any case (both items read both) |
//! | `%d`, `%e` | day of the month: one or two digits, one leading space allowed |
//! | `%j` | day of the year: one to three digits |
//! | `%a`, `%A` | an English weekday, short or whole; it is read but not checked against the date |
//! | `%H`, `%M`, `%S` | hour 0–23, minute, second 0–60: one or two digits |
//! | `%I`, `%p` | hour 1–12 and `AM` or `PM` |
//! | `%f` | a fraction of a second, any number of digits; digits after the third are cut off |
//! | `%z` | zone: `Z`, `+hh`, `+hhmm`, `+hh:mm` (or with `-`) |
//! | `%Z` | zone by name: `UTC`, `UT`, `GMT`, `Z` and the fixed zones of the USA (`EST`, `EDT`, … `PDT`) |
//! | `%s` | Unix time in seconds, perhaps negative, perhaps with a fraction |
//! | `%%` | a percent sign |
//! | `ISO8601` | `2015-05-17T10:05:03.000+02:00`: `T` or a space; colons, seconds, fraction and zone may be missing |
//!
//! A format must read the whole text. A time without a zone is UTC. A second of 60 (a leap second) counts as the second
//! after it, as in Unix time. A date that no calendar has (30 February, hour 24) is not read. Years are 0 to 9999.
//!
//! A format without a year (classic syslog) gives the latest year that puts the date at most one day after the time of the
//! record's context (`year_rule.rs`). This time is an argument.

mod read;
mod year_rule;

pub use crate::core::calendar::{MS_PER_DAY, now_ms, write_iso};
use crate::core::error::{Error, Result};
use read::Item;

/// Compiled date formats. They are tried in order.
#[derive(Debug, Clone)]
pub struct Formats {
    formats: Vec<Format>,
    /// The last text that was read; `last_date` is its date. Many lines of a log have the same second.
    last_text: Vec<u8>,
    last_date: i64,
    /// The context's time for which `last_date` is right; `None` if the text has a year, so that it is right for every time.
    last_now: Option<i64>,
}

#[derive(Debug, Clone)]
struct Format {
    items: Vec<Item>,
    /// Whether the result depends on the text alone and not on the current year.
    has_year: bool,
}

/// The formats for a field of type `date` when no rule names others: ISO 8601, those of web servers, of mail (RFC 2822)
/// and of syslog.
pub const COMMON: [&str; 8] = [
    "ISO8601",
    "%d/%b/%Y:%H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%a %b %e %H:%M:%S.%f %Y",
    "%a %b %e %H:%M:%S %Y",
    "%Y/%m/%d %H:%M:%S",
    "%b %e %H:%M:%S",
];

/// The maximum length of a text whose date is remembered, in bytes.
const MAX_REMEMBERED: usize = 64;

impl Formats {
    /// Compiles `formats`.
    ///
    /// # Errors
    /// A usage error that shows the format and says what is allowed.
    pub fn new<S: AsRef<str>>(formats: &[S]) -> Result<Formats> {
        let formats = formats.iter().map(|text| Format::new(text.as_ref())).collect::<Result<Vec<_>>>()?;
        if formats.is_empty() {
            return Err(Error::usage("a date needs at least one format, for instance ISO8601 or %d/%b/%Y:%H:%M:%S %z"));
        }
        Ok(Formats { formats, last_text: Vec::with_capacity(MAX_REMEMBERED), last_date: 0, last_now: None })
    }

    /// Returns the date in `text` in milliseconds since 1970 UTC; `None` when no format reads the whole text.
    #[inline]
    pub fn read(&mut self, text: &[u8], now_ms: i64) -> Option<i64> {
        let known = text == self.last_text.as_slice() && !text.is_empty();
        if known && self.last_now.is_none_or(|now| now == now_ms) {
            return Some(self.last_date);
        }
        self.read_anew(text, now_ms)
    }

    fn read_anew(&mut self, text: &[u8], now_ms: i64) -> Option<i64> {
        let (date, has_year) = self.find(text, now_ms)?;
        if text.len() <= MAX_REMEMBERED {
            self.last_text.clear();
            self.last_text.extend_from_slice(text);
            self.last_date = date;
            self.last_now = (!has_year).then_some(now_ms);
        }
        Some(date)
    }

    /// Returns the same as [`read`](Formats::read), and remembers nothing.
    pub(crate) fn look(&self, text: &[u8], now_ms: i64) -> Option<i64> {
        self.find(text, now_ms).map(|(date, _)| date)
    }

    fn find(&self, text: &[u8], now_ms: i64) -> Option<(i64, bool)> {
        self.formats.iter().find_map(|format| Some((read::read(&format.items, text, now_ms)?, format.has_year)))
    }
}

/// Returns the date `ms`, which was read from `text`, in nanoseconds since 1970: `text` may hold more than three digits of a
/// fraction. The result is 0 for a date before 1970.
pub fn nanoseconds(text: &[u8], ms: i64) -> u64 {
    let seconds = u64::try_from(ms.div_euclid(1000)).unwrap_or_default().saturating_mul(1_000_000_000);
    let whole = ms.rem_euclid(1000) as u64 * 1_000_000;
    let Some(point) = memchr::memchr(b'.', text) else { return seconds.saturating_add(whole) };
    let digits = text[point + 1..].iter().take_while(|byte| byte.is_ascii_digit()).map(|byte| u64::from(byte - b'0'));
    let fraction = digits.chain(std::iter::repeat(0)).take(9).fold(0, |value, digit| value * 10 + digit);
    // The fraction belongs to this date only if its first three digits are the milliseconds.
    let exact = if fraction / 1_000_000 == whole / 1_000_000 { fraction } else { whole };
    seconds.saturating_add(exact)
}

impl Format {
    fn new(text: &str) -> Result<Format> {
        let items = compile(text)?;
        let has = |wanted: &[Item]| items.iter().any(|item| wanted.contains(item));
        let whole = has(&[Item::Iso8601, Item::UnixSeconds]);
        let day = has(&[Item::DayOfYear]) || (has(&[Item::Month, Item::MonthName]) && has(&[Item::Day]));
        if !whole && !day {
            let hint = if text.contains('%') { "" } else { "; items are written with %, as in %Y-%m-%d %H:%M:%S" };
            return Err(Error::usage(format!(
                "date format {text:?} names no day: it needs a month and a day (%m or %b, and %d), or %j, or %s, or \
                 ISO8601{hint}"
            )));
        }
        if has(&[Item::Hour12]) != has(&[Item::AmPm]) {
            return Err(Error::usage(format!("date format {text:?}: %I and %p go together (%H reads 24 hours)")));
        }
        Ok(Format { has_year: whole || has(&[Item::Year, Item::ShortYear]), items })
    }
}

fn compile(text: &str) -> Result<Vec<Item>> {
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
        let item = match after.first() {
            Some(b'Y') => Item::Year,
            Some(b'y') => Item::ShortYear,
            Some(b'm') => Item::Month,
            Some(b'b' | b'B') => Item::MonthName,
            Some(b'd' | b'e') => Item::Day,
            Some(b'j') => Item::DayOfYear,
            Some(b'a' | b'A') => Item::Weekday,
            Some(b'H') => Item::Hour,
            Some(b'I') => Item::Hour12,
            Some(b'M') => Item::Minute,
            Some(b'S') => Item::Second,
            Some(b'p') => Item::AmPm,
            Some(b'f') => Item::Fraction,
            Some(b'z') => Item::Offset,
            Some(b'Z') => Item::ZoneName,
            Some(b's') => Item::UnixSeconds,
            Some(b'%') => Item::Literal(b'%'),
            _ => {
                let at = text.len() - rest.len();
                let unknown = text[at + 1..].chars().next().map_or("% at its end".into(), |c| format!("%{c}"));
                return Err(Error::usage(format!(
                    "date format {text:?}: {unknown} is not known; the items are %Y %y %m %b %B %d %e %j %a %A %H %I %p %M %S \
                     %f %z %Z %s %% and the word ISO8601"
                )));
            }
        };
        items.push(item);
        rest = &after[1..];
    }
    Ok(items)
}

#[cfg(test)]
mod tests;
