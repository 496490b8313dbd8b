//! Records of several lines and header lines, read by the real programs.

mod containers;
#[cfg(feature = "sqlite")]
mod kills;
mod live;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kit::logs::gzip;
use crate::kit::workspace::{Workspace, objects};

/// The pattern of the logs of these tests.
const PATTERN: &str = "^%{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} %{GREEDYDATA:text}$";

/// Record number `at`, with the lines of a trace at every third one. Lines may end with a carriage return.
fn record(at: usize) -> String {
    let end = if at % 5 == 4 { "\r\n" } else { "\n" };
    let mut record = format!("2024-02-03 04:05:06,{:03} ERROR order {at} failed{end}", at % 1000);
    if at.is_multiple_of(3) {
        record += &format!("java.lang.IllegalStateException: {at}{end}");
        (0..at % 7).for_each(|line| record += &format!("\tat shop.Order.pay(Order.java:{line}){end}"));
        record += end;
    }
    record
}

fn log(records: usize) -> String {
    (0..records).map(record).collect()
}

/// The documents by their ids. What differs from run to run is left out.
fn by_id(text: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for mut document in objects(text) {
        let id = document["_id"].as_str().expect("an id").to_owned();
        let fields = document.as_object_mut().expect("an object");
        ["path", "host", "log"].iter().for_each(|name| drop(fields.remove(*name)));
        assert!(all.insert(id, document).is_none(), "a document came twice");
    }
    all
}

