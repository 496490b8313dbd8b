//! [`Framing`]: how bytes are divided into records; and [`Records`]: the records, one after the other.

use bytes::Bytes;

use crate::core::line_end::LineEnd;
use crate::core::lines::{Line, Lines, lines};

/// The bit of a length in a table of [`Framing::Lengths`] that says: no batch may be cut before this record.
pub const NO_CUT: u32 = 1 << 31;

/// How the bytes of a batch are divided into records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framing {
    /// Each record is a line.
    Lines,
    /// A table with a big-endian `u32` for each record: its length in bytes with its line end. The highest bit
    /// ([`NO_CUT`]) says that no batch may be cut before this record.
    Lengths(Bytes),
}

/// An iterator over records. Each item has the bytes of a record without its last [line end](LineEnd). A record may hold
/// newlines.
#[derive(Debug, Clone)]
pub struct Records<'a>(Kind<'a>);

#[derive(Debug, Clone)]
enum Kind<'a> {
    Lines(Lines<'a>),
    Lengths { data: &'a [u8], lengths: &'a [[u8; 4]], start: usize, line_end: LineEnd },
}

impl<'a> Records<'a> {
    /// Returns an iterator over the records of `data`, which `framing` divides. Records of a table end with `line_end`.
    #[inline]
    pub fn new(data: &'a [u8], framing: &'a Framing, line_end: LineEnd) -> Records<'a> {
        Records(match framing {
            Framing::Lines => Kind::Lines(lines(data)),
            Framing::Lengths(table) => Kind::Lengths { data, lengths: table.as_chunks().0, start: 0, line_end },
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Line<'a>;

    #[inline]
    fn next(&mut self) -> Option<Line<'a>> {
        match &mut self.0 {
            Kind::Lines(lines) => lines.next(),
            Kind::Lengths { data, lengths, start, line_end } => {
                let (length, rest) = lengths.split_first()?;
                let at = *start;
                let end = at + (u32::from_be_bytes(*length) & !NO_CUT) as usize;
                let bytes = data.get(at..end)?;
                (*lengths, *start) = (rest, end);
                Some(Line { start: at, bytes: line_end.without(bytes) })
            }
        }
    }
}

/// Returns the number of records in `data`, or a sentence that says why `framing` does not fit `data`.
///
/// # Errors
/// The lengths of the table do not add up to the length of `data`, or a record is empty.
pub fn count(data: &[u8], framing: &Framing) -> Result<usize, &'static str> {
    let Framing::Lengths(table) = framing else { return Ok(crate::core::lines::count(data)) };
    let (lengths, []) = table.as_chunks::<4>() else { return Err("the table of lengths is cut") };
    let mut sum = 0_u64;
    for length in lengths {
        match u64::from(u32::from_be_bytes(*length) & !NO_CUT) {
            0 => return Err("a record has no bytes"),
            length => sum += length,
        }
    }
    if sum == data.len() as u64 { Ok(lengths.len()) } else { Err("the lengths of the records do not add up") }
}
