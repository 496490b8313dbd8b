//! Every line is delivered once and unchanged, for all limits of batches and all sizes of reads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::core::batch::{Batch, Origin};
use crate::core::lines::{self, count};
use crate::core::record::{Key, RecordId};
use crate::source::encodings::{Carrier, EncodingRule, KNOWN_UTF_8};
use crate::source::joiner::JoinRule;
use crate::source::joint::Joint;
use crate::source::outlet::Outlet;
use crate::source::receiver::{BatchSize, LongLine};
use crate::source::record_rules::RecordRules;

/// Returns a few bytes at a time, and fails at a given offset.
struct Trickle<'a> {
    content: &'a [u8],
    steps: &'a [usize],
    step: usize,
    given: usize,
    breaks_at: Option<usize>,
}

impl Read for Trickle<'_> {
    fn read(&mut self, output: &mut [u8]) -> std::io::Result<usize> {
        self.step += 1;
        if self.step.is_multiple_of(5) {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let end = self.breaks_at.unwrap_or(self.content.len()).min(self.content.len());
        let length = self.steps[self.step % self.steps.len()].min(output.len()).min(end - self.given);
        if length == 0 && self.breaks_at.is_some() {
            return Err(std::io::Error::other("damage"));
        }
        output[..length].copy_from_slice(&self.content[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

/// Keeps the batches, and wants no more after a given number of them.
pub(super) struct Kept {
    pub(super) batches: Mutex<Vec<Batch>>,
    long: Mutex<Vec<LongLine>>,
    pub(super) nuls: Mutex<u64>,
    wanted: usize,
}

impl Kept {
    pub(super) fn all() -> Kept {
        Kept { batches: Mutex::default(), long: Mutex::default(), nuls: Mutex::default(), wanted: usize::MAX }
    }
}

impl Outlet for Kept {
    fn batch(&self, batch: Batch) -> bool {
        let mut batches = self.batches.lock().unwrap();
        assert!(batches.len() < self.wanted, "a batch after no more was wanted");
        batches.push(batch);
        batches.len() < self.wanted
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        self.long.lock().unwrap().push(line);
        Ok(())
    }

    fn leave_out_nuls(&self, bytes: u64) {
        *self.nuls.lock().unwrap() += bytes;
    }
}

pub(super) struct Outcome {
    pub(super) batches: Vec<Batch>,
    pub(super) long: Vec<LongLine>,
    pub(super) end: End,
}

fn read(content: &[u8], size: &BatchSize, steps: &[usize], breaks_at: Option<usize>, wanted: usize) -> Outcome {
    read_joined(content, size, steps, breaks_at, wanted, None, &|| false)
}

/// Reads with a rule that joins lines. `quiet` says whether the input gives no more data for the time of that rule.
pub(super) fn read_joined(
    content: &[u8],
    size: &BatchSize,
    steps: &[usize],
    breaks_at: Option<usize>,
    wanted: usize,
    join: Option<&JoinRule>,
    quiet: &dyn Fn() -> bool,
) -> Outcome {
    read_encoded(content, size, steps, breaks_at, wanted, (join, quiet), KNOWN_UTF_8)
}

/// Reads a content whose encoding is found by a rule.
pub(super) fn read_encoded(
    content: &[u8],
    size: &BatchSize,
    steps: &[usize],
    breaks_at: Option<usize>,
    wanted: usize,
    (join, quiet): (Option<&JoinRule>, &dyn Fn() -> bool),
    encoding: EncodingRule,
) -> Outcome {
    let kept = Kept { wanted, ..Kept::all() };
    let named = AtomicUsize::new(0);
    let name = |beginning: &[u8]| {
        assert_eq!(named.fetch_add(1, Ordering::Relaxed), 0, "an origin is named once");
        Origin::new(super::super::origin::fingerprint(beginning), "x")
    };
    let rules = RecordRules { join: join.cloned(), header: None };
    let (pool, joint) = (Arc::default(), Joint::default());
    let cutter = Cutter {
        size,
        pool: &pool,
        receiver: &kept,
        name: &name,
        rules: &rules,
        joint,
        encoding,
        carrier: Carrier::File,
    };
    let reader =
        BatchReader { cutter, idle: &|| steps[0].is_multiple_of(2), quiet: &|_| quiet(), time: &|| 0, exact: false };
    let end = reader.read(&mut Trickle { content, steps, step: 0, given: 0, breaks_at }).unwrap();
    Outcome { batches: kept.batches.into_inner().unwrap(), long: kept.long.into_inner().unwrap(), end }
}

/// Lines in which the special bytes are frequent. A few lines are longer than a fingerprint.
pub(super) fn content() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(b'\n'), 2 => Just(b'\r'), 6 => b'a'..=b'c', 1 => 1..=u8::MAX];
    let part = prop_oneof![
        30 => prop::collection::vec(byte, 0..12),
        1 => (4000usize..4200).prop_map(|length| vec![b'x'; length]),
        1 => (8000usize..9000).prop_map(|length| vec![b'y'; length]),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

pub(super) fn size() -> impl Strategy<Value = BatchSize> {
    let few = || prop_oneof![4 => 1usize..8, 1 => 8usize..200, 1 => 4000usize..9000];
    (few(), few(), few()).prop_map(|(lines, bytes, max_line)| BatchSize { lines, bytes, max_line })
}

pub(super) fn steps() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![3 => prop::collection::vec(1usize..4, 1..6), 1 => Just(vec![1000]), 1 => Just(vec![1, 5000, 3])]
}

/// Checks the lines that were delivered of the first `whole` bytes of `content` with the limits `size`.
fn check(content: &[u8], whole: usize, size: &BatchSize, outcome: &Outcome) {
    let mut parts: Vec<(u64, Vec<u8>)> =
        outcome.batches.iter().map(|batch| (batch.offset, batch.data.to_vec())).collect();
    let origin = super::super::origin::fingerprint(content);
    for batch in &outcome.batches {
        assert_eq!(batch.context.origin.id, origin);
        assert_eq!(batch.records as usize, count(&batch.data));
        assert!(batch.records > 0 && batch.records as usize <= size.lines, "{} lines", batch.records);
        assert!(batch.data.len() <= size.bytes || batch.records == 1, "{} bytes in {size:?}", batch.data.len());
        assert!(lines::lines(&batch.data).all(|line| line.bytes.len() <= size.max_line));
    }
    for long in &outcome.long {
        let start = long.offset as usize;
        let line = lines::lines(&content[start..]).next().unwrap().bytes;
        assert!(line.len() > size.max_line);
        assert_eq!((long.length, long.hash), (line.len() as u64, xxh3_64(line)));
        assert_eq!(long.beginning, line[..size.max_line]);
        let id = Key::Offset(long.offset).id(origin, long.hash);
        assert_eq!(id, RecordId::at(long.context.origin.id, long.offset, line), "the same id as with a larger bound");
        parts.push((long.offset, content[start..start + long.length_with_end as usize].to_vec()));
    }
    parts.sort();
    let mut joined = Vec::new();
    for (offset, part) in &parts {
        assert_eq!(*offset as usize, joined.len(), "no gap and no overlap");
        joined.extend_from_slice(part);
    }
    assert!(joined == content[..whole], "{} bytes were delivered, not {whole}", joined.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn every_line_is_delivered_once_as_it_stands(content in content(), size in size(), steps in steps()) {
        let outcome = read(&content, &size, &steps, None, usize::MAX);
        prop_assert!(matches!(outcome.end, End::Complete), "{:?}", outcome.end);
        check(&content, content.len(), &size, &outcome);
        let long = lines::lines(&content).filter(|line| line.bytes.len() > size.max_line).count();
        prop_assert_eq!(outcome.long.len(), long);
    }

    #[test]
    fn damage_loses_no_whole_line_before_it(
        content in content(), size in size(), steps in steps(), at in any::<prop::sample::Index>(),
    ) {
        let breaks_at = at.index(content.len() + 1);
        let outcome = read(&content, &size, &steps, Some(breaks_at), usize::MAX);
        let whole = memchr::memrchr(b'\n', &content[..breaks_at]).map_or(0, |newline| newline + 1);
        check(&content, whole, &size, &outcome);
        let End::Damaged { lines, offset, .. } = outcome.end else { panic!("{:?}", outcome.end) };
        prop_assert_eq!((lines as usize, offset as usize), (count(&content[..whole]), whole));
    }

    #[test]
    fn a_reader_stops_at_the_batch_after_which_no_more_is_wanted(
        content in content(), size in size(), steps in steps(), wanted in 1usize..5,
    ) {
        let all = read(&content, &size, &steps, None, usize::MAX);
        let outcome = read(&content, &size, &steps, None, wanted);
        prop_assert_eq!(outcome.batches.len(), all.batches.len().min(wanted));
        prop_assert_eq!(&outcome.batches[..], &all.batches[..outcome.batches.len()]);
        prop_assert_eq!(matches!(outcome.end, End::Stopped { .. }), all.batches.len() >= wanted);
    }

    #[test]
    fn lines_of_chunks_are_the_lines_of_the_whole(content in content(), size in size(), steps in steps()) {
        let size = BatchSize { max_line: 1 << 20, ..size };
        let outcome = read(&content, &size, &steps, None, usize::MAX);
        let got: Vec<(u64, Vec<u8>)> = outcome.batches.iter().flat_map(|batch| {
            lines::lines(&batch.data).map(|line| (batch.offset + line.start as u64, line.bytes.to_vec()))
        }).collect();
        // The rule, written again in the simplest way.
        let mut expected = Vec::new();
        let mut offset = 0;
        for line in content.split_inclusive(|&byte| byte == b'\n') {
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            expected.push((offset, bare.strip_suffix(b"\r").unwrap_or(bare).to_vec()));
            offset += line.len() as u64;
        }
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn a_batch_taken_apart_line_by_line_is_the_same_lines(content in content()) {
        prop_assume!(!content.is_empty());
        let origin = Arc::new(Origin::new(1, "x"));
        let mut rest = Batch::new(origin, 7, count(&content) as u32, content.clone().into());
        let (mut joined, mut lines) = (Vec::new(), 1);
        while let Some(first) = rest.split_first() {
            prop_assert_eq!((first.offset, first.records), (7 + joined.len() as u64, 1));
            joined.extend_from_slice(&first.data);
            lines += 1;
        }
        prop_assert_eq!((rest.offset, rest.records), (7 + joined.len() as u64, 1));
        joined.extend_from_slice(&rest.data);
        prop_assert_eq!(lines, count(&content));
        prop_assert_eq!(joined, content);
    }
}

#[test]
fn a_carriage_return_at_the_border_of_two_reads_belongs_to_the_line_s_end() {
    let mut content = vec![b'z'; 5000];
    content.extend_from_slice(b"\r\nshort\r\n");
    for border in 4998..5003 {
        let size = BatchSize { lines: 10, bytes: 16, max_line: 100 };
        let outcome = read(&content, &size, &[border, border, 1], None, usize::MAX);
        check(&content, content.len(), &size, &outcome);
        assert_eq!(outcome.long[0].length, 5000);
        assert_eq!(outcome.long[0].length_with_end, 5002);
    }
}
