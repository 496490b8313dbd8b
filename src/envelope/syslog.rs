//! Reads a syslog message: RFC 5424, RFC 3164, and the variants of RFC 3164 that senders use.
//!
//! ```text
//! <165>1 2024-02-03T04:05:06.789Z web1 shop 4711 ORDER [order@32473 id="77"] accepted     RFC 5424
//! <30>Feb  3 04:05:06 gate sshd[812]: session opened                                      RFC 3164
//! <30>2024-02-03T04:05:06.789+01:00 gate sshd[812]: session opened                        rsyslog to rsyslog
//! <30>Feb  3 04:05:06 sshd[812]: session opened                                           without a host
//! <189>123: *Mar  1 18:48:50: %SYS-5-CONFIG_I: configured                                 a message and no header
//! ```
//!
//! A version number and a blank after the priority mark RFC 5424. Only a line without a priority is refused. A part
//! that cannot be read as a header belongs to the message.

use super::structured;
use crate::document::date::{Formats, Reading};

/// The formats of times in RFC 3164 headers.
pub(super) const BSD_DATES: [&str; 5] =
    ["%b %e %H:%M:%S", "ISO8601", "%b %e %Y %H:%M:%S", "%b %e %H:%M:%S.%f", "%b %e %Y %H:%M:%S.%f"];

/// The header of a syslog message, and its text. A missing part is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header<'a> {
    /// Facility × 8 + severity.
    pub priority: u16,
    /// The version, which is 1 for RFC 5424.
    pub version: Option<u8>,
    /// The time as the header has it.
    pub timestamp: &'a [u8],
    /// The time.
    pub date: Option<Reading>,
    /// The host.
    pub host: &'a [u8],
    /// The tag of RFC 3164, or the APP-NAME of RFC 5424.
    pub program: &'a [u8],
    /// The text in brackets after the tag, or the PROCID of RFC 5424. It is usually a number.
    pub process: &'a [u8],
    /// The MSGID of RFC 5424.
    pub message_id: &'a [u8],
    /// The STRUCTURED-DATA of RFC 5424 with its brackets. It is well formed.
    pub data: &'a [u8],
    /// The message.
    pub message: &'a [u8],
}

/// Reads `line`; `None` when it does not begin with a priority. `now_ms` determines the year of a time without one.
pub fn read<'a>(line: &'a [u8], bsd_dates: &mut Formats, dates: &mut Formats, now_ms: i64) -> Option<Header<'a>> {
    let (priority, rest) = priority(line)?;
    let header = match rfc5424(rest, dates, now_ms) {
        Some(header) => header,
        None => rfc3164(rest, bsd_dates, now_ms),
    };
    let message = header.message.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(header.message);
    Some(Header { priority, message, ..header })
}

/// Reads a priority, `<0>` to `<999>`. Returns its number and the text after it. RFC 3164 allows 191 at most, but
/// Logstash accepts any.
fn priority(line: &[u8]) -> Option<(u16, &[u8])> {
    let rest = line.strip_prefix(b"<")?;
    let length = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(length);
    let rest = rest.strip_prefix(b">")?;
    if digits.is_empty() {
        return None;
    }
    Some((digits.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0')), rest))
}

/// Returns the text up to the next blank, and the text after that blank.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', text) {
        Some(blank) => (&text[..blank], &text[blank + 1..]),
        None => (text, &[]),
    }
}

/// Reads a word of an RFC 5424 header; the word `-` is returned as empty. `None` when there is no word, or when it is
/// not printable ASCII.
fn header_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (word, rest) = word(text);
    if word.is_empty() || !word.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    Some((if word == b"-" { &[] } else { word }, rest))
}

