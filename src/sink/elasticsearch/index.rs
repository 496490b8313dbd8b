//! [`IndexName`]: the name of an index, data stream or alias, with a date that each document's time fills in.

use std::fmt;

use crate::core::calendar::{FIRST_MS, LAST_MS, MS_PER_DAY, civil_from_days};

/// The name if the address has none.
pub(super) const DEFAULT: &str = "logator-%{+yyyy.MM.dd}";

/// What stands in the place of the date for documents without a time.
const UNDATED: &str = "undated";

/// The longest name in bytes.
const MAX_LENGTH: usize = 255;

/// Characters that Elasticsearch and OpenSearch refuse in names.
const REFUSED: [char; 13] = ['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',', '#', ':', '\0'];

/// A name with at most one date. `Display` shows it as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexName {
    text: String,
    before: String,
    /// The date and the text after it.
    date: Option<(Vec<Part>, String)>,
}

/// A part of a date.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A number of at least so many digits.
    Year(usize),
    /// The last two digits of the year.
    ShortYear,
    Month(usize),
    Day(usize),
    Hour(usize),
}

impl IndexName {
    /// Reads a name such as `logator-%{+yyyy.MM.dd}`. The date has the letters of Joda and Java.
    ///
    /// # Errors
    /// The end of a sentence for the user, without a secret: the name is not shown.
    pub fn parse(text: &str) -> Result<IndexName, String> {
        let date = match text.find("%{") {
            None => None,
            Some(start) => {
                let (inner, after) =
                    text[start + 2..].split_once('}').ok_or("its index has a %{ that is not closed by a }")?;
                if after.contains("%{") {
                    return Err("its index has more than one %{…}; one date is possible".to_owned());
                }
                let format = inner.strip_prefix('+').ok_or(
                    "its index has a %{…} that is no date; a date is written %{+yyyy.MM.dd}, and no field is possible",
                )?;
                Some((start, parts(format)?, after.to_owned()))
            }
        };
        let (before, date) = match date {
            None => (text, None),
            Some((start, parts, after)) => (&text[..start], Some((parts, after))),
        };
        let name = IndexName { text: text.to_owned(), before: before.to_owned(), date };
        // The year 9999 gives a name of the greatest length.
        for name in [name.at(Some(LAST_MS)), name.at(None)] {
            check(&name)?;
        }
        Ok(name)
    }

    /// Returns the name for documents with the time `ms` (milliseconds since 1970), or for documents without a time. Dates
    /// are in UTC, and within the years 0 to 9999.
    pub fn at(&self, ms: Option<i64>) -> String {
        let mut name = self.before.clone();
        if let Some((parts, after)) = &self.date {
            match ms {
                Some(ms) => parts.iter().for_each(|part| part.write(ms.clamp(FIRST_MS, LAST_MS), &mut name)),
                None => name.push_str(UNDATED),
            }
            name.push_str(after);
        }
        name
    }

    /// Returns a number that is equal for two times of the same name. Different numbers may have the same name.
    pub fn period(&self, ms: Option<i64>) -> Option<i64> {
        let length = match &self.date {
            None => return None,
            Some((parts, _)) if parts.iter().any(|part| matches!(part, Part::Hour(_))) => MS_PER_DAY / 24,
            Some(_) => MS_PER_DAY,
        };
        ms.map(|ms| ms.clamp(FIRST_MS, LAST_MS).div_euclid(length))
    }

    /// Returns the text before the date.
    pub fn prefix(&self) -> &str {
        &self.before
    }
}

impl fmt::Display for IndexName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Part {
    fn write(&self, ms: i64, out: &mut String) {
        use fmt::Write as _;
        let (year, month, day) = civil_from_days(ms.div_euclid(MS_PER_DAY));
        let hour = ms.rem_euclid(MS_PER_DAY) / (MS_PER_DAY / 24);
        // Writing to a text cannot fail.
        let _ = match self {
            Part::Text(text) => out.write_str(text),
            Part::Year(width) => write!(out, "{year:0width$}"),
            Part::ShortYear => write!(out, "{:02}", year % 100),
            Part::Month(width) => write!(out, "{month:0width$}"),
            Part::Day(width) => write!(out, "{day:0width$}"),
            Part::Hour(width) => write!(out, "{hour:0width$}"),
        };
    }
}

/// Reads the letters of a date. Joda's `Y`, which Logstash uses, is the year; Java's `Y` would be that of the week, and is
/// never meant.
fn parts(format: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (text, after) = quoted(&rest[1..])?;
            parts.push(Part::Text(text));
            rest = after;
            continue;
        }
        let count = rest.chars().take_while(|c| *c == first).count();
        parts.push(match (first, count) {
            ('y' | 'Y', 2) => Part::ShortYear,
            ('y' | 'Y', _) => Part::Year(count),
            ('M', 1 | 2) => Part::Month(count),
            ('d', 1 | 2) => Part::Day(count),
            ('H', 1 | 2) => Part::Hour(count),
            ('M' | 'd' | 'H', _) => {
                return Err(format!("its index has a date with {count} {first}; one or two are possible"));
            }
            (letter, _) if letter.is_ascii_alphabetic() => {
                return Err(format!(
                    "its index has a date with the letter {letter}; possible are y, M, d and H, and text in quotes ('…')"
                ));
            }
            (other, _) => Part::Text(other.to_string().repeat(count)),
        });
        rest = &rest[count * first.len_utf8()..];
    }
    let has_date = parts.iter().any(|part| !matches!(part, Part::Text(_)));
    if has_date { Ok(parts) } else { Err("its index has a %{+…} without a date".to_owned()) }
}

