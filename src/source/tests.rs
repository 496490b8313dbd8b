//! Tests that read compressed files in the same way as `logator` reads them.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::api::{RunContext, Source};
use super::decompress::{Compression, MAGIC_BYTES};
use super::file::FileSource;
use super::heading::{HeaderLine, HeaderRule};
use super::reading::beginning;
use super::receiver::{BatchReceiver, BatchSize, LongLine};
use super::record_rules::RecordRules;
use super::*;
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::core::offered::Offered;
use crate::state::Memory;
use crate::state::store::Store;

#[derive(Default)]
struct Kept(Mutex<Vec<u8>>);

impl BatchReceiver for Kept {
    fn offer(&self, batch: Batch) -> Offered {
        let mut content = self.0.lock().unwrap();
        assert_eq!(batch.offset as usize, content.len());
        content.extend_from_slice(&batch.data);
        Offered::Taken
    }

    fn long_line(&self, _: LongLine) -> Result<()> {
        panic!("no line is too long here")
    }
}

const ALL: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Bzip2, Compression::Xz];

fn compress(compression: Compression, content: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => content.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => {
            // The checksum is on, as in the program zstd.
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
    }
}

/// Lines that cannot be compressed to almost nothing.
fn content(lines: usize) -> Vec<u8> {
    let line = |number: usize| format!("{number} {:016x}\n", xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes()));
    (0..lines).map(line).collect::<String>().into_bytes()
}

fn run(path: &Path, options: &ReadOptions, receiver: &dyn BatchReceiver) -> Vec<Error> {
    let (pool, progress) = (Arc::default(), Progress::default());
    FileSource::new(path).run(&RunContext { options, pool: &pool, receiver, progress: &progress }).errors
}

fn read_file(bytes: &[u8]) -> (Vec<u8>, Vec<Error>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let kept = Kept::default();
    let errors = run(file.path(), &ReadOptions::default(), &kept);
    (kept.0.into_inner().unwrap(), errors)
}

/// The bytes that can be decompressed before the damage. They are read one at a time, so that an error takes no bytes
/// with it.
fn decodable(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    if let Ok(mut reader) = compression.reader(bytes) {
        let mut byte = [0];
        while let Ok(1) = reader.read(&mut byte) {
            content.push(byte[0]);
        }
    }
    content
}

#[test]
fn every_compression_is_told_by_its_beginning_and_undone() {
    for compression in ALL {
        for lines in [1, 2, 30_000] {
            let content = content(lines);
            let bytes = compress(compression, &content);
            assert_eq!(Compression::of(&bytes[..bytes.len().min(MAGIC_BYTES)]), compression);
            let mut rest = &bytes[..];
            let told = beginning(&mut rest).unwrap();
            assert_eq!(Compression::of(&told), compression, "told by single bytes");
            assert_eq!([&told[..], rest].concat(), bytes, "no byte is taken for good");
            let (read, errors) = read_file(&bytes);
            assert!(errors.is_empty(), "{errors:?}");
            assert!(read == content, "{} of {lines} lines", compression.name());
        }
    }
}

#[test]
fn files_that_were_joined_are_read_as_one() {
    for compression in ALL {
        let parts = [content(3), content(5000), content(1)];
        let joined: Vec<u8> = parts.iter().flat_map(|part| compress(compression, part)).collect();
        let (read, errors) = read_file(&joined);
        assert!(errors.is_empty(), "{}: {errors:?}", compression.name());
        assert!(read == parts.concat(), "{}", compression.name());
    }
}

#[test]
fn an_empty_content_has_no_line_and_is_no_error() {
    for compression in ALL {
        let (read, errors) = read_file(&compress(compression, b""));
        assert!(read.is_empty() && errors.is_empty(), "{}: {errors:?}", compression.name());
    }
}

