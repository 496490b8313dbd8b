//! What is settled, in memory and in the journal: each change is recorded, and all of it can be written anew.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use super::journal::{self, Done, Record};
use super::pieces::{Entry, Piece, Pieces};
use super::ranges::Ranges;
use super::{Amount, Known, Stamp};

/// A journal below this is not compacted while it is in use.
const COMPACT_BYTES: u64 = 4 << 20;

/// See the [module](self). What it holds is for the store to look at.
pub(super) struct Ledger {
    pub(super) journal: Arc<File>,
    /// How long the journal is; what stands behind that in the file does not count.
    pub(super) length: u64,
    /// Beyond this length it is compacted.
    pub(super) compact_at: u64,
    pub(super) pieces: Pieces,
    /// By origin, device and inode.
    pub(super) done: BTreeMap<(u64, u64, u64), Done>,
    pub(super) contents: HashMap<u32, Content>,
    /// Pieces that were delivered and are not settled, by content and start.
    pub(super) delivered: HashMap<(u32, u64), Piece>,
    /// Strands of earlier runs with which a content goes on.
    pub(super) strands_taken: HashSet<u32>,
    pub(super) next: u32,
    pub(super) skipped: Amount,
    /// Something was written and not synced.
    pub(super) unsynced: bool,
    /// Why something is not in the journal.
    pub(super) failure: Option<io::Error>,
    pub(super) closing: bool,
    /// The thread that syncs waits until there is something to sync.
    pub(super) resting: bool,
    pub(super) buffer: Vec<u8>,
}

/// A content that is being read, or whose lines are still out.
pub(super) struct Content {
    pub(super) origin: u64,
    pub(super) strand: u32,
    pub(super) settled: Ranges,
    pub(super) lines: u64,
    pub(super) end: Option<(u64, Stamp)>,
}

impl Ledger {
    pub(super) fn new(journal: File, length: u64) -> Ledger {
        Ledger {
            journal: Arc::new(journal),
            length,
            compact_at: COMPACT_BYTES,
            pieces: Pieces::default(),
            done: BTreeMap::new(),
            contents: HashMap::new(),
            delivered: HashMap::new(),
            strands_taken: HashSet::new(),
            next: 1,
            skipped: Amount::default(),
            unsynced: false,
            failure: None,
            closing: false,
            resting: false,
            buffer: Vec::new(),
        }
    }

    pub(super) fn take_in(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Piece(entry) => self.pieces.insert(*entry),
                Record::Done(done) => self.take_done(*done),
            }
        }
        // Four thousand million contents would have to be read to come to the end.
        self.next = self.pieces.highest_strand().map_or(1, |strand| strand.saturating_add(1).max(1));
    }

    pub(super) fn take_done(&mut self, done: Done) {
        self.done.insert((done.origin, done.stamp.device, done.stamp.inode), done);
    }

    pub(super) fn settle(&mut self, number: u32, lines: u64, piece: Piece) {
        let Some(content) = self.contents.get(&number) else { return };
        let entry = Entry { origin: content.origin, strand: content.strand, piece };
        self.pieces.insert(entry);
        self.record(&Record::Piece(entry));
        self.cover(number, piece.start, Amount { lines, bytes: piece.length });
    }

    /// Puts a record into the buffer.
    pub(super) fn record(&mut self, record: &Record) {
        journal::encode(record, self.length, &mut self.buffer);
    }

    /// Writes the buffer. After a failure nothing is written but all of it anew, by [`compact`](Self::compact).
    pub(super) fn write(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        if self.failure.is_none() {
            match self.journal.write_all_at(&self.buffer, self.length) {
                Ok(()) => {
                    self.length += self.buffer.len() as u64;
                    self.unsynced = true;
                }
                Err(error) => self.failure = Some(error),
            }
        }
        self.buffer.clear();
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
        (journal::HEADER + 43 * self.pieces.len() + 70 * self.done.len()) as u64
    }

    /// Writes everything anew and puts it in the place of the journal.
    pub(super) fn compact(&mut self, directory: &Path) -> io::Result<()> {
        let mut bytes = journal::header().to_vec();
        self.pieces.iter().for_each(|entry| journal::encode(&Record::Piece(*entry), 0, &mut bytes));
        self.done.values().for_each(|done| journal::encode(&Record::Done(*done), 0, &mut bytes));
        let path = directory.join("journal.new");
        let write = || -> io::Result<File> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(&bytes)?;
            file.sync_data()?;
            std::fs::rename(&path, directory.join("journal"))?;
            Ok(file)
        };
        let file = write().inspect_err(|_| drop(std::fs::remove_file(&path)))?;
        self.journal = Arc::new(file);
        self.length = bytes.len() as u64;
        self.compact_at = COMPACT_BYTES.max(2 * self.length);
        self.unsynced = false;
        File::open(directory)?.sync_all()
    }
}

/// The pieces of each origin by start, each once.
pub(super) fn known(pieces: &Pieces) -> HashMap<u64, Arc<[Known]>> {
    let mut by_origin: HashMap<u64, Vec<Known>> = HashMap::new();
    for Entry { origin, strand, piece } in pieces.iter() {
        by_origin.entry(*origin).or_default().push(Known { piece: *piece, strand: *strand });
    }
    let arrange = |(origin, mut known): (u64, Vec<Known>)| {
        known.sort_by_key(|known| known.piece);
        known.dedup_by_key(|known| known.piece);
        (origin, known.into())
    };
    by_origin.into_iter().map(arrange).collect()
}
