//! [`RecordId`]: the identity of a record, and [`Key`], from which one rule makes it. No other module makes ids.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The identity of a record: 22 bytes, shown as 44 lower-case hexadecimal digits. It is the `_id` of the record's document.
///
/// Ids of one origin sort in the order of their records, so the index of a store that is filled from one source grows at
/// one end. The first 8 bytes are the number of the origin; the rule decides about the others:
///
/// | rule | bytes 8 to 21 |
/// |---|---|
/// | [`Offset`](IdRule::Offset) | 6 bytes: offset in the content, modulo 2^48; 8 bytes: XXH3-64 of the record |
/// | [`Number`](IdRule::Number) | 8 bytes: number of the record; 6 bytes: the low bytes of XXH3-64 of the record |
/// | [`Time`](IdRule::Time) | 8 bytes: nanoseconds since 1970; 6 bytes: the low bytes of XXH3-64 of stream, ordinal and message |
/// | [`Given`](IdRule::Given) | the source gives all 22 bytes |
///
/// A record's bytes do not include its last line end. Two records count as one exactly when all these parts are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId([u8; RecordId::BYTES]);

/// The rule that makes the ids of the records of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdRule {
    /// The byte offset of the record in its content.
    #[default]
    Offset,
    /// A number that the source gives to each record, such as the offset of a message in a partition. Numbers may have gaps.
    Number,
    /// The time of the record in its envelope. The worker reads it, so a file and an API give the same ids.
    Time,
    /// An id that came with the record.
    Given,
}

impl IdRule {
    /// Whether this is the usual rule.
    pub fn is_offset(&self) -> bool {
        *self == IdRule::Offset
    }

    /// Returns the number that stands for the rule on the wire.
    pub fn code(self) -> u8 {
        match self {
            IdRule::Offset => 0,
            IdRule::Number => 1,
            IdRule::Time => 2,
            IdRule::Given => 3,
        }
    }

    /// Returns the rule with the number `code`; `None` for an unknown number.
    pub fn of_code(code: u8) -> Option<IdRule> {
        [IdRule::Offset, IdRule::Number, IdRule::Time, IdRule::Given].into_iter().find(|rule| rule.code() == code)
    }
}

/// The value from which a rule makes the id of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The byte offset of the record in its content.
    Offset(u64),
    /// The number of the record.
    Number(u64),
    /// The time of the record, and its ordinal among adjacent records of its stream with the same time.
    Time {
        /// Nanoseconds since 1970; 0 if the record has no time.
        ns: u64,
        /// 0 for the first of these records.
        ordinal: u32,
    },
    /// The id itself.
    Given(RecordId),
}

impl Key {
    /// Returns the id of a record of the origin with the number `origin`. `hash` is the [`hash`] of the record, or its
    /// [`time_hash`] for a time.
    #[inline]
    pub fn id(self, origin: u64, hash: u64) -> RecordId {
        match self {
            Key::Offset(offset) => {
                let mut bytes = RecordId::beginning(origin);
                bytes[8..14].copy_from_slice(&offset.to_be_bytes()[2..]);
                bytes[14..].copy_from_slice(&hash.to_be_bytes());
                RecordId(bytes)
            }
            Key::Number(number) | Key::Time { ns: number, .. } => {
                let mut bytes = RecordId::beginning(origin);
                bytes[8..16].copy_from_slice(&number.to_be_bytes());
                bytes[16..].copy_from_slice(&hash.to_be_bytes()[2..]);
                RecordId(bytes)
            }
            Key::Given(id) => id,
        }
    }

    /// Returns the rule that uses such a key.
    pub fn rule(self) -> IdRule {
        match self {
            Key::Offset(_) => IdRule::Offset,
            Key::Number(_) => IdRule::Number,
            Key::Time { .. } => IdRule::Time,
            Key::Given(_) => IdRule::Given,
        }
    }
}

/// Returns the hash of a record without its last line end, XXH3-64.
#[inline]
pub fn hash(record: &[u8]) -> u64 {
    xxh3_64(record)
}

/// Returns the hash that stands in the id of a record whose key is a time: XXH3-64 of the stream's name, a NUL, the ordinal
/// (4 bytes, big-endian) and the message inside the envelope.
pub fn time_hash(stream: &[u8], ordinal: u32, message: &[u8]) -> u64 {
    let mut hash = TimeHash::new(stream, ordinal);
    hash.add(message);
    hash.finish()
}

/// Makes the [`time_hash`] of a message that comes in pieces.
pub struct TimeHash(Xxh3);

impl TimeHash {
    /// Begins the hash of a message.
    pub fn new(stream: &[u8], ordinal: u32) -> TimeHash {
        let mut hash = Xxh3::new();
        hash.update(stream);
        hash.update(&[0]);
        hash.update(&ordinal.to_be_bytes());
        TimeHash(hash)
    }

    /// Takes a piece of the message.
    pub fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Returns the hash of all pieces.
    pub fn finish(&self) -> u64 {
        self.0.digest()
    }
}

/// Counts the records of each stream that are adjacent and have the same time. At most [`Ordinals::REACH`] records of other
/// streams stand between two adjacent records. A batch is not cut between such records, so each batch begins with new counts.
#[derive(Debug, Clone, Default)]
pub struct Ordinals {
    streams: Vec<Counted>,
    /// The number of records so far.
    records: u64,
}

