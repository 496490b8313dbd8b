//! Files that are torn, damaged, foreign, locked or full.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::NdjsonSink;
use crate::core::error::Kind;
use crate::core::wait::Waits;
use crate::sink::tests::{batch, store};
use crate::sink::{Outcome, Sink};

/// Returns a file `name` with `content`, in a folder that lives as long as the first value.
fn file_with(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn a_torn_last_line_is_cut_off_and_a_whole_one_gets_its_newline() {
    let documents = batch([1, 2]);
    let whole = documents.bytes();
    let (first, second) = (documents.get(0).bytes.len() + 1, whole.len());
    for length in 0..=second {
        let (_folder, path) = file_with("a.ndjson", &whole[..length]);
        drop(NdjsonSink::open(&path, &Waits::default()).unwrap());
        let kept = match length {
            _ if length >= second - 1 => second,
            _ if length >= first - 1 => first,
            _ => 0,
        };
        assert_eq!(std::fs::read(&path).unwrap(), &whole[..kept], "cut at {length}");
    }
}

#[test]
fn zeros_after_a_power_failure_are_cut_off() {
    let documents = batch([1]);
    let torn = [documents.bytes(), b"{\"_id\":\"00", &[0; 5000]].concat();
    let (_folder, path) = file_with("a.ndjson", torn);
    drop(NdjsonSink::open(&path, &Waits::default()).unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), documents.bytes());
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_alone() {
    for content in ["my diary, first page\nand a last line", "{\"a\":", "\u{1}"] {
        let (_folder, path) = file_with("diary.txt", content);
        let error = NdjsonSink::open(&path, &Waits::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Sink);
        let at = content.rfind('\n').map_or(0, |at| at + 1);
        assert!(error.to_string().contains(&format!("begins at byte {at} has no end")), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn a_torn_last_member_is_cut_off_wherever_it_was_torn() {
    for name in ["a.gz", "a.zst"] {
        let (_folder, path) = file_with(name, "");
        let sink = NdjsonSink::open(&path, &Waits::default()).unwrap();
        store(&sink, [1]);
        let first = std::fs::metadata(&path).unwrap().len() as usize;
        store(&sink, [2, 3]);
        drop(sink);
        let whole = std::fs::read(&path).unwrap();
        for length in first..=whole.len() {
            for zeros in [0, 100] {
                let torn = [&whole[..length], &vec![0; zeros]].concat();
                if zeros > 0 && length != first && length != whole.len() {
                    continue;
                }
                std::fs::write(&path, torn).unwrap();
                drop(NdjsonSink::open(&path, &Waits::default()).unwrap());
                let kept = if length == whole.len() { length } else { first };
                assert_eq!(std::fs::read(&path).unwrap(), &whole[..kept], "{name} cut at {length}");
            }
        }
    }
}

#[test]
fn a_compressed_file_damaged_in_its_middle_is_refused_with_the_byte() {
    for name in ["a.gz", "a.zst"] {
        let (_folder, path) = file_with(name, "");
        let sink = NdjsonSink::open(&path, &Waits::default()).unwrap();
        store(&sink, [1]);
        let first = std::fs::metadata(&path).unwrap().len() as usize;
        store(&sink, [2]);
        store(&sink, [3]);
        drop(sink);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[first] ^= 0xff;
        std::fs::write(&path, &bytes).unwrap();
        let error = NdjsonSink::open(&path, &Waits::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("damaged at byte {first}")), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name} is left alone");
    }
}

#[test]
fn a_file_that_another_sink_writes_to_is_refused() {
    let (_folder, path) = file_with("a.ndjson", "");
    let _first = NdjsonSink::open(&path, &Waits::default()).unwrap();
    let error = NdjsonSink::open(&path, &Waits::default()).unwrap_err();
    assert!(error.to_string().contains("another sink or process"), "{error}");
}

#[test]
fn a_full_disk_is_an_error_that_names_file_and_bytes() {
    let sink = NdjsonSink::open(Path::new("/dev/full"), &Waits::default()).unwrap();
    let documents = batch(0..100);
    let mut outcomes = Vec::new();
    let error = sink.store(&documents, &mut outcomes).unwrap_err();
    assert_eq!(error.kind(), Kind::Sink);
    assert!(outcomes.is_empty(), "nothing is acknowledged");
    let bytes = documents.bytes().len();
    assert!(error.to_string().contains(&format!("ndjson:/dev/full: {bytes} bytes")), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert!(!error.is_broken_pipe());
}

#[test]
fn devices_that_cannot_be_synced_take_documents() {
    let sink = NdjsonSink::open(Path::new("/dev/null"), &Waits::default()).unwrap();
    assert_eq!(store(&sink, 0..10), vec![Outcome::Stored; 10]);
    let again = NdjsonSink::open(Path::new("/dev/null"), &Waits::default()).unwrap();
    assert_eq!(store(&again, 0..10), vec![Outcome::Stored; 10], "and several at once");
}

#[test]
fn a_reader_that_went_away_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let reader = std::thread::spawn({
        let path = path.clone();
        move || drop(std::fs::File::open(path).unwrap())
    });
    let sink = NdjsonSink::open(&path, &Waits::default()).unwrap();
    reader.join().unwrap();
    let error = sink.store(&batch([1]), &mut Vec::new()).unwrap_err();
    assert!(error.is_broken_pipe(), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_path_buf(), folder.path().join("no/such/folder.ndjson")] {
        let error = NdjsonSink::open(&path, &Waits::default()).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

/// A write that fails in its middle on a real file. A limit on the file size makes the write fail. The test runs in a
/// child process, because the limit and its signal apply to a whole process.
#[test]
fn a_write_that_fails_in_its_middle_is_cut_back_to_the_last_whole_block() {
    const CHILD: &str = "LOGATOR_TEST_SMALL_FILE";
    if let Some(path) = std::env::var_os(CHILD) {
        let sink = NdjsonSink::open(Path::new(&path), &Waits::default()).unwrap();
        store(&sink, [1, 2]);
        let before = std::fs::read(&path).unwrap();
        let error = sink.store(&batch(100..2100), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("the file was cut back to there"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        store(&sink, [3]);
        return;
    }
    let (_folder, path) = file_with("a.ndjson", "");
    let test = std::env::current_exe().unwrap();
    // The limit is 64 blocks of 1 KiB or 512 bytes. The signal is ignored, so that the write itself fails.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact sink::ndjson::tests::a_write_that_fails_in_its_middle_is_cut_back_to_the_last_whole_block";
    let output = std::process::Command::new("bash").args(["-c", script]).arg(test).env(CHILD, &path).output().unwrap();
    std::io::stderr().write_all(&output.stdout).unwrap();
    assert!(output.status.success());
    assert_eq!(std::fs::read(&path).unwrap(), [batch([1, 2]).bytes(), batch([3]).bytes()].concat());
}
