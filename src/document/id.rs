//! [`DocumentId`]: the `_id` of a document. It is derived from origin, offset and the bytes of the line, so that a line
//! that is delivered twice is one document.

use xxhash_rust::xxh3::xxh3_64;

use crate::core::batch::Origin;

/// The `_id` of a document: 44 lower-case hexadecimal digits. Ids sort in the order of the lines in their source. The
/// index of a store that is filled from one source therefore grows at one end.
///
/// | digits | meaning |
/// |---|---|
/// | 0–15 | [`Origin::id`] |
/// | 16–27 | byte offset of the line in the decompressed content, modulo 2^48 |
/// | 28–43 | XXH3-64 of the line's bytes, its end (`\n`, `\r\n`) not included |
///
/// Two lines count as one exactly when all three parts are equal: equal lines, at the same offset, of contents with the
/// same beginning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId([u8; DocumentId::LENGTH]);

impl DocumentId {
    /// The length of an id in bytes, all of them ASCII.
    pub const LENGTH: usize = 44;

    /// Returns the id of `line` (without its end), which starts `offset` bytes into the content of `origin`.
    #[inline]
    pub fn new(origin: &Origin, offset: u64, line: &[u8]) -> Self {
        Self::from_hash(origin.id, offset, xxh3_64(line))
    }

    /// Returns the id made of these three numbers. It serves lines that are too long for memory, whose hash is computed
    /// in parts.
    pub fn from_hash(origin: u64, offset: u64, line_hash: u64) -> Self {
        let mut digits = [0; Self::LENGTH];
        write_hex(&mut digits[..16], &origin.to_be_bytes());
        write_hex(&mut digits[16..28], &offset.to_be_bytes()[2..]);
        write_hex(&mut digits[28..], &line_hash.to_be_bytes());
        DocumentId(digits)
    }

    /// Returns the digits as bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Returns the digits as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is made of hexadecimal digits")
    }
}

#[inline]
fn write_hex(out: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

impl std::fmt::Display for DocumentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
