//! Times as Engines write them: RFC 3339 with up to nine digits of a fraction. Pure.

use crate::core::calendar::{MS_PER_DAY, days_from_civil, days_in_month, write_iso};

/// The length of a time that [`write()`] writes.
pub const LENGTH: usize = 30;

const NS_PER_SECOND: i64 = 1_000_000_000;

/// Reads the time at the beginning of `text`. Returns nanoseconds since 1970 and the length of the time; `None` if there is
/// no time, or if it is before 1970.
pub fn read(text: &[u8]) -> Option<(u64, usize)> {
    let digits = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits.iter().try_fold(0_i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
    };
    let is = |at: usize, byte: u8| text.get(at) == Some(&byte);
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let is_separated = is(4, b'-') && is(7, b'-') && is(10, b'T') && is(13, b':') && is(16, b':');
    if !is_date || !is_separated || day > i64::from(days_in_month(year, month as u32)) {
        return None;
    }
    let (mut at, mut fraction, mut unit) = (19, 0, NS_PER_SECOND);
    if is(19, b'.') {
        at += 1;
        while let Some(digit) = digits(at, at + 1).filter(|_| unit > 1) {
            unit /= 10;
            fraction += digit * unit;
            at += 1;
        }
    }
    let offset = match text.get(at)? {
        b'Z' => {
            at += 1;
            0
        }
        sign @ (b'+' | b'-') if is(at + 3, b':') => {
            let minutes = digits(at + 1, at + 3)? * 60 + digits(at + 4, at + 6)?;
            at += 6;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let days = days_from_civil(year, month as u32, day as u32);
    let seconds = days * (MS_PER_DAY / 1000) + hour * 3600 + (minute - offset) * 60 + second;
    let ns = seconds.checked_mul(NS_PER_SECOND)?.checked_add(fraction)?;
    Some((u64::try_from(ns).ok()?, at))
}

/// Returns a time as text: `2026-11-30T11:22:33.000000001Z`.
pub fn write(ns: u64) -> [u8; LENGTH] {
    let mut text = [b'Z'; LENGTH];
    let ms = i64::try_from(ns / 1_000_000).unwrap_or(i64::MAX);
    text[..23].copy_from_slice(&write_iso(ms)[..23]);
    let mut rest = ns % 1_000_000;
    for place in (23..29).rev() {
        text[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_and_written_in_one() {
        let at = 1_764_501_753_000_000_001;
        for (text, ns) in [
            ("2025-11-30T11:22:33.000000001Z", Some(at)),
            ("2025-11-30T12:22:33.000000001+01:00", Some(at)),
            ("2025-11-30T06:52:33.000000001-04:30", Some(at)),
            ("2025-11-30T11:22:33Z", Some(at - 1)),
            ("2025-11-30T11:22:33.5Z", Some(at - 1 + 500_000_000)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59Z", None),
            ("2025-02-30T11:22:33Z", None),
            ("2025-11-30T11:22:33", None),
            ("2025-11-30 11:22:33Z", None),
            ("2025-11-30T11:22:33.0000000012Z", None),
            ("", None),
        ] {
            assert_eq!(read(text.as_bytes()), ns.map(|ns| (ns, text.len())), "{text}");
        }
        assert_eq!(&write(at), b"2025-11-30T11:22:33.000000001Z");
        for ns in [0, 1, 999_999_999, 1_000_000, at, i64::MAX as u64] {
            assert_eq!(read(&write(ns)), Some((ns, LENGTH)));
        }
    }
}
