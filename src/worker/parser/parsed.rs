//! [`Parsed`]: the result of parsing a batch: documents, and drafts of dead letters.

use crate::core::record::{Key, RecordId};
use crate::dead_letter::Reason;
use crate::document::Documents;
use crate::envelope::roles::JoinedRecord;
use crate::event::Layout;
use crate::event::stage::SinkSet;
use crate::grok::Reached;
use crate::worker::date_counts::DateCounts;

/// The result of parsing one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The line matched and became a document.
    Matched,
    /// The line matched no pattern and became a document all the same.
    Unmatched,
    /// The line becomes a dead letter.
    DeadLettered,
    /// The line is dropped.
    Filtered,
    /// The line is a piece of a record whose last piece has another fate.
    Joined,
}

/// A dead letter before it is written: the storer adds the line and its origin.
#[derive(Debug)]
pub struct LetterDraft {
    /// The index of the line in the batch.
    pub line: u32,
    /// The id of the record.
    pub id: RecordId,
    /// The reason.
    pub reason: Reason,
    /// The message of the store or of the engine.
    pub detail: String,
    /// The pattern concerned.
    pub pattern: Option<String>,
    /// How far that pattern got.
    pub reached: Option<Reached>,
}

impl LetterDraft {
    /// Returns a draft that names no pattern.
    pub fn new(line: u32, id: RecordId, reason: Reason, detail: String) -> LetterDraft {
        LetterDraft { line, id, reason, detail, pattern: None, reached: None }
    }
}

/// The result of parsing a batch.
#[derive(Default)]
pub struct Parsed {
    /// The layouts that sinks want.
    pub(super) layouts: Vec<Layout>,
    /// The documents in each layout. All hold the same lines.
    pub(super) documents: Vec<Documents>,
    pub(super) fates: Vec<Fate>,
    /// The documents that not all sinks may have: the index of each, and the sinks that may.
    pub limited: Vec<(u32, SinkSet)>,
    /// The number of documents.
    pub(super) made: u32,
    /// Drafts of dead letters for the lines that cannot become documents.
    pub letters: Vec<LetterDraft>,
    /// The keys of the records whose ids are made from times; empty for any other rule.
    pub(super) times: Vec<Key>,
    /// The records that were joined from pieces, by the index of their last piece.
    pub(super) joined: Vec<JoinedRecord>,
    /// What had to be added to the times of the records.
    pub(super) dates: DateCounts,
    /// The ids of all records, if no sink wants documents.
    pub(super) ids: Vec<RecordId>,
}

impl Parsed {
    /// Returns the number of documents.
    pub fn documents(&self) -> usize {
        self.made as usize
    }

    /// Returns the index of each line that became a document.
    pub fn kept(&self) -> impl Iterator<Item = u32> {
        let kept = |fate: &Fate| matches!(fate, Fate::Matched | Fate::Unmatched);
        (0..).zip(&self.fates).filter(move |(_, fate)| kept(fate)).map(|(index, _)| index)
    }

    /// Returns the id of document number `item`, which was made from record number `record`.
    pub fn id(&self, item: usize, record: usize) -> RecordId {
        self.documents.first().map_or_else(|| self.ids[record], |documents| documents.get(item).id)
    }

    /// Returns the number of bytes of all documents.
    pub fn bytes(&self) -> usize {
        self.documents.iter().map(|documents| documents.bytes().len()).sum()
    }

    /// Returns how many bytes of memory the documents take.
    pub fn memory(&self) -> usize {
        self.documents.iter().map(Documents::memory).sum()
    }

    /// Returns the result of each line.
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// Returns the documents in `layout`, which must be one of the layouts that the parser was made for.
    pub fn encoded(&self, layout: &Layout) -> &Documents {
        let found = self.layouts.iter().position(|known| known == layout).and_then(|at| self.documents.get(at));
        found.expect("a parser is made for the layouts of all sinks")
    }

    /// Returns the record that was joined from pieces and ends with the line number `index`, if there is one.
    pub fn joined(&self, index: usize) -> Option<&JoinedRecord> {
        let found = self.joined.binary_search_by_key(&index, |joined| joined.last as usize);
        self.joined.get(found.ok()?)
    }

    /// Returns the key of record number `index`, if its rule is that of times.
    pub fn time(&self, index: usize) -> Option<Key> {
        self.times.get(index).copied()
    }

    pub(super) fn clear(&mut self) {
        self.documents.iter_mut().for_each(Documents::clear);
        self.fates.clear();
        self.letters.clear();
        self.times.clear();
        self.joined.clear();
        self.ids.clear();
        self.limited.clear();
        self.made = 0;
        self.dates = DateCounts::default();
    }
}
