//! Encodes and decodes the bytes of a journal, as `doc/state.md` describes them. This module does not access files.

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::extents::{Entry, Extent};
use super::memory::Stamp;

/// The first bytes of every journal.
const MAGIC: &[u8; 8] = b"logstate";

/// The version of the format.
pub const VERSION: u32 = 1;

/// The length of the header in bytes.
pub const HEADER: usize = 16;

/// The bytes of a record besides its payload: length (1), kind (1) and check (4).
const FRAME: usize = 6;

/// The maximum number of bytes of the name of a stream.
pub const STREAM_BYTES: usize = 64;

/// The maximum number of bytes of a cursor.
pub const CURSOR_BYTES: usize = 128;

/// A record of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The bytes of an extent are settled.
    Extent(Entry),
    /// A whole file is settled.
    Done(Done),
    /// A stream of a source is settled up to a cursor.
    Cursor(Cursor),
}

/// How far a stream of a source is settled. The source decides what the bytes mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the source.
    pub source: u64,
    /// The name of the stream: at most [`STREAM_BYTES`] bytes.
    pub stream: Bytes,
    /// The place after the last settled record: at most [`CURSOR_BYTES`] bytes.
    pub place: Bytes,
}

/// A whole file that is settled. It stays so as long as its stamp does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The number of the origin.
    pub origin: u64,
    /// The stamp of the file.
    pub stamp: Stamp,
    /// The number of bytes of its decompressed content.
    pub length: u64,
    /// The number of its lines.
    pub lines: u64,
}

/// The result of decoding a journal.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The valid records, and the number of bytes of the header and these records. The bytes after them are damaged, or
    /// there are none.
    Records(Vec<Record>, usize),
    /// The header was not written completely. A new journal must be started.
    NotStarted,
    /// A journal of another version.
    Version(u32),
    /// The bytes are not a journal.
    Foreign,
}

fn check(bytes: &[u8], position: u64) -> [u8; 4] {
    (xxh3_64_with_seed(bytes, position) as u32).to_be_bytes()
}

/// The header.
pub fn header() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_be_bytes());
    let checksum = check(&header[..12], 0);
    header[12..].copy_from_slice(&checksum);
    header
}

/// Appends a record to `out`. `base` is the offset in the file of the first byte of `out`.
pub fn encode(record: &Record, base: u64, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([0, 0]);
    let kind = match record {
        Record::Extent(Entry { origin, lineage, extent }) => {
            out.extend(origin.to_be_bytes());
            out.extend(lineage.to_be_bytes());
            out.extend([extent.start, extent.length, extent.checksum].iter().flat_map(|number| number.to_be_bytes()));
            out.push(match extent {
                Extent { closed: true, .. } => 1,
                Extent { cut: true, .. } => 2,
                _ => 0,
            });
            1
        }
        Record::Done(Done { origin, stamp, length, lines }) => {
            let Stamp { device, inode, size, modified, changed } = stamp;
            out.extend([origin, device, inode, size].iter().flat_map(|number| number.to_be_bytes()));
            out.extend([modified, changed].iter().flat_map(|number| number.to_be_bytes()));
            out.extend([length, lines].iter().flat_map(|number| number.to_be_bytes()));
            2
        }
        Record::Cursor(Cursor { source, stream, place }) => {
            let (stream, place) = (&stream[..stream.len().min(STREAM_BYTES)], &place[..place.len().min(CURSOR_BYTES)]);
            out.extend(source.to_be_bytes());
            out.push(stream.len() as u8);
            out.extend(stream);
            out.extend(place);
            3
        }
    };
    // A payload has at most 201 bytes.
    out[start] = (out.len() - start - 2) as u8;
    out[start + 1] = kind;
    let checksum = check(&out[start..], base + start as u64);
    out.extend(checksum);
}

