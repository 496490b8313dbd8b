//! [`Documents`]: the encoded documents of one batch.

use super::id::DocumentId;

/// How documents are encoded: as their sink wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// One JSON object a document, each closed by a newline.
    Json,
    /// BSON documents back to back.
    Bson,
}

/// The encoded documents of one batch.
///
/// JSON documents are each closed by a newline, so that the whole of [`bytes`](Documents::bytes) can be written as it
/// is; BSON documents stand back to back.
#[derive(Debug)]
pub struct Documents {
    encoding: Encoding,
    bytes: Vec<u8>,
    /// For each document: where it ends in `bytes` (newline not included), its line's index in the batch, its id.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    end: usize,
    line: u32,
    id: DocumentId,
}

/// One encoded document.
#[derive(Debug, Clone, Copy)]
pub struct EncodedDocument<'a> {
    /// Its `_id`.
    pub id: DocumentId,
    /// The index of its line in the batch.
    pub line: u32,
    /// The encoded bytes, a JSON document without its newline.
    pub bytes: &'a [u8],
}

impl Documents {
    /// An empty buffer for documents of `encoding`.
    pub fn new(encoding: Encoding) -> Self {
        Documents { encoding, bytes: Vec::new(), entries: Vec::new() }
    }

    /// The encoding of every document in it.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Forgets all documents, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All documents, as they can be written to a file (JSON) or sent one after the other (BSON).
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The document at `index`.
    pub fn get(&self, index: usize) -> EncodedDocument<'_> {
        let entry = &self.entries[index];
        EncodedDocument { id: entry.id, line: entry.line, bytes: &self.bytes[entry.start..entry.end] }
    }

    /// All documents in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = EncodedDocument<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Those at `indexes`, in that order.
    pub fn only(&self, indexes: &[usize]) -> Documents {
        let mut documents = Documents::new(self.encoding);
        for EncodedDocument { id, line, bytes } in indexes.iter().map(|&index| self.get(index)) {
            documents.push(line, id, |out| {
                out.extend_from_slice(bytes);
                true
            });
        }
        documents
    }

    /// Adds a document: `write` appends its bytes to the buffer. When it answers `false` what it wrote is taken back.
    #[inline]
    pub fn push(&mut self, line: u32, id: DocumentId, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let start = self.bytes.len();
        if !write(&mut self.bytes) {
            self.bytes.truncate(start);
            return false;
        }
        let end = self.bytes.len();
        if self.encoding == Encoding::Json {
            self.bytes.push(b'\n');
        }
        self.entries.push(Entry { start, end, line, id });
        true
    }
}
