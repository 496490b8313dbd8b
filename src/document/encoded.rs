//! [`Documents`]: the encoded documents of one batch.

use super::beside::Beside;
use crate::core::record::RecordId;

/// The encoding of documents. It decides about the names of fields too (see `document/keys.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// One JSON object per document, each followed by a newline. It keeps all names.
    Json,
    /// BSON documents, one directly after the other. Names that a store could refuse are changed.
    Bson,
}

/// The encoded documents of one batch.
///
/// A newline follows each JSON document, so that [`bytes`](Documents::bytes) can be written to a file as it is. BSON
/// documents follow each other directly.
#[derive(Debug)]
pub struct Documents {
    /// Whether a newline follows each document.
    has_lines: bool,
    bytes: Vec<u8>,
    /// One entry per document.
    entries: Vec<Entry>,
    /// The documents that the encoder refused, by their index. Their entries are empty.
    refused: Vec<(usize, Refusal)>,
    beside: Beside,
}

/// The reason why an encoder refuses a document. The line becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Whether the size of the document is the reason.
    pub too_large: bool,
    /// The sentence for the dead letter.
    pub words: String,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    end: usize,
    line: u32,
    id: RecordId,
}

/// One encoded document of a batch.
#[derive(Debug, Clone, Copy)]
pub struct EncodedDocument<'a> {
    /// The `_id` of the document.
    pub id: RecordId,
    /// The index of the line in the batch.
    pub line: u32,
    /// The encoded bytes. A JSON document has no newline here.
    pub bytes: &'a [u8],
}

impl Documents {
    /// Returns an empty buffer for documents of `encoding`, or of an encoding that a sink brings.
    pub fn new(encoding: impl Into<Option<Encoding>>) -> Self {
        let has_lines = encoding.into() == Some(Encoding::Json);
        Documents { has_lines, bytes: Vec::new(), entries: Vec::new(), refused: Vec::new(), beside: Beside::default() }
    }

    /// Removes all documents and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.refused.clear();
        self.beside.clear();
    }

    /// Returns the number of documents.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no documents.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns all documents as they are written to a file (JSON) or sent one after the other (BSON).
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns how many bytes of memory the documents take.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// Returns the document at `index`.
    pub fn get(&self, index: usize) -> EncodedDocument<'_> {
        let entry = &self.entries[index];
        EncodedDocument { id: entry.id, line: entry.line, bytes: &self.bytes[entry.start..entry.end] }
    }

    /// Iterates over the documents in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = EncodedDocument<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Returns the documents that the encoder refused: the index of each, and the reason.
    pub fn refused(&self) -> impl Iterator<Item = (usize, &Refusal)> {
        self.refused.iter().map(|(index, refusal)| (*index, refusal))
    }

    /// Returns the values beside the bodies, for a sink that asked for some.
    pub fn beside(&self) -> &Beside {
        &self.beside
    }

    /// Returns the values beside the bodies, to add those of the next document.
    pub fn beside_mut(&mut self) -> &mut Beside {
        &mut self.beside
    }

    /// Returns a copy of the documents at `indexes`, in that order.
    pub fn only(&self, indexes: &[usize]) -> Documents {
        let mut documents = Documents::new(self.has_lines.then_some(Encoding::Json));
        documents.beside = self.beside.only(indexes);
        for EncodedDocument { id, line, bytes } in indexes.iter().map(|&index| self.get(index)) {
            documents.push(line, id, |out| {
                out.extend_from_slice(bytes);
                true
            });
        }
        documents
    }

    /// Adds a document. `write` appends its bytes to the buffer. If `write` returns `false`, its bytes are removed
    /// again.
    #[inline]
    pub fn push(&mut self, line: u32, id: RecordId, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let start = self.bytes.len();
        if !write(&mut self.bytes) {
            self.bytes.truncate(start);
            return false;
        }
        let end = self.bytes.len();
        if self.has_lines {
            self.bytes.push(b'\n');
        }
        self.entries.push(Entry { start, end, line, id });
        true
    }

    /// Adds a document whose encoder may refuse it. A refused document has an empty body, and keeps its place.
    pub fn push_encoded(&mut self, line: u32, id: RecordId, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Refusal>) {
        let start = self.bytes.len();
        if let Err(refusal) = write(&mut self.bytes) {
            self.bytes.truncate(start);
            self.refused.push((self.entries.len(), refusal));
        }
        self.entries.push(Entry { start, end: self.bytes.len(), line, id });
    }
}
