//! Converts systemd's Journal Export Format (`journalctl -o export`) to lines. Each entry becomes a JSON object with
//! the same fields and values as in `journalctl -o json --all`.
//!
//! The format is described at <https://systemd.io/JOURNAL_EXPORT_FORMATS/>. Each field is a line `NAME=text`. A value
//! with control characters is written as `NAME`, a newline, the length of the value in 8 bytes (little endian), the
//! value, and a newline. An empty line ends an entry.
//!
//! | a value | in JSON |
//! |---|---|
//! | UTF-8 | a string |
//! | other bytes | an array of numbers |
//! | a value beyond [`MAX_ENTRY_BYTES`] of its entry | `null`, as in journalctl beyond 4,096 bytes without `--all` |
//! | several values of one field name | an array of them |

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

/// The first bytes of every export. The first field of each entry is its cursor.
pub const MAGIC: &[u8] = b"__CURSOR=s=";

/// Whether `beginning` may be the start of an export, and more bytes are needed to be sure.
pub fn may_begin(beginning: &[u8]) -> bool {
    beginning.len() < MAGIC.len() && MAGIC.starts_with(beginning)
}

/// The maximum number of bytes of an entry that are kept. Anyone who may write to the journal may write a gigabyte.
const MAX_ENTRY_BYTES: usize = 4 << 20;

/// The maximum number of fields of an entry. journald allows 1,024.
const MAX_FIELDS: usize = 4096;

/// The maximum number of bytes of a field's name. journald allows 64 bytes, and adds names of its own with the prefix
/// `__`.
const MAX_NAME_BYTES: usize = 256;

/// Reads an export as lines of JSON.
pub struct ExportReader<R> {
    input: R,
    state: State,
    entry: Entry,
    /// The part of the current line or value that was read.
    partial: Vec<u8>,
    /// Finished lines of JSON, and the number of their bytes that were returned to the caller.
    lines: Vec<u8>,
    given: usize,
    /// An error that was found after good lines. The next read reports it.
    damage: Option<io::Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a line. `cut` says whether only the beginning of the line was kept.
    Line { cut: bool },
    /// In a length, of which `digits` bytes were read.
    Length { digits: u8, length: u64 },
    /// In a value, of which `left` bytes are missing.
    Value { left: u64, cut: bool },
    /// After a value, where a newline must follow.
    Newline,
    /// At the end, or after an error.
    End,
}

/// The fields of an entry, in the order in which their names first occur.
#[derive(Default)]
struct Entry {
    fields: Vec<(String, Vec<Value>)>,
    by_name: HashMap<String, usize>,
    /// The name of the value that is being read.
    name: String,
    /// The number of values.
    count: usize,
    bytes: usize,
}

/// The bytes of a value; `None` if the value was too long.
type Value = Option<Vec<u8>>;

impl<R: BufRead> ExportReader<R> {
    /// A reader of the entries in `input`.
    pub fn new(input: R) -> Self {
        ExportReader {
            input,
            state: State::Line { cut: false },
            entry: Entry::default(),
            partial: Vec::new(),
            lines: Vec::new(),
            given: 0,
            damage: None,
        }
    }

    /// Reads once, and converts the new bytes. Lines that are complete are never held back.
    fn advance(&mut self) -> io::Result<()> {
        let input = self.input.fill_buf()?;
        if input.is_empty() {
            let whole = self.entry.count == 0 && self.partial.is_empty() && self.state == State::Line { cut: false };
            self.state = State::End;
            return if whole { Ok(()) } else { Err(damage(io::ErrorKind::UnexpectedEof, "ends inside of an entry")) };
        }
        let mut rest = input;
        let mut taken = Ok(());
        while !rest.is_empty() && taken.is_ok() {
            let (state, length, result) = step(self.state, rest, &mut self.partial, &mut self.entry, &mut self.lines);
            (self.state, taken) = (state, result);
            rest = &rest[length..];
        }
        let length = input.len() - rest.len();
        self.input.consume(length);
        if taken.is_err() {
            self.state = State::End;
        }
        taken
    }
}

/// Processes the first bytes of `rest`. Returns the next state and the number of bytes that were used.
fn step(
    state: State,
    rest: &[u8],
    partial: &mut Vec<u8>,
    entry: &mut Entry,
    lines: &mut Vec<u8>,
) -> (State, usize, io::Result<()>) {
    match state {
        State::Line { cut } => {
            let end = memchr::memchr(b'\n', rest);
            let part = &rest[..end.unwrap_or(rest.len())];
            let cut = keep(part, partial, entry.bytes) || cut;
            let Some(end) = end else { return (State::Line { cut }, part.len(), Ok(())) };
            let line = std::mem::take(partial);
            let (state, result) = match entry.line(&line, cut, lines) {
                Ok(true) => (State::Length { digits: 0, length: 0 }, Ok(())),
                Ok(false) => (State::Line { cut: false }, Ok(())),
                Err(error) => (State::End, Err(error)),
            };
            (state, end + 1, result)
        }
        State::Length { digits, length } => {
            let length = length | u64::from(rest[0]) << (8 * digits);
            let state = match digits {
                7 if length == 0 => State::Newline,
                7 => State::Value { left: length, cut: false },
                _ => State::Length { digits: digits + 1, length },
            };
            if state == State::Newline {
                entry.add(Some(Vec::new()));
            }
            (state, 1, Ok(()))
        }
        State::Value { left, cut } => {
            let length = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let cut = keep(&rest[..length], partial, entry.bytes) || cut;
            let left = left - length as u64;
            if left > 0 {
                return (State::Value { left, cut }, length, Ok(()));
            }
            let value = std::mem::take(partial);
            entry.add((!cut).then_some(value));
            (State::Newline, length, Ok(()))
        }
        State::Newline if rest[0] == b'\n' => (State::Line { cut: false }, 1, Ok(())),
        State::Newline => (State::End, 0, Err(damage(io::ErrorKind::InvalidData, "has no newline after a value"))),
        State::End => (State::End, rest.len(), Ok(())),
    }
}