#[derive(Debug, Clone)]
struct Counted {
    stream: Vec<u8>,
    ns: u64,
    ordinal: u32,
    /// The number of the stream's last record.
    last: u64,
}

impl Ordinals {
    /// The maximum number of records of other streams between two records that count as adjacent. Without a limit, a batch
    /// could not be cut before each of its streams has gone on.
    pub const REACH: u64 = 16;

    /// Forgets all streams.
    pub fn clear(&mut self) {
        self.streams.clear();
        self.records = 0;
    }

    /// Returns the ordinal of the next record of `stream`, which has the time `ns`.
    pub fn next(&mut self, stream: &[u8], ns: u64) -> u32 {
        self.records += 1;
        let number = self.records;
        match self.streams.iter_mut().find(|counted| counted.stream == stream) {
            Some(Counted { ns: before, ordinal, last, .. }) => {
                let is_adjacent = *before == ns && number - *last <= Self::REACH + 1;
                *ordinal = if is_adjacent { ordinal.saturating_add(1) } else { 0 };
                (*before, *last) = (ns, number);
                *ordinal
            }
            None => {
                self.streams.push(Counted { stream: stream.to_vec(), ns, ordinal: 0, last: number });
                0
            }
        }
    }
}

impl RecordId {
    /// The length of an id in bytes.
    pub const BYTES: usize = 22;

    /// The number of its digits.
    pub const DIGITS: usize = 2 * Self::BYTES;

    /// Returns the id with these bytes.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> RecordId {
        RecordId(bytes)
    }

    /// Returns the id of `record`, which starts `offset` bytes into the content of the origin `origin`, by the rule of offsets.
    pub fn at(origin: u64, offset: u64, record: &[u8]) -> RecordId {
        Key::Offset(offset).id(origin, hash(record))
    }

    /// Returns the id with these digits; `None` if they are not 44 hexadecimal digits.
    pub fn parse(digits: &str) -> Option<RecordId> {
        let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
        let mut bytes = [0; Self::BYTES];
        if pairs.len() != bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(RecordId(bytes))
    }

    #[inline]
    fn beginning(origin: u64) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&origin.to_be_bytes());
        bytes
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Returns the digits.
    #[inline]
    pub fn digits(&self) -> Digits {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; Self::DIGITS];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
        }
        Digits(digits)
    }
}

/// The 44 hexadecimal digits of an id.
#[derive(Clone, Copy)]
pub struct Digits([u8; RecordId::DIGITS]);

impl Digits {
    /// Returns the digits as bytes, all of them ASCII.
    #[inline]
    pub fn as_bytes(&self) -> &[u8; RecordId::DIGITS] {
        &self.0
    }

    /// Returns the digits as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.digits().as_str())
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.digits().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_puts_its_parts_at_their_places() {
        let origin = 0x0102_0304_0506_0708;
        let hash = 0x1112_1314_1516_1718;
        let given = RecordId::from_bytes([0xab; RecordId::BYTES]);
        for (key, digits) in [
            (Key::Offset(0x2122_2324_2526_2728), "0102030405060708232425262728".to_owned() + "1112131415161718"),
            (Key::Number(0x2122_2324_2526_2728), "01020304050607082122232425262728".to_owned() + "131415161718"),
            (Key::Time { ns: 7, ordinal: 3 }, "01020304050607080000000000000007".to_owned() + "131415161718"),
            (Key::Given(given), "ab".repeat(22)),
        ] {
            let id = key.id(origin, hash);
            assert_eq!(id.to_string(), digits);
            assert_eq!(RecordId::parse(&digits), Some(id));
            assert_eq!(IdRule::of_code(key.rule().code()), Some(key.rule()));
        }
        for wrong in ["", "ab", &"ag".repeat(22), &"ab".repeat(23), &format!("{}ä", "ab".repeat(21))] {
            assert_eq!(RecordId::parse(wrong), None, "{wrong}");
        }
        assert_eq!(IdRule::of_code(4), None);
    }

    #[test]
    fn ordinals_count_adjacent_equal_times_of_each_stream() {
        let mut ordinals = Ordinals::default();
        let next = [("out", 5), ("out", 5), ("err", 5), ("out", 5), ("out", 6), ("out", 5), ("err", 5)];
        let counted: Vec<u32> = next.iter().map(|(stream, ns)| ordinals.next(stream.as_bytes(), *ns)).collect();
        assert_eq!(counted, [0, 1, 0, 2, 0, 0, 1]);
        ordinals.clear();
        assert_eq!(ordinals.next(b"out", 5), 0);
        (0..Ordinals::REACH).for_each(|at| assert_eq!(ordinals.next(b"err", at), 0));
        assert_eq!(ordinals.next(b"out", 5), 1);
        (0..=Ordinals::REACH).for_each(|at| assert_eq!(ordinals.next(b"err", 99 + at), 0));
        assert_eq!(ordinals.next(b"out", 5), 0, "too many records stand between");
    }

    #[test]
    fn a_time_hash_depends_on_stream_ordinal_and_message() {
        let parts =
            [(&b"out"[..], 0, &b"a"[..]), (b"err", 0, b"a"), (b"out", 1, b"a"), (b"out", 0, b"b"), (b"ou", 0, b"ta")];
        let hashes: std::collections::HashSet<u64> =
            parts.iter().map(|(stream, ordinal, message)| time_hash(stream, *ordinal, message)).collect();
        assert_eq!(hashes.len(), parts.len());
    }
}
