//! What is settled, in memory, and what of it is still to be written. Nothing here touches a file, so that whoever settles
//! or reads is never held up by a disk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::extents::{Entry, Extent, Extents};
use super::journal::{self, Done, Record};
use super::memory::{Amount, Known, Stamp};
use super::ranges::Ranges;

/// See the [module](self). What it holds is for the store to look at.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) extents: Extents,
    /// By origin, device and inode.
    pub(super) done: BTreeMap<(u64, u64, u64), Done>,
    pub(super) contents: HashMap<u32, Content>,
    /// Extents that were delivered and are not settled, by content and start.
    pub(super) delivered: HashMap<(u32, u64), Extent>,
    /// Lineages of earlier runs with which a content goes on.
    pub(super) lineages_taken: HashSet<u32>,
    pub(super) next: u32,
    pub(super) skipped: Amount,
    /// Recorded, and not handed to the system yet.
    pub(super) pending: Vec<Record>,
    /// Whether the journal has to be written anew with all of this, because something is not in it. Then nothing is pending.
    pub(super) needs_rewrite: bool,
}

/// A content that is being read, or whose lines are still out.
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
            }
        }
        // Four thousand million contents would have to be read to come to the end.
        self.next = self.extents.highest_lineage().map_or(1, |lineage| lineage.saturating_add(1).max(1));
    }

    pub(super) fn take_done(&mut self, done: Done) {
        self.done.insert((done.origin, done.stamp.device, done.stamp.inode), done);
    }

    pub(super) fn settle(&mut self, number: u32, lines: u64, extent: Extent) {
        let Some(content) = self.contents.get(&number) else { return };
        let entry = Entry { origin: content.origin, lineage: content.lineage, extent };
        self.extents.insert(entry);
        self.record(&Record::Extent(entry));
        self.cover(number, extent.start, Amount { lines, bytes: extent.length });
    }

    /// Notes a record for the thread that writes.
    pub(super) fn record(&mut self, record: &Record) {
        if !self.needs_rewrite {
            self.pending.push(*record);
        }
    }

    pub(super) fn cover(&mut self, number: u32, start: u64, amount: Amount) {
        if let Some(content) = self.contents.get_mut(&number) {
            content.settled.insert(start, start.saturating_add(amount.bytes));
            content.lines += amount.lines;
            self.finish(number);
        }
    }

    /// Records a file of which all is settled.
    pub(super) fn finish(&mut self, number: u32) {
        let Some(content) = self.contents.get(&number) else { return };
        let Some((length, stamp)) = content.end else { return };
        if content.settled.covers(0, length) {
            let done = Done { origin: content.origin, stamp, length, lines: content.lines };
            self.contents.remove(&number);
            self.take_done(done);
            self.record(&Record::Done(done));
        }
    }

    pub(super) fn size_needed(&self) -> u64 {
        (journal::HEADER + 43 * self.extents.len() + 70 * self.done.len()) as u64
    }

    /// A journal that says all of this.
    pub(super) fn whole(&self) -> Vec<u8> {
        let mut bytes = journal::header().to_vec();
        self.extents.iter().for_each(|entry| journal::encode(&Record::Extent(*entry), 0, &mut bytes));
        self.done.values().for_each(|done| journal::encode(&Record::Done(*done), 0, &mut bytes));
        bytes
    }
}

/// The extents of each origin by start, each once.
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
