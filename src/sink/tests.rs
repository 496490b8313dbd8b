//! One suite for every sink that needs no server, compared with the sink in memory; then tests of files.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::memory::MemorySink;
use super::ndjson::NdjsonSink;
use super::null::NullSink;
use super::{Encoding, Outcome, Sink, SinkSpec};
use crate::core::error::Kind;
use crate::core::record::RecordId;
use crate::core::wait::Waits;
use crate::document::{Documents, Encoder};

fn id(number: u64) -> RecordId {
    RecordId::at(1, number * 100, format!("line {number}").as_bytes())
}

/// Returns a batch of the documents with these numbers.
pub(super) fn batch(numbers: impl IntoIterator<Item = u64>) -> Documents {
    let encoder = Encoder::new(&[], None).unwrap();
    let mut documents = Documents::new(Encoding::Json);
    for (line, number) in numbers.into_iter().enumerate() {
        let text = format!("line {number} \0 é \"quoted\"");
        documents.push(line as u32, id(number), |out| {
            encoder.encode_unmatched(Encoding::Json, &id(number), text.as_bytes(), out);
            true
        });
    }
    documents
}

fn store(sink: &dyn Sink, numbers: impl IntoIterator<Item = u64>) -> Vec<Outcome> {
    let documents = batch(numbers);
    let mut outcomes = vec![Outcome::Duplicate; 3];
    sink.store(&documents, &mut outcomes).unwrap();
    assert_eq!(outcomes.len(), documents.len(), "one outcome per document");
    outcomes
}

/// A kind of sink under test: how it is named in a folder, and how its content is read back, in any order.
struct Subject {
    spec: fn(&Path) -> String,
    read: fn(&Path) -> Vec<String>,
    /// Whether the sink recognises duplicates.
    tells_duplicates: bool,
}

fn lines(text: impl AsRef<[u8]>) -> Vec<String> {
    std::str::from_utf8(text.as_ref()).unwrap().lines().map(String::from).collect()
}

fn gunzip(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut text).unwrap();
    text
}

const SUBJECTS: &[Subject] = &[
    Subject {
        spec: |folder| format!("ndjson:{}/out.ndjson", folder.display()),
        read: |folder| lines(std::fs::read(folder.join("out.ndjson")).unwrap()),
        tells_duplicates: false,
    },
    Subject {
        spec: |folder| format!("ndjson:{}/out.ndjson.gz", folder.display()),
        read: |folder| lines(gunzip(&folder.join("out.ndjson.gz"))),
        tells_duplicates: false,
    },
    Subject {
        spec: |folder| format!("ndjson:{}/out.ndjson.zst", folder.display()),
        read: |folder| lines(zstd::decode_all(std::fs::File::open(folder.join("out.ndjson.zst")).unwrap()).unwrap()),
        tells_duplicates: false,
    },
    #[cfg(feature = "sqlite")]
    Subject {
        spec: |folder| format!("sqlite:{}/out.db?table=t", folder.display()),
        read: |folder| {
            let db = rusqlite::Connection::open(folder.join("out.db")).unwrap();
            let mut query = db.prepare("SELECT doc FROM t WHERE doc->>'_id' = _id").unwrap();
            query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        },
        tells_duplicates: true,
    },
];

/// Runs `scenario` on every subject and on the sink in memory. Content and outcomes must be the same. The exception is
/// a subject without an index: it reports a duplicate as stored and holds it twice.
fn on_every_sink(scenario: impl Fn(&dyn Fn() -> Arc<dyn Sink>) -> Vec<Outcome>) {
    let oracle = Arc::new(MemorySink::new(Encoding::Json));
    let expected = scenario(&|| oracle.clone());
    let documents: Vec<_> = oracle.all().into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect();
    let mut ran = 0;
    for subject in SUBJECTS {
        let folder = tempfile::tempdir().unwrap();
        let spec = SinkSpec::parse(&(subject.spec)(folder.path())).unwrap();
        let answers = scenario(&|| {
            let sink = spec.open(&Waits::default()).unwrap();
            assert_eq!(sink.name(), spec.to_string());
            assert_eq!(sink.encoding(), Encoding::Json);
            sink
        });
        let mut stored = (subject.read)(folder.path());
        stored.sort();
        if subject.tells_duplicates {
            assert_eq!(answers, expected, "{spec}");
        } else {
            assert_eq!(answers, vec![Outcome::Stored; expected.len()], "{spec}");
            stored.dedup();
        }
        assert_eq!(stored, documents, "{spec}");
        ran += 1;
    }
    assert!(ran >= 3);
}

