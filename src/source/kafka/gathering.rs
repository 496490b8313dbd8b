//! Makes batches of the records of one partition. This module is pure.
//!
//! A batch has one rule for its ids. A record that came with an id keeps it, and any other gets one from topic, partition and
//! offset. Where both kinds are mixed, all ids are computed here, and the batch gives them.

use std::sync::Arc;

use bytes::Bytes;

use crate::core::batch::{Batch, Framing, Ids};
use crate::core::context::{Context, Origin};
use crate::core::lines::without_carriage_return;
use crate::core::record::{self, IdRule, Key, RecordId};
use crate::source::receiver::BatchSize;

/// The unit of the times of records, in milliseconds. A date without a year gets its year from the time of its record, which must
/// not depend on how batches are cut: a batch has the records of one minute, and that minute is the time of all of them.
const TIME_UNIT: i64 = 60_000;

/// Returns the minute of a message.
fn minute(time_ms: i64) -> i64 {
    time_ms.div_euclid(TIME_UNIT) * TIME_UNIT
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its time in milliseconds since 1970; 0 if it has none.
    pub time_ms: i64,
    /// The id that came with it.
    pub id: Option<RecordId>,
    /// Its line, with or without a line end.
    pub line: &'a [u8],
}

/// Records of one partition, in their order.
#[derive(Debug)]
pub struct Gathered {
    /// The records. They have no ticket yet.
    pub batch: Batch,
    /// The offset after the last record.
    pub end: i64,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Gathering {
    numbered: Arc<Origin>,
    given: Arc<Origin>,
    data: Vec<u8>,
    lengths: Vec<u8>,
    offsets: Vec<u8>,
    /// The ids of all records, if the batch gives them.
    ids: Vec<u8>,
    /// Whether the next batch begins with given ids: the batch before had one.
    gives: bool,
    /// Whether a record of the batch came with an id.
    has_given: bool,
    /// Whether a record holds a newline.
    has_newline: bool,
    records: u32,
    time_ms: i64,
    end: i64,
}

impl Gathering {
    /// Gathers the records of `origin`.
    pub fn new(origin: &Origin) -> Gathering {
        Gathering {
            numbered: Arc::new(origin.clone().ruled(IdRule::Number)),
            given: Arc::new(origin.clone().ruled(IdRule::Given)),
            data: Vec::new(),
            lengths: Vec::new(),
            offsets: Vec::new(),
            ids: Vec::new(),
            gives: false,
            has_given: false,
            has_newline: false,
            records: 0,
            time_ms: 0,
            end: 0,
        }
    }

    /// Whether no record waits.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The number of bytes of the records that wait.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Whether the batch must be taken before `arrived` is added.
    pub fn is_full_for(&self, arrived: &Arrived<'_>, size: &BatchSize) -> bool {
        let is_full = || {
            self.records as usize >= size.lines
                || self.data.len() + arrived.line.len() + 2 > size.bytes
                || self.time_ms != minute(arrived.time_ms)
                || arrived.id.is_some() && !self.gives
        };
        self.records > 0 && is_full()
    }

    /// Adds a record.
    pub fn add(&mut self, arrived: &Arrived<'_>, size: &BatchSize) {
        let Arrived { offset, time_ms, id, line } = *arrived;
        if self.records == 0 {
            self.time_ms = minute(time_ms);
            self.gives |= id.is_some();
            self.data.reserve(size.bytes.min(line.len() + 2).max(self.data.capacity()));
        }
        let record = bare(line);
        // A record that itself ends with a carriage return gets a second one, which belongs to its line end.
        let end: &[u8] = if line.ends_with(b"\n") {
            b""
        } else if line.ends_with(b"\r") {
            b"\r\n"
        } else {
            b"\n"
        };
        self.data.extend_from_slice(line);
        self.data.extend_from_slice(end);
        self.lengths.extend_from_slice(&((line.len() + end.len()) as u32).to_be_bytes());
        let number = offset.unsigned_abs();
        self.offsets.extend_from_slice(&number.to_be_bytes());
        if self.gives {
            let id = id.unwrap_or_else(|| Key::Number(number).id(self.given.id, record::hash(record)));
            self.ids.extend_from_slice(id.as_bytes());
        }
        self.has_given |= id.is_some();
        self.has_newline |= memchr::memchr(b'\n', record).is_some();
        self.records += 1;
        self.end = offset.saturating_add(1);
    }

    /// Returns what is in force at a record on its own, and the key of its id.
    pub fn single(&self, arrived: &Arrived<'_>) -> (Context, Key) {
        let number = Key::Number(arrived.offset.unsigned_abs());
        let (origin, key) = arrived.id.map_or((&self.numbered, number), |id| (&self.given, Key::Given(id)));
        (Context::new(Arc::clone(origin)).at(minute(arrived.time_ms)), key)
    }

