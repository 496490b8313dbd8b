//! Times as Engines write them: RFC 3339 with nine digits of a fraction. Pure.

use crate::core::calendar::write_iso;

/// The length of a time that [`write()`] writes.
pub const LENGTH: usize = 30;

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
    use crate::core::calendar::rfc3339_at_start as read;

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
