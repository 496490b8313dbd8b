//! A message that is longer than the longest line: only its beginning, hash and checksum are kept.

use xxhash_rust::xxh3::Xxh3Default;

use crate::state::checksum;

/// A message that is longer than the longest line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongMessage {
    /// The first bytes of the message, as many as a line may have.
    pub beginning: Vec<u8>,
    /// Its length in bytes.
    pub length: u64,
    /// XXH3-64 of the whole message.
    pub hash: u64,
    /// The [`checksum`] of the whole message.
    pub checksum: u64,
}

/// The length, hash and checksum of the bytes of a long message that have come.
pub(super) struct Long {
    hash: Xxh3Default,
    checksum: u64,
    length: u64,
}

impl Long {
    pub(super) fn new() -> Long {
        Long { hash: Xxh3Default::new(), checksum: checksum::EMPTY, length: 0 }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.checksum = checksum::join(self.checksum, checksum::of(bytes), bytes.len() as u64);
        self.length += bytes.len() as u64;
    }

    /// Returns the message, which has ended and begins with `beginning`.
    pub(super) fn end(self, beginning: Vec<u8>) -> LongMessage {
        LongMessage { beginning, length: self.length, hash: self.hash.digest(), checksum: self.checksum }
    }
}