/// Appends `part` to `partial` within the limit. Returns whether some bytes were left out.
fn keep(part: &[u8], partial: &mut Vec<u8>, others: usize) -> bool {
    // There is always room for a field's name, so that its value can be `null`.
    let room = MAX_ENTRY_BYTES.saturating_sub(others).max(MAX_NAME_BYTES + 1).saturating_sub(partial.len());
    partial.extend_from_slice(&part[..part.len().min(room)]);
    part.len() > room
}

fn damage(kind: io::ErrorKind, what: &str) -> io::Error {
    io::Error::new(kind, format!("the export {what}"))
}

impl Entry {
    /// Processes a line. It is a field, the name of a field whose value follows (the result is then `true`), or the end
    /// of the entry.
    fn line(&mut self, line: &[u8], cut: bool, lines: &mut Vec<u8>) -> io::Result<bool> {
        if line.is_empty() {
            // Several empty lines count as one.
            if self.count > 0 {
                std::mem::take(self).write(lines);
            }
            return Ok(false);
        }
        let wrong = |what| Err(damage(io::ErrorKind::InvalidData, what));
        let equals = memchr::memchr(b'=', line);
        let name = &line[..equals.unwrap_or(line.len())];
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return wrong("has a field without a name, or a name without an end");
        }
        let Ok(name) = std::str::from_utf8(name) else { return wrong("has a field whose name is not UTF-8") };
        if self.count >= MAX_FIELDS {
            return wrong("has an entry of more than 4,096 fields");
        }
        name.clone_into(&mut self.name);
        if let Some(equals) = equals {
            self.add((!cut).then(|| line[equals + 1..].to_vec()));
        }
        Ok(equals.is_none())
    }

    fn add(&mut self, value: Value) {
        self.count += 1;
        self.bytes += self.name.len() + value.as_ref().map_or(0, Vec::len);
        match self.by_name.get(&self.name) {
            Some(&index) => self.fields[index].1.push(value),
            None => {
                self.by_name.insert(self.name.clone(), self.fields.len());
                self.fields.push((std::mem::take(&mut self.name), vec![value]));
            }
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        for (index, (name, values)) in self.fields.iter().enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            write_text(name, out);
            out.push(b':');
            match values.as_slice() {
                [value] => write_value(value, out),
                values => write_list(values, out, write_value),
            }
        }
        out.extend_from_slice(b"}\n");
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value.as_deref().map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => out.extend_from_slice(b"null"),
        Some((_, Ok(text))) => write_text(text, out),
        Some((bytes, Err(_))) => write_list(bytes, out, |byte, out| out.extend_from_slice(byte.to_string().as_bytes())),
    }
}

fn write_list<T>(items: &[T], out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    // Writing to memory cannot fail, and every string is valid JSON.
    let _ = serde_json::to_writer(out, text);
}

