//! Compressions, names of inputs, and odd content.

use std::io::{Seek as _, Write as _};

use crate::kit::logs::{access, access_line, bzip2, gzip, xz, zstd};
use crate::kit::workspace::{Workspace, account, objects};

/// Returns the requests in NDJSON text, in order.
fn requests(text: &str) -> Vec<String> {
    objects(text).iter().map(|object| object["request"].as_str().expect("a request").to_owned()).collect()
}

fn pages(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|index| format!("/page/{index}")).collect()
}

#[test]
fn every_compression_is_told_by_its_magic_bytes_in_files_and_on_stdin() {
    let content = access(0..500);
    let members = [gzip(&access(0..200)), gzip(b""), gzip(&access(200..500))].concat();
    let streams = [bzip2(&access(0..200)), bzip2(&access(200..500))].concat();
    let frames = [zstd(&access(0..200)), zstd(&access(200..500))].concat();
    let more = [xz(&access(0..200)), xz(&access(200..500))].concat();
    for (name, bytes) in [("plain", content), ("gzip", members), ("bzip2", streams), ("zstd", frames), ("xz", more)] {
        let place = Workspace::new();
        // The name does not tell the compression.
        place.write("log.txt", &bytes);
        // Documents from standard input have no path and no host.
        let from_file = place.logator(&["log.txt", "-f", "combined", "-j", "1", "--no-source"], b"");
        let from_stdin = place.logator(&["-f", "combined", "-j", "1", "--no-source"], &bytes);
        for (ran, receipt) in [&from_file, &from_stdin] {
            assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
            assert_eq!(account(receipt), [500, 500, 0, 0, 0, 0], "{name}");
            assert_eq!(receipt.bytes, access(0..500).len() as u64, "{name}");
            assert_eq!(requests(&ran.stdout), pages(0..500), "{name}");
        }
        assert_eq!(from_file.0.stdout, from_stdin.0.stdout, "{name}: the ids are the same");
    }
}

#[test]
fn directories_globs_and_stdin_are_read_side_by_side_with_the_offsets_of_each() {
    let place = Workspace::new();
    place.write("logs/a.log", access(0..300));
    place.write("logs/deep/b.log.gz", gzip(&access(1000..1300)));
    place.write("old/c.log.zst", zstd(&access(2000..2300)));
    place.write("old/d.log", access(3000..3300));
    place.write("old/ignored.txt", access(9000..9300));
    let inputs = ["logs", "old/*.log*", "-", "-f", "combined"];
    let (ran, receipt) = place.logator(&inputs, &access(4000..4300));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&receipt), [1500, 1500, 0, 0, 0, 0]);
    let mut ids = std::collections::HashMap::new();
    for object in objects(&ran.stdout) {
        let (request, id) = (object["request"].as_str().unwrap().to_owned(), object["_id"].to_string());
        assert_eq!(ids.insert(request, id), None, "a line came twice");
    }
    assert_eq!(ids.len(), 1500);
    // Each input alone gives the same ids.
    for input in ["logs/a.log", "logs/deep/b.log.gz", "old/c.log.zst", "old/d.log"] {
        let (ran, _) = place.logator(&[input, "-f", "combined"], b"");
        for object in objects(&ran.stdout) {
            assert_eq!(ids[object["request"].as_str().unwrap()], object["_id"].to_string(), "{input}");
        }
    }
}

#[test]
fn a_file_named_twice_is_read_once() {
    let place = Workspace::new();
    place.write("logs/a.log", access(0..10));
    let (ran, receipt) = place.logator(&["logs/a.log", "logs", "logs/*", "-f", "combined"], b"");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [10, 10, 0, 0, 0, 0]));
}

#[test]
fn an_empty_input_is_a_receipt_of_zeros() {
    let place = Workspace::new();
    place.write("empty", b"");
    place.write("empty.gz", gzip(b""));
    std::fs::create_dir(place.path("nothing")).unwrap();
    for arguments in [&[][..], &["empty"], &["empty.gz"], &["empty", "empty.gz"], &["nothing"]] {
        let (ran, receipt) = place.logator(arguments, b"");
        assert_eq!((ran.code, account(&receipt)), (Some(0), [0; 6]), "{arguments:?}: {}", ran.stderr);
        assert!(receipt.agrees && receipt.finished && receipt.errors.is_empty() && receipt.bytes == 0);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn the_last_line_may_lack_its_newline_and_lines_may_end_in_crlf() {
    let place = Workspace::new();
    let unix = access(0..3);
    let unended = &unix[..unix.len() - 1];
    let windows = String::from_utf8(unix.clone()).unwrap().replace('\n', "\r\n");
    let mut last = Vec::new();
    for content in [&unix[..], unended, windows.as_bytes()] {
        let (ran, receipt) = place.logator(&["-f", "combined"], content);
        assert_eq!((ran.code, account(&receipt)), (Some(0), [3, 3, 0, 0, 0, 0]), "{}", ran.stderr);
        assert_eq!(requests(&ran.stdout), pages(0..3));
        assert!(!ran.stdout.contains("\\r"), "{}", ran.stdout);
        last.push(objects(&ran.stdout)[0]["_id"].clone());
    }
    // The first line is at the same offset and has the same bytes.
    assert_eq!(last, [last[0].clone(), last[0].clone(), last[0].clone()]);
}

#[test]
fn nul_bytes_and_invalid_utf8_are_stored_and_flagged() {
    let place = Workspace::new();
    let (ran, receipt) = place.logator(&["-f", "combined"], b"a\0b\nbad \xff\xfe bytes\n");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [2, 0, 0, 2, 0, 0]));
    let documents = objects(&ran.stdout);
    assert_eq!(documents[0]["message"], "a\0b");
    assert_eq!(documents[0]["tags"], serde_json::json!(["_grokparsefailure"]));
    assert_eq!(documents[1]["message"], "bad \u{fffd}\u{fffd} bytes");
    let tags = documents[1]["tags"].as_array().expect("tags");
    assert!(tags.len() == 2 && tags.contains(&"_grokparsefailure".into()), "{tags:?}");
}