#[test]
fn documents_do_not_depend_on_batches_workers_compression_or_processes() {
    let place = Workspace::new();
    let records = 1500;
    place.write("app.log", log(records));
    place.write("app.log.gz", gzip(log(records).as_bytes()));
    let members: Vec<u8> = log(records).into_bytes().chunks(777).flat_map(gzip).collect();
    place.write("members.gz", members);
    let mut all: Option<BTreeMap<String, Value>> = None;
    let mut check = |name: &str| {
        let found = by_id(&place.text(name));
        assert_eq!(found.len(), records, "{name}");
        let traces =
            found.values().filter(|document| document["message"].as_str().is_some_and(|text| text.contains('\n')));
        assert_eq!(traces.count(), records.div_ceil(3), "{name}");
        assert!(found.values().all(|document| document.get("tags").is_none()), "{name}");
        assert_eq!(*all.get_or_insert_with(|| found.clone()), found, "{name}");
    };
    for (name, input, batch, workers) in [
        ("usual", "app.log", "2000", "1"),
        ("single", "app.log", "1", "4"),
        ("seven", "app.log", "7", "4"),
        ("gz", "app.log.gz", "7", "1"),
        ("members", "members.gz", "2000", "4"),
    ] {
        let to = format!("ndjson:{name}");
        let (ran, receipt) =
            place.logator(&[input, "-p", PATTERN, "--batch-lines", batch, "-j", workers, "--to", &to], b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(receipt.read as usize, records);
        let lines = log(records).lines().count() as u64;
        assert_eq!(receipt.lines, lines);
        check(name);
    }
    let queue = place.queue(&["app.log", "--batch-lines", "7"]);
    let worker = place.worker(&["-p", PATTERN, "--to", "ndjson:queued"]);
    assert_eq!((queue.end().code, worker.end().code), (Some(0), Some(0)));
    check("queued");
    let receipt = place.text("queue.json");
    assert!(
        receipt.contains(&format!("\"lines\": {}", log(records).lines().count())) || receipt.contains("\"lines\":"),
        "{receipt}"
    );
}

#[test]
fn files_with_the_same_first_line_and_other_traces_are_different_records() {
    let place = Workspace::new();
    let head = "2024-02-03 04:05:06 ERROR boom\n";
    place.write("a.log", format!("{head}\tat a\n"));
    place.write("b.log", format!("{head}\tat b\n"));
    let (ran, _) = place.logator(&["a.log", "b.log", "-p", PATTERN, "--to", "ndjson:out"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(by_id(&place.text("out")).len(), 2);
}

#[test]
fn the_rest_of_a_record_goes_to_the_field_that_the_format_names_and_else_the_record_is_kept_whole() {
    let place = Workspace::new();
    place.write("a.log", "Feb  3 04:05:06 gate shop[7]: boom\n\tat a\n\tat b\nFeb  3 04:05:07 gate shop[7]: fine\n");
    let run = |arguments: &[&str]| {
        let ran = place.run("logator", &[&["run", "a.log", "--to", "ndjson:-"], arguments].concat(), b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        objects(&ran.stdout).remove(0)
    };
    let document = run(&["-f", "syslog"]);
    assert_eq!((&document["message"], &document["stack_trace"]), (&"boom".into(), &"\tat a\n\tat b".into()));
    let whole = "Feb  3 04:05:06 gate shop[7]: boom\n\tat a\n\tat b";
    let document = run(&["-p", r"^%{SYSLOGTIMESTAMP:time} %{NOTSPACE:host_name} %{GREEDYDATA:text}"]);
    assert_eq!((&document["text"], &document["message"]), (&"shop[7]: boom".into(), &whole.into()));
    let document = run(&["-p", r"^%{SYSLOGTIMESTAMP:time} %{NOTSPACE:host_name} %{GREEDYDATA:message}"]);
    assert_eq!((&document["message"], &document["event"]["original"]), (&"shop[7]: boom".into(), &whole.into()));
    // A pattern that names a newline sees the whole record.
    let document = run(&["-p", r"(?m)^%{SYSLOGTIMESTAMP:time} %{NOTSPACE:host_name} (?<text>.*)"]);
    assert_eq!(document["text"], "shop[7]: boom\n\tat a\n\tat b");
    let document = run(&["-p", r"^%{SYSLOGTIMESTAMP:time} [^\n]*\n(?<second>[^\n]*)"]);
    assert_eq!(document["second"], "\tat a");
    // Nothing matches: the record is the message.
    let document = run(&["-p", "^never$"]);
    assert_eq!(document["message"], whole);
}

#[test]
fn colours_change_no_record() {
    let plain = "2026-11-30 11:00:00 ERROR one\n\tat a(B.java:1)\nCaused by: y.Z: q\n2026-11-30 11:00:01 ERROR two\n";
    let coloured: String = plain
        .lines()
        .map(|line| format!("\x1b[1;31m{}\x1b[0m\x1b]0;t\x07{}\x1b[0m\n", &line[..5], &line[5..]))
        .collect();
    for rule in ["auto", "java", "start=^%{TIMESTAMP_ISO8601}", "continue=^(?:\\s|Caused)"] {
        let messages = [plain, &coloured].map(|content| {
            let place = Workspace::new();
            place.write("a.log", content);
            let pattern = "^%{TIMESTAMP_ISO8601:time:date} %{GREEDYDATA:text}";
            let arguments = ["run", "a.log", "-p", pattern, "--to", "ndjson:-", "--no-source", "--multiline", rule];
            let ran = place.run("logator", &arguments, b"");
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let mut documents = objects(&ran.stdout);
            documents.iter_mut().for_each(|document| drop(document.as_object_mut().unwrap().remove("_id")));
            documents
        });
        assert_eq!((messages[0].len(), &messages[0]), (2, &messages[1]), "{rule}");
    }
}

#[test]
fn blank_lines_after_a_record_do_not_double_its_document() {
    let place = Workspace::new();
    place.write("a.log", "2026-11-30 11:00:00 one\n\n \t\r\n2026-11-30 11:00:01 two\n\nmore\n\n");
    let run = |arguments: &[&str]| {
        let pattern = "^%{TIMESTAMP_ISO8601:time:date} %{GREEDYDATA:text}";
        let ran =
            place.run("logator", &[&["run", "a.log", "-p", pattern, "--to", "ndjson:-"], arguments].concat(), b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        objects(&ran.stdout)
    };
    let documents = run(&[]);
    assert_eq!((&documents[0]["text"], documents[0].get("message")), (&"one".into(), None));
    assert_eq!(documents[1]["message"], "2026-11-30 11:00:01 two\n\nmore\n");
    assert_eq!(run(&["--message", "always"])[0]["message"], "2026-11-30 11:00:00 one\n\n \t");
}

#[test]
fn json_objects_may_have_several_lines() {
    let place = Workspace::new();
    place.write("a.log", "{\n  \"a\": 1\n}\n{\"a\":2}\nTraceback\n{\"a\":3}\n");
    let ran = place.run("logator", &["run", "a.log", "-f", "ndjson", "--to", "ndjson:-"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut documents = objects(&ran.stdout);
    documents.sort_by_key(|document| document["a"].as_i64());
    let numbers: Vec<i64> = documents.iter().filter_map(|document| document["a"].as_i64()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(documents[1]["message"], "{\"a\":2}\nTraceback");
}

#[test]
fn a_record_that_a_limit_ends_is_tagged_also_from_a_queue_and_from_a_dead_letter() {
    let place = Workspace::new();
    let mut content = "2024-02-03 04:05:06 ERROR boom\n".to_owned();
    (1..1200).for_each(|line| content += &format!("\tat a.B.c(B.java:{line})\n"));
    content += "2024-02-03 04:05:07 ERROR next\n";
    place.write("a.log", &content);
    let check = |text: &str| {
        let mut documents = objects(text);
        documents.sort_by_key(|document| document["_id"].as_str().map(str::to_owned));
        let shown: Vec<(usize, bool)> = documents
            .iter()
            .map(|document| {
                let text = document["message"].as_str().unwrap_or_default();
                let tags = document["tags"].as_array().cloned().unwrap_or_default();
                (text.lines().count(), tags.contains(&"_multilinecut".into()))
            })
            .collect();
        assert_eq!(shown, [(500, true), (500, true), (200, false), (1, false)]);
    };
    let keep = ["-p", "^never$", "--unmatched", "keep"];
    let ran = place.run("logator", &[&["run", "a.log", "--to", "ndjson:-"], &keep[..]].concat(), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    check(&ran.stdout);
    let queue = place.queue(&["a.log", "--batch-lines", "1"]);
    let worker = place.worker(&[&["--to", "ndjson:queued"], &keep[..]].concat());
    assert_eq!((queue.end().code, worker.end().code), (Some(0), Some(0)));
    check(&place.text("queued"));
    let set_aside = ["run", "a.log", "-p", "^never$", "--unmatched", "dead-letter", "--to", "ndjson:none"];
    place.run("logator", &[&set_aside[..], &["--dead-letters", "letters"]].concat(), b"");
    let ran = place.run(
        "logator",
        &[&["replay", "letters", "--to", "ndjson:-", "--dead-letters", "more"], &keep[..]].concat(),
        b"",
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    check(&ran.stdout);
}

#[test]
fn header_lines_have_no_document_and_are_in_force_in_dead_letters_and_their_replay() {
    let place = Workspace::new();
    let content = "#Version: 1.0\r\n#Fields: date time a\r\n2024-02-03 04:05:06 x\r\n# no header\r\n\
                   #Date: 2024-02-04 00:00:00\r\n2024-02-04 04:05:06 y\r\n";
    place.write("w3c.log", content);
    let keep = ["-p", "^never$", "--unmatched", "keep", "--multiline", "none"];
    let (ran, receipt) = place.logator(&[&["w3c.log", "--to", "ndjson:out"], &keep[..]].concat(), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!((receipt.read, receipt.tally.filtered), (6, 3));
    assert!(ran.stderr.contains("+ filtered                    3 (3 header)"), "{}", ran.stderr);
    let documents = by_id(&place.text("out"));
    let mut messages: Vec<&str> = documents.values().filter_map(|document| document["message"].as_str()).collect();
    messages.sort_unstable();
    assert_eq!(messages, ["# no header", "2024-02-03 04:05:06 x", "2024-02-04 04:05:06 y"]);
    let letters = ["--unmatched", "dead-letter", "--to", "ndjson:none", "--dead-letters", "letters"];
    place.run(
        "logator",
        &[&["run", "w3c.log", "-p", "^never$", "--multiline", "none", "-j", "1"], &letters[..]].concat(),
        b"",
    );
    let headers: Vec<Value> = place.objects("letters").iter().map(|letter| letter["header"].clone()).collect();
    let first = "#Version: 1.0\r\n#Fields: date time a\r\n";
    assert_eq!(headers, [first, first, &format!("{first}#Date: 2024-02-04 00:00:00\r\n")]);
    let replay = ["replay", "letters", "-p", "^never$", "--unmatched", "keep", "--to", "ndjson:again"];
    let ran = place.run("logator", &[&replay[..], &["--dead-letters", "more"]].concat(), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(by_id(&place.text("again")), documents);
}

#[test]
fn grok_reads_the_records_that_run_reads() {
    let place = Workspace::new();
    place.write("a.log", "2024-02-03 04:05:06 ERROR boom\n\tat a\n2024-02-03 04:05:07 ERROR next\n");
    let ran = place.run("logator", &["grok", PATTERN, "a.log"], b"");
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 2), "{}", ran.stderr);
    let ran = place.run("logator", &["grok", PATTERN, "a.log", "--multiline", "none"], b"");
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 3), "{}", ran.stderr);
}

#[test]
fn the_line_dialogue_hands_out_a_record_in_one_frame_and_no_header_line() {
    let place = Workspace::new();
    place.write("a.log", "#Fields: a\n2024-02-03 04:05:06 ERROR boom\n\tat a\n2024-02-03 04:05:07 ERROR next\n");
    let queue = place.queue(&["a.log"]);
    let lines = logator::net::client::Lines::connect(&place.endpoint()).unwrap();
    let frames: Vec<String> = lines.map(|line| String::from_utf8_lossy(&line.unwrap()).into_owned()).collect();
    assert_eq!(frames, ["2024-02-03 04:05:06 ERROR boom\n\tat a", "2024-02-03 04:05:07 ERROR next"]);
    assert_eq!(queue.end().code, Some(0));
}

#[test]
fn a_wrong_value_and_a_source_of_whole_messages_are_refused_in_a_sentence() {
    let place = Workspace::new();
    for (arguments, words) in [
        (&["a.log", "--multiline", "perl"][..], "auto, none, start=PATTERN"),
        (&["a.log", "--multiline", "start=%{NO_SUCH}"], "NO_SUCH"),
        (
            &["syslog+udp://127.0.0.1:0", "--multiline", "java"],
            "--multiline java: messages of syslog are whole records",
        ),
    ] {
        place.write("a.log", "x\n");
        let ran = place.run("logator", &[&["run", "--to", "ndjson:-"], arguments].concat(), b"");
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}
