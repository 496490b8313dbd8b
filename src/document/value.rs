//! Converts the text of a capture to the type of its field.
//!
//! A text is a number only as a whole. Blanks around the number do not count. Logstash reads a number from the beginning of
//! any text, so that `0.004, 0.012` becomes 0.004 and `-` becomes 0. Such values are not in the record.

/// Reads a 64-bit signed integer: an optional sign and decimal digits. `None` for any other text, and when it does not fit.
#[inline]
pub(crate) fn int(text: &[u8]) -> Option<i64> {
    plain_int(text).or_else(|| plain_int(text.trim_ascii()))
}

/// Reads a finite floating-point number: `1`, `-1.5`, `.5`, `1e-3`. `None` for any other text, and beyond the range of
/// doubles.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    // The standard library also reads words such as `inf`.
    let in_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let number = std::str::from_utf8(text).ok().filter(|_| text.iter().all(in_number))?;
    plain_float(number)
}

/// Returns the double nearest to `number`, a decimal without blanks. `None` when the number is too large for a double,
/// or would become zero without being zero.
pub(crate) fn plain_float(number: &str) -> Option<f64> {
    let value: f64 = number.parse().ok()?;
    let is_zero = || {
        let digits = number.split(['e', 'E']).next().unwrap_or_default();
        !digits.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
    };
    (value.is_finite() && (value != 0.0 || is_zero())).then_some(value)
}

/// Reads an integer that is the whole text.
#[inline]
pub(crate) fn plain_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    // The value is built up as a negative number, because the smallest integer has no positive counterpart.
    let mut value = 0_i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// Reads `true` or `false` in any letter case.
pub(crate) fn bool(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_integer_is_the_whole_text_and_fits_into_64_bits() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("+7", Some(7)),
            ("007", Some(7)),
            (" \t-1 ", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("", None),
            ("-", None),
            ("abc", None),
            ("12abc", None),
            ("1.5", None),
            ("1e3", None),
            ("0x10", None),
            ("- 1", None),
            ("1_000", None),
            ("61, -", None),
        ] {
            assert_eq!(int(text.as_bytes()), value, "{text:?}");
        }
        assert_eq!(int(b"\xff1"), None);
    }

    #[test]
    fn a_float_is_the_whole_text_and_finite() {
        for (text, value) in [
            ("1", Some(1.0)),
            ("-1.5e3", Some(-1500.0)),
            (".5", Some(0.5)),
            ("1.", Some(1.0)),
            (" 2.5 ", Some(2.5)),
            ("-0.00e-400", Some(0.0)),
            ("5e-324", Some(5e-324)),
            ("1e400", None),
            ("1e-400", None),
            ("", None),
            ("NaN", None),
            ("inf", None),
            ("-infinity", None),
            ("-", None),
            (".", None),
            ("e", None),
            ("1.5.2", None),
            ("0.27s", None),
            ("2e", None),
            ("0x1A", None),
            ("1_0.5", None),
            ("-, 1.394", None),
            ("0.004, 0.012", None),
        ] {
            assert_eq!(float(text.as_bytes()), value, "{text:?}");
        }
        assert_eq!(float(b"\xff1"), None);
    }

    #[test]
    fn booleans_are_told_in_any_case() {
        assert_eq!([bool(b"TRUE"), bool(b"false"), bool(b"yes"), bool(b"1")], [Some(true), Some(false), None, None]);
    }

    proptest! {
        #[test]
        fn a_whole_integer_is_what_the_standard_library_reads(text in "[+-]?[0-9]{0,22}") {
            prop_assert_eq!(int(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn a_whole_float_is_what_the_standard_library_reads(text in "[+-]?[0-9]{0,5}([.][0-9]{1,5})?(e[+-]?[0-9]{1,2})?") {
            prop_assert_eq!(float(text.as_bytes()), text.parse().ok());
        }
    }
}
