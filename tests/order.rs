//! Files and standard output keep the order of contents, and inputs with an end keep the order in which they are named.

use std::collections::HashSet;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::kit::logs::{bzip2, gzip, zstd};
use crate::kit::workspace::{Workspace, account, objects};
use crate::kit::{PATIENCE, wait_for};

/// Lines number `range`. Some are long, so that batches of lines take different times. Each seventh line has no number that
/// the pattern finds.
fn lines(range: std::ops::Range<usize>) -> Vec<u8> {
    let line = |index: usize| match index % 7 {
        6 => format!("unknown {index}\n"),
        _ => format!("n={index} {}\n", "word ".repeat(if index % 400 < 20 { 300 } else { 2 })),
    };
    range.map(line).collect::<String>().into_bytes()
}

const PATTERN: [&str; 2] = ["-p", r"^n=%{INT:n:int} (?:%{WORD} )*"];

/// The numbers of the documents.
fn numbers(documents: &[Value]) -> Vec<usize> {
    documents.iter().filter_map(|document| document["n"].as_u64()).map(|number| number as usize).collect()
}

/// The numbers that the pattern finds in lines number `range`.
fn expected(range: std::ops::Range<usize>) -> Vec<usize> {
    range.filter(|index| index % 7 != 6).collect()
}

/// Inputs of all kinds in a folder, whose lines are numbered in the order of `NAMES`.
fn inputs(place: &Workspace) -> usize {
    place.write("b.gz", gzip(&lines(0..4_000)));
    place.write("a.log", lines(4_000..5_000));
    place.write("empty.log", b"");
    place.write("c.bz2", bzip2(&lines(5_000..9_000)));
    place.write("a.2.gz", [gzip(&lines(9_000..9_001)), gzip(&lines(9_001..12_000))].concat());
    place.write("z.zst", zstd(&lines(12_000..13_000)));
    13_000
}

const NAMES: [&str; 6] = ["b.gz", "a.log", "empty.log", "c.bz2", "a.2.gz", "z.zst"];

#[test]
fn four_workers_write_several_inputs_in_the_order_in_which_they_are_named() {
    let place = Workspace::new();
    let all = inputs(&place);
    let arguments = [&["-j", "4", "--batch-lines", "50", "--unmatched", "dead-letter"][..], &PATTERN, &NAMES].concat();
    for (to, read) in [
        (&["--to", "ndjson:out"][..], None),
        (&["--to", "ndjson:out.gz"], Some("out.gz")),
        (&["--to", "null:", "--to", "sqlite:x.db", "--to", "-"], None),
    ] {
        let (ran, receipt) = place.logator(&[&arguments[..], to].concat(), b"");
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let found = match (to.last(), read) {
            (_, Some(name)) => {
                let output = std::process::Command::new("gzip").arg("-dc").arg(place.path(name)).output().unwrap();
                objects(&String::from_utf8(output.stdout).unwrap())
            }
            (Some(&"-"), None) => objects(&ran.stdout),
            _ => place.objects("out"),
        };
        assert_eq!(numbers(&found), expected(0..all), "{to:?}");
        let dead = (0..all).filter(|index| index % 7 == 6).count() as u64;
        assert_eq!(account(&receipt)[4], dead, "{to:?}");
    }
}

#[test]
fn without_an_order_the_documents_are_the_same() {
    let place = Workspace::new();
    let all = inputs(&place);
    let arguments =
        [&["-j", "4", "--batch-lines", "50", "--unordered", "--to", "ndjson:out"][..], &PATTERN, &NAMES].concat();
    let (ran, _) = place.logator(&arguments, b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut found = numbers(&place.objects("out"));
    found.sort_unstable();
    assert_eq!(found, expected(0..all));
}

#[test]
fn batches_without_documents_hold_nothing_up() {
    let place = Workspace::new();
    let nothing = "no number\n".repeat(5_000).into_bytes();
    let content = [nothing.clone(), lines(0..700), nothing.clone(), lines(700..1_400), nothing].concat();
    place.write("a.log", content);
    let arguments =
        [&["a.log", "-j", "4", "--batch-lines", "20", "--unmatched", "drop", "--to", "-"][..], &PATTERN].concat();
    let (ran, _) = place.logator(&arguments, b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(numbers(&objects(&ran.stdout)), expected(0..1_400));
}

#[test]
fn a_run_that_is_killed_again_and_again_writes_the_first_of_each_document_in_order() {
    let place = Workspace::new();
    let all = inputs(&place);
    let common = ["run", "-j", "4", "--batch-lines", "20", "--state", "state", "--to", "ndjson:out"];
    let arguments = [&common[..], &PATTERN, &NAMES].concat();
    let length = || std::fs::metadata(place.path("out")).map_or(0, |data| data.len());
    let mut random = fastrand::Rng::with_seed(7);
    let mut killed = 0;
    let ran = loop {
        let (mut running, from) = (place.start("logator", &arguments), length());
        let growth = random.u64(1..400_000);
        let ended = wait_for("the file to grow", PATIENCE, || {
            let ended = running.has_ended();
            (ended || (killed < 6 && length() > from + growth)).then_some(ended)
        });
        if ended {
            break running.end();
        }
        running.kill();
        killed += 1;
    };
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(killed > 1, "killed {killed} times in the middle");
    let mut seen = HashSet::new();
    let found = place.objects("out");
    let firsts: Vec<Value> = found.into_iter().filter(|document| seen.insert(document["_id"].to_string())).collect();
    assert_eq!(firsts.len(), all, "every record is there");
    assert_eq!(numbers(&firsts), expected(0..all));
}

#[test]
fn a_file_that_cannot_be_written_ends_the_job_and_nothing_waits() {
    let place = Workspace::new();
    inputs(&place);
    let arguments = [&["-j", "4", "--batch-lines", "20", "--to", "ndjson:/dev/full"][..], &PATTERN, &NAMES].concat();
    let (ran, receipt) = place.logator(&arguments, b"");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(!receipt.finished);
    assert!(!ran.stderr.contains("the order is kept"), "one sentence is enough: {}", ran.stderr);
}

#[test]
fn inputs_that_wait_for_their_turn_end_with_the_job() {
    let place = Workspace::new();
    inputs(&place);
    let names = ["-", "b.gz", "a.log", "c.bz2"];
    let arguments = [&["run", "-j", "2", "--to", "ndjson:out"][..], &PATTERN, &names].concat();
    let mut running = place.start("logator", &arguments);
    running.feed(b"n=1 \n");
    wait_for("the first line", PATIENCE, || {
        std::fs::read_to_string(place.path("out")).is_ok_and(|text| text.lines().count() == 1).then_some(())
    });
    running.signal(Signal::SIGTERM);
    let ran = running.end_with_input_open();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(numbers(&place.objects("out")), [1], "no other input comes before its turn");
}

#[test]
fn one_worker_of_a_queue_keeps_the_order_of_each_content() {
    let place = Workspace::new();
    place.write("a.gz", gzip(&lines(0..6_000)));
    let mut worker = place.worker(&[&["--to", "ndjson:out"][..], &PATTERN].concat());
    let queue = place.queue(&["a.gz", "--batch-lines", "30"]).end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    wait_for("the end of the worker", PATIENCE, || worker.has_ended().then_some(()));
    assert_eq!(numbers(&place.objects("out")), expected(0..6_000));
}
