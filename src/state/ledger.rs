//! The settled lines in memory, and the records that must still be written. This module does not access files, so its
//! callers never wait for a disk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::extents::{Entry, Extent, Extents};
use super::journal::{self, Cursor, Done, Record};
use super::memory::{Amount, Known, Stamp};
use super::ranges::Ranges;

/// All settled extents, files and cursors, and all contents that are being read. The store accesses the fields directly.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) extents: Extents,
    /// The files that are settled as a whole, by origin, device and inode.
    pub(super) done: BTreeMap<(u64, u64, u64), Done>,
    /// How far each stream is settled, by source and stream.
    pub(super) cursors: BTreeMap<(u64, Bytes), Bytes>,
    pub(super) contents: HashMap<u32, Content>,
    /// The extents that were delivered and are not settled yet, by content and start.
    pub(super) delivered: HashMap<(u32, u64), Extent>,
    /// The lineages of earlier runs that a content of this run continues.
    pub(super) lineages_taken: HashSet<u32>,
    pub(super) next: u32,
    pub(super) skipped: Amount,
    /// The records that were not written yet.
    pub(super) pending: Vec<Record>,
    /// Whether the whole journal must be written again, because a record is missing in it. Then `pending` is empty.
    pub(super) needs_rewrite: bool,
}

/// A content that is being read, or whose lines are not all settled yet.
pub(super) struct Content {
    pub(super) origin: u64,
    pub(super) lineage: u32,
    pub(super) settled: Ranges,
    pub(super) lines: u64,
    pub(super) end: Option<(u64, Stamp)>,
}

impl Ledger {
    pub(super) fn load(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Extent(entry) => self.extents.insert(*entry),
                Record::Done(done) => self.take_done(*done),
                Record::Cursor(cursor) => self.take_cursor(cursor.clone()),
            }
        }
        // The numbers are sufficient for four billion contents.
        self.next = self.extents.highest_lineage().map_or(1, |lineage| lineage.saturating_add(1).max(1));
    }

    pub(super) fn take_done(&mut self, done: Done) {
        self.done.insert((done.origin, done.stamp.device, done.stamp.inode), done);
    }

    pub(super) fn take_cursor(&mut self, Cursor { source, stream, place }: Cursor) {
        self.cursors.insert((source, stream), place);
    }

    pub(super) fn settle(&mut self, number: u32, lines: u64, extent: Extent) {
        let Some(content) = self.contents.get(&number) else { return };
        let entry = Entry { origin: content.origin, lineage: content.lineage, extent };
        self.extents.insert(entry);
        self.record(Record::Extent(entry));
        self.cover(number, extent.start, Amount { lines, bytes: extent.length });
    }

    /// Adds a record for the writing thread.
    pub(super) fn record(&mut self, record: Record) {
        if !self.needs_rewrite {
            self.pending.push(record);
        }
    }

    pub(super) fn cover(&mut self, number: u32, start: u64, amount: Amount) {
        if let Some(content) = self.contents.get_mut(&number) {
            content.settled.insert(start, start.saturating_add(amount.bytes));
            content.lines += amount.lines;
            self.finish(number);
        }
    }

    /// Records the file of the content `number` as settled, if all its lines are settled.
    pub(super) fn finish(&mut self, number: u32) {
        let Some(content) = self.contents.get(&number) else { return };
        let Some((length, stamp)) = content.end else { return };
        if content.settled.covers(0, length) {
            let done = Done { origin: content.origin, stamp, length, lines: content.lines };
            self.contents.remove(&number);
            self.take_done(done);
            self.record(Record::Done(done));
        }
    }

    pub(super) fn size_needed(&self) -> u64 {
        let cursors: usize = self.cursors.iter().map(|((_, stream), place)| 15 + stream.len() + place.len()).sum();
        (journal::HEADER + 43 * self.extents.len() + 70 * self.done.len() + cursors) as u64
    }

    /// The bytes of a journal with all records.
    pub(super) fn whole(&self) -> Vec<u8> {
        let mut bytes = journal::header().to_vec();
        self.extents.iter().for_each(|entry| journal::encode(&Record::Extent(*entry), 0, &mut bytes));
        self.done.values().for_each(|done| journal::encode(&Record::Done(*done), 0, &mut bytes));
        for ((source, stream), place) in &self.cursors {
            let cursor = Cursor { source: *source, stream: stream.clone(), place: place.clone() };
            journal::encode(&Record::Cursor(cursor), 0, &mut bytes);
        }
        bytes
    }
}

/// The extents of each origin by start, without duplicates.
pub(super) fn known(extents: &Extents) -> HashMap<u64, Arc<[Known]>> {
    let mut by_origin: HashMap<u64, Vec<Known>> = HashMap::new();
    for Entry { origin, lineage, extent } in extents.iter() {
        by_origin.entry(*origin).or_default().push(Known { extent: *extent, lineage: *lineage });
    }
    let arrange = |(origin, mut known): (u64, Vec<Known>)| {
        known.sort_by_key(|known| known.extent);
        known.dedup_by_key(|known| known.extent);
        (origin, known.into())
    };
    by_origin.into_iter().map(arrange).collect()
}
