//! [`Date`]: a point in time, with as many digits of a second as its text has.

use crate::core::calendar::write_iso;

/// The longest text of a date in bytes: `2015-05-17T10:05:03.123456789Z`.
pub const MAX_ISO: usize = 30;

/// A point in time in the years 0 to 9999, to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    ms: i64,
    /// The nanoseconds after the millisecond: 0 to 999,999.
    below_ms: u32,
    /// The number of digits of a fraction that the text had: 0 to 9.
    digits: u8,
}

impl Date {
    /// Returns the date `ms` milliseconds after 1970 UTC.
    #[inline]
    pub const fn of_ms(ms: i64) -> Date {
        Date { ms, below_ms: 0, digits: 3 }
    }

    /// Returns the date `seconds` and `nanos` (below a second) after 1970 UTC. `digits` is the number of digits that the
    /// fraction had in its text; more than nine count as nine.
    #[inline]
    pub fn new(seconds: i64, nanos: u32, digits: u8) -> Date {
        let ms = seconds.saturating_mul(1000).saturating_add(i64::from(nanos / 1_000_000));
        Date { ms, below_ms: nanos % 1_000_000, digits: if digits > 9 { 9 } else { digits } }
    }

    /// Returns the date `nanos` nanoseconds after 1970 UTC, without zeros at the end of its fraction: one program writes them, and
    /// another one does not.
    pub fn of_ns(nanos: u64) -> Date {
        let below_ms = (nanos % 1_000_000) as u32;
        let mut digits = if below_ms == 0 { 3 } else { 9 };
        let mut rest = below_ms;
        while rest != 0 && rest.is_multiple_of(10) {
            (rest, digits) = (rest / 10, digits - 1);
        }
        Date { ms: (nanos / 1_000_000) as i64, below_ms, digits }
    }

    /// Returns the milliseconds since 1970. Smaller parts are cut off.
    #[inline]
    pub fn ms(self) -> i64 {
        self.ms
    }

    /// Returns the nanoseconds since 1970; 0 for an earlier date, and the largest number for a date after the year 2553.
    pub fn ns(self) -> u64 {
        let ms = u64::try_from(self.ms).unwrap_or_default();
        let below = if self.ms < 0 { 0 } else { u64::from(self.below_ms) };
        ms.saturating_mul(1_000_000).saturating_add(below)
    }

    /// Whether a text of three digits of a fraction holds the whole date.
    #[inline]
    pub fn is_whole_ms(self) -> bool {
        self.digits <= 3
    }

    /// Writes the date as `2015-05-17T10:05:03.000Z` to the beginning of `text`, with three digits of a fraction, or with as
    /// many as the date had, up to nine. Returns the length.
    #[inline]
    pub fn write(self, text: &mut [u8; MAX_ISO]) -> usize {
        text[..24].copy_from_slice(&write_iso(self.ms));
        if self.is_whole_ms() {
            return 24;
        }
        let mut below = self.below_ms;
        for at in (23..29).rev() {
            text[at] = b'0' + (below % 10) as u8;
            below /= 10;
        }
        let end = 20 + usize::from(self.digits);
        text[end] = b'Z';
        end + 1
    }

    /// Returns the date as [`write`](Date::write) writes it.
    pub fn to_text(self) -> String {
        let mut text = [0; MAX_ISO];
        let length = self.write(&mut text);
        String::from_utf8_lossy(&text[..length]).into_owned()
    }
}

impl From<i64> for Date {
    fn from(ms: i64) -> Date {
        Date::of_ms(ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_three_digits_or_as_many_as_were_read() {
        for (seconds, nanos, digits, text) in [
            (1_431_857_103, 0, 0, "2015-05-17T10:05:03.000Z"),
            (1_431_857_103, 100_000_000, 1, "2015-05-17T10:05:03.100Z"),
            (1_431_857_103, 123_400_000, 4, "2015-05-17T10:05:03.1234Z"),
            (1_431_857_103, 123_000_000, 6, "2015-05-17T10:05:03.123000Z"),
            (1_431_857_103, 1, 9, "2015-05-17T10:05:03.000000001Z"),
            (-1, 999_999_999, 12, "1969-12-31T23:59:59.999999999Z"),
        ] {
            let date = Date::new(seconds, nanos, digits);
            assert_eq!(date.to_text(), text);
            assert_eq!(date.ms(), seconds * 1000 + i64::from(nanos / 1_000_000));
        }
        assert_eq!(Date::of_ns(1_431_857_103_000_000_007).ns(), 1_431_857_103_000_000_007);
        assert_eq!(Date::of_ns(1_431_857_103_700_000_000).to_text(), "2015-05-17T10:05:03.700Z");
        assert_eq!(Date::of_ns(1_431_857_103_700_120_000).to_text(), "2015-05-17T10:05:03.70012Z");
        assert_eq!(Date::new(-5, 5, 9).ns(), 0);
    }
}
