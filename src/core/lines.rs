//! Splitting bytes into lines, the one way it is done everywhere.
//!
//! A line is the bytes between two newlines, the newline not included. One carriage return before the newline belongs
//! to the line's end, not to the line, so that files written on Windows give the same documents. A final line without
//! a newline is a line; nothing after a final newline is not.

use std::borrow::Cow;

use memchr::memchr;

/// A line and where it starts in the bytes it was split from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Offset of the first byte.
    pub start: usize,
    /// The line without its end.
    pub bytes: &'a [u8],
}

/// `line` as it is matched and stored: without the mark that UTF-8 may have at its beginning (U+FEFF), where the line is
/// the first of its content, at `offset` 0. Ids, origins and offsets are those of the whole line.
#[inline]
pub fn without_mark(line: &[u8], offset: u64) -> &[u8] {
    match offset {
        0 => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
        _ => line,
    }
}

/// Iterates over the lines of `data`.
pub fn lines(data: &[u8]) -> Lines<'_> {
    Lines { data, position: 0 }
}

/// The iterator that [`lines`] makes.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    #[inline]
    fn next(&mut self) -> Option<Line<'a>> {
        let start = self.position;
        let rest = &self.data[start..];
        if rest.is_empty() {
            return None;
        }
        let length = match memchr(b'\n', rest) {
            Some(newline) => {
                self.position = start + newline + 1;
                newline
            }
            None => {
                self.position = self.data.len();
                rest.len()
            }
        };
        Some(Line { start, bytes: without_carriage_return(&rest[..length]) })
    }
}

/// A message as a line: without the end of line at its end. A newline within it becomes the two characters `\n`, because
/// a line has none.
#[inline]
pub fn of_message(message: &[u8]) -> Cow<'_, [u8]> {
    let line = without_carriage_return(message.strip_suffix(b"\n").unwrap_or(message));
    match memchr(b'\n', line) {
        None => Cow::Borrowed(line),
        Some(first) => Cow::Owned(without_newlines(line, first)),
    }
}

#[cold]
fn without_newlines(line: &[u8], first: usize) -> Vec<u8> {
    let mut whole = Vec::with_capacity(line.len() + 16);
    whole.extend_from_slice(&line[..first]);
    for part in line[first + 1..].split(|&byte| byte == b'\n') {
        whole.extend_from_slice(br"\n");
        whole.extend_from_slice(part);
    }
    whole
}

/// `line` without the one carriage return that belongs to its end.
#[inline]
pub fn without_carriage_return(line: &[u8]) -> &[u8] {
    match line {
        [rest @ .., b'\r'] => rest,
        _ => line,
    }
}

/// How many lines `data` holds: its newlines, and one more when it does not end with one.
pub fn count(data: &[u8]) -> usize {
    let newlines = memchr::memchr_iter(b'\n', data).count();
    newlines + usize::from(data.last().is_some_and(|&byte| byte != b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_is_in_it() {
        for (message, line) in [
            ("", ""),
            ("a", "a"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\r", "a"),
            ("a\nb", r"a\nb"),
            ("\n\n", r"\n"),
            ("\na\n\nb\r\n", r"\na\n\nb"),
        ] {
            assert_eq!(of_message(message.as_bytes()), line.as_bytes(), "{message:?}");
        }
    }
}
