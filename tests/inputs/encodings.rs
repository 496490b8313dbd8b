//! UTF-16 and other encodings, byte order marks and colours: documents have text in UTF-8, ids are made from the bytes.

use std::io::Write as _;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::workspace::{Running, Workspace, account, objects};
use crate::kit::{PATIENCE, wait_for};

const PATTERN: &str = "^%{INT:n:int} %{GREEDYDATA:text}$";

fn le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The field `text` of each document, in the order of the documents.
fn texts(documents: &[Value]) -> Vec<String> {
    documents.iter().map(|document| document["text"].as_str().unwrap_or_default().to_owned()).collect()
}

fn ids(documents: &[Value]) -> Vec<String> {
    documents.iter().map(|document| document["_id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Lines with characters whose bytes hold a newline, and outside of the basic plane.
const LINES: &str = "1 plain\r\n2 \u{a0a}\u{a0d}\u{d0a} inside\r\n3 \u{1f600} café 日本\n4 last";

#[test]
fn utf_16_is_read_with_and_without_a_mark_and_in_all_ways() {
    let expected = ["plain", "\u{a0a}\u{a0d}\u{d0a} inside", "\u{1f600} café 日本", "last"];
    for (name, content) in [
        ("le with a mark", le(&format!("\u{feff}{LINES}"))),
        ("be with a mark", be(&format!("\u{feff}{LINES}"))),
        ("le", le(LINES)),
        ("be", be(LINES)),
    ] {
        let place = Workspace::new();
        place.write("a.log", &content);
        place.write("a.log.gz", gzip(&content));
        let (ran, receipt) = place.logator(&["a.log", "-p", PATTERN, "--to", "ndjson:out"], b"");
        assert_eq!((ran.code, account(&receipt)), (Some(0), [4, 4, 0, 0, 0, 0]), "{name}: {}", ran.stderr);
        let documents = place.objects("out");
        assert_eq!(texts(&documents), expected, "{name}");
        // The same bytes have the same ids, whatever way they come.
        for (number, input) in
            [&["a.log.gz"][..], &["a.log", "--batch-lines", "1"], &["a.log", "--batch-bytes", "7", "-j", "4"], &["-"]]
                .into_iter()
                .enumerate()
        {
            let again = format!("again-{number}");
            let to = format!("ndjson:{again}");
            let (ran, receipt) = place.logator(&[input, &["-p", PATTERN, "--to", &to]].concat(), &content);
            assert_eq!(account(&receipt), [4, 4, 0, 0, 0, 0], "{name} {input:?}: {}", ran.stderr);
            // The bytes of a newline within a character end no line.
            assert_eq!(receipt.lines, 4, "{name} {input:?}");
            assert_eq!(ids(&place.objects(&again)), ids(&documents), "{name} {input:?}");
        }
        // logator grok sees the same text.
        let ran = place.run("logator", &["grok", PATTERN, "a.log"], b"");
        assert_eq!(texts(&objects(&ran.stdout)), expected, "{name}: {}", ran.stderr);
    }
}

#[test]
fn utf_16_goes_over_the_wire() {
    let place = Workspace::new();
    place.write("a.log", le(&format!("\u{feff}{LINES}")));
    let (_, receipt) = place.logator(&["a.log", "-p", PATTERN, "--to", "ndjson:local"], b"");
    assert_eq!(receipt.tally.stored, 4);
    let queue = place.queue(&["a.log"]);
    let worker = place.worker(&["-p", PATTERN, "--to", "ndjson:remote"]);
    assert_eq!((worker.end().code, queue.end().code), (Some(0), Some(0)));
    assert_eq!(place.objects("remote"), place.objects("local"));
}

#[test]
fn what_cannot_be_decoded_is_replaced_and_tagged_and_dead_letters_keep_the_bytes() {
    let place = Workspace::new();
    let mut content = le("1 a\n2 b\n");
    content.extend([b'3', 0, b' ', 0, 0x3d, 0xd8, b'\n', 0]);
    // The content ends within a character, and then within a unit.
    content.extend(le("4 x"));
    content.extend([0x3d]);
    place.write("a.log", &content);
    let arguments = ["a.log", "-p", PATTERN, "--to", "ndjson:out"];
    let (ran, receipt) = place.logator(&arguments, b"");
    assert_eq!(account(&receipt), [4, 4, 0, 0, 0, 0], "{}", ran.stderr);
    let documents = place.objects("out");
    assert_eq!(texts(&documents), ["a", "b", "\u{fffd}", "x\u{fffd}"]);
    let tags: Vec<bool> = documents.iter().map(|document| document.get("tags").is_some()).collect();
    assert_eq!(tags, [false, false, true, true]);

    // A dead letter has the bytes and the encoding, so its replay makes the same document under the same id.
    let (ran, _) = place.logator(&["a.log", "-p", "^never$", "--unmatched", "dead-letter", "--to", "ndjson:none"], b"");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let letters = place.objects("dead-letters.ndjson");
    assert_eq!(letters[0]["origin"]["encoding"], "UTF-16LE");
    let again = ["replay", "dead-letters.ndjson", "-p", PATTERN, "--to", "ndjson:again", "--dead-letters", "more"];
    let ran = place.run("logator", &again, b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(place.objects("again"), documents);
}

#[test]
fn a_label_names_any_other_encoding_and_a_wrong_one_is_refused() {
    for (label, content, text) in [
        ("windows-1252", &b"1 caf\xe9 \x80\n"[..], "café €"),
        ("latin1", b"1 caf\xe9\n", "café"),
        ("shift_jis", b"1 \x83\x8d\x83O\n", "ログ"),
        ("gbk", b"1 \xc8\xd5\xd6\xbe\n", "日志"),
        ("iso-2022-jp", b"1 \x1b$B%m%0\x1b(B\n", "ログ"),
        ("koi8-r", b"1 \xcc\xcf\xc7\n", "лог"),
        ("utf-16be", &be("1 日本\n"), "日本"),
        // A mark counts more than the label.
        ("windows-1252", &le("\u{feff}1 日本\n"), "日本"),
        ("windows-1252", "\u{feff}1 café\n".as_bytes(), "café"),
    ] {
        let place = Workspace::new();
        place.write("a.log", content);
        let arguments = ["a.log", "--encoding", label, "-p", PATTERN, "--to", "ndjson:out"];
        let (ran, receipt) = place.logator(&arguments, b"");
        assert_eq!(account(&receipt), [1, 1, 0, 0, 0, 0], "{label}: {}", ran.stderr);
        assert_eq!(texts(&place.objects("out")), [text], "{label}");
    }
    let place = Workspace::new();
    place.write("a.log", "1 a\n");
    let ran = place.run("logator", &["run", "a.log", "--encoding", "utf-99"], b"");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("windows-1252") && ran.stderr.contains("shift_jis"), "{}", ran.stderr);
}

/// A mark at the beginning stands before the first line in a file, in gzip and on standard input. It is a part of the id.
#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let place = Workspace::new();
    let content = "\u{feff}{\"text\":\"a\"}\n{\"text\":\"b\"}\n".as_bytes();
    place.write("a.json", content);
    place.write("a.json.gz", gzip(content));
    for input in ["a.json", "a.json.gz"] {
        let (ran, receipt) = place.logator(&[input, "-f", "ndjson", "--to", &format!("ndjson:{input}.out")], b"");
        assert_eq!(account(&receipt), [2, 2, 0, 0, 0, 0], "{}", ran.stderr);
        assert_eq!(texts(&place.objects(&format!("{input}.out"))), ["a", "b"]);
    }
    assert_eq!(ids(&place.objects("a.json.out")), ids(&place.objects("a.json.gz.out")));
}

#[test]
fn colours_are_no_part_of_matches_and_fields_and_the_ids_are_those_of_the_bytes() {
    let place = Workspace::new();
    let content =
        "\x1b[32m1\x1b[0m \x1b[1mbold\x1b(B\x1b[m \x1b]8;;http://a/\x1b\\link\x1b]8;;\x1b\\\n\x1b[31mno match\x1b[0m\n";
    place.write("a.log", content);
    let (ran, receipt) = place.logator(&["a.log", "-p", PATTERN, "--to", "ndjson:out"], b"");
    assert_eq!(account(&receipt), [2, 1, 0, 1, 0, 0], "{}", ran.stderr);
    let documents = place.objects("out");
    assert_eq!((&documents[0]["n"], &documents[0]["text"]), (&json!(1), &json!("bold link")));
    assert_eq!(documents[1]["message"], "no match");

    let kept = ["a.log", "-p", "%{GREEDYDATA:text}", "--keep-ansi", "--to", "ndjson:kept"];
    let (_, receipt) = place.logator(&kept, b"");
    assert_eq!(receipt.tally.stored, 2);
    let with = place.objects("kept");
    assert_eq!(texts(&with).join("\n") + "\n", content);
    assert_eq!(ids(&with), ids(&documents));

    let ran = place.run("logator", &["grok", PATTERN, "a.log"], b"");
    assert_eq!(objects(&ran.stdout)[0]["text"], "bold link", "{}", ran.stderr);
}

#[test]
fn colours_inside_of_envelopes_are_left_out() {
    let place = Workspace::new();
    let coloured = "\x1b[32m1\x1b[0m green";
    let wrapped =
        json!({ "log": format!("{coloured}\n"), "stream": "stdout", "time": "2026-01-02T03:04:05.000000001Z" });
    let syslog = format!("Jan  2 03:04:05 host app: {coloured}");
    for (name, content, more) in [
        ("json-file", format!("{wrapped}\n"), &[][..]),
        ("cri", format!("2026-01-02T03:04:05.000000001Z stdout F {coloured}\n"), &[]),
        ("syslog", format!("{syslog}\n"), &["-f", "syslog"]),
    ] {
        place.write(name, content);
        let pattern = if more.is_empty() { &["-p", PATTERN][..] } else { more };
        let to = format!("ndjson:{name}.out");
        let (ran, receipt) = place.logator(&[&[name, "--to", &to][..], pattern].concat(), b"");
        assert_eq!(receipt.tally.stored, 1, "{name}: {}", ran.stderr);
        let document = place.objects(&format!("{name}.out")).remove(0);
        assert!(!document.to_string().contains("\\u001b"), "{name}: {document}");
        if more.is_empty() {
            assert_eq!(document["text"], "green", "{name}");
        }
    }
}

/// Starts to follow `a.log`. The documents go to `out`.
fn follow(place: &Workspace, arguments: &[&str]) -> Running {
    let fixed = ["run", "--follow", "a.log", "-p", PATTERN, "--receipt", "receipt", "--to", "ndjson:out"];
    let mut running = place.start("logator", &[&fixed, arguments].concat());
    running.wait_ready();
    running
}

fn wait_for_documents(place: &Workspace, count: usize) {
    let there = || std::fs::read_to_string(place.path("out")).is_ok_and(|out| out.lines().count() >= count);
    wait_for("documents", PATIENCE, || there().then_some(()));
}

#[test]
fn a_file_in_utf_16_is_followed_byte_by_byte_and_after_a_restart() {
    let place = Workspace::new();
    let (first, second) = ("\u{feff}1 \u{a0a}\r\n2 b\n", "3 \u{1f600}\n4 \u{d0a}d\n");
    let mut file = std::fs::File::create(place.path("a.log")).unwrap();
    let running = follow(&place, &["--state", "state"]);
    le(first).iter().for_each(|byte| file.write_all(&[*byte]).unwrap());
    wait_for_documents(&place, 2);
    running.signal(Signal::SIGTERM);
    running.end_with_input_open();
    assert_eq!(account(&place.receipt("receipt")), [2, 2, 0, 0, 0, 0]);

    let running = follow(&place, &["--state", "state"]);
    le(second).iter().for_each(|byte| file.write_all(&[*byte]).unwrap());
    wait_for_documents(&place, 4);
    running.signal(Signal::SIGTERM);
    running.end_with_input_open();
    let receipt = place.receipt("receipt");
    assert_eq!((account(&receipt), receipt.resumed_lines), ([2, 2, 0, 0, 0, 0], 2));
    assert_eq!(texts(&place.objects("out")), ["\u{a0a}", "b", "\u{1f600}", "\u{d0a}d"]);

    // A run that reads the file once finds the same ids, and with the state nothing to do.
    let (_, receipt) = place.logator(&["a.log", "-p", PATTERN, "--to", "ndjson:once"], b"");
    assert_eq!(account(&receipt), [4, 4, 0, 0, 0, 0]);
    assert_eq!(ids(&place.objects("once")), ids(&place.objects("out")));
    let (_, receipt) = place.logator(&["a.log", "-p", PATTERN, "--state", "state", "--to", "ndjson:out"], b"");
    assert_eq!((receipt.read, receipt.resumed_lines), (0, 4));
}

#[test]
fn records_of_several_lines_are_found_in_utf_16_as_in_utf_8() {
    let trace =
        "2026-01-02 03:04:05 ERROR first\r\n\tat a.B(\u{a0a})\r\nCaused by: x\r\n2026-01-02 03:04:06 INFO second\r\n";
    let documents = |content: &[u8]| {
        let place = Workspace::new();
        place.write("a.log", content);
        let arguments = ["a.log", "-p", "%{TIMESTAMP_ISO8601:time} %{GREEDYDATA:text}", "--to", "ndjson:out"];
        let (ran, receipt) = place.logator(&arguments, b"");
        assert_eq!(account(&receipt), [2, 2, 0, 0, 0, 0], "{}", ran.stderr);
        let mut documents = place.objects("out");
        documents.iter_mut().for_each(|document| drop(document.as_object_mut().unwrap().remove("_id")));
        documents
    };
    let in_utf_8 = documents(trace.as_bytes());
    assert_eq!(texts(&in_utf_8), ["ERROR first", "INFO second"]);
    for content in [le(&format!("\u{feff}{trace}")), be(&format!("\u{feff}{trace}")), le(trace)] {
        let mut found = documents(&content);
        // The lines keep their carriage returns, so only they may differ.
        found.iter_mut().for_each(|document| drop(document.as_object_mut().unwrap().remove("path")));
        let mut expected = in_utf_8.clone();
        expected.iter_mut().for_each(|document| drop(document.as_object_mut().unwrap().remove("path")));
        assert_eq!(found, expected);
    }
}
