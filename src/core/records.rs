//! [`Framing`]: how bytes are divided into records; and [`Records`]: the records, one after the other.

use bytes::Bytes;

use crate::core::line_end::LineEnd;
use crate::core::lines::{Line, Lines, lines};

/// The bit of an entry in a table of [`Framing::Lengths`] that says: no batch may be cut before this record.
pub const NO_CUT: u32 = 1 << 31;

/// The bit that says: the record ended at a limit of time, lines or bytes, and lines that continue it may follow.
pub const CLOSED: u32 = 1 << 30;

/// The bit that says: the record is a header line. It has no document.
pub const HEADER: u32 = 1 << 29;

/// The bit that says: the line of a container continues the record before it in its stream. The worker joins them.
pub const CONTINUES: u32 = 1 << 28;

/// The bits of an entry that are the length of the record.
pub const LENGTH: u32 = CONTINUES - 1;

/// How the bytes of a batch are divided into records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framing {
    /// Each record is a line.
    Lines,
    /// A table with a big-endian `u32` for each record: its length in bytes with its line end ([`LENGTH`]), and bits that
    /// say more about the record ([`NO_CUT`], [`CLOSED`], [`HEADER`], [`CONTINUES`]).
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

impl Framing {
    /// Whether record number `index` has the bit `bit`.
    #[inline]
    pub fn has(&self, bit: u32, index: usize) -> bool {
        match self {
            Framing::Lines => false,
            Framing::Lengths(table) => {
                table.as_chunks::<4>().0.get(index).is_some_and(|entry| u32::from_be_bytes(*entry) & bit != 0)
            }
        }
    }

    /// Whether any record has the bit `bit`.
    pub fn has_any(&self, bit: u32) -> bool {
        self.count(bit) > 0
    }

    /// The number of records that have the bit `bit`.
    pub fn count(&self, bit: u32) -> u64 {
        match self {
            Framing::Lines => 0,
            Framing::Lengths(table) => {
                table.as_chunks::<4>().0.iter().filter(|entry| u32::from_be_bytes(**entry) & bit != 0).count() as u64
            }
        }
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
                let end = at + (u32::from_be_bytes(*length) & LENGTH) as usize;
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
        match u64::from(u32::from_be_bytes(*length) & LENGTH) {
            0 => return Err("a record has no bytes"),
            length => sum += length,
        }
    }
    if sum == data.len() as u64 { Ok(lengths.len()) } else { Err("the lengths of the records do not add up") }
}
