//! The receipt has one block for people and one JSON object for programs, and both sides agree.

use crate::kit::logs::access;
use crate::kit::workspace::{Running, Workspace, account};

#[test]
fn the_json_receipt_and_the_block_say_the_same() {
    let place = Workspace::new();
    let content = [access(0..1200), b"no access line\n".to_vec()].concat();
    let (ran, receipt) = place.logator(&["-f", "combined", "--multiline", "none", "--to", "null:"], &content);
    assert_eq!(ran.code, Some(0));
    assert_eq!(account(&receipt), [1201, 1200, 0, 1, 0, 0]);
    let json: serde_json::Value = serde_json::from_str(&place.text("receipt")).unwrap();
    let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "agrees",
        "bytes",
        "cpu_seconds",
        "dead_lettered",
        "duplicate",
        "errors",
        "filtered",
        "finished",
        "left",
        "lines",
        "lines_per_second",
        "parsed",
        "patterns",
        "peak_memory_bytes",
        "read",
        "resumed_bytes",
        "resumed_lines",
        "seconds",
        "sinks",
        "stored",
        "tags",
        "unmatched",
        "unparsed",
    ];
    assert_eq!(keys, expected);
    assert_eq!(
        (json["agrees"].clone(), json["finished"].clone(), json["left"].clone()),
        (true.into(), true.into(), 0.into())
    );
    assert_eq!((&json["stored"], &json["unmatched"]), (&1200.into(), &1.into()));
    assert_eq!((&json["parsed"], &json["unparsed"]), (&1200.into(), &1.into()));
    assert_eq!(json["bytes"], content.len());
    let sink = &json["sinks"][0];
    let counts = ["stored", "duplicate", "rejected", "failed"].map(|key| sink[key].as_u64().unwrap());
    assert_eq!((sink["name"].as_str(), counts), (Some("null:"), [1201, 0, 0, 0]));
    assert!(sink["dropped_bytes"].as_u64() > Some(content.len() as u64), "{sink}");
    let block: Vec<Vec<&str>> = ran
        .stderr
        .lines()
        .filter(|line| !line.starts_with("logator:"))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let rows = [
        vec!["receipt"],
        vec!["read", "1,201"],
        vec!["=", "stored", "1,201", "(1,200", "parsed", "+", "1", "unparsed)"],
        vec!["+", "duplicate", "0"],
        vec!["+", "dead-lettered", "0"],
        vec!["+", "filtered", "0"],
    ];
    assert_eq!(block[..6], rows);
    assert!(block[6].ends_with(&["lines/s"]), "{block:?}");
    // The line that does not match is tagged, and the tags are counted.
    assert_eq!(json["tags"], serde_json::json!([{ "name": "_grokparsefailure", "documents": 1 }]));
    assert_eq!(block[7..], [vec!["tag", "_grokparsefailure:", "1", "document"]]);
}

/// Each sink has an account of its own, and the account of lines is one sum.
#[cfg(feature = "sqlite")]
#[test]
fn several_sinks_have_a_line_each() {
    let place = Workspace::new();
    for round in [["20 stored, 0 duplicate"; 2], ["20 stored, 0 duplicate", "0 stored, 20 duplicate"]] {
        let arguments = ["-f", "combined", "--to", "ndjson:a.ndjson", "--to", "sqlite:a.db"];
        let (ran, receipt) = place.logator(&arguments, &access(0..20));
        assert_eq!((ran.code, account(&receipt)), (Some(0), [20, 20, 0, 0, 0, 0]));
        for (sink, counts) in ["ndjson:a.ndjson", "sqlite:a.db"].iter().zip(round) {
            assert!(ran.stderr.lines().any(|line| line == format!("  {sink}: {counts}")), "{}", ran.stderr);
        }
    }
}

#[test]
fn every_kind_of_line_is_counted_in_one_place() {
    let place = Workspace::new();
    let long = "x".repeat(300);
    let content = [access(0..10), format!("{long}\nno access line\n").into_bytes(), access(10..20)].concat();
    let arguments = ["-f", "combined", "--max-line", "200", "--to", "null:", "--unmatched"];
    for (unmatched, expected) in
        [("keep", [22, 20, 0, 1, 1, 0]), ("dead-letter", [22, 20, 0, 0, 2, 0]), ("drop", [22, 20, 0, 0, 1, 1])]
    {
        let (ran, receipt) = place.logator(&[&arguments[..], &[unmatched]].concat(), &content);
        assert_eq!((ran.code, account(&receipt)), (Some(1), expected), "{unmatched}: {}", ran.stderr);
        assert!(receipt.agrees && receipt.finished);
        assert_eq!(receipt.bytes, content.len() as u64);
    }
}

