//! Splitting bytes into lines, and leaving out the byte order mark before the first line. All parts of the program use these functions.
//!
//! A line is the bytes between two newlines, without the newlines. A carriage return directly before the newline
//! belongs to the line's end and not to the line, so a file written on Windows gives the same documents. A last line
//! without a newline is a line. After a last newline there is no further line.

use std::borrow::Cow;

use memchr::memchr;

/// A line, and its place in the bytes that it was split from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The offset of the line's first byte.
    pub start: usize,
    /// The line without its end.
    pub bytes: &'a [u8],
}

/// Returns the line that is matched and stored. The first line of a content (`offset` 0) may begin with a byte order
/// mark (U+FEFF in UTF-8), which is left out. Ids, origins and offsets are computed with the mark.
#[inline]
pub fn without_mark(line: &[u8], offset: u64) -> &[u8] {
    match offset {
        0 => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
        _ => line,
    }
}

/// Returns an iterator over the lines of `data`.
pub fn lines(data: &[u8]) -> Lines<'_> {
    Lines { data, position: 0 }
}

/// The iterator that [`lines`] returns.
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

/// Returns a message as a line: without a line end at its end. A newline inside the message becomes the two characters
/// `\n`, because a line contains no newline.
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

/// Returns `line` without the carriage return that belongs to its end.
#[inline]
pub fn without_carriage_return(line: &[u8]) -> &[u8] {
    match line {
        [rest @ .., b'\r'] => rest,
        _ => line,
    }
}

/// Splits a record into its first line, without its end, and the lines after it; `None` if there are no further lines.
#[inline]
pub fn split_first_line(record: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b'\n', record) {
        Some(newline) => (without_carriage_return(&record[..newline]), Some(&record[newline + 1..])),
        None => (record, None),
    }
}

/// Returns the first line of a record, without its end.
pub fn first_line(record: &[u8]) -> &[u8] {
    split_first_line(record).0
}

/// Returns the number of lines in `data`: the number of newlines, plus one if `data` does not end with a newline.
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
