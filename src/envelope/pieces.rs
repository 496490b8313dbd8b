//! Joins the pieces of long lines. A container runtime cuts a long line into pieces of 16 KiB, each in an envelope of its own.
//! Lines of another stream may stand between them.
//!
//! Only records of a batch that must not be cut apart are joined, so the documents do not depend on how batches are cut.

use super::Envelope;
use super::container::{Stream, glance};
use crate::core::batch::{Batch, Framing};
use crate::core::lines::without_carriage_return;
use crate::core::records::NO_CUT;

/// What becomes of one record of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The record is a whole one.
    Whole,
    /// The record is a piece, and not the last one.
    Piece,
    /// The record is the last piece of the joined record with this number.
    Last(u32),
}

/// A record that was joined from pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedRecord {
    /// The index of the last piece in the batch.
    pub last: u32,
    /// The offset of the first piece in the content.
    pub offset: u64,
    /// The lines of all pieces, with `\n` between them. A carriage return at their ends is kept.
    pub raw: Vec<u8>,
}

/// The roles of all records of a batch, and the joined records.
#[derive(Debug, Clone, Default)]
pub struct Pieces {
    roles: Vec<Role>,
    /// The joined records, by the index of their last piece.
    pub joined: Vec<JoinedRecord>,
}

impl Pieces {
    /// Finds the pieces in `batch`. Usually there are none, and then this only looks at the framing.
    pub fn of(batch: &Batch) -> Pieces {
        let mut pieces = Pieces::default();
        let Framing::Lengths(table) = &batch.framing else { return pieces };
        let envelope = batch.context.origin.envelope;
        if !envelope.is_container() || batch.positions.is_some() {
            return pieces;
        }
        let lines: Vec<&[u8]> = whole_lines(batch).collect();
        let is_tied = |length: &[u8; 4]| u32::from_be_bytes(*length) & NO_CUT != 0;
        let ties: Vec<bool> = table.as_chunks().0.iter().map(is_tied).collect();
        pieces.roles = vec![Role::Whole; lines.len()];
        let mut start = 0;
        while start < lines.len() {
            let end = (start + 1..lines.len()).find(|&at| !ties[at]).unwrap_or(lines.len());
            if end - start > 1 {
                pieces.join(batch, envelope, &lines, start..end);
            }
            start = end;
        }
        pieces.joined.sort_by_key(|joined| joined.last);
        for (number, joined) in pieces.joined.iter().enumerate() {
            pieces.roles[joined.last as usize] = Role::Last(number as u32);
        }
        pieces
    }

    /// Returns the role of record number `index`.
    #[inline]
    pub fn role(&self, index: usize) -> Role {
        self.roles.get(index).copied().unwrap_or(Role::Whole)
    }

    /// Joins the pieces among the lines `range`. A record that does not end within them ends with its last piece.
    fn join(&mut self, batch: &Batch, envelope: Envelope, lines: &[&[u8]], range: std::ops::Range<usize>) {
        let mut open: [(u64, Vec<usize>); Stream::COUNT] = Default::default();
        for index in range {
            let Some(seen) = glance(envelope, without_carriage_return(lines[index])) else { continue };
            let (time_ns, indexes) = &mut open[seen.stream as usize];
            if !indexes.is_empty() && !seen.continues(envelope, *time_ns) {
                self.close(batch, lines, std::mem::take(indexes));
            }
            if indexes.is_empty() {
                *time_ns = seen.time_ns;
            }
            indexes.push(index);
            if seen.ends {
                self.close(batch, lines, std::mem::take(indexes));
            }
        }
        open.into_iter().for_each(|(_, indexes)| self.close(batch, lines, indexes));
    }

    fn close(&mut self, batch: &Batch, lines: &[&[u8]], indexes: Vec<usize>) {
        let [first, .., last] = indexes[..] else { return };
        for &index in &indexes {
            self.roles[index] = Role::Piece;
        }
        // A carriage return at the end of a piece belongs to the text.
        let raw = indexes.iter().map(|&index| lines[index]).collect::<Vec<_>>().join(&b'\n');
        let start = lines[first].as_ptr() as usize - batch.data.as_ptr() as usize;
        self.joined.push(JoinedRecord { last: last as u32, offset: batch.offset + start as u64, raw });
    }
}

/// Iterates over the records of `batch` without their newline.
fn whole_lines(batch: &Batch) -> impl Iterator<Item = &[u8]> {
    let mut starts = batch.records().map(|record| record.start).peekable();
    std::iter::from_fn(move || {
        let start = starts.next()?;
        let end = starts.peek().copied().unwrap_or(batch.data.len());
        let line = &batch.data[start..end];
        Some(line.strip_suffix(b"\n").unwrap_or(line))
    })
}
