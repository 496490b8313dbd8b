//! Dates as numbers and as ISO texts, in the proleptic Gregorian calendar, and the time now.
//!
//! The conversions are Howard Hinnant's `days_from_civil` and `civil_from_days`.

/// The number of milliseconds in a day without leap seconds.
pub const MS_PER_DAY: i64 = 86_400_000;

/// The first millisecond of the year 0.
pub(crate) const FIRST_MS: i64 = -719_528 * MS_PER_DAY;

/// The last millisecond of the year 9999.
pub(crate) const LAST_MS: i64 = 2_932_897 * MS_PER_DAY - 1;

/// Returns the number of days from 1970-01-01 to the given date. `month` is 1–12; the day is not checked.
#[inline]
pub(crate) fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns year, month (1–12) and day of the date that is `days` after 1970-01-01.
#[inline]
pub(crate) fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097) as u32;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (i64::from(year_of_era) + era * 400 + i64::from(month <= 2), month, day)
}

pub(crate) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[inline]
pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the time now, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

/// Returns a date as 24 bytes: `2015-05-17T10:05:03.000Z`. A date outside of the years 0 to 9999 becomes the nearest
/// date within them.
#[inline]
pub fn write_iso(date_ms: i64) -> [u8; 24] {
    let date_ms = date_ms.clamp(FIRST_MS, LAST_MS);
    let (year, month, day) = civil_from_days(date_ms.div_euclid(MS_PER_DAY));
    let ms = date_ms.rem_euclid(MS_PER_DAY) as u32;
    let seconds = ms / 1000;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut pair = |at: usize, value: u32| {
        text[at] = b'0' + (value / 10 % 10) as u8;
        text[at + 1] = b'0' + (value % 10) as u8;
    };
    pair(0, year as u32 / 100);
    pair(2, year as u32 % 100);
    pair(5, month);
    pair(8, day);
    pair(11, seconds / 3600);
    pair(14, seconds / 60 % 60);
    pair(17, seconds % 60);
    pair(20, ms % 1000 / 10);
    text[22] = b'0' + (ms % 10) as u8;
    text
}

/// Returns the nanoseconds since 1970 of a time in the form of RFC 3339, such as `2026-01-02T03:04:05.123456789Z`. It has up to
/// nine digits of a fraction, and `Z` or an offset. `None` for any other text, and for a time before 1970 or after 2553.
pub fn read_rfc3339(text: &[u8]) -> Option<u64> {
    rfc3339_at_start(text).filter(|(_, length)| *length == text.len()).map(|(ns, _)| ns)
}

/// Returns the time that `text` begins with, as [`read_rfc3339`] reads it, and its length.
#[inline]
pub fn rfc3339_at_start(text: &[u8]) -> Option<(u64, usize)> {
    let (date, rest) = text.split_first_chunk::<19>()?;
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let pair = |at: usize| Some(digit(date[at])? * 10 + digit(date[at + 1])?);
    if [date[4], date[7], date[10], date[13], date[16]] != *b"--T::" {
        return None;
    }
    let (year, month, day) = (i64::from(pair(0)? * 100 + pair(2)?), pair(5)?, pair(8)?);
    let (hour, minute, second) = (pair(11)?, pair(14)?, pair(17)?);
    // A leap second counts as the second after it.
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let (nanos, zone) = match rest {
        [b'.', rest @ ..] => {
            let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&length) {
                return None;
            }
            let fraction = rest[..length].iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0'));
            (fraction * 10_u64.pow(9 - length as u32), &rest[length..])
        }
        _ => (0, rest),
    };
    let (offset, after) = match *zone {
        [b'Z', ref after @ ..] => (0, after),
        [sign @ (b'+' | b'-'), h, hh, b':', m, mm, ref after @ ..] => {
            let minutes = i64::from((digit(h)? * 10 + digit(hh)?) * 60 + digit(m)? * 10 + digit(mm)?);
            (if sign == b'+' { minutes } else { -minutes }, after)
        }
        _ => return None,
    };
    let days = days_from_civil(year, month, day);
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - offset * 60;
    let ns = u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    Some((ns, text.len() - after.len()))
}

/// Reads a date that [`write_iso`] wrote; `None` for any other text.
pub fn read_iso(text: &str) -> Option<i64> {
    let text: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let number = |from: usize, to: usize| {
        let digits = text[from..to].iter().map(|byte| byte.is_ascii_digit().then(|| i64::from(byte - b'0')));
        digits.sum::<Option<i64>>()?;
        Some(text[from..to].iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)? as u32, number(8, 10)? as u32);
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let date = days_from_civil(year, month, day) * MS_PER_DAY + seconds * 1000 + number(20, 23)?;
    // The marks between the numbers are right if the date is written again as the same text.
    (write_iso(date) == *text).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_write_iso_writes_is_read_and_nothing_else() {
        for date in [FIRST_MS, -1, 0, 1, 951_782_400_000, 1_431_857_103_000, 1_709_164_800_123, LAST_MS] {
            let text = write_iso(date);
            assert_eq!(read_iso(std::str::from_utf8(&text).unwrap()), Some(date));
        }
        for wrong in [
            "",
            "2015-05-17T10:05:03.000",
            "2015-05-17 10:05:03.000Z",
            "2015-02-29T10:05:03.000Z",
            "2015-13-17T10:05:03.000Z",
            "2015-05-17T24:05:03.000Z",
            "2015-05-17T10:60:03.000Z",
            "+015-05-17T10:05:03.000Z",
            "2015-05-00T10:05:03.000Z",
        ] {
            assert_eq!(read_iso(wrong), None, "{wrong}");
        }
    }
}