    /// Takes the records that wait; `None` if there are none.
    pub fn take(&mut self) -> Option<Gathered> {
        if self.records == 0 {
            return None;
        }
        let table = |table: &mut Vec<u8>| {
            let capacity = table.len();
            Bytes::from(std::mem::replace(table, Vec::with_capacity(capacity)))
        };
        let capacity = self.data.len();
        let data = Bytes::from(std::mem::replace(&mut self.data, Vec::with_capacity(capacity)));
        let (lengths, offsets) = (table(&mut self.lengths), table(&mut self.offsets));
        let first = offsets.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let (origin, ids) = match self.gives {
            true => (&self.given, Ids::Given(table(&mut self.ids))),
            false => (&self.numbered, Ids::Numbers(offsets.clone())),
        };
        let framing = if std::mem::take(&mut self.has_newline) { Framing::Lengths(lengths) } else { Framing::Lines };
        let context = Context::new(Arc::clone(origin)).at(self.time_ms);
        let batch = Batch::of(context, first, std::mem::take(&mut self.records), data);
        self.gives = std::mem::take(&mut self.has_given);
        Some(Gathered { batch: batch.framed(framing).identified(ids).numbered(offsets), end: self.end })
    }

    /// Drops the records that wait.
    pub fn clear(&mut self) {
        self.take();
    }
}

/// Returns a line without its line end.
pub fn bare(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").map_or(line, without_carriage_return)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::lines::Line;

    fn origin() -> Origin {
        Origin::new(7, "t/0")
    }

    /// The id, the offset and the bytes of each record.
    fn shown(batch: &Batch) -> Vec<(RecordId, u64, Vec<u8>)> {
        let show = |(index, line): (usize, Line<'_>)| {
            let place = batch.place(index, line.start);
            let id = place.key.id(place.context.origin.id, record::hash(line.bytes));
            (id, place.offset, line.bytes.to_vec())
        };
        batch.records().enumerate().map(show).collect()
    }

    fn given(number: u8) -> RecordId {
        RecordId::from_bytes([number; RecordId::BYTES])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn every_record_keeps_its_bytes_its_offset_and_its_id_in_batches_within_the_limits(
            records in prop::collection::vec(("[a\r\n]{0,6}", 1_i64..4, prop::option::of(any::<u8>()), 0_i64..3), 1..40),
            lines in 1_usize..9,
            bytes in 1_usize..40,
        ) {
            let size = BatchSize { lines, bytes, max_line: 100 };
            let mut gathering = Gathering::new(&origin());
            let (mut offset, mut batches, mut due, mut times) = (0, Vec::new(), Vec::new(), Vec::new());
            for (line, step, id, time) in &records {
                offset += step;
                let id = id.map(given);
                let time_ms = time * TIME_UNIT / 2;
                times.push(minute(time_ms));
                let arrived = Arrived { offset, time_ms, id, line: line.as_bytes() };
                if gathering.is_full_for(&arrived, &size) {
                    batches.extend(gathering.take());
                }
                gathering.add(&arrived, &size);
                let record = bare(line.as_bytes());
                let number = offset.unsigned_abs();
                let id = id.unwrap_or_else(|| Key::Number(number).id(7, record::hash(record)));
                due.push((id, number, record.to_vec()));
            }
            batches.extend(gathering.take());
            prop_assert!(gathering.is_empty() && gathering.take().is_none());
            let shown: Vec<_> = batches.iter().flat_map(|gathered| shown(&gathered.batch)).collect();
            prop_assert_eq!(shown, due);
            let of_batch = |gathered: &Gathered| vec![gathered.batch.context.time_ms; gathered.batch.records as usize];
            prop_assert_eq!(batches.iter().flat_map(of_batch).collect::<Vec<_>>(), times);
            for Gathered { batch, end } in &batches {
                prop_assert!(batch.records as usize <= lines && (batch.data.len() <= bytes || batch.records == 1));
                prop_assert_eq!(batch.records as usize, crate::core::records::count(&batch.data, &batch.framing).unwrap());
                prop_assert!(batch.ids.fits(batch.records as usize));
                let last = batch.place(batch.records as usize - 1, 0).offset;
                prop_assert_eq!(*end as u64, last + 1);
            }
        }
    }

    #[test]
    fn ids_that_come_now_and_then_do_not_cut_every_batch() {
        let size = BatchSize { lines: 10, bytes: 1000, max_line: 100 };
        let mut gathering = Gathering::new(&origin());
        let mut batches = 0;
        for offset in 0..100 {
            let id = (offset % 2 == 1).then(|| given(1));
            let arrived = Arrived { offset, time_ms: 0, id, line: b"x" };
            if gathering.is_full_for(&arrived, &size) {
                batches += u32::from(gathering.take().is_some());
            }
            gathering.add(&arrived, &size);
        }
        assert_eq!(batches, 10, "one more than without ids, and the last one waits");
    }
}
