//! Lines of containers: reads one line of `json-file`, of `docker logs --timestamps`, of CRI or of `docker compose logs`, and
//! tells these forms by the first line of a content.
//!
//! ```text
//! {"log":"started\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}      json-file
//! 2026-01-02T03:04:05.123456789Z started                                             docker logs --timestamps
//! 2026-01-02T03:04:05.123456789Z stdout F started                                    CRI
//! web-1  | started                                                                   docker compose logs
//! ```

use super::Envelope;
use crate::core::calendar::read_rfc3339;
use crate::core::lines::{without_carriage_return, without_mark};

/// The longest time that stands before a line: `2026-01-02T03:04:05.123456789+01:00`.
const TIME_BYTES: usize = 35;

/// The time that `docker logs --timestamps` writes.
const NANOSECOND_TIME: usize = b"2026-01-02T03:04:05.123456789Z".len();

/// The stream that a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// The line does not say it.
    Unknown,
}

impl Stream {
    /// The number of streams.
    pub const COUNT: usize = 3;

    /// Returns the name; empty for an unknown stream.
    pub fn name(self) -> &'static [u8] {
        match self {
            Stream::Out => b"stdout",
            Stream::Err => b"stderr",
            Stream::Unknown => b"",
        }
    }

    fn of(name: &[u8]) -> Option<Stream> {
        [Stream::Out, Stream::Err].into_iter().find(|stream| stream.name() == name)
    }
}

/// What a cutter needs to know about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// The time in nanoseconds since 1970.
    pub time_ns: u64,
    /// The stream.
    pub stream: Stream,
    /// Whether the record ends with this line.
    pub ends: bool,
    /// The number of bytes of the text, as the line has it.
    pub length: usize,
}

impl Glance {
    /// Whether a line belongs to the record that an earlier line of the stream, with the time `time_ns`, left open. All pieces
    /// in `json-file` have the time of the first one, so a piece that a container left open at its end is not continued after
    /// its restart.
    pub fn continues(&self, envelope: Envelope, time_ns: u64) -> bool {
        envelope != Envelope::DockerJson || self.time_ns == time_ns
    }
}

/// A line without its envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The time in nanoseconds since 1970; `None` if the envelope has none.
    pub time_ns: Option<u64>,
    /// The stream.
    pub stream: Stream,
    /// Whether the record ends with this line.
    pub ends: bool,
    /// The text: of a JSON object, the inside of a JSON string.
    pub text: &'a [u8],
    /// The JSON object of further attributes; empty if there is none.
    pub attrs: &'a [u8],
    /// The name of the container; empty if the envelope has none.
    pub name: &'a [u8],
}

impl<'a> Part<'a> {
    fn timed(time_ns: u64, stream: Stream, ends: bool, text: &'a [u8]) -> Part<'a> {
        Part { time_ns: Some(time_ns), stream, ends, text, attrs: &[], name: &[] }
    }
}

/// Returns the envelope of the content that begins with `beginning`, which has the whole first line. Each form is told by all
/// that is fixed in it, so that hardly any other log looks like it.
pub fn detect(beginning: &[u8]) -> Envelope {
    let end = memchr::memchr(b'\n', beginning).unwrap_or(beginning.len());
    let line = without_mark(without_carriage_return(&beginning[..end]), 0);
    if line.first() == Some(&b'{') {
        let part = json_file(line).filter(|part| part.stream != Stream::Unknown);
        return part.map_or(Envelope::None, |_| Envelope::DockerJson);
    }
    if cri(line).is_some() {
        return Envelope::Cri;
    }
    let is_nanosecond_time = |time: &[u8]| time.ends_with(b"Z") && read_rfc3339(time).is_some();
    if let Some((time, [] | [b' ', ..])) = line.split_at_checked(NANOSECOND_TIME)
        && is_nanosecond_time(time)
    {
        return Envelope::DockerTime;
    }
    if is_compose(line) { Envelope::Compose } else { Envelope::None }
}

/// Returns what a cutter needs to know about `line`, which has no line end; `None` if it does not have the envelope, or if the
/// envelope has no time. A usual line of `json-file` is read from its end, so the length of its text does not matter.
#[inline]
pub fn glance(envelope: Envelope, line: &[u8]) -> Option<Glance> {
    if envelope == Envelope::DockerJson
        && let Some(glance) = json_file_from_its_end(line)
    {
        return Some(glance);
    }
    let Part { time_ns, stream, ends, text, .. } = part(envelope, line)?;
    Some(Glance { time_ns: time_ns?, stream, ends, length: text.len() })
}

/// Returns the first `most` bytes of the text inside `line`, which has the envelope. `buffer` is memory for a text whose escapes
/// are read.
pub fn text_beginning<'a>(envelope: Envelope, line: &'a [u8], most: usize, buffer: &'a mut Vec<u8>) -> &'a [u8] {
    let text = part(envelope, line).map_or(line, |part| part.text);
    let has_escapes = || memchr::memchr(b'\\', &text[..text.len().min(most)]).is_some();
    if envelope != Envelope::DockerJson || !has_escapes() {
        return &text[..text.len().min(most)];
    }
    buffer.clear();
    // An escape has at most six bytes, and one that is cut is not read.
    let seen = &text[..text.len().min(6 * most + 6)];
    let whole = (0..6).filter_map(|cut| seen.len().checked_sub(cut)).find(|end| {
        buffer.clear();
        unescape(&seen[..*end], buffer).is_some()
    });
    match whole {
        Some(_) => &buffer[..buffer.len().min(most)],
        None => &text[..text.len().min(most)],
    }
}

/// Reads `line`, which has no line end; `None` if it does not have the envelope.
pub(super) fn part(envelope: Envelope, line: &[u8]) -> Option<Part<'_>> {
    match envelope {
        Envelope::DockerJson => json_file(line),
        Envelope::DockerTime => docker_time(line),
        Envelope::Cri => cri(line),
        Envelope::Compose => compose(line),
        Envelope::None | Envelope::Json | Envelope::Syslog | Envelope::Pushed => None,
    }
}

