//! [`Documents`]: the encoded documents of one batch.

pub use super::layout::{Encoding, Layout};
use crate::core::record::RecordId;

/// The encoded documents of one batch.
///
/// A newline follows each JSON document, so that [`bytes`](Documents::bytes) can be written to a file as it is. BSON
/// documents follow each other directly.
#[derive(Debug)]
pub struct Documents {
    layout: Layout,
    bytes: Vec<u8>,
    /// One entry per document.
    entries: Vec<Entry>,
    /// The documents that the encoder refused, by their index. Their entries are empty.
    refused: Vec<(usize, Refusal)>,
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
    /// Returns an empty buffer for documents of `form`.
    pub fn new(layout: impl Into<Layout>) -> Self {
        Documents { layout: layout.into(), bytes: Vec::new(), entries: Vec::new(), refused: Vec::new() }
    }

    /// Returns the layout of the documents.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the encoding of the documents.
    pub fn encoding(&self) -> Encoding {
        self.layout.encoding
    }

    /// Removes all documents and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.refused.clear();
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

    /// Returns a copy of the documents at `indexes`, in that order.
    pub fn only(&self, indexes: &[usize]) -> Documents {
        let mut documents = Documents::new(self.layout.clone());
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
        if self.layout.encoding == Encoding::Json {
            self.bytes.push(b'\n');
        }
        self.entries.push(Entry { start, end, line, id });
        true
    }

    /// Adds the place of a document that the encoder refused.
    pub fn push_refused(&mut self, line: u32, id: RecordId, refusal: Refusal) {
        self.refused.push((self.entries.len(), refusal));
        let end = self.bytes.len();
        self.entries.push(Entry { start: end, end, line, id });
    }
}
