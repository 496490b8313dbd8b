//! Cutting, with the smallest bounds and the worst reads.

use std::io;

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::lines;

/// Gives a few bytes at a time, and an error where it is told to.
struct Dribble<'a> {
    content: &'a [u8],
    step: usize,
    broken_at: Option<usize>,
    position: usize,
}

impl Read for Dribble<'_> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let end = self.broken_at.unwrap_or(self.content.len());
        if self.position >= end && self.broken_at.is_some() {
            return Err(io::Error::other("broken"));
        }
        let length = output.len().min(self.step).min(end - self.position);
        output[..length].copy_from_slice(&self.content[self.position..self.position + length]);
        self.position += length;
        Ok(length)
    }
}

#[derive(Default)]
struct Collect {
    got: Mutex<(Vec<Batch>, Vec<LongLine>)>,
    /// The most batches wanted.
    most: Option<usize>,
}

impl Intake for Collect {
    fn batch(&self, batch: Batch) -> bool {
        let mut got = self.got.lock().unwrap();
        if self.most.is_some_and(|most| got.0.len() >= most) {
            return false;
        }
        got.0.push(batch);
        true
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        self.got.lock().unwrap().1.push(line);
        Ok(())
    }
}

fn read(size: &BatchSize, collect: &Collect, content: &mut dyn Read, idle: bool) -> End {
    let reader = BatchReader {
        size,
        pool: &Arc::default(),
        intake: collect,
        name: &|beginning| Origin { id: super::super::origin::fingerprint(beginning), name: "x".into() },
        idle: &|| idle,
    };
    reader.read(content).unwrap()
}

/// Content of short and long lines with every kind of end.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        6 => prop::collection::vec(prop::sample::select(&b"ab\r\0\xff"[..]), 0..6),
        1 => prop::collection::vec(prop::sample::select(&b"ab\r"[..]), 0..60),
        // Longer than the 4096 bytes that are looked at to name a content.
        1 => (4000_usize..9000).prop_map(|length| vec![b'z'; length]),
    ];
    let ends = prop::sample::select(vec![&b"\n"[..], b"\r\n"]);
    (prop::collection::vec((line, ends), 0..12), any::<bool>()).prop_map(|(lines, last_end)| {
        let mut content: Vec<u8> = lines.iter().flat_map(|(line, end)| [line, *end].concat()).collect();
        if !last_end && content.last() == Some(&b'\n') {
            content.pop();
        }
        content
    })
}