/// Splits the time off the beginning of `line`, with the blank after it.
fn time(line: &[u8]) -> Option<(u64, &[u8])> {
    let window = &line[..line.len().min(TIME_BYTES + 1)];
    let (time, rest) = match memchr::memchr(b' ', window) {
        Some(blank) => (&line[..blank], &line[blank + 1..]),
        None => (line, &[][..]),
    };
    Some((read_rfc3339(time)?, rest))
}

fn docker_time(line: &[u8]) -> Option<Part<'_>> {
    let (ns, text) = time(line)?;
    Some(Part::timed(ns, Stream::Unknown, true, text))
}

fn cri(line: &[u8]) -> Option<Part<'_>> {
    let (ns, rest) = time(line)?;
    let (stream, rest) = rest.split_at_checked(6)?;
    let stream = Stream::of(stream)?;
    let rest = rest.strip_prefix(b" ")?;
    // Further tags may follow the first one after a colon.
    let (ends, rest) = match rest {
        [b'F', rest @ ..] => (true, rest),
        [b'P', rest @ ..] => (false, rest),
        _ => return None,
    };
    let text = match rest {
        [] => rest,
        [b' ', text @ ..] => text,
        [b':', tags @ ..] => memchr::memchr(b' ', tags).map_or(&[][..], |blank| &tags[blank + 1..]),
        _ => return None,
    };
    Some(Part::timed(ns, stream, ends, text))
}

/// Splits name and text: a name, blanks, a bar, a blank. A terminal's colours may stand around the name.
fn compose(line: &[u8]) -> Option<Part<'_>> {
    let (name, rest) = compose_name(line)?;
    let rest = rest.trim_ascii_start().strip_prefix(b"|")?;
    let rest = match rest {
        [] => rest,
        [b' ', rest @ ..] => rest.strip_prefix(b"\x1b[0m").unwrap_or(rest),
        _ => {
            let rest = rest.strip_prefix(b"\x1b[0m")?;
            rest.strip_prefix(b" ").unwrap_or(rest)
        }
    };
    Some(Part { time_ns: None, stream: Stream::Unknown, ends: true, text: rest, attrs: &[], name })
}

/// Splits the name of a container off the beginning of `line`. At least one blank follows.
fn compose_name(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = line;
    if let Some(colour) = rest.strip_prefix(b"\x1b[") {
        let is_code = |byte: &&u8| byte.is_ascii_digit() || **byte == b';';
        rest = colour[colour.iter().take_while(is_code).count()..].strip_prefix(b"m")?;
    }
    let in_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let (name, rest) = rest.split_at(rest.iter().take_while(in_name).count());
    (name.first()?.is_ascii_alphanumeric() && rest.first() == Some(&b' ')).then_some((name, rest))
}

/// Whether `line` has the form of `docker compose logs` with all that is fixed in it: the name ends with a hyphen and a number
/// (before version 2: an underscore), and at least two blanks follow it.
fn is_compose(line: &[u8]) -> bool {
    let Some((name, rest)) = compose_name(line) else { return false };
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let is_numbered = digits > 0 && matches!(name[..name.len() - digits], [_, .., b'-' | b'_']);
    is_numbered && rest.starts_with(b"  ") && compose(line).is_some()
}