#[test]
fn dead_letters_of_workers_and_of_the_queue_are_exit_code_1_of_both() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--max-line", "200", "--dead-letters", "queue-letters"]);
    queue.feed(&[access(0..10), format!("{}\nno access line\n", "x".repeat(300)).into_bytes()].concat());
    let worker = place.worker(&[
        "-f",
        "combined",
        "--unmatched",
        "dead-letter",
        "--dead-letters",
        "worker-letters",
        "--to",
        "null:",
        "--receipt",
        "worker.json",
    ]);
    let (queue, worker) = (queue.end(), worker.end());
    assert_eq!((queue.code, worker.code), (Some(1), Some(1)), "{}{}", queue.stderr, worker.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [12, 10, 0, 0, 2, 0]);
    assert_eq!(account(&place.receipt("worker.json")), [11, 10, 0, 0, 1, 0]);
    let letters = [place.objects("queue-letters"), place.objects("worker-letters")];
    assert_eq!((letters[0].len(), letters[1].len()), (1, 1));
    assert_eq!((&letters[0][0]["reason"], &letters[1][0]["reason"]), (&"too_long".into(), &"unmatched".into()));
    assert_eq!(letters[0][0]["origin"], letters[1][0]["origin"]);
}

#[test]
fn a_receipt_that_cannot_be_written_is_exit_code_3_and_one_without_a_folder_is_refused_at_the_start() {
    let place = Workspace::new();
    let missing = place.at("", "no/such/folder/receipt");
    for (receipt, code, words) in [
        ("/dev/full", 3, "/dev/full: the receipt cannot be written: No space left"),
        (&missing, 2, "no/such/folder cannot be used (No such file or directory"),
    ] {
        let ran =
            place.run("logator", &["run", "-f", "combined", "--to", "null:", "--receipt", receipt], &access(0..10));
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn each_pattern_is_accounted_for_and_people_see_which_one_was_slow() {
    let place = Workspace::new();
    let mut content = access(0..3000);
    content.extend_from_slice(b"login ada\nlogin bob\nneither of them\n");
    content.extend_from_slice(format!("{}bc\n", "a".repeat(200)).as_bytes());
    place.write("in", content);
    // Only the back-reference keeps the last pattern from being matched in one pass.
    let slow = r"^(?<x>a)(?:a+a+)+\k<x>b$";
    let patterns = ["in", "-j2", "-f", "combined", "-p", "login %{WORD:who}", "-p", slow, "--to", "null:"];
    let (ran, receipt) = place.logator(&[&patterns[..], &["--multiline", "none"]].concat(), b"");
    assert_eq!((ran.code, account(&receipt)), (Some(1), [3004, 3002, 0, 1, 1, 0]), "{}", ran.stderr);
    let counts: Vec<_> =
        receipt.patterns.iter().map(|p| (p.name.as_str(), p.get("matched"), p.get("limit_hits"))).collect();
    assert_eq!(counts, [("combined", 3000, 0), ("login %{WORD:who}", 2, 0), (slow, 0, 1)]);
    assert!(
        receipt.patterns[0].get("nanoseconds") > 0 && receipt.patterns[0].get("tried") >= 3000,
        "{:?}",
        receipt.patterns
    );
    let shown = |words: &str| ran.stderr.lines().any(|line| line.starts_with("  ") && line.contains(words));
    assert!(shown("combined: 3,0") && shown(" 2 matched, about ") && shown("ns each, 1 given up"), "{}", ran.stderr);
    // The receipt has no line about a single pattern that never gave up.
    let (ran, receipt) = place.logator(&["in", "-f", "combined", "--to", "null:", "--unmatched", "drop"], b"");
    assert_eq!((receipt.patterns.len(), receipt.patterns[0].get("matched")), (1, 3000));
    assert!(!ran.stderr.contains("tried"), "{}", ran.stderr);
}

/// A receipt that the environment or a file asks for is the queue's, not that of the workers that the queue starts.
#[test]
fn a_receipt_in_the_environment_is_that_of_the_queue_and_not_of_its_workers() {
    let place = Workspace::new();
    place.write("in.log", access(0..100));
    let endpoint = place.endpoint();
    let arguments = ["in.log", "--bind", &endpoint, "--spawn=1", "--", "-f", "combined", "--to", "ndjson:out"];
    let mut command = place.command("logator-queue", &arguments);
    command.env("LOGATOR_RECEIPT", "receipt");
    let ran = Running::start(command).end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&place.receipt("receipt")), [100, 100, 0, 0, 0, 0]);
    assert_eq!(place.objects("out").len(), 100);
}
