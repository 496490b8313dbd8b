//! Numbers that are times: seconds, milliseconds, microseconds or nanoseconds since 1970, and TAI64N.
//!
//! The number of digits before the point tells the unit: 10, 13, 16 or 19. Such a time is after September 2001, and before the
//! year 2286. No other number is a time, so that a duration or a status is never taken for one.

use super::parts::Parts;

/// The longest text of a number.
const MAX_LENGTH: usize = 40;

/// Reads a number that is the whole text.
pub(super) fn read(text: &[u8], parts: &mut Parts<'_>) -> Option<()> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    // All digits of the number, and the number of those before the point.
    let (mut all, mut length) = ([0_u8; MAX_LENGTH], 0);
    let (mut whole, mut rest) = (None, text);
    let exponent = loop {
        match rest {
            [digit @ b'0'..=b'9', after @ ..] => {
                all[length] = digit - b'0';
                (length, rest) = (length + 1, after);
            }
            [b'.' | b',', after @ ..] if whole.is_none() && length > 0 => (whole, rest) = (Some(length), after),
            [b'e' | b'E', after @ ..] if length > 0 => break exponent(after)?,
            [] if length > 0 => break 0,
            _ => return None,
        }
    };
    let whole = whole.unwrap_or(length) + exponent;
    let unit: u32 = match whole {
        10 => 9,
        13 => 6,
        16 => 3,
        19 => 0,
        _ => return None,
    };
    if all[0] == 0 {
        return None;
    }
    // A fraction of the unit counts on, down to a nanosecond.
    let seconds = whole - (9 - unit as usize);
    let digit = |index: usize| if index < length { u64::from(all[index]) } else { 0 };
    let value = |from: usize, to: usize| (from..to).fold(0_u64, |value, index| value * 10 + digit(index));
    parts.unix = Some(value(0, seconds) as i64);
    parts.nanos = value(seconds, seconds + 9) as u32;
    parts.digits = (length.max(whole) - seconds) as u8;
    Some(())
}

/// Reads a positive exponent that is the whole text.
fn exponent(text: &[u8]) -> Option<usize> {
    match text.strip_prefix(b"+").unwrap_or(text) {
        [one @ b'0'..=b'9'] => Some(usize::from(one - b'0')),
        [ten @ b'0'..=b'9', one @ b'0'..=b'9'] => Some(usize::from(ten - b'0') * 10 + usize::from(one - b'0')),
        _ => None,
    }
}

/// Reads a TAI64N label, as multilog and svlogd write it: `@`, and 24 hexadecimal digits. They count from ten seconds before
/// 1970, and leap seconds are left out, as those programs do. Returns the text after it.
pub(super) fn tai64n<'a>(text: &'a [u8], parts: &mut Parts<'_>) -> Option<&'a [u8]> {
    const BASE: u64 = (1 << 62) + 10;
    let (digits, after) = text.strip_prefix(b"@")?.split_at_checked(24)?;
    let hex = |digits: &[u8]| {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).map(u64::from);
        digits.iter().try_fold(0_u64, |value, byte| Some(value << 4 | digit(byte)?))
    };
    let (seconds, nanos) = (hex(&digits[..16])?, hex(&digits[16..])?);
    parts.unix = Some(i64::try_from(seconds.checked_sub(BASE)?).ok()?);
    parts.nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    parts.digits = 9;
    Some(after)
}