#[test]
fn padding_of_gzip_and_xz_and_skippable_zstd_frames_are_passed_over() {
    let text = content(10);
    let gzip = compress(Compression::Gzip, &text);
    let xz = compress(Compression::Xz, &text);
    let zstd = compress(Compression::Zstd, &text);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let twice = [text.clone(), text].concat();
    for bytes in [
        [&gzip[..], &[0; 100], &gzip, &[0; 512]].concat(),
        [&xz[..], &[0; 8], &xz, &[0; 4]].concat(),
        [&skippable[..], &zstd, &skippable, &zstd, &skippable].concat(),
    ] {
        let (read, errors) = read_file(&bytes);
        assert!(errors.is_empty(), "{errors:?}");
        assert!(read == twice);
    }
}

/// Checks that every whole line that can be decompressed is delivered, and that there is an error.
fn check_damaged(compression: Compression, bytes: &[u8], what: &str) {
    let (read, errors) = read_file(bytes);
    let before = decodable(compression, bytes);
    let whole = memchr::memrchr(b'\n', &before).map_or(0, |newline| newline + 1);
    assert_eq!(errors.len(), 1, "{what}: an error is said");
    assert!(read.len() >= whole, "{what}: {} bytes of {whole} were delivered", read.len());
    assert!(read.starts_with(&before[..whole]), "{what}");
}

#[test]
fn a_truncated_file_gives_every_whole_line_that_was_there_and_an_error() {
    for compression in ALL.into_iter().filter(|&compression| compression != Compression::None) {
        let bytes = [compress(compression, &content(4000)), compress(compression, &content(300))].concat();
        let first = compress(compression, &content(4000)).len();
        let mut cuts: Vec<usize> = (8..bytes.len()).step_by(bytes.len() / 40).collect();
        cuts.extend([first - 1, first - 9, first + 5, first + 20, bytes.len() - 1, bytes.len() - 5]);
        for cut in cuts.into_iter().filter(|&cut| cut != first) {
            check_damaged(compression, &bytes[..cut], &format!("{} cut to {cut}", compression.name()));
        }
    }
}

/// Only gzip keeps this promise. The readers of the other libraries drop the bytes of the read that meets the damage.
/// The lines do not count as delivered, and there is an error.
#[test]
fn a_wrong_byte_in_the_middle_of_gzip_takes_no_line_before_it_along() {
    let first = compress(Compression::Gzip, &content(4000));
    let mut bytes = [&first[..], &first].concat();
    for byte in &mut bytes[first.len() + first.len() / 2..][..40] {
        *byte ^= 0x55;
    }
    check_damaged(Compression::Gzip, &bytes, "gzip");
}

#[test]
fn a_wrong_byte_is_an_error_in_every_compression() {
    for compression in ALL.into_iter().filter(|&compression| compression != Compression::None) {
        let text = content(4000);
        let mut bytes = compress(compression, &text);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        let (read, errors) = read_file(&bytes);
        assert_eq!(errors.len(), 1, "{}", compression.name());
        assert!(read.len() <= text.len(), "{}", compression.name());
    }
}

#[test]
fn a_journal_export_is_read_as_lines_and_its_damage_is_told() {
    let export = b"__CURSOR=s=1;i=1\nMESSAGE=one\n\n__CURSOR=s=1;i=2\nMESSAGE\n\x03\0\0\0\0\0\0\0two\n\n";
    let lines = "{\"__CURSOR\":\"s=1;i=1\",\"MESSAGE\":\"one\"}\n{\"__CURSOR\":\"s=1;i=2\",\"MESSAGE\":\"two\"}\n";
    let (content, errors) = read_file(export);
    assert_eq!((String::from_utf8(content).unwrap().as_str(), errors.len()), (lines, 0));
    let (content, errors) = read_file(&export[..export.len() - 1]);
    assert_eq!(String::from_utf8(content).unwrap(), lines.lines().next().unwrap().to_owned() + "\n");
    let said = errors[0].to_string();
    let place = format!("damaged journal export at byte {}; the 1 lines before it", export.len() - 1);
    assert!(said.contains(&place), "{said}");
}

/// The batches of a content, as they are delivered.
#[derive(Default)]
struct Parts(Mutex<Vec<Batch>>);

