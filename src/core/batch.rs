//! A [`Batch`] is the unit of work: consecutive records of one content, with the offset of the first record.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::core::context::Context;
pub use crate::core::context::Origin;
use crate::core::line_end::LineEnd;
use crate::core::record::{Key, RecordId};
pub use crate::core::records::Framing;
use crate::core::records::{CLOSED, LENGTH, NO_CUT, Records};

/// The usual size of the blocks that batches are slices of, in bytes. It is also the usual limit of a batch.
pub const BLOCK_BYTES: usize = 256 << 10;

/// The values that the ids of a batch's records are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ids {
    /// The offsets of the records.
    Offsets,
    /// A table with a big-endian `u64` for each record.
    Numbers(Bytes),
    /// The times in the envelopes of the records.
    Times,
    /// A table with the 22 bytes of each record's id.
    Given(Bytes),
}

impl Ids {
    /// Returns the bytes that the table has for one record.
    fn width(&self) -> usize {
        match self {
            Ids::Offsets | Ids::Times => 0,
            Ids::Numbers(_) => 8,
            Ids::Given(_) => RecordId::BYTES,
        }
    }

    /// Returns the part of the table for `records` records from number `index` on.
    fn part(&self, index: usize, records: usize) -> Ids {
        let width = self.width();
        let slice = |table: &Bytes| table.slice(index * width..(index + records) * width);
        match self {
            Ids::Offsets => Ids::Offsets,
            Ids::Times => Ids::Times,
            Ids::Numbers(table) => Ids::Numbers(slice(table)),
            Ids::Given(table) => Ids::Given(slice(table)),
        }
    }

    /// Whether the table has one entry for each of `records` records.
    pub fn fits(&self, records: usize) -> bool {
        match self {
            Ids::Offsets | Ids::Times => true,
            Ids::Numbers(table) | Ids::Given(table) => table.len() == records * self.width(),
        }
    }
}

/// Returns the number of record number `index` in a table of numbers.
fn number_at(table: &[u8], index: usize) -> u64 {
    u64::from_be_bytes(table.get(8 * index..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default())
}

/// The hand-out of a source that a batch belongs to. The parts of a batch that was split keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    /// The number of the source in its job.
    pub source: u16,
    /// The number of the stream in its source: a file, a partition, a container.
    pub stream: u32,
    /// The number of the hand-out in its stream.
    pub sequence: u64,
}

/// The identity of one record, in a batch whose records come from several contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// What was in force at the record.
    pub context: Context,
    /// The byte offset of the record in the decompressed content.
    pub offset: u64,
    /// The value from which the record's own rule makes its id.
    pub key: Key,
    /// The id.
    pub id: RecordId,
    /// The number of its first line in the content, from 1 on; `None` if it is not known.
    pub line: Option<u64>,
}

/// The place of one record of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// What is in force at the record.
    pub context: &'a Context,
    /// The byte offset of the record in the decompressed content.
    pub offset: u64,
    /// The value from which the record's rule makes its id. A [`Key::Time`] is 0 until the worker has read the time.
    pub key: Key,
    /// The id, if it is known without the record.
    pub id: Option<RecordId>,
}

/// Consecutive records of one content. A replay of dead letters makes batches of records from several contents; each record
/// then has its own [`Position`].
///
/// `data` holds the records as they are in the decompressed content. Each record ends with the newline of its encoding, but
/// the last record of a content may lack it. Cloning and [splitting](Batch::split_first) copy no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What is in force at the first record.
    pub context: Context,
    /// The byte offset of the first record in the decompressed content.
    pub offset: u64,
    /// The number of records in `data`; never 0.
    pub records: u32,
    /// The records with their line ends.
    pub data: Bytes,
    /// How `data` is divided into records.
    pub framing: Framing,
    /// What the ids of the records are made from.
    pub ids: Ids,
    /// A table with a big-endian `u64` for each record: its offset in its content, if that is no number of bytes. `offset` is
    /// then that of the first record. Offsets may have gaps.
    pub offsets: Option<Bytes>,
    /// The position of each record if the records are not consecutive. `context` and `offset` are then those of the first
    /// record.
    pub positions: Option<Arc<[Position]>>,
    /// Whether the last record is a part of a line: either its end had not arrived when it was handed out, or its
    /// beginning was handed out before. Only a followed file has such lines. The last line of a complete content is
    /// whole, even without a newline.
    pub partial: bool,
    /// Whether the lines of a container that are open at the end of the batch go on in another content. They have no document
    /// of their own.
    pub continues: bool,
    /// The hand-out that the batch belongs to, if its source wants to know what is settled.
    pub ticket: Option<Ticket>,
    /// The number of its first line in the content, from 1 on; `None` if it is not known. It is for people, and no part of any
    /// identity.
    pub line: Option<u64>,
}

