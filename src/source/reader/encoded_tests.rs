//! UTF-16, and NULs between records: the records depend on the bytes alone, for all limits of batches and all sizes of reads.

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::tests::read_encoded;
use super::*;
use crate::core::line_end::LineEnd;
use crate::source::binary::GAP;
use crate::source::encodings::{Carrier, EncodingRule, KNOWN_UTF_8};
use crate::source::receiver::BatchSize;

/// A piece of a content.
#[derive(Debug, Clone)]
enum Piece {
    Text(&'static str),
    Long(usize),
    Nuls(usize),
    Byte(u8),
}

const ENDS: [(LineEnd, &str); 3] =
    [(LineEnd::Byte, "utf-8"), (LineEnd::Utf16Le, "utf-16le"), (LineEnd::Utf16Be, "utf-16be")];

fn encoded(text: &str, end: LineEnd) -> Vec<u8> {
    match end {
        LineEnd::Byte => text.as_bytes().to_vec(),
        LineEnd::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        LineEnd::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    }
}

fn content(pieces: &[Piece], end: LineEnd) -> Vec<u8> {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => encoded(text, end),
        Piece::Long(length) => encoded(&"x".repeat(*length), end),
        Piece::Nuls(units) => vec![0; units * end.width()],
        Piece::Byte(byte) => vec![*byte],
    };
    pieces.iter().flat_map(piece).collect()
}

/// The offsets and hashes of the records of `content`, found byte by byte.
fn expected(content: &[u8], end: LineEnd) -> (Vec<(u64, u64)>, u64) {
    let width = end.width();
    let (mut records, mut nuls, mut start, mut at) = (Vec::new(), 0, 0, 0);
    let is_nul = |at: usize| content.get(at..at + width).is_some_and(|unit| unit.iter().all(|byte| *byte == 0));
    let record = |from: usize, to: usize| (from as u64, xxh3_64(end.without(&content[from..to])));
    while at < content.len() {
        let run = (0..).take_while(|index| is_nul(at + index * width)).count() * width;
        if run > 0 && (at == start || run >= GAP) {
            if at > start {
                records.push(record(start, at));
            }
            nuls += run as u64;
            at += run;
            start = at;
        } else if run > 0 {
            at += run;
        } else {
            at = (at + width).min(content.len());
            if content[at - width.min(at - start)..at] == *end.newline() {
                records.push(record(start, at));
                start = at;
            }
        }
    }
    if start < content.len() {
        records.push(record(start, content.len()));
    }
    (records, nuls)
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let text = prop_oneof![
        Just("\n"),
        Just("\r\n"),
        Just("line"),
        Just("\u{a0a}"),
        Just("\u{d0a}\u{a00}"),
        Just("\u{10a}"),
        Just("\u{1f600}"),
        Just("a\nb\n"),
        Just("\r"),
    ];
    let piece = prop_oneof![
        8 => text.prop_map(Piece::Text),
        1 => (20_usize..6000).prop_map(Piece::Long),
        2 => prop_oneof![Just(1_usize), Just(2), Just(255), Just(256), Just(511), Just(512), Just(513), 1_usize..6000]
            .prop_map(Piece::Nuls),
    ];
    prop::collection::vec(piece, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn records_and_their_offsets_depend_on_the_bytes_alone(
        pieces in pieces(), half in any::<bool>(), which in 0_usize..3,
        lines in 1_usize..5, bytes in 1_usize..400, max_line in prop_oneof![Just(40_usize), Just(1 << 20)],
        steps in prop::collection::vec(prop_oneof![1_usize..4, 1_usize..5000], 1..5),
    ) {
        let (end, label) = ENDS[which];
        let mut pieces = pieces;
        if half && end != LineEnd::Byte {
            pieces.push(Piece::Byte(b'h'));
        }
        let content = content(&pieces, end);
        let size = BatchSize { lines, bytes, max_line };
        let rule = EncodingRule::parse(label).unwrap();
        let outcome = read_encoded(&content, &size, &steps, None, usize::MAX, (None, &|| false), rule);
        let (expected, _) = expected(&content, end);
        let mut found: Vec<(u64, u64)> = Vec::new();
        for batch in &outcome.batches {
            for record in batch.records() {
                prop_assert!(record.bytes.len() <= max_line);
                found.push((batch.offset + record.start as u64, xxh3_64(record.bytes)));
            }
        }
        for long in &outcome.long {
            prop_assert!(long.length as usize > max_line);
            found.push((long.offset, long.hash));
        }
        found.sort_unstable();
        prop_assert_eq!(found, expected, "{:?}", pieces);
    }
}

#[test]
fn a_hole_of_a_sparse_file_takes_no_memory_and_is_one_run() {
    struct Hole(u64);
    impl Read for Hole {
        fn read(&mut self, output: &mut [u8]) -> std::io::Result<usize> {
            let text = b"after\n";
            if self.0 == 0 {
                return Ok(0);
            }
            let nuls = (self.0 - 1).min(output.len() as u64) as usize;
            output[..nuls].fill(0);
            self.0 -= nuls as u64;
            if self.0 == 1 && nuls + text.len() <= output.len() {
                output[nuls..nuls + text.len()].copy_from_slice(text);
                self.0 = 0;
                return Ok(nuls + text.len());
            }
            Ok(nuls)
        }
    }
    const BYTES: u64 = 1 << 30;
    let (kept, pool) = (super::tests::Kept::all(), std::sync::Arc::default());
    let (size, rules) = (BatchSize::default(), Default::default());
    let cutter = Cutter {
        size: &size,
        pool: &pool,
        receiver: &kept,
        name: &|beginning| crate::core::context::Origin::new(crate::source::origin::fingerprint(beginning), "x"),
        rules: &rules,
        joint: Default::default(),
        encoding: EncodingRule::Told,
        carrier: Carrier::File,
    };
    let reader = BatchReader { cutter, idle: &|| false, quiet: &|_| false, time: &|| 0, exact: false };
    assert!(matches!(reader.read(&mut Hole(BYTES + 1)).unwrap(), End::Complete));
    let batches = kept.batches.lock().unwrap();
    assert_eq!(
        batches.iter().map(|batch| (batch.offset, &batch.data[..])).collect::<Vec<_>>(),
        [(BYTES, &b"after\n"[..])]
    );
    assert_eq!(batches[0].context.origin.id, crate::source::origin::fingerprint(b"after\n"));
    assert_eq!(*kept.nuls.lock().unwrap(), BYTES);
}

#[test]
fn a_nul_before_each_of_many_lines_takes_linear_time() {
    let content = b"x\n\0".repeat(1 << 17);
    let outcome =
        read_encoded(&content, &BatchSize::default(), &[1 << 18], None, usize::MAX, (None, &|| false), KNOWN_UTF_8);
    assert_eq!(outcome.batches.iter().map(|batch| batch.records as usize).sum::<usize>(), 1 << 17);
}

#[test]
fn a_known_encoding_is_not_guessed() {
    let content = "text\nmore\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for (rule, name) in [(EncodingRule::Told, Some("UTF-16LE")), (KNOWN_UTF_8, None)] {
        let outcome = read_encoded(&content, &BatchSize::default(), &[7], None, usize::MAX, (None, &|| false), rule);
        assert_eq!(outcome.batches[0].context.origin.encoding.as_deref(), name);
    }
}