impl BatchReceiver for Parts {
    fn offer(&self, batch: Batch) -> Offered {
        self.0.lock().unwrap().push(batch);
        Offered::Taken
    }

    fn long_line(&self, _: LongLine) -> Result<()> {
        panic!("no line is too long here")
    }
}

/// The queue counts the bytes of a batch. A batch may hold at most twice as many bytes of memory.
#[test]
fn a_block_that_a_long_line_made_larger_is_not_held_by_a_small_batch() {
    let size = BatchSize { lines: 20, bytes: 1 << 10, max_line: 1 << 20 };
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let long = [&vec![b'x'; 300 << 10][..], b"\n"].concat();
    file.write_all(&[&content(50)[..], &long, &content(20_000), &long, &content(10)].concat()).unwrap();
    let parts = Parts::default();
    let options = ReadOptions { size: size.clone(), ..ReadOptions::default() };
    assert!(run(file.path(), &options, &parts).is_empty());
    let parts = parts.0.into_inner().unwrap();
    assert!(parts.len() > 100);
    let small: Vec<&Batch> = parts.iter().filter(|batch| batch.data.len() < size.bytes / 2).collect();
    let large: Vec<&Batch> = parts.iter().filter(|batch| batch.data.len() > size.bytes).collect();
    assert!(!small.is_empty() && large.len() == 2);
    // Batches that are adjacent in memory are slices of one block.
    for pair in parts.windows(2) {
        let end = pair[0].data.as_ptr_range().end;
        let together = end == pair[1].data.as_ptr();
        let both = pair[0].data.len() + pair[1].data.len();
        assert!(!together || both <= size.bytes, "{both} bytes of one block");
    }
}

#[derive(Debug)]
struct Hash;

impl HeaderRule for Hash {
    fn is_header(&self, line: &HeaderLine<'_>) -> bool {
        line.beginning.starts_with(b"#")
    }
}

/// Takes some batches, and keeps them with their headers.
struct First(Mutex<Vec<Batch>>, usize);

impl BatchReceiver for First {
    fn offer(&self, batch: Batch) -> Offered {
        let mut taken = self.0.lock().unwrap();
        if taken.len() == self.1 {
            return Offered::Stopped;
        }
        taken.push(batch);
        Offered::Taken
    }

    fn long_line(&self, _: LongLine) -> Result<()> {
        panic!("no line is too long here")
    }
}

#[test]
fn a_run_that_resumes_amid_a_file_finds_the_header_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.log");
    std::fs::write(&path, "#one\na\nb\n#two\n#more\nc\nd\n").unwrap();
    let header = |batch: &Batch| String::from_utf8_lossy(batch.context.header.as_deref().unwrap_or(b"-")).into_owned();
    let mut seen = Vec::new();
    for most in [2, 1, 9] {
        let store = Arc::new(Store::open(&folder.path().join("state"), Box::new(|_| ())).unwrap());
        let options = ReadOptions {
            size: BatchSize { lines: 1, ..BatchSize::default() },
            memory: Some(Arc::clone(&store) as Arc<dyn Memory>),
            records: RecordRules { header: Some(Arc::new(Hash)), ..RecordRules::default() },
            ..ReadOptions::default()
        };
        let receiver = First(Mutex::default(), most);
        run(&path, &options, &receiver);
        let batches = receiver.0.into_inner().unwrap();
        store.settle(&batches);
        seen.extend(batches.iter().map(|batch| (String::from_utf8_lossy(&batch.data).into_owned(), header(batch))));
    }
    let expected = [
        ("#one\n", "-"),
        ("a\n", "#one\n"),
        ("b\n", "#one\n"),
        ("#two\n", "#one\n"),
        ("#more\n", "#one\n"),
        ("c\n", "#two\n#more\n"),
        ("d\n", "#two\n#more\n"),
    ];
    assert_eq!(seen, expected.map(|(line, header)| (line.to_owned(), header.to_owned())));
}
