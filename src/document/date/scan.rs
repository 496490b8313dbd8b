//! The small readers that both readers of dates share. Each reads the beginning of a text and returns the rest.

use super::parts::{Parts, ZoneText};

/// Returns the number of digits at the beginning, at most `most`.
#[inline]
pub(super) fn digits(text: &[u8], most: usize) -> usize {
    text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Reads a number of digits that are the whole text. `None` if there is none, or if it does not fit.
#[inline]
pub(super) fn unsigned(text: &[u8]) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_i64, |value, byte| value.checked_mul(10)?.checked_add(i64::from(byte - b'0')))
}

#[inline]
pub(super) fn two_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', after @ ..] => Some((u32::from(a - b'0') * 10 + u32::from(b - b'0'), after)),
        _ => None,
    }
}

#[inline]
pub(super) fn four_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let (high, after) = two_digits(text)?;
    let (low, after) = two_digits(after)?;
    Some((high * 100 + low, after))
}

/// Reads one or two digits.
#[inline]
pub(super) fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', after @ ..] => Some((u32::from(a - b'0') * 10 + u32::from(b - b'0'), after)),
        [a @ b'0'..=b'9', after @ ..] => Some((u32::from(a - b'0'), after)),
        _ => None,
    }
}

/// Reads the digits of a fraction. Digits after the ninth are cut off.
#[inline]
pub(super) fn fraction<'a>(text: &'a [u8], parts: &mut Parts<'_>) -> Option<&'a [u8]> {
    let (mut nanos, mut kept) = (0, 0);
    while kept < 9 {
        match text.get(kept) {
            Some(digit @ b'0'..=b'9') => nanos = nanos * 10 + u32::from(digit - b'0'),
            _ => break,
        }
        kept += 1;
    }
    if kept == 0 {
        return None;
    }
    let rest = &text[kept..];
    (parts.nanos, parts.digits) = (nanos * 10_u32.pow(9 - kept as u32), kept as u8);
    Some(&rest[digits(rest, usize::MAX)..])
}

/// Reads an offset: `Z`, `+hh`, `+hhmm` or `+hh:mm`, or with a minus.
#[inline]
pub(super) fn offset<'a>(text: &'a [u8], parts: &mut Parts<'_>) -> Option<&'a [u8]> {
    let (sign, after) = match text {
        [b'Z' | b'z', after @ ..] => {
            parts.zone = ZoneText::Minutes(0);
            return Some(after);
        }
        [b'+', after @ ..] => (1, after),
        [b'-', after @ ..] => (-1, after),
        _ => return None,
    };
    let (hours, after) = two_digits(after)?;
    let (more, after) = match after {
        [b':', rest @ ..] => two_digits(rest).unwrap_or((0, after)),
        _ => two_digits(after).unwrap_or((0, after)),
    };
    if hours > 23 || more > 59 {
        return None;
    }
    parts.zone = ZoneText::Minutes(sign * i64::from(hours * 60 + more));
    Some(after)
}

/// Reads `AM` or `PM` in any case, with or without points.
pub(super) fn am_pm(text: &[u8]) -> Option<(bool, &[u8])> {
    let (first, rest) = text.split_first()?;
    let afternoon = match first | 0x20 {
        b'a' => false,
        b'p' => true,
        _ => return None,
    };
    match rest {
        [b'm' | b'M', rest @ ..] | [b'.', b'm' | b'M', b'.', rest @ ..] => Some((afternoon, rest)),
        _ => None,
    }
}