impl Batch {
    /// Creates a batch of consecutive lines whose ids are made from their offsets.
    pub fn new(origin: Arc<Origin>, offset: u64, records: u32, data: Bytes) -> Batch {
        Batch::of(Context::new(origin), offset, records, data)
    }

    /// Creates a batch of consecutive lines at which `context` is in force. Their ids are made from their offsets.
    pub fn of(context: Context, offset: u64, records: u32, data: Bytes) -> Batch {
        Batch {
            context,
            offset,
            records,
            data,
            framing: Framing::Lines,
            ids: Ids::Offsets,
            offsets: None,
            positions: None,
            partial: false,
            continues: false,
            ticket: None,
            line: None,
        }
    }

    /// Returns the number of newlines.
    pub fn newlines(&self) -> u64 {
        match self.framing {
            Framing::Lines => u64::from(self.records) - u64::from(!self.data.ends_with(b"\n")),
            Framing::Lengths(_) => self.line_end().count(&self.data),
        }
    }

    /// Returns the number of the first line of record number `index`, which is at `offset` of the content. `None` if it is not
    /// known.
    pub fn line_of(&self, index: usize, offset: u64) -> Option<u64> {
        if let Some(positions) = &self.positions {
            return positions.get(index)?.line;
        }
        let before = self.data.get(..usize::try_from(offset.checked_sub(self.offset)?).ok()?)?;
        Some(self.line? + self.line_end().count(before))
    }

    /// Returns the same batch. `partial` says whether its last record is a part of a line.
    pub fn with_partial(self, partial: bool) -> Batch {
        Batch { partial, ..self }
    }

    /// Returns the same batch with another division into records. `framing` has the same number of records.
    pub fn framed(self, framing: Framing) -> Batch {
        Batch { framing, ..self }
    }

    /// Returns the same batch with other ids. `ids` has an entry for each record.
    pub fn identified(self, ids: Ids) -> Batch {
        Batch { ids, ..self }
    }

    /// Returns the same batch, whose records have the offsets of this table.
    pub fn numbered(self, offsets: Bytes) -> Batch {
        Batch { offsets: Some(offsets), ..self }
    }

    /// Returns the bytes of all records, without the last line end.
    pub fn without_last_end(&self) -> &[u8] {
        self.line_end().without(&self.data)
    }

    /// Returns whether record number `index` is a part of a line.
    #[inline]
    pub fn is_partial(&self, index: usize) -> bool {
        self.partial && index + 1 == self.records as usize
    }

    /// Returns whether record number `index` ended at a limit of time, lines or bytes.
    #[inline]
    pub fn is_closed(&self, index: usize) -> bool {
        self.framing.has(CLOSED, index)
    }

