//! Records of several lines are the same for all limits of batches and all sizes of reads.

use std::cell::Cell;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::tests::{Outcome, content, read_joined, size, steps};
use crate::core::batch::{Batch, Framing};
use crate::core::error::Result;
use crate::core::lines::without_carriage_return;
use crate::core::offered::Offered;
use crate::core::records::count;
use crate::source::api::{RunContext, Source};
use crate::source::file::FileSource;
use crate::source::joiner::{JoinRule, Joiner, SEEN_BYTES};
use crate::source::receiver::{BatchReceiver, BatchSize, LongLine};
use crate::source::record_rules::RecordRules;
use crate::source::{Progress, ReadOptions};

/// Lines that begin with a blank continue the record before them.
struct Blanks;

impl Joiner for Blanks {
    fn begins_record(&mut self, beginning: &[u8]) -> bool {
        !beginning.starts_with(b" ")
    }
}

/// Decides by all bytes that it sees and by the number of the line.
#[derive(Default)]
struct Random(u64);

impl Joiner for Random {
    fn begins_record(&mut self, beginning: &[u8]) -> bool {
        assert!(beginning.len() <= SEEN_BYTES);
        self.0 += 1;
        (xxh3_64(beginning) ^ self.0).is_multiple_of(3)
    }
}

fn rule(lines: usize, bytes: usize) -> JoinRule {
    JoinRule { lines, bytes, ..JoinRule::new(|| Box::<Random>::default()) }
}

/// The records of `content` and its long lines: offset, bytes with line ends, whether the record is a long line, and whether
/// it is marked as closed.
type Records = Vec<(usize, Vec<u8>, bool, bool)>;

/// The rule, written again in the simplest way.
fn expected(content: &[u8], rule: &JoinRule, max_line: usize) -> Records {
    let mut joiner = (rule.joiner)();
    let (mut records, mut lines, mut offset): (Records, usize, usize) = (Vec::new(), 0, 0);
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        let bare = line.strip_suffix(b"\n").map_or(line, without_carriage_return);
        let begins = joiner.begins_record(&bare[..bare.len().min(SEEN_BYTES)]);
        let is_long = without_carriage_return(line.strip_suffix(b"\n").unwrap_or(line)).len() > max_line;
        match records.last_mut() {
            Some((_, bytes, false, _))
                if !begins && !is_long && lines < rule.lines && bytes.len() + line.len() <= rule.bytes =>
            {
                bytes.extend_from_slice(line);
                lines += 1;
            }
            last => {
                if let Some((_, _, false, closed)) = last {
                    *closed = !begins;
                }
                records.push((offset, line.to_vec(), is_long, false));
                lines = 1;
            }
        }
        offset += line.len();
    }
    records
}

/// The records of `content` that were delivered. Also checks the batches against the limits.
fn delivered(content: &[u8], size: &BatchSize, outcome: &Outcome) -> Records {
    let mut records: Records = Vec::new();
    for batch in &outcome.batches {
        assert_eq!(count(&batch.data, &batch.framing), Ok(batch.records as usize));
        assert!((1..=size.lines).contains(&(batch.records as usize)), "{} records", batch.records);
        assert!(batch.data.len() <= size.bytes || batch.records == 1, "{} bytes in {size:?}", batch.data.len());
        let starts: Vec<usize> = batch.records().map(|record| record.start).chain([batch.data.len()]).collect();
        for (index, ends) in starts.windows(2).enumerate() {
            let bytes = batch.data[ends[0]..ends[1]].to_vec();
            records.push((batch.offset as usize + ends[0], bytes, false, batch.is_closed(index)));
        }
    }
    for long in &outcome.long {
        let start = long.offset as usize;
        records.push((start, content[start..start + long.length_with_end as usize].to_vec(), true, false));
    }
    records.sort();
    let joined: Vec<u8> = records.iter().flat_map(|(_, bytes, ..)| bytes.clone()).collect();
    assert!(content.starts_with(&joined), "every byte is delivered once");
    records
}

