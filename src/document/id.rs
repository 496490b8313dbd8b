//! `_id`: derived from origin, offset and the line's own bytes, so that a line delivered twice is one document.

use xxhash_rust::xxh3::xxh3_64;

use crate::core::batch::Origin;

/// A document's `_id`: 44 lower-case hexadecimal digits. Their order is the order of the lines in their source, which
/// keeps the index of a store that is filled from one source growing at one end.
///
/// | digits | meaning |
/// |---|---|
/// | 0–15 | [`Origin::id`] |
/// | 16–27 | byte offset of the line in the decompressed content, modulo 2^48 |
/// | 28–43 | XXH3-64 of the line's bytes, its end (`\n`, `\r\n`) not included |
///
/// Two lines count as one exactly when all three agree: equal lines, at the same offset, of contents that begin alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId([u8; DocumentId::LENGTH]);

impl DocumentId {
    /// Length of an id in bytes, all of them ASCII.
    pub const LENGTH: usize = 44;

    /// The id of `line` (without its end), which starts `offset` bytes into the content of `origin`.
    #[inline]
    pub fn new(origin: &Origin, offset: u64, line: &[u8]) -> Self {
        Self::from_hash(origin.id, offset, xxh3_64(line))
    }

    /// The id from its three numbers; for lines too long to be held, whose hash was taken piece by piece.
    pub fn from_hash(origin: u64, offset: u64, line_hash: u64) -> Self {
        let mut digits = [0; Self::LENGTH];
        write_hex(&mut digits[..16], &origin.to_be_bytes());
        write_hex(&mut digits[16..28], &offset.to_be_bytes()[2..]);
        write_hex(&mut digits[28..], &line_hash.to_be_bytes());
        DocumentId(digits)
    }

    /// The digits.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The digits as text.
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
