//! Converting the text of a capture to the type its field asks for.

/// A 64-bit signed integer: an optional sign and decimal digits, nothing else. `None` when it does not fit.
#[inline]
pub(super) fn int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    // Counted downwards, because the smallest number has no positive twin.
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

/// A finite floating-point number as Rust reads it: `1`, `-1.5`, `.5`, `1e-3`. `NaN` and infinities are none.
pub(super) fn float(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// `true` or `false` in any case.
pub(super) fn bool(text: &[u8]) -> Option<bool> {
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
    fn integers_are_signed_64_bit_or_none() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("+7", Some(7)),
            ("007", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("99999999999999999999999", None),
            ("", None),
            ("-", None),
            ("1.5", None),
            ("1e3", None),
            ("0x10", None),
            (" 1", None),
        ] {
            assert_eq!(int(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn floats_are_finite_or_none() {
        for (text, value) in [
            ("1", Some(1.0)),
            ("-1.5e3", Some(-1500.0)),
            (".5", Some(0.5)),
            ("NaN", None),
            ("inf", None),
            ("1e400", None),
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
        fn an_integer_is_what_the_standard_library_reads(text in "[+-]?[0-9]{0,22}") {
            prop_assert_eq!(int(text.as_bytes()), text.parse().ok());
        }
    }
}
