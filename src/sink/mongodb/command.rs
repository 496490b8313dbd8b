//! Builds the `insert` command from documents that are already encoded.
//!
//! It is a raw command, because this returns the whole reply. The `insert_many` of the driver drops `keyPattern`, which
//! is the only sure sign of the index that a duplicate key belongs to. It also retries by itself, so nobody knows how
//! often a document was sent. The cost, measured with 2000 documents of 397 bytes per command: 0.2 µs more per document
//! in this process (copies inside the driver), besides the 3.1 µs that the server needs in any case.
//!
//! The driver offers no document sequence for raw commands, so the documents are an array in the body of the command.
//! The whole command must therefore not exceed the maximum size of one document, plus the 16 KiB that a server allows
//! on top.

use mongodb::bson::{RawDocumentBuf, rawdoc};
use mongodb::options::{Acknowledgment, WriteConcern};

const ARRAY: u8 = 0x04;
const DOCUMENT: u8 = 0x03;
/// The bytes that each document needs besides its own: a type byte, an index of up to six digits, and its NUL.
const ELEMENT_OVERHEAD: usize = 8;
/// Room for the other fields of the command and for the fields that the driver adds (session, cluster time), in bytes.
const COMMAND_OVERHEAD: usize = 4096;

/// The encoded beginning of every command to one collection.
pub(super) struct CommandHead(Vec<u8>);

impl CommandHead {
    pub(super) fn new(collection: &str, write_concern: &WriteConcern) -> Self {
        let mut concern = RawDocumentBuf::new();
        match &write_concern.w {
            Some(Acknowledgment::Nodes(nodes)) => concern.append(c_str("w"), i64::from(*nodes)),
            Some(Acknowledgment::Custom(tag)) => concern.append(c_str("w"), tag.as_str()),
            _ => concern.append(c_str("w"), "majority"),
        }
        if let Some(journal) = write_concern.journal {
            concern.append(c_str("j"), journal);
        }
        if let Some(timeout) = write_concern.w_timeout {
            concern.append(c_str("wtimeout"), i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
        }
        let head = rawdoc! { "insert": collection, "ordered": false, "writeConcern": concern };
        let mut bytes = head.into_bytes();
        bytes.pop(); // The closing NUL of the document: more fields follow.
        CommandHead(bytes)
    }

    /// Returns the command that inserts `documents` (whole BSON documents). The sum of their lengths is `size`.
    pub(super) fn command<'a>(
        &self,
        documents: impl ExactSizeIterator<Item = &'a [u8]>,
        size: usize,
    ) -> mongodb::bson::error::Result<RawDocumentBuf> {
        let mut bytes = Vec::with_capacity(self.0.len() + size + documents.len() * ELEMENT_OVERHEAD + 32);
        bytes.extend_from_slice(&self.0);
        bytes.push(ARRAY);
        bytes.extend_from_slice(b"documents\0");
        let array = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        let mut index = itoa::Buffer::new();
        for (i, document) in documents.enumerate() {
            bytes.push(DOCUMENT);
            bytes.extend_from_slice(index.format(i).as_bytes());
            bytes.push(0);
            bytes.extend_from_slice(document);
        }
        close(&mut bytes, array);
        close(&mut bytes, 0);
        RawDocumentBuf::from_bytes(bytes)
    }
}

fn c_str(key: &'static str) -> &'static mongodb::bson::raw::CStr {
    key.try_into().expect("a literal without NUL")
}

/// Ends the document that starts at `start`: appends its NUL, and writes its length at its beginning.
fn close(bytes: &mut Vec<u8>, start: usize) {
    bytes.push(0);
    let length = (bytes.len() - start) as u32;
    bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// The limits of a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The maximum size of one document, in bytes.
    pub(super) document: usize,
    /// The maximum number of documents of one command.
    pub(super) documents: usize,
}

impl Limits {
    /// Returns how many of the documents with these sizes go into one command. It is at least one, because a server
    /// leaves room for the command around a single document of full size.
    pub(super) fn first_command(&self, sizes: impl Iterator<Item = usize>) -> usize {
        let room = self.document.saturating_sub(COMMAND_OVERHEAD);
        let mut used = 0;
        sizes
            .take(self.documents)
            .take_while(|size| {
                used += size + ELEMENT_OVERHEAD;
                used <= room
            })
            .count()
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mongodb::bson::{Document, doc};

    use super::*;

    fn decoded(head: &CommandHead, documents: &[Document]) -> Document {
        let encoded: Vec<Vec<u8>> =
            documents.iter().map(|document| RawDocumentBuf::try_from(document).unwrap().into_bytes()).collect();
        let size = encoded.iter().map(Vec::len).sum();
        Document::try_from(head.command(encoded.iter().map(Vec::as_slice), size).unwrap()).unwrap()
    }

    #[test]
    fn the_command_holds_the_documents_and_a_majority_write_concern() {
        let head = CommandHead::new("logs", &WriteConcern::default());
        let documents: Vec<Document> = (0..12).map(|i| doc! { "_id": i, "text": "x" }).collect();
        assert_eq!(
            decoded(&head, &documents),
            doc! { "insert": "logs", "ordered": false, "writeConcern": { "w": "majority" }, "documents": documents },
        );
    }

    #[test]
    fn a_write_concern_of_the_user_goes_through() {
        let concern = WriteConcern::builder()
            .w(Acknowledgment::Nodes(2))
            .journal(true)
            .w_timeout(Duration::from_millis(250))
            .build();
        let command = decoded(&CommandHead::new("logs", &concern), &[]);
        assert_eq!(command.get_document("writeConcern").unwrap(), &doc! { "w": 2_i64, "j": true, "wtimeout": 250_i64 });
        let tagged = WriteConcern::builder().w(Acknowledgment::Custom("two-sites".to_owned())).build();
        let command = decoded(&CommandHead::new("logs", &tagged), &[]);
        assert_eq!(command.get_document("writeConcern").unwrap(), &doc! { "w": "two-sites" });
    }

    #[test]
    fn commands_keep_under_both_limits_and_hold_at_least_one_document() {
        let limits = Limits { document: COMMAND_OVERHEAD + 100, documents: 4 };
        assert_eq!(limits.first_command([42, 42, 42].into_iter()), 2);
        assert_eq!(limits.first_command([1; 9].into_iter()), 4);
        assert_eq!(limits.first_command([COMMAND_OVERHEAD + 100, 1].into_iter()), 1);
    }
}