fn rfc5424<'a>(text: &'a [u8], dates: &mut Formats, now_ms: i64) -> Option<Header<'a>> {
    let (version, rest) = match text {
        [digit @ b'1'..=b'9', b' ', rest @ ..] => (digit - b'0', rest),
        [tens @ b'1'..=b'9', ones @ b'0'..=b'9', b' ', rest @ ..] => ((tens - b'0') * 10 + (ones - b'0'), rest),
        _ => return None,
    };
    let (timestamp, rest) = header_word(rest)?;
    let date = dates.read(timestamp, now_ms).ok();
    if date.is_none() && !timestamp.is_empty() {
        return None;
    }
    let (host, rest) = header_word(rest)?;
    let (program, rest) = header_word(rest)?;
    let (process, rest) = header_word(rest)?;
    let (message_id, rest) = header_word(rest)?;
    let header =
        Header { version: Some(version), timestamp, date, host, program, process, message_id, ..Header::default() };
    // Data that is not well formed belongs to the message.
    let (data, message): (&[u8], &[u8]) = match rest {
        b"-" => (&[], &[]),
        [b'-', b' ', message @ ..] => (&[], message),
        _ => match structured::length(rest) {
            Some(length) => (&rest[..length], rest[length..].strip_prefix(b" ").unwrap_or(&rest[length..])),
            None => (&[], rest),
        },
    };
    Some(Header { data, message, ..header })
}

fn rfc3164<'a>(text: &'a [u8], dates: &mut Formats, now_ms: i64) -> Header<'a> {
    let plain = Header { message: text, ..Header::default() };
    let Some((timestamp, rest)) = time(text) else { return plain };
    let Ok(date) = dates.read(timestamp, now_ms) else { return plain };
    let header = Header { timestamp, date: Some(date), message: rest, ..Header::default() };
    if let Some((program, process, after)) = tag(rest)
        && matches!(after.first(), None | Some(b' '))
    {
        // There is no host: the tag stands in its place.
        return Header { program, process, message: after.strip_prefix(b" ").unwrap_or(after), ..header };
    }
    let (host, rest) = word(rest);
    if host.is_empty() || !host.iter().all(u8::is_ascii_graphic) {
        return header;
    }
    match tag(rest) {
        Some((program, process, after)) => {
            Header { host, program, process, message: after.strip_prefix(b" ").unwrap_or(after), ..header }
        }
        None => Header { host, message: rest, ..header },
    }
}

/// Splits a possible time off the beginning of `text`: `Feb  3 04:05:06`, optionally with a year after the day or a
/// fraction after the second, or one word that begins with a digit. A colon may end it.
fn time(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = match text {
        [b'0'..=b'9', ..] => memchr::memchr(b' ', text).unwrap_or(text.len()),
        [a, b, c, b' ', ..] if [a, b, c].iter().all(|byte| byte.is_ascii_alphabetic()) => {
            let mut at = 4 + usize::from(text.get(4) == Some(&b' '));
            at += memchr::memchr(b' ', text.get(at..at + 3)?)? + 1;
            if let [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b' ', ..] = text.get(at..)? {
                at += 5;
            }
            let clock = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.');
            at + text.get(at..)?.iter().take_while(clock).count()
        }
        _ => return None,
    };
    let (time, rest) = text.split_at_checked(end)?;
    let time = time.strip_suffix(b":").unwrap_or(time);
    match rest {
        [] => Some((time, rest)),
        [b' ', rest @ ..] => Some((time, rest)),
        _ => None,
    }
}

/// Splits `program:` or `program[process]:` off the beginning of `text`. Returns program, process and the text after
/// the colon.
fn tag(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let in_name = |byte: &&u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b'[' | b']');
    let (program, rest) = text.split_at(text.iter().take_while(in_name).count());
    if program.is_empty() {
        return None;
    }
    let (process, rest): (&[u8], &[u8]) = match rest {
        [b'[', inside @ ..] => {
            let in_brackets = |byte: &&u8| byte.is_ascii_graphic() && !matches!(byte, b'[' | b']');
            let (process, rest) = inside.split_at(inside.iter().take_while(in_brackets).count());
            if process.is_empty() {
                return None;
            }
            (process, rest.strip_prefix(b"]")?)
        }
        _ => (&[], rest),
    };
    Some((program, process, rest.strip_prefix(b":")?))
}
