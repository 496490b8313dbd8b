//! [`Stamp`]: the time at the beginning of a header that is not that of RFC 5424. Pure.
//!
//! ```text
//! Feb  3 04:05:06                  RFC 3164
//! Feb  3 04:05:06.789 UTC:         a fraction, a zone, a colon (Cisco)
//! Feb  3 2024 04:05:06             a year after the day
//! Feb  3 04:05:06 2024             a year after the time
//! 2024 Feb  3 04:05:06             a year before the month
//! *Mar  1 18:48:50.483 UTC:        a clock that was never set (Cisco); with a dot, one that lost its source
//! 2024-02-03T04:05:06.789+01:00    ISO 8601, one word
//! ```

/// A time as it is written, and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp<'a> {
    /// The time, with the mark of its clock and its zone.
    pub text: &'a [u8],
    /// The number of bytes of the mark.
    pub mark: usize,
    /// The number of bytes of the zone, with the blank before it.
    pub zone: usize,
    /// Whether it is one word, which is then an ISO 8601 time.
    pub is_word: bool,
    /// Whether a colon ends it.
    pub has_colon: bool,
    /// The text after the time and a blank.
    pub rest: &'a [u8],
}

impl<'a> Stamp<'a> {
    /// Splits a possible time off the beginning of `text`. Whether it is one, its date tells.
    pub fn split(text: &'a [u8]) -> Option<Stamp<'a>> {
        let mark = usize::from(matches!(text, [b'*' | b'.', next, ..] if next.is_ascii_alphanumeric()));
        let own = &text[mark..];
        let (length, is_word) = match length_of_named_month(own) {
            Some(length) => (length, false),
            None if own.first().is_some_and(u8::is_ascii_digit) => {
                let word = memchr::memchr(b' ', own).unwrap_or(own.len());
                (word - usize::from(own[..word].ends_with(b":")), true)
            }
            None => return None,
        };
        let zone = zone(own.get(length..)?);
        let end = mark + length + zone;
        let (stamp, rest) = text.split_at_checked(end)?;
        let (has_colon, rest) = rest.strip_prefix(b":").map_or((false, rest), |rest| (true, rest));
        let rest = match rest {
            [] => rest,
            [b' ', rest @ ..] => rest,
            _ => return None,
        };
        Some(Stamp { text: stamp, mark, zone, is_word, has_colon, rest })
    }

    /// The time without its mark.
    pub fn time(&self) -> &'a [u8] {
        &self.text[self.mark..]
    }

    /// The time without its mark and its zone.
    pub fn local_time(&self) -> &'a [u8] {
        &self.text[self.mark..self.text.len() - self.zone]
    }
}

/// Whether `digits` are a year of four digits.
fn is_year(digits: &[u8]) -> bool {
    matches!(digits, [b'1' | b'2', a, b, c] if [a, b, c].iter().all(|byte| byte.is_ascii_digit()))
}

/// Returns the length of a time that names its month. The clock of the time may be incomplete.
fn length_of_named_month(text: &[u8]) -> Option<usize> {
    let year = if text.len() > 5 && is_year(&text[..4]) && text[4] == b' ' { 5 } else { 0 };
    let [a, b, c, b' ', ..] = text.get(year..)? else { return None };
    if ![a, b, c].iter().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let mut at = year + 4;
    at += usize::from(text.get(at) == Some(&b' '));
    let day = text.get(at..)?.iter().take(3).position(|byte| *byte == b' ')?;
    at += day + 1;
    if let [digits @ .., b' '] = text.get(at..at + 5).unwrap_or_default()
        && is_year(digits)
    {
        at += 5;
    }
    let in_clock = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b',');
    let clock = text.get(at..)?.iter().take_while(in_clock).count();
    // A colon at the end is none of the clock.
    at += clock - usize::from(clock > 0 && text[at + clock - 1] == b':');
    match text.get(at..at + 6) {
        Some([b' ', digits @ .., b' ' | b':']) if is_year(digits) => Some(at + 5),
        _ => Some(at),
    }
}

/// Returns the length of a zone at the beginning of `text`, with the blank before it. A word is a zone if a colon follows it, or if
/// nothing else has its name.
fn zone(text: &[u8]) -> usize {
    let Some(text) = text.strip_prefix(b" ") else { return 0 };
    let in_zone = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-');
    let length = text.iter().take_while(in_zone).count();
    let (word, after) = text.split_at(length);
    let is_numeric =
        matches!(word, [b'+' | b'-', digits @ ..] if digits.len() >= 2 && digits.iter().all(u8::is_ascii_digit));
    let is_name = (1..=5).contains(&length) && word.iter().all(u8::is_ascii_uppercase);
    let is_zone = match after {
        [b':', b' ', ..] | [b':'] => is_name || is_numeric,
        [b' ', ..] => is_numeric || matches!(word, b"UTC" | b"GMT"),
        _ => false,
    };
    if is_zone { length + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_ends_where_its_parts_end() {
        for (text, time, rest, has_colon) in [
            ("Feb  3 04:05:06 gate x", "Feb  3 04:05:06", "gate x", false),
            ("Aug 3 08:11:02.204: %L-5-U: x", "Aug 3 08:11:02.204", "%L-5-U: x", true),
            ("Nov 19 2014 17:27:56: %ASA", "Nov 19 2014 17:27:56", "%ASA", true),
            ("Nov 19 17:27:56 2014 gate", "Nov 19 17:27:56 2014", "gate", false),
            ("2013 Jul 18 16:09:04.123 UTC: %E", "2013 Jul 18 16:09:04.123 UTC", "%E", true),
            (".Nov 18 21:03:22.631 GMT: %C", ".Nov 18 21:03:22.631 GMT", "%C", true),
            ("*Mar  1 18:48:50.483 UTC: %S", "*Mar  1 18:48:50.483 UTC", "%S", true),
            ("Mar  1 18:48:50 CEST: x", "Mar  1 18:48:50 CEST", "x", true),
            ("Mar  1 18:48:50 UTC gate x", "Mar  1 18:48:50 UTC", "gate x", false),
            ("Mar  1 18:48:50 +0100 gate", "Mar  1 18:48:50 +0100", "gate", false),
            ("Mar  1 18:48:50 CEST gate", "Mar  1 18:48:50", "CEST gate", false),
            ("Mar  1 18:48:50 GATE: x", "Mar  1 18:48:50 GATE", "x", true),
            ("Mar  1 18:48:50 sshd: x", "Mar  1 18:48:50", "sshd: x", false),
            ("2024-02-03T04:05:06Z gate", "2024-02-03T04:05:06Z", "gate", false),
            ("2024-02-03T04:05:06Z: x", "2024-02-03T04:05:06Z", "x", true),
            ("Feb  3 04:05:06", "Feb  3 04:05:06", "", false),
        ] {
            let stamp = Stamp::split(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            let shown = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            assert_eq!(
                (shown(stamp.text), shown(stamp.rest), stamp.has_colon),
                (time.into(), rest.into(), has_colon),
                "{text}"
            );
        }
        for text in ["", "x", "*", "* Mar", "Feb", "Feb  3", "the quick brown", "Feb  3 04:05:06x"] {
            assert!(
                Stamp::split(text.as_bytes()).is_none_or(|stamp| stamp.rest.is_empty() || text == "the quick brown"),
                "{text}"
            );
        }
    }
}
