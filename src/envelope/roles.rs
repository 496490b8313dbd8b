//! Joins the pieces of long lines, and lines that continue a record. A container runtime cuts a long line into pieces of 16 KiB,
//! each in an envelope of its own. Lines of another stream may stand between them. The source has marked the lines that continue
//! the record before them in their stream ([`CONTINUES`]).
//!
//! Only records of a batch that must not be cut apart are joined, so the documents do not depend on how batches are cut.

use super::Envelope;
use super::container::{Stream, glance};
use crate::core::batch::{Batch, Framing};
use crate::core::lines::without_carriage_return;
use crate::core::records::{CONTINUES, NO_CUT};

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
pub struct Roles {
    roles: Vec<Role>,
    /// The joined records, by the index of their last piece.
    pub joined: Vec<JoinedRecord>,
}

impl Roles {
    /// Finds the pieces in `batch`. Usually there are none, and then this only looks at the framing.
    pub fn of(batch: &Batch) -> Roles {
        let mut roles = Roles::default();
        let envelope = batch.context.origin.envelope;
        // The header of a container's content has the pieces that the content before it left open.
        let carried = batch.context.header.as_deref().filter(|_| batch.offset == 0).unwrap_or_default();
        let is_usual = batch.framing == Framing::Lines && !batch.continues && carried.is_empty();
        if is_usual || !envelope.is_container() || batch.positions.is_some() {
            return roles;
        }
        let lines: Vec<&[u8]> = whole_lines(batch).collect();
        let is_tied = |length: &[u8; 4]| u32::from_be_bytes(*length) & NO_CUT != 0;
        let ties: Vec<bool> = match &batch.framing {
            Framing::Lengths(table) => table.as_chunks().0.iter().map(is_tied).collect(),
            Framing::Lines => vec![false; lines.len()],
        };
        roles.roles = vec![Role::Whole; lines.len()];
        let mut start = 0;
        while start < lines.len() {
            let end = (start + 1..lines.len()).find(|&at| !ties[at]).unwrap_or(lines.len());
            let carried = if start == 0 { carried } else { &[] };
            let continues = batch.continues && end == lines.len();
            if end - start > 1 || !carried.is_empty() || continues {
                let mut group = Group { batch, envelope, lines: &lines, open: Default::default() };
                group.carry(carried);
                group.join(start..end, continues, &mut roles);
            }
            start = end;
        }
        roles.joined.sort_by_key(|joined| joined.last);
        for (number, joined) in roles.joined.iter().enumerate() {
            roles.roles[joined.last as usize] = Role::Last(number as u32);
        }
        roles
    }

    /// Returns the role of record number `index`.
    #[inline]
    pub fn role(&self, index: usize) -> Role {
        self.roles.get(index).copied().unwrap_or(Role::Whole)
    }
}

/// Lines that may not be cut apart.
struct Group<'a> {
    batch: &'a Batch,
    envelope: Envelope,
    /// All lines of the batch.
    lines: &'a [&'a [u8]],
    open: [Open<'a>; Stream::COUNT],
}

/// The record of a stream whose last piece, or last line, has not come.
#[derive(Default)]
struct Open<'a> {
    /// The time of its last line.
    time_ns: u64,
    /// Whether its last line has ended.
    has_ended: bool,
    /// Its pieces in the content before this one.
    carried: Vec<&'a [u8]>,
    /// The indexes of its lines.
    indexes: Vec<usize>,
}

impl<'a> Group<'a> {
    /// Takes the pieces that the content before this one left open.
    fn carry(&mut self, header: &'a [u8]) {
        for line in header.split(|byte| *byte == b'\n') {
            if let Some(seen) = glance(self.envelope, without_carriage_return(line)) {
                let open = &mut self.open[seen.stream as usize];
                open.time_ns = seen.time_ns;
                open.carried.push(line);
            }
        }
    }

    /// Joins the pieces among the lines `range`. With `continues`, the pieces that are open at the end are no record here;
    /// otherwise their record ends with the last of them.
    fn join(mut self, range: std::ops::Range<usize>, continues: bool, roles: &mut Roles) {
        for index in range {
            let Some(seen) = glance(self.envelope, without_carriage_return(self.lines[index])) else { continue };
            let open = &mut self.open[seen.stream as usize];
            let is_open = !open.indexes.is_empty() || !open.carried.is_empty();
            let belongs = match open.has_ended {
                true => self.batch.framing.has(CONTINUES, index),
                false => seen.continues(self.envelope, open.time_ns),
            };
            if is_open && !belongs {
                let open = std::mem::take(open);
                self.close(open, roles);
            }
            let open = &mut self.open[seen.stream as usize];
            if open.has_ended || (open.indexes.is_empty() && open.carried.is_empty()) {
                open.time_ns = seen.time_ns;
            }
            open.indexes.push(index);
            open.has_ended = seen.ends;
        }
        for open in std::mem::take(&mut self.open) {
            match continues && !open.has_ended {
                true => open.indexes.iter().for_each(|&index| roles.roles[index] = Role::Piece),
                false => self.close(open, roles),
            }
        }
    }

    fn close(&self, open: Open<'_>, roles: &mut Roles) {
        let Open { carried, indexes, .. } = open;
        let (Some(&first), Some(&last)) = (indexes.first(), indexes.last()) else { return };
        if carried.is_empty() && first == last {
            return;
        }
        for &index in &indexes {
            roles.roles[index] = Role::Piece;
        }
        // A carriage return at the end of a piece belongs to the text.
        let own = indexes.iter().map(|&index| self.lines[index]);
        let raw = carried.iter().copied().chain(own).collect::<Vec<_>>().join(&b'\n');
        let start = self.lines[first].as_ptr() as usize - self.batch.data.as_ptr() as usize;
        roles.joined.push(JoinedRecord { last: last as u32, offset: self.batch.offset + start as u64, raw });
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