/// Reads a line of `json-file` from its end, as dockerd writes it: `…\n","stream":"stdout","time":"…"}`, perhaps with
/// `"attrs":{…}` between. A quote inside of the text has a backslash before it, so the text cannot look like this.
#[inline]
fn json_file_from_its_end(line: &[u8]) -> Option<Glance> {
    const BEFORE_TEXT: &[u8] = b"{\"log\":\"";
    const BEFORE_STREAM: &[u8] = b"\",\"stream\":\"";
    const BEFORE_TIME: &[u8] = b"\",\"time\":\"";
    let line = line.strip_prefix(BEFORE_TEXT)?.strip_suffix(b"\"}")?;
    let quote = memchr::memrchr(b'"', &line[line.len().saturating_sub(TIME_BYTES + 1)..])?;
    let (line, time) = line.split_at(line.len() - line.len().min(TIME_BYTES + 1) + quote + 1);
    let line = line.strip_suffix(BEFORE_TIME)?;
    let (line, stream) = line.split_at_checked(line.len().checked_sub(6)?)?;
    let stream = Stream::of(stream)?;
    let text = line.strip_suffix(BEFORE_STREAM)?;
    let ends = without_newline(text).is_some();
    Some(Glance { time_ns: read_rfc3339(time)?, stream, ends, length: without_newline(text).unwrap_or(text).len() })
}

/// Returns the inside of a JSON string without the `\n` at its end; `None` if it does not end with one.
fn without_newline(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_suffix(b"\\n")?;
    let backslashes = text.iter().rev().take_while(|byte| **byte == b'\\').count();
    backslashes.is_multiple_of(2).then_some(text)
}

/// Reads a line of `json-file`: an object with `log` and `time`, and perhaps `stream` and `attrs`, in any order.
fn json_file(line: &[u8]) -> Option<Part<'_>> {
    let mut rest = Json(line.trim_ascii());
    let (mut log, mut time, mut stream, mut attrs) = (None, None, None, None);
    rest.expect(b'{')?;
    loop {
        let name = rest.string()?;
        rest.expect(b':')?;
        let place = match name {
            b"log" => &mut log,
            b"time" => &mut time,
            b"stream" => &mut stream,
            b"attrs" => &mut attrs,
            _ => return None,
        };
        let value = if name == b"attrs" { rest.object()? } else { rest.string()? };
        if place.replace(value).is_some() {
            return None;
        }
        match rest.next()? {
            b',' => {}
            b'}' if rest.0.is_empty() => break,
            _ => return None,
        }
    }
    let log = log?;
    let (ends, text) = without_newline(log).map_or((false, log), |text| (true, text));
    let stream = stream.map_or(Some(Stream::Unknown), Stream::of)?;
    Some(Part { attrs: attrs.unwrap_or_default(), ..Part::timed(read_rfc3339(time?)?, stream, ends, text) })
}

/// The rest of a JSON text. Only as much of it is checked as is needed to find the members.
struct Json<'a>(&'a [u8]);

impl<'a> Json<'a> {
    /// Takes the next byte that is no blank.
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.trim_ascii_start().split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// Takes a string. Returns its inside.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let text = self.0;
        let mut end = 0;
        loop {
            end += memchr::memchr2(b'"', b'\\', text.get(end..)?)?;
            if text[end] == b'"' {
                self.0 = &text[end + 1..];
                return Some(&text[..end]);
            }
            end += 2;
        }
    }

    /// Takes an object. Returns it with its braces.
    fn object(&mut self) -> Option<&'a [u8]> {
        let text = self.0.trim_ascii_start();
        self.expect(b'{')?;
        let mut depth = 1_usize;
        while depth > 0 {
            let next = self.0.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}'))?;
            let byte = self.0[next];
            self.0 = &self.0[next..];
            match byte {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' => depth += 1,
                _ => depth -= 1,
            }
            self.0 = &self.0[1..];
        }
        Some(&text[..text.len() - self.0.len()])
    }
}

/// Appends what `text`, the inside of a JSON string, stands for. A lone surrogate becomes U+FFFD. Returns `None` if an escape
/// is malformed.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (kind, after) = rest[at + 1..].split_first()?;
        rest = after;
        out.push(match kind {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'"' | b'\\' | b'/' => *kind,
            b'u' => {
                let (c, length) = code_point(rest)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[length..];
                continue;
            }
            _ => return None,
        });
    }
    out.extend_from_slice(rest);
    Some(())
}

/// Returns the character whose four hexadecimal digits come first in `text`, and the number of bytes that it takes.
fn code_point(text: &[u8]) -> Option<(char, usize)> {
    let unit = |text: &[u8]| {
        let digits = text.first_chunk::<4>()?;
        digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
    };
    let first = unit(text)?;
    let low = text[4..].strip_prefix(b"\\u").and_then(unit);
    Some(match (first, low) {
        (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
            let c = char::from_u32(0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00));
            (c.unwrap_or(char::REPLACEMENT_CHARACTER), 10)
        }
        _ => (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 4),
    })
}

#[cfg(test)]
mod tests;