    /// Creates a batch of records from several contents: each is the bytes of a record without its line end, whether it
    /// [ended at a limit](Batch::is_closed), and its position. Returns `None` if there is no record.
    pub fn gathered<'a>(records: impl Iterator<Item = (&'a [u8], bool, Position)>) -> Option<Batch> {
        let (mut data, mut lengths, mut positions) = (BytesMut::new(), BytesMut::new(), Vec::new());
        let mut any_closed = false;
        for (record, is_closed, position) in records {
            any_closed |= is_closed;
            // A carriage return before a newline belongs to the line end. A record that itself ends with a carriage return
            // therefore gets a second one.
            let end: &[u8] = if record.ends_with(b"\r") { b"\r\n" } else { b"\n" };
            data.extend_from_slice(record);
            data.extend_from_slice(end);
            lengths.put_u32((record.len() + end.len()) as u32 | if is_closed { CLOSED } else { 0 });
            positions.push(position);
        }
        let Position { context, offset, .. } = positions.first()?.clone();
        let framing = match !any_closed && data.iter().filter(|&&byte| byte == b'\n').count() == positions.len() {
            true => Framing::Lines,
            false => Framing::Lengths(lengths.freeze()),
        };
        let batch = Batch::of(context, offset, positions.len() as u32, data.freeze()).framed(framing);
        Some(Batch { positions: Some(positions.into()), ..batch })
    }

    /// Returns how the records end. Records that were [gathered](Batch::gathered) end with `\n`, whatever their encoding.
    #[inline]
    pub fn line_end(&self) -> LineEnd {
        match &self.positions {
            Some(_) => LineEnd::Byte,
            None => LineEnd::of(self.context.origin.encoding.as_deref()),
        }
    }

    /// Returns an iterator over the records.
    #[inline]
    pub fn records(&self) -> Records<'_> {
        Records::new(&self.data, &self.framing, self.line_end())
    }

    /// Returns the place of record number `index`. The record begins at byte `start` of `data`.
    #[inline]
    pub fn place(&self, index: usize, start: usize) -> Place<'_> {
        if let Some(Position { context, offset, key, id, .. }) =
            self.positions.as_ref().and_then(|positions| positions.get(index))
        {
            return Place { context, offset: *offset, key: *key, id: Some(*id) };
        }
        let offset = match &self.offsets {
            Some(table) => number_at(table, index),
            None => self.offset + start as u64,
        };
        let (key, id) = match &self.ids {
            Ids::Offsets => (Key::Offset(offset), None),
            Ids::Times => (Key::Time { ns: 0, ordinal: 0 }, None),
            Ids::Numbers(table) => (Key::Number(number_at(table, index)), None),
            Ids::Given(table) => {
                let at = RecordId::BYTES * index;
                let id = table.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
                let id = RecordId::from_bytes(id);
                (Key::Given(id), Some(id))
            }
        };
        Place { context: &self.context, offset, key, id }
    }

    /// Returns a part of this batch: `records` records from record number `index` on. The part begins at byte `start` of
    /// `self.data`, and its bytes are `data`.
    pub(crate) fn part(&self, index: usize, start: usize, records: u32, data: Bytes) -> Batch {
        let Place { context, offset, .. } = self.place(index, start);
        let until = index + records as usize;
        let framing = match &self.framing {
            Framing::Lines => Framing::Lines,
            Framing::Lengths(table) => Framing::Lengths(table.slice(4 * index..4 * until)),
        };
        Batch {
            context: context.clone(),
            offset,
            records,
            data,
            framing,
            ids: self.ids.part(index, records as usize),
            offsets: self.offsets.as_ref().map(|table| table.slice(8 * index..8 * until)),
            positions: self.positions.as_ref().and_then(|positions| positions.get(index..until)).map(Arc::from),
            partial: self.partial && until == self.records as usize,
            continues: self.continues && until == self.records as usize,
            ticket: self.ticket,
            line: self.line_of(index, self.offset + start as u64),
        }
    }

    /// Returns the number of records and of bytes of the shortest beginning that may be cut off and has at least `records`
    /// records; all if there is none.
    fn beginning(&self, records: usize) -> (usize, usize) {
        let all = (self.records as usize, self.data.len());
        match &self.framing {
            Framing::Lines => {
                let newline = memchr::memchr_iter(b'\n', &self.data).nth(records.saturating_sub(1));
                newline.map_or(all, |newline| (records, newline + 1))
            }
            Framing::Lengths(table) => {
                let lengths = table.as_chunks::<4>().0.iter().map(|length| u32::from_be_bytes(*length));
                let mut bytes = 0;
                for (index, length) in lengths.enumerate() {
                    if index >= records && length & NO_CUT == 0 {
                        return (index, bytes);
                    }
                    bytes += (length & LENGTH) as usize;
                }
                all
            }
        }
    }

    /// Whether the batch cannot be cut into parts.
    pub fn is_single(&self) -> bool {
        self.records <= 1 || (self.framing != Framing::Lines && self.beginning(1).0 == self.records as usize)
    }

    /// Takes off the first `records` records, which have `end` bytes. Returns `None` if they are none. The caller leaves at
    /// least one record.
    pub(crate) fn cut_off(&mut self, records: usize, end: usize) -> Option<Batch> {
        let first = (records > 0).then(|| self.part(0, 0, records as u32, self.data.slice(..end)));
        *self = self.part(records, end, self.records - records as u32, self.data.slice(end..));
        first
    }

    /// Takes off at least the first `records` records, with the records that must stay with them. The rest has no record if
    /// nothing is left.
    pub(crate) fn split_at_least(&mut self, records: usize) -> Batch {
        let (records, end) = self.beginning(records.max(1));
        let first = self.part(0, 0, records as u32, self.data.slice(..end));
        *self = self.part(records, end, self.records - records as u32, self.data.slice(end..));
        first
    }

    /// Takes off the first record, with the records that must stay with it, as a batch of its own. Returns `None` if the
    /// batch cannot be cut.
    pub fn split_first(&mut self) -> Option<Batch> {
        (!self.is_single()).then(|| self.split_at_least(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(texts: &[(&str, bool)]) -> Batch {
        let data: String = texts.iter().map(|(text, _)| *text).collect();
        let mut lengths = BytesMut::new();
        texts.iter().for_each(|(text, joined)| lengths.put_u32(text.len() as u32 | if *joined { NO_CUT } else { 0 }));
        let mut numbers = BytesMut::new();
        (0..texts.len()).for_each(|index| numbers.put_u64(10 * index as u64));
        Batch::new(Arc::new(Origin::new(1, "x")), 100, texts.len() as u32, data.into())
            .framed(Framing::Lengths(lengths.freeze()))
            .identified(Ids::Numbers(numbers.freeze()))
    }

    fn shown(batch: &Batch) -> Vec<(String, u64, Key)> {
        let place = |(index, record): (usize, crate::core::lines::Line)| {
            let place = batch.place(index, record.start);
            (String::from_utf8_lossy(record.bytes).into_owned(), place.offset, place.key)
        };
        batch.records().enumerate().map(place).collect()
    }

    #[test]
    fn parts_keep_the_records_with_their_places_and_are_cut_only_where_they_may_be() {
        let rest = batch(&[("a\n b\n", false), ("c\n", true), ("d\n", false), ("e\n\n", false)]);
        let whole = shown(&rest);
        let texts: Vec<&str> = whole.iter().map(|(text, ..)| text.as_str()).collect();
        assert_eq!(texts, ["a\n b", "c", "d", "e\n"]);
        let numbers: Vec<Key> = whole.iter().map(|(_, _, key)| *key).collect();
        assert_eq!(numbers, [0, 10, 20, 30].map(Key::Number));
        let offsets: Vec<u64> = whole.iter().map(|(_, offset, _)| *offset).collect();
        assert_eq!(offsets, [100, 105, 107, 109]);
        assert_eq!(parts(rest).iter().map(|part| part.records).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn records_keep_the_offsets_of_a_table() {
        let lines = batch(&[("a\n", false), ("c\n", true), ("d\n", false)]);
        let Ids::Numbers(table) = lines.ids.clone() else { panic!("the ids are numbers") };
        let lines = lines.numbered(table);
        assert_eq!(shown(&lines).iter().map(|(_, offset, _)| *offset).collect::<Vec<_>>(), [0, 10, 20]);
        assert_eq!(parts(lines).iter().map(|part| part.offset).collect::<Vec<_>>(), [0, 20]);
    }

    /// Splits a batch into its smallest parts, which hold the same records.
    fn parts(mut rest: Batch) -> Vec<Batch> {
        let whole = shown(&rest);
        let mut parts = Vec::new();
        while let Some(first) = rest.split_first() {
            parts.push(first);
        }
        assert!(rest.is_single());
        parts.push(rest);
        assert_eq!(parts.iter().flat_map(shown).collect::<Vec<_>>(), whole);
        parts
    }

    #[test]
    fn records_with_newlines_are_gathered_with_a_table_and_lines_without_one() {
        let position = || Position {
            context: Context::new(Arc::new(Origin::new(1, "x"))),
            offset: 5,
            key: Key::Offset(5),
            id: RecordId::from_bytes([1; RecordId::BYTES]),
            line: None,
        };
        let gather = |records: &[&str]| {
            Batch::gathered(records.iter().map(|record| (record.as_bytes(), false, position()))).map(|batch| {
                let texts = batch.records().map(|record| String::from_utf8_lossy(record.bytes).into_owned());
                (batch.framing == Framing::Lines, texts.collect::<Vec<_>>())
            })
        };
        for records in [&["a", "b\r", ""][..], &["a\n  b", "c\r\nd\r"], &["\n"]] {
            let lines = records.iter().all(|record| !record.contains('\n'));
            assert_eq!(gather(records), Some((lines, records.iter().map(ToString::to_string).collect())));
        }
        assert_eq!(gather(&[]), None);
        let closed = Batch::gathered([(&b"a"[..], true, position()), (b"b", false, position())].into_iter()).unwrap();
        assert_eq!((closed.is_closed(0), closed.is_closed(1), closed.is_closed(2)), (true, false, false));
    }
}
