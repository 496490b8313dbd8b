//! What became of the lines of a batch: documents, and lines to be set aside.

use crate::dead_letter::Reason;
use crate::document::{Documents, Encoding};
use crate::grok::Reached;

/// What became of a line so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It matched and is a document.
    Matched,
    /// It matched nothing and is a document all the same.
    Unmatched,
    /// It is set aside.
    DeadLettered,
    /// It is dropped.
    Filtered,
}

/// A line to be set aside.
#[derive(Debug)]
pub struct LetterDraft {
    /// Its index in the batch.
    pub line: u32,
    /// Why.
    pub reason: Reason,
    /// In whose words.
    pub detail: String,
    /// By which pattern.
    pub pattern: Option<String>,
    /// How far that got.
    pub reached: Option<Reached>,
}

impl LetterDraft {
    /// A line of which no pattern is to be detected.
    pub fn new(line: u32, reason: Reason, detail: String) -> LetterDraft {
        LetterDraft { line, reason, detail, pattern: None, reached: None }
    }
}

/// The documents of a batch.
pub struct Parsed {
    /// One for each encoding that a sink wants; all hold the documents of the same lines.
    pub(super) documents: Vec<Documents>,
    pub(super) fates: Vec<Fate>,
    /// Lines that cannot become documents.
    pub letters: Vec<LetterDraft>,
}

impl Parsed {
    /// How many documents there are.
    pub fn documents(&self) -> usize {
        self.documents.first().map_or(0, Documents::len)
    }

    /// What became of each line.
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// The documents in `encoding`, which is one of those the parser was made for.
    pub fn encoded(&self, encoding: Encoding) -> &Documents {
        let found = self.documents.iter().find(|documents| documents.encoding() == encoding);
        found.expect("a parser is made for the encodings of all sinks")
    }

    pub(super) fn clear(&mut self) {
        self.documents.iter_mut().for_each(Documents::clear);
        self.fates.clear();
        self.letters.clear();
    }
}
