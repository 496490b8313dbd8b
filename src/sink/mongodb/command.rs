//! The `insert` command, put together from documents that are encoded already.
//!
//! A raw command, because its whole reply comes back: `insert_many` of the driver drops `keyPattern`, which is the only
//! sure sign of whose index a duplicate key belongs to, and tries again by itself, so that nobody knows what was sent
//! how often. The price, measured with 2000 documents of 397 bytes a command: 0.2 µs a document more in this process
//! (copies inside the driver) beside the 3.1 µs the server takes either way.
//!
//! The driver offers no document sequence for raw commands, so the documents are an array in the command's body: the
//! whole command must then keep to the size of one document, give or take the 16 KiB a server allows on top.

use mongodb::bson::{RawDocumentBuf, rawdoc};
use mongodb::options::{Acknowledgment, WriteConcern};

const ARRAY: u8 = 0x04;
const DOCUMENT: u8 = 0x03;
/// Type byte, an index of up to six digits and its NUL: what each document costs on top of its bytes.
const ELEMENT_OVERHEAD: usize = 8;
/// Room for the command's other fields and for what the driver adds (session, cluster time).
const COMMAND_OVERHEAD: usize = 4096;

/// What every command to one collection begins with, ready encoded.
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

    /// The command that inserts `documents` (whole BSON documents), whose lengths add up to `size`.
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

/// Ends the document that starts at `start`: its NUL, and its length where it begins.
fn close(bytes: &mut Vec<u8>, start: usize) {
    bytes.push(0);
    let length = (bytes.len() - start) as u32;
    bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// What the server takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of one document.
    pub(super) document: usize,
    /// Documents of one command.
    pub(super) documents: usize,
}

impl Limits {
    /// How many of the documents with these sizes go into one command: at least one, because a single document of the
    /// full size fits the room a server leaves for the command around it.
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