/// Returns the text up to the closing quote, and what follows. Two quotes stand for one.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let Some((inside, mut rest)) = text.split_once('\'') else {
        return Err("its index has a date with a quote that is not closed".to_owned());
    };
    let mut all = inside.to_owned();
    if inside.is_empty() {
        all.push('\'');
    }
    while let Some(more) = rest.strip_prefix('\'').filter(|_| !inside.is_empty()) {
        let (inside, after) = more.split_once('\'').ok_or("its index has a date with a quote that is not closed")?;
        all.push('\'');
        all.push_str(inside);
        rest = after;
    }
    Ok((all, rest))
}

/// Checks the rules that both servers have for the names of indexes.
fn check(name: &str) -> Result<(), String> {
    if let Some(refused) = name.chars().find(|c| REFUSED.contains(c) || c.is_uppercase() || c.is_control()) {
        return Err(match refused.is_uppercase() {
            true => "its index has a capital letter, and indexes have small ones only".to_owned(),
            false => format!("its index has the character {refused:?}, which no index can have"),
        });
    }
    if name.is_empty() || name.starts_with(['-', '_', '+']) || [".", ".."].contains(&name) {
        return Err("its index begins with -, _ or +, or is a dot, and no index can".to_owned());
    }
    match name.len() <= MAX_LENGTH {
        true => Ok(()),
        false => Err(format!("its index has a name of more than {MAX_LENGTH} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-30T13:05:00Z.
    const TIME: i64 = 1_796_043_900_000;

    #[test]
    fn a_time_gives_the_name_of_its_index_and_no_time_gives_undated() {
        for (text, dated, undated) in [
            (DEFAULT, "logator-2026.11.30", "logator-undated"),
            ("a-%{+YYYY.MM.dd}-b", "a-2026.11.30-b", "a-undated-b"),
            ("a-%{+yyyy.MM.dd.HH}", "a-2026.11.30.13", "a-undated"),
            ("a-%{+yy-M-d-H}", "a-26-11-30-13", "a-undated"),
            ("a-%{+y}", "a-2026", "a-undated"),
            ("a-%{+'week'yyyy}", "a-week2026", "a-undated"),
            ("%{+yyyy}x", "2026x", "undatedx"),
            ("plain.name", "plain.name", "plain.name"),
            (".hidden", ".hidden", ".hidden"),
        ] {
            let name = IndexName::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((name.at(Some(TIME)), name.at(None)), (dated.to_owned(), undated.to_owned()), "{text}");
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn names_are_dates_in_utc_at_their_limits() {
        let name = IndexName::parse("l-%{+yyyy.MM.dd}").unwrap();
        for (ms, expected) in [
            (-1, "l-1969.12.31"),
            (0, "l-1970.01.01"),
            (951_782_399_999, "l-2000.02.28"),
            (951_782_400_000, "l-2000.02.29"),
            (i64::MAX, "l-9999.12.31"),
            (i64::MIN, "l-0000.01.01"),
        ] {
            assert_eq!(name.at(Some(ms)), expected);
        }
    }

    #[test]
    fn times_of_one_period_have_one_name() {
        for text in [DEFAULT, "l-%{+yyyy.MM.dd.HH}", "l-%{+yyyy}", "plain"] {
            let name = IndexName::parse(text).unwrap();
            let mut names = std::collections::HashMap::new();
            for ms in (-200_000_000..200_000_000_i64).step_by(1_234_567).map(Some).chain([None]) {
                let written = name.at(ms);
                assert_eq!(*names.entry(name.period(ms)).or_insert(written.clone()), written, "{text} {ms:?}");
            }
        }
    }

    #[test]
    fn what_is_no_name_and_no_date_is_refused_in_a_sentence() {
        for (text, word) in [
            ("a-%{+yyyy", "not closed"),
            ("a-%{+yyyy}%{+MM}", "more than one"),
            ("a-%{host}", "no field is possible"),
            ("a-%{+yyyy.MM.dd.mm}", "letter m"),
            ("a-%{+xxxx.ww}", "letter x"),
            ("a-%{+MMM}", "3 M"),
            ("a-%{+'x'}", "without a date"),
            ("a-%{+yyyy'x}", "quote"),
            ("a-%{+yyyy'A'}", "capital"),
            ("Logs", "capital"),
            ("a b", "' '"),
            ("a*", "'*'"),
            ("-a", "begins with"),
            ("_a", "begins with"),
            (".", "a dot"),
            ("%{+yyyy/MM}", "'/'"),
        ] {
            let why = IndexName::parse(text).expect_err(text);
            assert!(why.contains(word), "{text}: {why}");
        }
        assert!(IndexName::parse(&"x".repeat(256)).is_err_and(|why| why.contains("255")));
    }
}