/// The lines of `content`: offset, bytes without the end, bytes with it.
fn all_lines(content: &[u8]) -> Vec<(u64, &[u8], &[u8])> {
    let starts: Vec<_> = lines::lines(content).collect();
    let ends = starts.iter().skip(1).map(|line| line.start).chain([content.len()]);
    starts.iter().zip(ends).map(|(line, end)| (line.start as u64, line.bytes, &content[line.start..end])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_line_is_in_one_batch_or_set_aside_and_in_its_place(
        content in contents(),
        (lines, bytes, max_line) in (1_usize..5, 1_usize..40, 1_usize..50),
        step in prop::sample::select(vec![1_usize, 2, 3, 7, 5000, 1 << 20]),
        idle: bool,
    ) {
        let size = BatchSize { lines, bytes, max_line };
        let collect = Collect::default();
        let mut dribble = Dribble { content: &content, step, broken_at: None, position: 0 };
        prop_assert!(matches!(read(&size, &collect, &mut dribble, idle), End::Complete));
        let (batches, long) = collect.got.into_inner().unwrap();
        let expected = all_lines(&content);
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        for batch in &batches {
            prop_assert!(batch.lines > 0 && batch.lines as usize <= lines, "{} lines", batch.lines);
            prop_assert_eq!(batch.lines as usize, lines::count(&batch.data));
            prop_assert_eq!(batch.origin.id, super::super::origin::fingerprint(&content));
            for (start, _, whole) in all_lines(&batch.data) {
                found.push((batch.offset + start, whole.to_vec()));
            }
        }
        let short: Vec<_> = expected.iter().filter(|line| line.1.len() <= max_line).collect();
        prop_assert_eq!(found, short.iter().map(|line| (line.0, line.2.to_vec())).collect::<Vec<_>>());
        let too_long: Vec<_> = expected.iter().filter(|line| line.1.len() > max_line).collect();
        prop_assert_eq!(long.len(), too_long.len());
        for (long, (offset, line, whole)) in long.iter().zip(too_long) {
            prop_assert_eq!(long.offset, *offset);
            prop_assert_eq!(&long.beginning[..], &line[..max_line]);
            prop_assert_eq!(long.length, line.len() as u64);
            prop_assert_eq!(long.length_with_end, whole.len() as u64);
            prop_assert_eq!(long.hash, xxh3_64(line), "the id it would have had with a larger bound");
        }
    }

    #[test]
    fn damage_loses_no_whole_line_before_it_and_delivers_no_cut_one(
        content in contents(),
        (lines, bytes, max_line) in (1_usize..5, 1_usize..40, 1_usize..50),
        step in prop::sample::select(vec![1_usize, 3, 5000]),
        at: prop::sample::Index,
    ) {
        let broken_at = at.index(content.len() + 1);
        let size = BatchSize { lines, bytes, max_line };
        let collect = Collect::default();
        let mut dribble = Dribble { content: &content, step, broken_at: Some(broken_at), position: 0 };
        let end = read(&size, &collect, &mut dribble, false);
        let whole = memchr::memrchr(b'\n', &content[..broken_at]).map_or(0, |newline| newline + 1);
        let (batches, long) = collect.got.into_inner().unwrap();
        let delivered: usize = batches.iter().map(|batch| batch.data.len()).sum();
        let set_aside: u64 = long.iter().map(|line| line.length_with_end).sum();
        prop_assert_eq!(delivered as u64 + set_aside, whole as u64);
        match end {
            End::Damaged { lines, offset, .. } => {
                prop_assert_eq!(offset, whole as u64);
                prop_assert_eq!(lines, lines::count(&content[..whole]) as u64);
            }
            end => prop_assert!(false, "{end:?}"),
        }
    }
}

#[test]
fn a_reader_that_is_not_wanted_any_more_stops() {
    let content = b"a\n".repeat(1000);
    for most in [0, 1, 7] {
        let collect = Collect { most: Some(most), ..Collect::default() };
        let size = BatchSize { lines: 3, bytes: 16, max_line: 10 };
        assert!(matches!(read(&size, &collect, &mut &content[..], false), End::Stopped));
        assert_eq!(collect.got.into_inner().unwrap().0.len(), most);
    }
}

#[test]
fn what_is_there_is_handed_out_while_a_live_input_is_quiet() {
    let collect = Collect::default();
    let mut dribble = Dribble { content: b"one\ntwo\nthr", step: 4, broken_at: Some(11), position: 0 };
    read(&BatchSize::default(), &collect, &mut dribble, true);
    let batches = collect.got.into_inner().unwrap().0;
    let texts: Vec<&[u8]> = batches.iter().map(|batch| &batch.data[..]).collect();
    assert_eq!(texts, [&b"one\n"[..], b"two\n"], "each when it came, not when a batch was full");
}

#[test]
fn blocks_are_used_again() {
    let pool = Arc::new(BlockPool::default());
    let content = b"line\n".repeat(10_000);
    let collect = Collect::default();
    let reader = BatchReader {
        size: &BatchSize { lines: 10, bytes: 64, max_line: 64 },
        pool: &pool,
        intake: &collect,
        name: &|_| Origin { id: 0, name: String::new() },
        idle: &|| false,
    };
    reader.read(&mut &content[..]).unwrap();
    assert!(pool.free.lock().unwrap().len() <= 1, "all are out with batches");
    collect.got.lock().unwrap().0.clear();
    assert_eq!(pool.free.lock().unwrap().len(), FREE_BLOCKS);
}
