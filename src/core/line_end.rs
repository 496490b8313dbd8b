//! [`LineEnd`]: how the lines of an encoding end.
//!
//! In every encoding that logator reads, except UTF-16, a line ends with the byte `\n`, and that byte is a part of no other
//! character. In UTF-16 a line ends with the two bytes of `\n`. Characters such as U+0A0A hold the same byte, so the bytes of
//! a line end begin at an even offset of the content.

use memchr::{memchr, memchr_iter};

/// The name of UTF-16 with the low byte first.
pub const UTF_16LE: &str = "UTF-16LE";

/// The name of UTF-16 with the high byte first.
pub const UTF_16BE: &str = "UTF-16BE";

/// How the lines of a content end. A carriage return before the newline belongs to the line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnd {
    /// `\n`.
    #[default]
    Byte,
    /// `\n` in UTF-16 with the low byte first.
    Utf16Le,
    /// `\n` in UTF-16 with the high byte first.
    Utf16Be,
}

impl LineEnd {
    /// Returns the line end of an encoding by the name of the encoding; `None` stands for UTF-8.
    #[inline]
    pub fn of(encoding: Option<&str>) -> LineEnd {
        match encoding {
            None => LineEnd::Byte,
            Some(UTF_16LE) => LineEnd::Utf16Le,
            Some(UTF_16BE) => LineEnd::Utf16Be,
            Some(_) => LineEnd::Byte,
        }
    }

    /// The number of bytes of a newline.
    #[inline]
    pub fn width(self) -> usize {
        match self {
            LineEnd::Byte => 1,
            LineEnd::Utf16Le | LineEnd::Utf16Be => 2,
        }
    }