impl<R: BufRead> Read for ExportReader<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if output.is_empty() {
            return Ok(0);
        }
        while self.given == self.lines.len() {
            if let Some(damage) = self.damage.take() {
                return Err(damage);
            }
            if self.state == State::End {
                return Ok(0);
            }
            self.lines.clear();
            self.given = 0;
            self.damage = self.advance().err();
            if let Some(error) = self.damage.take_if(|error| error.kind() == io::ErrorKind::Interrupted) {
                return Err(error);
            }
        }
        let rest = &self.lines[self.given..];
        let length = rest.len().min(output.len());
        output[..length].copy_from_slice(&rest[..length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8], capacity: usize, room: usize) -> (String, Option<io::Error>) {
        let mut reader = ExportReader::new(io::BufReader::with_capacity(capacity, bytes));
        let (mut content, mut buffer) = (Vec::new(), vec![0; room]);
        let error = loop {
            match reader.read(&mut buffer) {
                Ok(0) => break None,
                Ok(length) => content.extend_from_slice(&buffer[..length]),
                Err(error) => break Some(error),
            }
        };
        (String::from_utf8(content).unwrap(), error)
    }

    fn lines(bytes: &[u8]) -> String {
        let (content, error) = read_all(bytes, 64, 1000);
        assert!(error.is_none(), "{error:?}");
        content
    }

    fn binary(name: &str, value: &[u8]) -> Vec<u8> {
        [name.as_bytes(), b"\n", &(value.len() as u64).to_le_bytes()[..], value, b"\n"].concat()
    }

    #[test]
    fn an_entry_becomes_an_object_with_the_values_of_its_fields() {
        let bytes = [
            b"__CURSOR=s=1;i=2\n_PID=4711\nMESSAGE=a \"word\"\n\n".to_vec(),
            b"__CURSOR=s=1;i=3\nEMPTY=\n".to_vec(),
            binary("MESSAGE", b"two\nlines, and a field's end =\n\n"),
            binary("NOTHING", b""),
            binary("BYTES", &[0xff, 0, 10]),
            b"UNIT=a\n_PID=1\nUNIT=b\nUNIT=a\n\n\n".to_vec(),
        ];
        let expected = [
            r#"{"__CURSOR":"s=1;i=2","_PID":"4711","MESSAGE":"a \"word\""}"#,
            concat!(
                r#"{"__CURSOR":"s=1;i=3","EMPTY":"","MESSAGE":"two\nlines, and a field's end =\n\n","NOTHING":"","#,
                r#""BYTES":[255,0,10],"UNIT":["a","b","a"],"_PID":"1"}"#
            ),
        ];
        assert_eq!(lines(&bytes.concat()).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_value_beyond_the_bound_is_null_and_the_next_entry_is_whole() {
        let long = vec![b'x'; MAX_ENTRY_BYTES + 1];
        for field in [[&b"CORE="[..], &long, b"\n"].concat(), binary("CORE", &long)] {
            let bytes = [&b"__CURSOR=s=1\n"[..], &field, b"A=1\n\n__CURSOR=s=2\nA=2\n\n"].concat();
            let (content, error) = read_all(&bytes, 1 << 16, 1 << 16);
            assert!(error.is_none());
            assert_eq!(
                content,
                "{\"__CURSOR\":\"s=1\",\"CORE\":null,\"A\":\"1\"}\n{\"__CURSOR\":\"s=2\",\"A\":\"2\"}\n"
            );
        }
    }

    #[test]
    fn what_is_no_export_is_told_behind_what_was_one() {
        let good = b"__CURSOR=s=1\n\n";
        let many = "A=1\n".repeat(MAX_FIELDS + 1);
        let claimed = [&b"A\n"[..], &u64::MAX.to_le_bytes(), b"short"].concat();
        for (bad, kind, word) in [
            (&b"A=1\n"[..], io::ErrorKind::UnexpectedEof, "inside of an entry"),
            (b"A=1", io::ErrorKind::UnexpectedEof, "inside of an entry"),
            (b"A\n\x05\0", io::ErrorKind::UnexpectedEof, "inside of an entry"),
            (&claimed, io::ErrorKind::UnexpectedEof, "inside of an entry"),
            (b"A\n\x01\0\0\0\0\0\0\0xy\n", io::ErrorKind::InvalidData, "no newline after a value"),
            (b"=1\n", io::ErrorKind::InvalidData, "without a name"),
            (b"\xff=1\n", io::ErrorKind::InvalidData, "not UTF-8"),
            (many.as_bytes(), io::ErrorKind::InvalidData, "more than 4,096 fields"),
        ] {
            let (content, error) = read_all(&[good, bad].concat(), 32, 32);
            assert_eq!(content, "{\"__CURSOR\":\"s=1\"}\n", "{word}");
            let error = error.expect(word);
            assert_eq!(error.kind(), kind, "{word}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_entries_come_through_however_they_are_read(
            entries in prop::collection::vec(
                prop::collection::vec(("[A-Z_]{1,8}", prop::collection::vec(any::<u8>(), 0..20), any::<bool>()), 1..6),
                0..5,
            ),
            capacity in 1..40_usize,
            room in 1..40_usize,
        ) {
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            for fields in &entries {
                let mut object = serde_json::Map::new();
                for (name, value, as_text) in fields {
                    if *as_text && !value.contains(&b'\n') {
                        bytes.extend([name.as_bytes(), b"=", value, b"\n"].concat());
                    } else {
                        bytes.extend(binary(name, value));
                    }
                    let value: serde_json::Value = match std::str::from_utf8(value) {
                        Ok(text) => text.into(),
                        Err(_) => value.clone().into(),
                    };
                    object.entry(name.clone()).or_insert_with(|| serde_json::Value::Array(Vec::new()))
                        .as_array_mut().unwrap().push(value);
                }
                bytes.push(b'\n');
                let single = |(name, values): (String, serde_json::Value)| match values.as_array().map(Vec::as_slice) {
                    Some([value]) => (name, value.clone()),
                    _ => (name, values),
                };
                expected.push(object.into_iter().map(single).collect::<serde_json::Value>());
            }
            let (content, error) = read_all(&bytes, capacity, room);
            prop_assert!(error.is_none(), "{error:?}");
            let told: Vec<serde_json::Value> = content.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            prop_assert_eq!(told, expected);
        }
    }
}
