//! Reads a syslog message: RFC 5424, RFC 3164, and the variants of RFC 3164 that senders use.
//!
//! ```text
//! <165>1 2024-02-03T04:05:06.789Z web1 shop 4711 ORDER [order@32473 id="77"] accepted     RFC 5424
//! <30>Feb  3 04:05:06 gate sshd[812]: session opened                                      RFC 3164
//! <30>2024-02-03T04:05:06.789+01:00 gate sshd[812]: session opened                        rsyslog to rsyslog
//! <30>Feb  3 04:05:06 sshd[812]: session opened                                           without a host
//! <189>123: rtr1: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: configured                   Cisco IOS
//! Feb  3 04:05:06 gate sshd[812]: session opened                                          a file, without a priority
//! ```
//!
//! A version number and a blank after the priority mark RFC 5424. A count of octet counting may stand before the priority. A part
//! that cannot be read as a header belongs to the message. A line without a priority is syslog only if it has a whole header: a
//! time, and a host or a program. So the same line has the same fields in a file and from the network.

mod stamp;

use self::stamp::Stamp;
use super::structured;
use crate::document::date::{Formats, Reading};

/// The formats of times in RFC 3164 headers.
pub(super) const BSD_DATES: [&str; 18] = [
    "%b %e %H:%M:%S",
    "ISO8601",
    "%b %e %Y %H:%M:%S",
    "%b %e %H:%M:%S.%f",
    "%b %e %Y %H:%M:%S.%f",
    "%b %e %H:%M:%S %Z",
    "%b %e %H:%M:%S.%f %Z",
    "%b %e %Y %H:%M:%S %Z",
    "%b %e %Y %H:%M:%S.%f %Z",
    "%b %e %H:%M:%S %z",
    "%b %e %H:%M:%S.%f %z",
    "%b %e %H:%M:%S %Y",
    "%b %e %H:%M:%S.%f %Y",
    "%Y %b %e %H:%M:%S",
    "%Y %b %e %H:%M:%S.%f",
    "%Y %b %e %H:%M:%S %Z",
    "%Y %b %e %H:%M:%S.%f %Z",
    "%b %e %Y %H:%M:%S %z",
];

/// The header of a syslog message, and its text. A missing part is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header<'a> {
    /// Facility × 8 + severity; `None` if the line has no priority.
    pub priority: Option<u16>,
    /// The version, which is 1 for RFC 5424.
    pub version: Option<u8>,
    /// The number that the sender gave to the message (Cisco).
    pub sequence: &'a [u8],
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

/// Reads `line`; `None` when it has neither a priority nor a whole header. `now_ms` determines the year of a time without one.
pub fn read<'a>(line: &'a [u8], bsd_dates: &mut Formats, dates: &mut Formats, now_ms: i64) -> Option<Header<'a>> {
    let (priority, rest) = match priority(line).or_else(|| priority(without_count(line)?)) {
        Some((priority, rest)) => (Some(priority), rest),
        None => (None, line),
    };
    let header = match rfc5424(rest, dates, now_ms) {
        Some(header) => header,
        None => rfc3164(rest, bsd_dates, now_ms),
    };
    if priority.is_none() && !header.is_whole() {
        return None;
    }
    let message = header.message.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(header.message);
    Some(Header { priority, message, ..header })
}

impl Header<'_> {
    /// Whether the parts of the header tell without a priority that it is one. Other logs have an ISO 8601 time as well, so more
    /// than a word must follow it.
    fn is_whole(&self) -> bool {
        let names = match (self.version, self.timestamp.first()) {
            (Some(version), _) => version == 1,
            (None, Some(b'0'..=b'9')) if !self.timestamp.contains(&b' ') => !self.program.is_empty(),
            _ => !self.program.is_empty() || (!self.host.is_empty() && !self.message.is_empty()),
        };
        !self.timestamp.is_empty() && names
    }
}

/// Returns the text after a count of octet counting: digits and a blank.
fn without_count(line: &[u8]) -> Option<&[u8]> {
    let digits = line.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    line.get(digits..)?.strip_prefix(b" ").filter(|_| digits > 0)
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
    let before = match dated(text, dates, now_ms) {
        Some((stamp, date)) => Some((Header::default(), stamp, date)),
        None => cisco(text, dates, now_ms),
    };
    let Some((before, stamp, date)) = before else { return plain };
    let rest = stamp.rest;
    let header = Header { timestamp: stamp.text, date, message: rest, ..before };
    if let Some((program, process, after)) = tag(rest)
        && matches!(after.first(), None | Some(b' '))
    {
        // There is no host: the tag stands in its place.
        return Header { program, process, message: after.strip_prefix(b" ").unwrap_or(after), ..header };
    }
    if !before.host.is_empty() || (stamp.has_colon && !stamp.is_word) {
        // A host stands before such a time, or nowhere.
        return header;
    }
    let (host, rest) = word(rest);
    if host.is_empty() || !host.iter().all(u8::is_ascii_graphic) {
        return header;
    }
    // Some senders write a colon between blanks after the host.
    let rest = rest.strip_prefix(b": ").unwrap_or(rest);
    match tag(rest) {
        Some((program, process, after)) => {
            Header { host, program, process, message: after.strip_prefix(b" ").unwrap_or(after), ..header }
        }
        None => Header { host, message: rest, ..header },
    }
}

/// Reads a time at the beginning of `text`. The date is missing if only the zone is unknown.
fn dated<'a>(text: &'a [u8], dates: &mut Formats, now_ms: i64) -> Option<(Stamp<'a>, Option<Reading>)> {
    let stamp = Stamp::split(text)?;
    let date = dates.read(stamp.time(), now_ms).ok();
    let is_time = date.is_some() || (stamp.zone > 0 && dates.read(stamp.local_time(), now_ms).is_ok());
    is_time.then_some((stamp, date))
}

/// The maximum number of parts before the time of a Cisco message.
const CISCO_PARTS: usize = 3;

/// Reads what Cisco's systems write before the time: a sequence number, a host, a second sequence number, each with a colon. Returns
/// a header with these parts, and the time.
fn cisco<'a>(text: &'a [u8], dates: &mut Formats, now_ms: i64) -> Option<(Header<'a>, Stamp<'a>, Option<Reading>)> {
    let mut header = Header::default();
    let after_colon = |rest: &'a [u8]| rest.strip_prefix(b" ").unwrap_or(rest);
    let mut rest = text.strip_prefix(b":").map_or(text, after_colon);
    for part in 0..=CISCO_PARTS {
        if rest.len() < text.len()
            && let Some((stamp, date)) = dated(rest, dates, now_ms)
        {
            return stamp.has_colon.then_some((header, stamp, date));
        }
        let (name, after) = rest.split_at(memchr::memchr2(b':', b' ', rest).filter(|_| part < CISCO_PARTS)?);
        rest = after_colon(after.strip_prefix(b":")?);
        match name {
            [] => return None,
            digits if digits.iter().all(u8::is_ascii_digit) => header.sequence = digits,
            host if header.host.is_empty() && host.iter().all(u8::is_ascii_graphic) => header.host = host,
            _ => return None,
        }
    }
    None
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