/// Batches of lines have no table.
fn check_tables(outcome: &Outcome) {
    for batch in &outcome.batches {
        let starts: Vec<usize> = batch.records().map(|record| record.start).chain([batch.data.len()]).collect();
        let are_lines = (0..starts.len() - 1).all(|index| {
            let bytes = &batch.data[starts[index]..starts[index + 1]];
            memchr::memchr(b'\n', bytes).is_none_or(|at| at + 1 == bytes.len()) && !batch.is_closed(index)
        });
        assert_eq!(batch.framing == Framing::Lines, are_lines, "lines have no table");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 700, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn records_are_the_same_however_the_bytes_come(
        content in content(), size in size(), steps in steps(),
        lines in 1usize..6, bytes in prop_oneof![3 => 1usize..40, 1 => 40usize..9000],
    ) {
        let rule = rule(lines, bytes);
        let outcome = read_joined(&content, &size, &steps, None, usize::MAX, Some(&rule), &|| false);
        let records = delivered(&content, &size, &outcome);
        prop_assert_eq!(&records, &expected(&content, &rule, size.max_line));
        check_tables(&outcome);
        prop_assert!(matches!(outcome.end, super::End::Complete));
    }

    #[test]
    fn damage_loses_no_whole_line_before_it(
        content in content(), size in size(), steps in steps(), at in any::<prop::sample::Index>(), lines in 1usize..6,
    ) {
        let rule = rule(lines, 100);
        let breaks_at = at.index(content.len() + 1);
        let outcome = read_joined(&content, &size, &steps, Some(breaks_at), usize::MAX, Some(&rule), &|| false);
        let whole = memchr::memrchr(b'\n', &content[..breaks_at]).map_or(0, |newline| newline + 1);
        let unmarked = |mut records: Records| {
            records.last_mut().into_iter().for_each(|(.., closed)| *closed = false);
            records
        };
        let due = expected(&content[..whole], &rule, size.max_line);
        prop_assert_eq!(unmarked(delivered(&content, &size, &outcome)), unmarked(due));
        let super::End::Damaged { offset, .. } = outcome.end else { panic!("{:?}", outcome.end) };
        prop_assert_eq!(offset as usize, whole);
    }

    #[test]
    fn a_record_that_ends_by_time_is_whole_lines_and_loses_nothing(
        content in content(), size in size(), steps in steps(), every in 1u32..4, lines in 1usize..6,
    ) {
        let asked = Cell::new(0_u32);
        let quiet = || {
            asked.set(asked.get() + 1);
            asked.get().is_multiple_of(every)
        };
        let outcome = read_joined(&content, &size, &steps, None, usize::MAX, Some(&rule(lines, 100)), &quiet);
        let records = delivered(&content, &size, &outcome);
        prop_assert_eq!(records.iter().map(|(_, bytes, ..)| bytes.len()).sum::<usize>(), content.len());
        let (_, before) = records.split_last().map_or((None, &[][..]), |(last, before)| (Some(last), before));
        prop_assert!(before.iter().all(|(_, bytes, ..)| bytes.ends_with(b"\n")));
    }

    #[test]
    fn a_reader_stops_at_the_batch_after_which_no_more_is_wanted(
        content in content(), size in size(), steps in steps(), wanted in 1usize..5,
    ) {
        let rule = rule(3, 100);
        let all = read_joined(&content, &size, &steps, None, usize::MAX, Some(&rule), &|| false);
        let outcome = read_joined(&content, &size, &steps, None, wanted, Some(&rule), &|| false);
        prop_assert_eq!(&outcome.batches[..], &all.batches[..wanted.min(all.batches.len())]);
        prop_assert_eq!(matches!(outcome.end, super::End::Stopped { .. }), all.batches.len() >= wanted);
    }

    /// A lease that is given back, poison and the line dialogue cut a batch in this way.
    #[test]
    fn a_batch_taken_apart_record_by_record_is_the_same_records(content in content(), lines in 1usize..6) {
        let (size, rule) = (BatchSize::default(), rule(lines, 100));
        let mut outcome = read_joined(&content, &size, &[1000], None, usize::MAX, Some(&rule), &|| false);
        let whole = delivered(&content, &size, &outcome);
        for mut rest in std::mem::take(&mut outcome.batches) {
            while let Some(first) = rest.split_first() {
                prop_assert_eq!(first.records, 1);
                outcome.batches.push(first);
            }
            outcome.batches.push(rest);
        }
        prop_assert_eq!(delivered(&content, &size, &outcome), whole);
    }
}

fn texts(outcome: &Outcome) -> Vec<String> {
    let records = outcome.batches.iter().flat_map(|batch| batch.records());
    records.map(|record| String::from_utf8_lossy(record.bytes).into_owned()).collect()
}

#[test]
fn a_record_stays_open_until_a_line_begins_the_next_or_no_byte_comes() {
    let rule = JoinRule::new(|| Box::new(Blanks));
    assert_eq!((rule.lines, rule.bytes, rule.quiet), (500, 1 << 20, Duration::from_secs(1)));
    let size = BatchSize::default();
    let content = b" alone\r\na\n b\r\nc\n d\n e\r\nf\n g";
    let read = |steps: &[usize], quiet: &dyn Fn() -> bool| {
        texts(&read_joined(content, &size, steps, None, usize::MAX, Some(&rule), quiet))
    };
    let records = [" alone", "a\n b", "c\n d\n e", "f\n g"];
    for step in 1..content.len() {
        assert_eq!(read(&[step], &|| false), records);
    }
    // Each read ends with a line, and each time no byte comes for long enough.
    assert_eq!(read(&[5, 4, 9], &|| true).join("\n"), records.join("\n"));
    let lines = [9, 2, 4, 2, 3, 4, 2, 2];
    // The first step is used for the second read, and each fifth read is interrupted.
    let steps = [lines[7], lines[0], lines[1], lines[2], 1, lines[3], lines[4], lines[5], lines[6], 1];
    let by_time = read(&steps, &|| true);
    assert!(by_time.len() > records.len(), "{by_time:?}");
    assert_eq!(by_time.join("\n"), records.join("\n"));
}

#[test]
fn a_long_record_needs_no_more_memory_than_its_limit_and_one_line() {
    let rule = JoinRule::new(|| Box::new(Blanks));
    let size = BatchSize { bytes: 1 << 10, max_line: 1 << 12, ..BatchSize::default() };
    let line = format!(" {}\n", "x".repeat(99));
    let content = line.repeat(40_000);
    let outcome = read_joined(content.as_bytes(), &size, &[700], None, usize::MAX, Some(&rule), &|| false);
    let lengths: Vec<usize> = texts(&outcome).iter().map(String::len).collect();
    assert_eq!(lengths, vec![500 * line.len() - 1; 80]);
    let few = JoinRule { lines: usize::MAX, bytes: 10_000, ..rule };
    let outcome = read_joined(content.as_bytes(), &size, &[700], None, usize::MAX, Some(&few), &|| false);
    assert!(texts(&outcome).iter().all(|text| text.len() == 99 * line.len() - 1 || text.len() < 99 * line.len()));
    assert_eq!(outcome.batches.iter().map(|batch| batch.data.len()).sum::<usize>(), content.len());
}

/// Sends each batch to the test.
struct Sent(Sender<Batch>);

impl BatchReceiver for Sent {
    fn offer(&self, batch: Batch) -> Offered {
        self.0.send(batch).unwrap();
        Offered::Taken
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        panic!("{line:?}")
    }
}

#[test]
fn the_open_record_of_a_pipe_is_delivered_when_no_byte_comes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let rule = JoinRule { quiet: Duration::from_millis(50), ..JoinRule::new(|| Box::new(Blanks)) };
    let records = RecordRules { join: Some(rule), ..RecordRules::default() };
    let options = ReadOptions { records, ..ReadOptions::default() };
    let (send, batches) = channel();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (pool, progress) = (Arc::default(), Progress::default());
            let context = RunContext { options: &options, pool: &pool, receiver: &Sent(send), progress: &progress };
            let outcome = FileSource::new(&path).run(&context);
            assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
        });
        let mut pipe = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        let mut expect = |bytes: &str, records: &[&str]| {
            pipe.write_all(bytes.as_bytes()).unwrap();
            let mut found = Vec::new();
            while found.len() < records.len() {
                let batch = batches.recv_timeout(Duration::from_secs(60)).unwrap();
                found.extend(batch.records().map(|record| String::from_utf8_lossy(record.bytes).into_owned()));
            }
            assert_eq!(found, records);
        };
        expect("a\n b\n c\nd\n", &["a\n b\n c", "d"]);
        expect(" e\nf\n g\nh", &[" e", "f\n g"]);
        drop(pipe);
        let last = batches.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(last.data, "h");
        reader.join().unwrap();
    });
}