#[test]
fn fresh_documents_are_stored() {
    on_every_sink(|open| store(&*open(), 0..300));
}

#[test]
fn an_empty_batch_is_answered_with_nothing() {
    on_every_sink(|open| {
        let sink = open();
        let outcomes = store(&*sink, []);
        sink.close().unwrap();
        outcomes
    });
}

#[test]
fn documents_met_again_are_duplicates() {
    on_every_sink(|open| {
        let sink = open();
        [store(&*sink, [1, 2]), store(&*sink, [2, 3, 1]), store(&*sink, [3])].concat()
    });
}

#[test]
fn a_document_twice_in_one_batch_is_stored_once() {
    on_every_sink(|open| store(&*open(), [5, 6, 5, 5]));
}

#[test]
fn a_sink_opened_again_knows_what_it_holds() {
    on_every_sink(|open| {
        let first = {
            let sink = open();
            let outcomes = store(&*sink, 0..10);
            sink.close().unwrap();
            outcomes
        };
        let second = store(&*open(), 5..15);
        [first, second, store(&*open(), 0..15)].concat()
    });
}

#[test]
fn many_threads_store_at_once_and_every_document_is_there_once() {
    on_every_sink(|open| {
        let sink = open();
        let mut outcomes = Vec::new();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|thread| {
                    let sink = &sink;
                    scope.spawn(move || {
                        (0..6).flat_map(|n| store(&**sink, (0..20).map(|i| thread / 2 * 1000 + n * 20 + i))).collect()
                    })
                })
                .collect();
            for thread in threads {
                let answers: Vec<Outcome> = thread.join().unwrap();
                outcomes.extend(answers);
            }
        });
        // Of two threads with the same documents, either may be first.
        let stored = outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count();
        assert!(stored == 480 || stored == 960, "{stored}");
        outcomes.sort_by_key(|outcome| *outcome == Outcome::Duplicate);
        outcomes
    });
}

#[test]
fn the_null_sink_counts_what_it_drops() {
    let sink = NullSink::new();
    assert_eq!(store(&sink, 0..3), vec![Outcome::Stored; 3]);
    assert_eq!((sink.documents(), sink.bytes()), (3, batch(0..3).bytes().len() as u64));
}

#[test]
fn the_memory_sink_rejects_and_fails_as_told() {
    let sink = MemorySink::new(Encoding::Json);
    sink.reject(id(1), "too odd");
    sink.fail(id(2), 1, "not now");
    let first = store(&sink, [0, 1, 2]);
    assert_eq!(first, [Outcome::Stored, Outcome::Rejected("too odd".into()), Outcome::Failed("not now".into())]);
    let second = store(&sink, [0, 1, 2]);
    assert_eq!(second, [Outcome::Duplicate, Outcome::Rejected("too odd".into()), Outcome::Stored]);
    assert_eq!(sink.get(&id(2)).as_deref(), Some(batch([2]).get(0).bytes));
    assert!(!sink.is_empty());
}

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
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact sink::tests::a_write_that_fails_in_its_middle_is_cut_back_to_the_last_whole_block";
    let output = std::process::Command::new("bash").args(["-c", script]).arg(test).env(CHILD, &path).output().unwrap();
    std::io::stderr().write_all(&output.stdout).unwrap();
    assert!(output.status.success());
    assert_eq!(std::fs::read(&path).unwrap(), [batch([1, 2]).bytes(), batch([3]).bytes()].concat());
}
