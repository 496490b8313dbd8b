//! The JSON texts of logical types. None has a comma after it.

use std::io::Write as _;

use super::binary::{Fault, fault};
use super::schema::{Decimal, Fraction};
use crate::core::calendar::{FIRST_MS, LAST_MS, MS_PER_DAY, civil_from_days, write_iso};

/// The most bytes of a decimal: a number of 1,000 digits.
const MOST_DECIMAL: usize = 416;

/// The most digits of a decimal that a double always holds.
const EXACT_DIGITS: usize = 15;

/// Appends an integer.
fn number(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a date, which is given in days since 1970.
pub(super) fn date(days: i32, out: &mut Vec<u8>) {
    let ms = i64::from(days) * MS_PER_DAY;
    if !(FIRST_MS..=LAST_MS).contains(&ms) {
        return number(i64::from(days), out);
    }
    let (year, month, day) = civil_from_days(i64::from(days));
    // Writing to memory does not fail.
    let _ = write!(out, "\"{year:04}-{month:02}-{day:02}\"");
}

/// Appends a time of day, given in units of which a second has 10^`digits`.
pub(super) fn time_of_day(value: i64, digits: u32, out: &mut Vec<u8>) {
    let units = 10_i64.pow(digits);
    if !(0..86_400 * units).contains(&value) {
        return number(value, out);
    }
    let (seconds, fraction) = (value / units, value % units);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let width = digits as usize;
    let _ = write!(out, "\"{hour:02}:{minute:02}:{second:02}.{fraction:0width$}\"");
}

/// Appends a point in time.
pub(super) fn timestamp(value: i64, unit: Fraction, is_local: bool, out: &mut Vec<u8>) {
    let (units_of_ms, digits) = match unit {
        Fraction::Millis => (1, 0),
        Fraction::Micros => (1_000, 3),
        Fraction::Nanos => (1_000_000, 6),
    };
    let ms = value.div_euclid(units_of_ms);
    if !(FIRST_MS..=LAST_MS).contains(&ms) {
        return number(value, out);
    }
    let [text @ .., _] = write_iso(ms);
    out.push(b'"');
    out.extend_from_slice(&text);
    if digits > 0 {
        let _ = write!(out, "{:0digits$}", value.rem_euclid(units_of_ms));
    }
    out.extend_from_slice(if is_local { b"\"" } else { b"Z\"" });
}

/// Appends a duration: the numbers of months, days and milliseconds.
pub(super) fn duration(bytes: &[u8], out: &mut Vec<u8>) {
    let part = |at: usize| {
        let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    };
    let (months, days, ms) = (part(0), part(4), part(8));
    let _ = write!(out, "\"P{months}M{days}DT{}.{:03}S\"", ms / 1000, ms % 1000);
}

/// Appends a UUID.
pub(super) fn uuid(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for (index, byte) in bytes.iter().enumerate() {
        let hyphen = if [4, 6, 8, 10].contains(&index) { "-" } else { "" };
        let _ = write!(out, "{hyphen}{byte:02x}");
    }
    out.push(b'"');
}

/// Appends a decimal: a two's complement number, big-endian, divided by 10^scale. `at` is its position in the payload.
pub(super) fn decimal(bytes: &[u8], kind: Decimal, at: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let filler = if is_negative { 0xff } else { 0 };
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == filler).count()..];
    if significant.len() > MOST_DECIMAL || kind.scale > 1000 {
        return fault(at, format!("a decimal has {} bytes and {} digits after the point", bytes.len(), kind.scale));
    }
    // The digits in groups of nine, the lowest first.
    let mut groups: Vec<u64> = vec![0];
    let mut push = |factor: u64, carry: u64| {
        let mut carry = carry;
        for group in &mut groups {
            carry += *group * factor;
            *group = carry % 1_000_000_000;
            carry /= 1_000_000_000;
        }
        if carry > 0 {
            groups.push(carry);
        }
    };
    // The magnitude of a negative number is its complement and one more.
    significant.iter().for_each(|byte| push(256, u64::from(if is_negative { !byte } else { *byte })));
    if is_negative {
        push(1, 1);
    }
    let mut digits = String::new();
    for (index, group) in groups.iter().rev().enumerate() {
        digits.push_str(&if index == 0 { group.to_string() } else { format!("{group:09}") });
    }
    if digits.len() <= kind.scale {
        digits.insert_str(0, &"0".repeat(kind.scale + 1 - digits.len()));
    }
    let (whole, fraction) = digits.split_at(digits.len() - kind.scale);
    let (sign, point) = (if is_negative { "-" } else { "" }, if fraction.is_empty() { "" } else { "." });
    let quote = if kind.precision <= EXACT_DIGITS { "" } else { "\"" };
    let _ = write!(out, "{quote}{sign}{whole}{point}{fraction}{quote}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn decimal_text(bytes: &[u8], precision: usize, scale: usize) -> String {
        text(|out| decimal(bytes, Decimal { precision, scale }, 0, out).unwrap())
    }

    #[test]
    fn times_are_texts_and_stay_numbers_where_no_text_has_them() {
        for (days, expected) in [
            (0, "\"1970-01-01\""),
            (-719_528, "\"0000-01-01\""),
            (2_932_896, "\"9999-12-31\""),
            (2_932_897, "2932897"),
            (i32::MIN, "-2147483648"),
        ] {
            assert_eq!(text(|out| date(days, out)), expected);
        }
        assert_eq!(text(|out| time_of_day(86_399_999, 3, out)), "\"23:59:59.999\"");
        assert_eq!(text(|out| time_of_day(1, 6, out)), "\"00:00:00.000001\"");
        assert_eq!(text(|out| time_of_day(86_400_000, 3, out)), "86400000");
        assert_eq!(text(|out| time_of_day(-1, 6, out)), "-1");
        let stamp = |value, unit, is_local| text(|out| timestamp(value, unit, is_local, out));
        assert_eq!(stamp(-1, Fraction::Millis, false), "\"1969-12-31T23:59:59.999Z\"");
        assert_eq!(stamp(-1, Fraction::Micros, true), "\"1969-12-31T23:59:59.999999\"");
        assert_eq!(stamp(1_431_857_103_000_000_001, Fraction::Nanos, false), "\"2015-05-17T10:05:03.000000001Z\"");
        assert_eq!(stamp(i64::MAX, Fraction::Millis, false), i64::MAX.to_string());
        assert_eq!(text(|out| duration(&[1, 0, 0, 0, 2, 0, 0, 0, 0xbc, 0xb, 0, 0], out)), "\"P1M2DT3.004S\"");
        let bytes: Vec<u8> = (0..16).collect();
        assert_eq!(text(|out| uuid(&bytes, out)), "\"00010203-0405-0607-0809-0a0b0c0d0e0f\"");
    }

    #[test]
    fn decimals_have_their_digits() {
        for (bytes, precision, scale, expected) in [
            (&[][..], 4, 2, "0.00"),
            (&[0], 4, 0, "0"),
            (&[4, 0xd2], 4, 2, "12.34"),
            (&[0xfb, 0x2e], 4, 2, "-12.34"),
            (&[0xff, 0xff, 0xff], 4, 3, "-0.001"),
            (&[0x80], 4, 0, "-128"),
            (&[0, 0x80], 16, 0, "\"128\""),
            (&[0xff, 0], 16, 2, "\"-2.56\""),
        ] {
            assert_eq!(decimal_text(bytes, precision, scale), expected, "{bytes:x?}");
        }
        assert_eq!(decimal_text(&[0x7f; 416], 1000, 0).len(), 2 + 1002);
        let mut out = Vec::new();
        assert!(decimal(&[0x7f; 417], Decimal { precision: 2000, scale: 0 }, 0, &mut out).is_err());
        assert!(decimal(&[0xff; 1 << 20], Decimal { precision: 2, scale: 0 }, 0, &mut out).is_ok());
    }

    proptest! {
        #[test]
        fn a_decimal_of_16_bytes_is_the_number_that_it_stands_for(value: i128) {
            prop_assert_eq!(decimal_text(&value.to_be_bytes(), 15, 0), value.to_string());
        }
    }
}