    /// The bytes of a newline.
    #[inline]
    pub fn newline(self) -> &'static [u8] {
        match self {
            LineEnd::Byte => b"\n",
            LineEnd::Utf16Le => b"\n\0",
            LineEnd::Utf16Be => b"\0\n",
        }
    }

    /// The bytes of a carriage return.
    #[inline]
    pub fn carriage_return(self) -> &'static [u8] {
        match self {
            LineEnd::Byte => b"\r",
            LineEnd::Utf16Le => b"\r\0",
            LineEnd::Utf16Be => b"\0\r",
        }
    }

    /// Returns the number of bytes of the first line of `bytes` with its newline; `None` if there is no newline. The bytes
    /// begin at an even offset of the content.
    #[inline]
    pub fn find(self, bytes: &[u8]) -> Option<usize> {
        match self {
            LineEnd::Byte => memchr(b'\n', bytes).map(|at| at + 1),
            LineEnd::Utf16Le => {
                let is_newline = |at: &usize| at.is_multiple_of(2) && bytes.get(at + 1) == Some(&0);
                memchr_iter(b'\n', bytes).find(is_newline).map(|at| at + 2)
            }
            LineEnd::Utf16Be => {
                let is_newline = |at: &usize| at % 2 == 1 && bytes[at - 1] == 0;
                memchr_iter(b'\n', bytes).find(is_newline).map(|at| at + 1)
            }
        }
    }

    /// Returns whether `bytes` end with a newline. They begin at an even offset of the content.
    #[inline]
    pub fn ends(self, bytes: &[u8]) -> bool {
        bytes.ends_with(self.newline()) && bytes.len().is_multiple_of(self.width())
    }

    /// Returns the number of bytes of `bytes` up to the last newline, with it; 0 if there is none.
    pub fn last(self, bytes: &[u8]) -> usize {
        match self {
            LineEnd::Byte => memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1),
            _ => {
                let is_newline = |at: &usize| {
                    let end = at + usize::from(self == LineEnd::Utf16Le) + 1;
                    bytes.get(..end).is_some_and(|line| self.ends(line))
                };
                let newline = memchr::memrchr_iter(b'\n', bytes).find(is_newline);
                newline.map_or(0, |at| at + usize::from(self == LineEnd::Utf16Le) + 1)
            }
        }
    }

    /// Returns the number of newlines in `bytes`, which begin at an even offset of the content.
    pub fn count(self, bytes: &[u8]) -> u64 {
        let newlines = memchr_iter(b'\n', bytes);
        let count = match self {
            LineEnd::Byte => newlines.count(),
            LineEnd::Utf16Le => newlines.filter(|at| at.is_multiple_of(2) && bytes.get(at + 1) == Some(&0)).count(),
            LineEnd::Utf16Be => newlines.filter(|at| at % 2 == 1 && bytes[at - 1] == 0).count(),
        };
        count as u64
    }

    /// Returns `line` without its line end, if it has one: a newline, and a carriage return before it. A carriage return at
    /// the end of a line without a newline is left out as well.
    #[inline]
    pub fn without(self, line: &[u8]) -> &[u8] {
        let strip = |line: &[u8], end: &[u8]| line.ends_with(end) && line.len().is_multiple_of(self.width());
        let line = if strip(line, self.newline()) { &line[..line.len() - self.width()] } else { line };
        if strip(line, self.carriage_return()) { &line[..line.len() - self.width()] } else { line }
    }

    /// Writes the first characters of `line` in ASCII to `out`, as many as there is room for, and returns them. A byte `0xff`
    /// stands for any other character of UTF-16. A byte order mark is left out. Rules that look at the beginning of a line need no
    /// more of it.
    pub fn beginning<'a>(self, line: &[u8], out: &'a mut [u8]) -> &'a [u8] {
        let (units, _) = line.as_chunks::<2>();
        let units = units.iter().map(|unit| match self {
            LineEnd::Utf16Be => u16::from_be_bytes(*unit),
            LineEnd::Byte | LineEnd::Utf16Le => u16::from_le_bytes(*unit),
        });
        let mark = usize::from(units.clone().next() == Some(0xfeff));
        let mut length = 0;
        for (unit, byte) in units.skip(mark).zip(out.iter_mut()) {
            *byte = u8::try_from(unit).ok().filter(u8::is_ascii).unwrap_or(0xff);
            length += 1;
        }
        &out[..length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, end: LineEnd) -> Vec<u8> {
        match end {
            LineEnd::Byte => text.as_bytes().to_vec(),
            LineEnd::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            LineEnd::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }

    const ALL: [LineEnd; 3] = [LineEnd::Byte, LineEnd::Utf16Le, LineEnd::Utf16Be];

    #[test]
    fn lines_end_at_newlines_and_not_inside_of_characters() {
        // U+0A0A, U+0A00 and U+000A, U+010A and U+0A01 hold the byte of a newline at either place.
        for text in ["", "\n", "a\nb\n", "\u{a0a}\n\u{a00}x\u{10a}\r\n\u{a01}", "\u{d0a}\r\n\n\u{a0d}", "\r", "a\r\r\n"]
        {
            for end in ALL {
                let bytes = encoded(text, end);
                let mut lines = Vec::new();
                let mut rest = &bytes[..];
                while let Some(length) = end.find(rest) {
                    assert!(end.ends(&rest[..length]), "{text:?} {end:?}");
                    lines.push(end.without(&rest[..length]).to_vec());
                    rest = &rest[length..];
                }
                assert_eq!(end.last(&bytes), bytes.len() - rest.len(), "{text:?} {end:?}");
                assert_eq!(end.count(&bytes), lines.len() as u64, "{text:?} {end:?}");
                if !rest.is_empty() {
                    lines.push(end.without(rest).to_vec());
                }
                let expected: Vec<Vec<u8>> =
                    text.lines().map(|line| encoded(line.strip_suffix('\r').unwrap_or(line), end)).collect();
                let found: Vec<Vec<u8>> = lines
                    .iter()
                    .map(|line| {
                        let cr = end.carriage_return();
                        if line.ends_with(cr) && text.ends_with("\r\r\n") {
                            line[..line.len() - cr.len()].to_vec()
                        } else {
                            line.clone()
                        }
                    })
                    .collect();
                assert_eq!(found, expected, "{text:?} {end:?}");
            }
        }
    }

    #[test]
    fn the_beginning_of_a_line_in_utf_16_is_shown_in_ascii() {
        for end in [LineEnd::Utf16Le, LineEnd::Utf16Be] {
            let shown = |text: &str| end.beginning(&encoded(text, end), &mut [0; 8]).to_vec();
            assert_eq!(shown("\u{feff}2024-01-02T"), b"2024-01-");
            assert_eq!(shown("é\u{a0a}x"), b"\xff\xffx");
            assert_eq!(shown(""), b"");
        }
    }

    #[test]
    fn half_a_unit_at_the_end_is_no_newline() {
        assert_eq!(LineEnd::Utf16Le.find(b"a\0\n"), None);
        assert!(!LineEnd::Utf16Be.ends(b"a\0\n"));
        assert_eq!(LineEnd::Utf16Be.without(b"a\0\n"), b"a\0\n");
    }
}
