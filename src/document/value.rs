//! Converts the text of a capture to the type of its field.
//!
//! Numbers are read as Logstash reads them, with Ruby's `to_i` and `to_f`. Blanks before a number, and any text after
//! it, are ignored. Single underscores may stand between its digits. A text that does not begin with a number is zero,
//! and an empty text as well.

use std::borrow::Cow;

/// A number, and whether it is the whole text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number<T> {
    pub value: T,
    /// `false` when the text holds anything besides the number. It is true for an empty text.
    pub whole: bool,
}

/// Reads a 64-bit signed integer: an optional sign and decimal digits. `None` when it does not fit.
#[inline]
pub(crate) fn int(text: &[u8]) -> Option<Number<i64>> {
    match plain_int(text) {
        Some(value) => Some(Number { value, whole: true }),
        None => leading_int(text),
    }
}

/// Reads a finite floating-point number: `1`, `-1.5`, `.5`, `1e-3`. `None` when it is beyond the range of doubles.
pub(crate) fn float(text: &[u8]) -> Option<Number<f64>> {
    let (number, whole) = leading_float(text);
    let value: f64 = if number.is_empty() { 0.0 } else { plain_float(&number)? };
    Some(Number { value, whole })
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

#[cold]
fn leading_int(text: &[u8]) -> Option<Number<i64>> {
    let start = blanks(text);
    let signed = start + sign(&text[start..]);
    let end = signed + digits(&text[signed..]);
    let value = match end > signed {
        true => plain_int(without_underscores(&text[start..end]).as_bytes())?,
        false => 0,
    };
    Some(Number { value, whole: text.is_empty() })
}

/// Returns the number at the beginning of `text`, empty when there is none; and whether it is the whole text.
fn leading_float(text: &[u8]) -> (Cow<'_, str>, bool) {
    let start = blanks(text);
    let mut at = start + sign(&text[start..]);
    let integral = digits(&text[at..]);
    at += integral;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        fraction = digits(&text[at + 1..]);
        at += if fraction > 0 { 1 + fraction } else { 0 };
    }
    if integral + fraction == 0 {
        return (Cow::Borrowed(""), text.is_empty());
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = sign(&text[at + 1..]);
        let exponent = digits(&text[at + 1 + sign..]);
        at += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    let number = without_underscores(&text[start..at]);
    let whole = start == 0 && at == text.len() && matches!(number, Cow::Borrowed(_));
    (number, whole)
}

/// Returns the number of blanks at the beginning.
fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count()
}

/// Returns the length of a sign at the beginning: 0 or 1.
fn sign(text: &[u8]) -> usize {
    usize::from(matches!(text.first(), Some(b'+' | b'-')))
}

/// Returns the length of the digits at the beginning, including single underscores between them.
fn digits(text: &[u8]) -> usize {
    let mut length = 0;
    loop {
        let run = text[length..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        length += run;
        match &text[length..] {
            [b'_', next, ..] if run > 0 && next.is_ascii_digit() => length += 1,
            _ => return length,
        }
    }
}

/// Returns an ASCII number without its underscores.
fn without_underscores(number: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(number) {
        Ok(text) if !text.contains('_') => Cow::Borrowed(text),
        Ok(text) => Cow::Owned(text.replace('_', "")),
        Err(_) => Cow::Borrowed(""),
    }
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
    fn integers_are_read_as_ruby_reads_them_and_signed_64_bit_or_none() {
        for (text, value, whole) in [
            ("0", Some(0), true),
            ("-0", Some(0), true),
            ("+7", Some(7), true),
            ("007", Some(7), true),
            ("9223372036854775807", Some(i64::MAX), true),
            ("-9223372036854775808", Some(i64::MIN), true),
            ("9223372036854775808", None, true),
            ("-9223372036854775809", None, true),
            ("99999999999999999999999x", None, true),
            ("", Some(0), true),
            ("-", Some(0), false),
            ("abc", Some(0), false),
            ("12abc", Some(12), false),
            ("1.5", Some(1), false),
            ("1e3", Some(1), false),
            ("0x10", Some(0), false),
            (" \t-1 ", Some(-1), false),
            ("- 1", Some(0), false),
            ("1_000", Some(1000), false),
            ("1__0", Some(1), false),
            ("_1", Some(0), false),
            ("1_", Some(1), false),
        ] {
            assert_eq!(int(text.as_bytes()), value.map(|value| Number { value, whole }), "{text:?}");
        }
        assert_eq!(int(b"\xff1"), Some(Number { value: 0, whole: false }));
    }

    #[test]
    fn floats_are_read_as_ruby_reads_them_and_finite_or_none() {
        for (text, value, whole) in [
            ("1", Some(1.0), true),
            ("-1.5e3", Some(-1500.0), true),
            (".5", Some(0.5), true),
            ("", Some(0.0), true),
            ("NaN", Some(0.0), false),
            ("inf", Some(0.0), false),
            ("-", Some(0.0), false),
            (".", Some(0.0), false),
            ("1.", Some(1.0), false),
            ("1.5.2", Some(1.5), false),
            ("0.27s", Some(0.27), false),
            ("2e", Some(2.0), false),
            ("2e+", Some(2.0), false),
            ("0x1A", Some(0.0), false),
            (" 1_0.5_1", Some(10.51), false),
            ("1e400", None, true),
            ("1e-400", None, true),
            ("-0.00e-400", Some(0.0), true),
            ("5e-324", Some(5e-324), true),
        ] {
            assert_eq!(float(text.as_bytes()), value.map(|value| Number { value, whole }), "{text:?}");
        }
        assert_eq!(float(b"\xff1"), Some(Number { value: 0.0, whole: false }));
    }

    #[test]
    fn booleans_are_told_in_any_case() {
        assert_eq!([bool(b"TRUE"), bool(b"false"), bool(b"yes"), bool(b"1")], [Some(true), Some(false), None, None]);
    }

    proptest! {
        #[test]
        fn a_whole_integer_is_what_the_standard_library_reads(text in "[+-]?[0-9]{0,22}") {
            let read = int(text.as_bytes()).filter(|read| read.whole && !text.is_empty()).map(|read| read.value);
            prop_assert_eq!(read, text.parse().ok());
        }

        #[test]
        fn a_whole_float_is_what_the_standard_library_reads(text in "[+-]?[0-9]{0,5}([.][0-9]{1,5})?(e[+-]?[0-9]{1,2})?") {
            let read = float(text.as_bytes()).filter(|read| read.whole && !text.is_empty()).map(|read| read.value);
            prop_assert_eq!(read, text.parse().ok());
        }
    }
}