#[test]
fn a_line_of_100_mib_is_a_dead_letter_and_memory_stays_flat() {
    let place = Workspace::new();
    let mut file = std::fs::File::create(place.path("long.log")).unwrap();
    file.write_all(&access(0..10)).unwrap();
    let start = file.stream_position().unwrap();
    // NULs would be left out, because they stand between records.
    let piece = vec![b'x'; 1 << 20];
    (0..100).for_each(|_| file.write_all(&piece).unwrap());
    file.write_all(b"\n").unwrap();
    file.write_all(&access(10..20)).unwrap();
    drop(file);
    // The program itself takes this much; a build without optimisation takes more.
    let (_, short) = place.logator(&["-f", "combined"], &access(0..10));
    let (ran, receipt) = place.logator(&["long.log", "-f", "combined"], b"");
    assert_eq!((ran.code, account(&receipt)), (Some(1), [20 + 1, 20, 0, 0, 1, 0]), "{}", ran.stderr);
    assert_eq!(requests(&ran.stdout), pages(0..20));
    let most = short.peak_memory_bytes + (40 << 20);
    assert!(receipt.peak_memory_bytes < most, "{} bytes of memory, {most} allowed", receipt.peak_memory_bytes);
    let letters = place.objects("dead-letters.ndjson");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["reason"], "too_long");
    assert_eq!(letters[0]["length"], 100 << 20);
    assert_eq!(letters[0]["offset"], start);
    assert_eq!(letters[0]["truncated"], true);
    assert_eq!(letters[0]["detail"], "the line has 104857600 bytes, --max-line allows 1048576");
    assert_eq!(letters[0]["raw"].as_str().unwrap().len(), 1 << 20);
}

#[test]
fn max_line_is_kept_to_the_byte() {
    let place = Workspace::new();
    let content = [&b"0123456789\n"[..], b"0123456789a\n", b"0123456789\r\n", b"0123456789ab"].concat();
    let arguments = ["--max-line", "10", "--dead-letters", "letters", "-p", "%{GREEDYDATA:all}"];
    let (ran, receipt) = place.logator(&arguments, &content);
    assert_eq!((ran.code, account(&receipt)), (Some(1), [4, 2, 0, 0, 2, 0]), "{}", ran.stderr);
    assert_eq!(receipt.bytes, content.len() as u64);
    let letters = place.objects("letters");
    let at = |index: usize| (letters[index]["offset"].as_u64().unwrap(), letters[index]["length"].as_u64().unwrap());
    assert_eq!((at(0), at(1)), ((11, 11), (35, 12)));
    assert!(!place.path("dead-letters.ndjson").exists());
}

#[test]
fn a_million_empty_lines_add_up() {
    let place = Workspace::new();
    place.write("empty-lines", vec![b'\n'; 1_000_000]);
    let arguments = ["empty-lines", "-f", "combined", "--to", "null:", "--unmatched"];
    for (unmatched, code, expected) in
        [("keep", 0, [1_000_000, 0, 0, 1_000_000, 0, 0]), ("drop", 0, [1_000_000, 0, 0, 0, 0, 1_000_000])]
    {
        let (ran, receipt) = place.logator(&[&arguments[..], &[unmatched]].concat(), b"");
        assert_eq!((ran.code, account(&receipt)), (Some(code), expected), "{unmatched}: {}", ran.stderr);
        assert_eq!(receipt.bytes, 1_000_000);
    }
}

#[test]
fn an_unmatched_line_is_kept_set_aside_or_dropped() {
    let content = [access(0..2), b"no access line\n".to_vec(), access(2..4)].concat();
    for (what, code, expected, documents) in [
        ("keep", 0, [5, 4, 0, 1, 0, 0], 5),
        ("dead-letter", 1, [5, 4, 0, 0, 1, 0], 4),
        ("drop", 0, [5, 4, 0, 0, 0, 1], 4),
    ] {
        let place = Workspace::new();
        let arguments = ["-f", "combined", "--multiline", "none", "--unmatched", what];
        let (ran, receipt) = place.logator(&arguments, &content);
        assert_eq!((ran.code, account(&receipt)), (Some(code), expected), "{what}: {}", ran.stderr);
        assert_eq!(objects(&ran.stdout).len(), documents, "{what}");
        assert_eq!(place.path("dead-letters.ndjson").exists(), what == "dead-letter");
        if what == "dead-letter" {
            let letters = place.objects("dead-letters.ndjson");
            assert_eq!(letters.len(), 1);
            assert_eq!(letters[0]["raw"], "no access line");
            assert_eq!(letters[0]["reason"], "unmatched");
            assert_eq!(letters[0]["offset"], (access_line(0).len() + access_line(1).len() + 2) as u64);
        }
    }
}