/// Decodes a journal up to the first record that is incomplete or damaged.
pub fn decode(bytes: &[u8]) -> Decoded {
    if bytes.len() < HEADER && header().starts_with(bytes) || bytes.iter().all(|&byte| byte == 0) {
        return Decoded::NotStarted;
    }
    let Some((head, _)) = bytes.split_at_checked(HEADER) else { return Decoded::Foreign };
    if head[..8] != MAGIC[..] || check(&head[..12], 0) != head[12..] {
        return Decoded::Foreign;
    }
    let version = number(&head[8..12]) as u32;
    if version != VERSION {
        return Decoded::Version(version);
    }
    let (mut records, mut position) = (Vec::new(), HEADER);
    while let Some(length) = bytes.get(position).map(|&length| usize::from(length)) {
        let Some(framed) = bytes.get(position..position + FRAME + length) else { break };
        let (covered, checksum) = framed.split_at(FRAME - 4 + length);
        if check(covered, position as u64) != checksum {
            break;
        }
        match record(covered[1], &covered[2..]) {
            Ok(record) => records.extend(record),
            Err(()) => break,
        }
        position += framed.len();
    }
    Decoded::Records(records, position)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Decodes a payload. Returns `None` for a kind that this version does not know.
fn record(kind: u8, payload: &[u8]) -> Result<Option<Record>, ()> {
    let at = |start: usize| payload.get(start..start + 8).map(number);
    let read = || match (kind, payload.len()) {
        (1, 37) => {
            let lineage = number(&payload[8..12]) as u32;
            let extent = Extent {
                start: at(12)?,
                length: at(20)?,
                checksum: at(28)?,
                closed: payload[36] == 1,
                cut: payload[36] == 2,
            };
            Some(Record::Extent(Entry { origin: at(0)?, lineage, extent }))
        }
        (2, 64) => {
            let (modified, changed) = (at(32)?.cast_signed(), at(40)?.cast_signed());
            let stamp = Stamp { device: at(8)?, inode: at(16)?, size: at(24)?, modified, changed };
            Some(Record::Done(Done { origin: at(0)?, stamp, length: at(48)?, lines: at(56)? }))
        }
        (3, 9..) => {
            let (stream, place) = payload[9..].split_at_checked(usize::from(payload[8]))?;
            let (stream, place) = (Bytes::copy_from_slice(stream), Bytes::copy_from_slice(place));
            Some(Record::Cursor(Cursor { source: at(0)?, stream, place }))
        }
        _ => None,
    };
    match kind {
        1..=3 => read().map(Some).ok_or(()),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn extent() -> impl Strategy<Value = Record> {
        (any::<u64>(), any::<u32>(), any::<[u64; 3]>(), 0_u8..3).prop_map(
            |(origin, lineage, [start, length, checksum], end)| {
                let (closed, cut) = (end == 1, end == 2);
                Record::Extent(Entry { origin, lineage, extent: Extent { start, length, checksum, closed, cut } })
            },
        )
    }

    fn done() -> impl Strategy<Value = Record> {
        (any::<[u64; 6]>(), any::<[i64; 2]>()).prop_map(|(numbers, [modified, changed])| {
            let [origin, device, inode, size, length, lines] = numbers;
            Record::Done(Done { origin, stamp: Stamp { device, inode, size, modified, changed }, length, lines })
        })
    }

    fn cursor() -> impl Strategy<Value = Record> {
        let bytes = |most: usize| prop::collection::vec(any::<u8>(), 0..=most).prop_map(Bytes::from);
        (any::<u64>(), bytes(STREAM_BYTES), bytes(CURSOR_BYTES))
            .prop_map(|(source, stream, place)| Record::Cursor(Cursor { source, stream, place }))
    }

    fn records() -> impl Strategy<Value = Vec<Record>> {
        prop::collection::vec(prop_oneof![3 => extent(), 1 => done(), 1 => cursor()], 0..8)
    }

    /// A journal, and the end of each of its records.
    fn journal(records: &[Record]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = header().to_vec();
        let mut ends = Vec::new();
        for record in records {
            encode(record, 0, &mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let extent = Extent { start: 0x0102, length: 3, checksum: 4, closed: true, cut: false };
        let (bytes, _) = journal(&[Record::Extent(Entry { origin: 0xff, lineage: 9, extent })]);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let header = "6c6f677374617465 00000001".replace(' ', "");
        assert_eq!(hex[..24], header);
        let expected = "25 01 00000000000000ff 00000009 0000000000000102 0000000000000003 0000000000000004 01";
        assert_eq!(hex[32..32 + 78], expected.replace(' ', ""));
        assert_eq!(bytes.len(), 16 + 43, "the size that the document gives");
        let stamp = Stamp { device: 1, inode: 2, size: 3, modified: -4, changed: 5 };
        let (bytes, _) = journal(&[Record::Done(Done { origin: 6, stamp, length: 7, lines: 8 })]);
        assert_eq!(bytes.len(), 16 + 70);
        let cursor = Cursor { source: 0xff, stream: Bytes::from_static(b"p7"), place: Bytes::from_static(b"\x01\x02") };
        let (bytes, _) = journal(&[Record::Cursor(cursor)]);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = "0d 03 00000000000000ff 02 7037 0102";
        assert_eq!(hex[32..32 + 30], expected.replace(' ', ""));
    }

    #[test]
    fn what_is_not_a_journal_is_told_from_one_that_was_not_begun() {
        assert_eq!(decode(b""), Decoded::NotStarted);
        assert_eq!(decode(&[0; 4096]), Decoded::NotStarted);
        for length in 0..HEADER {
            assert_eq!(decode(&header()[..length]), Decoded::NotStarted);
        }
        assert_eq!(decode(b"a shopping list"), Decoded::Foreign);
        assert_eq!(decode(b"a shopping list of some length\n"), Decoded::Foreign);
        let mut later = header();
        later[11] = 2;
        let checksum = check(&later[..12], 0);
        later[12..].copy_from_slice(&checksum);
        assert_eq!(decode(&later), Decoded::Version(2));
    }

    #[test]
    fn a_kind_of_a_later_day_is_passed_over() {
        let stamp = Stamp { device: 1, inode: 2, size: 3, modified: 4, changed: 5 };
        let done = Record::Done(Done { origin: 6, stamp, length: 7, lines: 8 });
        let (mut bytes, _) = journal(std::slice::from_ref(&done));
        let start = bytes.len();
        bytes.extend([3, 77, 1, 2, 3]);
        let checksum = check(&bytes[start..], start as u64);
        bytes.extend(checksum);
        encode(&done, 0, &mut bytes);
        assert_eq!(decode(&bytes), Decoded::Records(vec![done.clone(), done], bytes.len()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_and_each_truncation_gives_the_records_before_it(records in records()) {
            let (bytes, ends) = journal(&records);
            for length in HEADER..=bytes.len() {
                let whole = ends.iter().filter(|&&end| end <= length).count();
                let end = if whole == 0 { HEADER } else { ends[whole - 1] };
                prop_assert_eq!(decode(&bytes[..length]), Decoded::Records(records[..whole].to_vec(), end));
            }
        }

        #[test]
        fn each_flipped_bit_gives_the_records_before_it(records in records(), bit in 0u8..8) {
            let (bytes, ends) = journal(&records);
            for at in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let decoded = decode(&flipped);
                if at < HEADER {
                    prop_assert_eq!(decoded, Decoded::Foreign);
                    continue;
                }
                let whole = ends.iter().filter(|&&end| end <= at).count();
                let end = if whole == 0 { HEADER } else { ends[whole - 1] };
                prop_assert_eq!(decoded, Decoded::Records(records[..whole].to_vec(), end));
            }
        }

        #[test]
        fn anything_can_be_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let _ = decode(&[&header()[..], &bytes].concat());
        }

        #[test]
        fn a_record_at_another_place_is_none(first in extent(), second in extent()) {
            let (bytes, ends) = journal(&[first, second]);
            let moved = [&bytes[..HEADER], &bytes[ends[0]..]].concat();
            prop_assert_eq!(decode(&moved), Decoded::Records(vec![], HEADER));
        }
    }
}
