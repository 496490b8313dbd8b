//! NULs between records, which truncated files and losses of power leave: they belong to no record, and are counted.

use std::fs::OpenOptions;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, wait_for};

const PATTERN: &str = "^%{WORD:w} %{INT:n:int}$";

fn numbers(documents: &[Value]) -> Vec<i64> {
    documents.iter().filter_map(|document| document["n"].as_i64()).collect()
}

fn ids(documents: &[Value]) -> Vec<&Value> {
    documents.iter().map(|document| &document["_id"]).collect()
}

#[test]
fn nuls_between_records_are_left_out_and_counted_and_nuls_inside_of_a_record_stay() {
    for (content, expected, nuls) in [
        // After a truncation: before the first line.
        ([&[0; 5000][..], b"line 1\nline 2\n"].concat(), vec![1, 2], 5000),
        ([&[0][..], b"line 1\n"].concat(), vec![1], 1),
        // After a loss of power: where a line begins, within a line, and at the end.
        ([&b"line 1\n"[..], &[0; 3], b"line 2\n"].concat(), vec![1, 2], 3),
        ([&b"line 1"[..], &[0; 4000], b"line 2\n"].concat(), vec![1, 2], 4000),
        ([&b"line 1\n"[..], &[0; 4000]].concat(), vec![1], 4000),
        ([&b"line 1"[..], &[0; 512]].concat(), vec![1], 512),
        // Longer than a line may be.
        ([&b"line 1\n"[..], &vec![0; 3 << 20], b"line 2\n"].concat(), vec![1, 2], 3 << 20),
        (vec![0; 100_000], vec![], 100_000),
    ] {
        let place = Workspace::new();
        place.write("a.log", &content);
        let (ran, receipt) = place.logator(&["a.log", "-p", PATTERN, "--to", "ndjson:out"], b"");
        let count = expected.len() as u64;
        assert_eq!(account(&receipt), [count, count, 0, 0, 0, 0], "{}", ran.stderr);
        assert_eq!(ran.code, Some(0));
        if count > 0 {
            assert_eq!(numbers(&place.objects("out")), expected);
        }
        let json: Value = serde_json::from_str(&place.text("receipt")).unwrap();
        assert_eq!(json["nul_bytes"], nuls);
        assert!(ran.stderr.contains("NUL bytes between records were left out"), "{}", ran.stderr);
        // Other sizes of batches and another way to read make the same ids.
        let more = ["-", "-p", PATTERN, "--to", "ndjson:again", "--batch-lines", "1", "--batch-bytes", "100"];
        let (_, receipt) = place.logator(&more, &content);
        assert_eq!(account(&receipt), [count, count, 0, 0, 0, 0]);
        if count > 0 {
            assert_eq!(ids(&place.objects("again")), ids(&place.objects("out")));
        }
    }

    let place = Workspace::new();
    place.write("a.log", b"line\0with\0two\nline 2\n");
    let (_, receipt) = place.logator(&["a.log", "-p", "%{GREEDYDATA:text}", "--to", "ndjson:out"], b"");
    assert_eq!(receipt.tally.stored, 2);
    assert_eq!(place.objects("out")[0]["text"], "line\0with\0two");
    assert!(!place.text("receipt").contains("nul_bytes"));
}

#[test]
fn a_sparse_file_with_a_hole_of_a_gibibyte_is_read_in_little_memory_and_settled_as_a_whole() {
    let place = Workspace::new();
    let file = std::fs::File::create(place.path("a.log")).unwrap();
    file.write_all_at(b"line 1\n", 0).unwrap();
    file.write_all_at(b"line 2\n", 1 << 30).unwrap();
    // The state keeps a file as settled only if its last change is not too near.
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    file.set_modified(past).unwrap();
    let arguments = ["a.log", "-p", PATTERN, "--state", "state", "--to", "ndjson:out"];
    let (ran, receipt) = place.logator(&arguments, b"");
    assert_eq!(account(&receipt), [2, 2, 0, 0, 0, 0], "{}", ran.stderr);
    assert!(receipt.peak_memory_bytes < 200 << 20, "{}", receipt.peak_memory_bytes);
    let (ran, receipt) = place.logator(&arguments, b"");
    assert_eq!((receipt.read, receipt.resumed_lines), (0, 2), "{}", ran.stderr);
    file.write_all_at(b"line 3\n", (1 << 30) + 7).unwrap();
    let (ran, receipt) = place.logator(&arguments, b"");
    assert_eq!((receipt.read, receipt.resumed_lines), (1, 2), "{}", ran.stderr);
    assert_eq!(numbers(&place.objects("out")), [1, 2, 3]);
}

/// A program that writes without O_APPEND goes on at its old offset after its file was copied and truncated, so the file begins
/// with a hole.
#[test]
fn each_line_comes_once_when_a_writer_without_append_is_truncated() {
    for way in ["--follow", "--follow=poll"] {
        let place = Workspace::new();
        let mut writer =
            OpenOptions::new().write(true).create(true).truncate(true).open(place.path("live.log")).unwrap();
        let arguments = ["run", way, "live.log", "-p", PATTERN, "--receipt", "receipt", "--to", "ndjson:out"];
        let mut running = place.start("logator", &arguments);
        running.wait_ready();
        let documents = || std::fs::read_to_string(place.path("out")).unwrap_or_default();
        let mut count = 0;
        for _ in 0..3 {
            for _ in 0..700 {
                writer.write_all(format!("line {count}\n").as_bytes()).unwrap();
                count += 1;
            }
            wait_for("documents", PATIENCE, || (documents().lines().count() >= count).then_some(()));
            std::fs::copy(place.path("live.log"), place.path("live.log.1")).unwrap();
            OpenOptions::new().write(true).open(place.path("live.log")).unwrap().set_len(0).unwrap();
        }
        writer.write_all(b"line 2100\n").unwrap();
        assert!(writer.stream_position().unwrap() > 19_000);
        wait_for("documents", PATIENCE, || (documents().lines().count() > count).then_some(()));
        running.signal(Signal::SIGTERM);
        let ran = running.end_with_input_open();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let mut found = numbers(&place.objects("out"));
        found.sort_unstable();
        assert_eq!(found, (0..=2100).collect::<Vec<i64>>(), "{way}");
        assert_eq!(account(&place.receipt("receipt")), [2101, 2101, 0, 0, 0, 0], "{way}");
    }
}
