//! `--follow`: what is written to files is delivered, once, whatever becomes of their names.

mod logrotate;
mod names;
mod resuming;
mod rotation;
mod writing;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::kit::place::{Place, Running};
use crate::kit::{PATIENCE, Ran, wait_for};

/// How it may be told of changes.
const WAYS: [&str; 2] = ["--follow", "--follow=poll"];

/// Starts `logator run` on `arguments`; documents hold their lines and go to `out`.
fn follow(place: &Place, arguments: &[&str]) -> Running {
    let fixed = ["run", "--receipt", "receipt", "-p", "%{GREEDYDATA:line}", "-j", "1", "--to", "ndjson:out"];
    place.start("logator", &[&fixed, arguments].concat())
}

/// Adds to a file, which is made if need be.
fn append(path: &Path, bytes: impl AsRef<[u8]>) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("a file");
    file.write_all(bytes.as_ref()).expect("room");
}

/// The lines delivered so far, in the order of their delivery.
fn delivered(place: &Place) -> Vec<String> {
    let out = std::fs::read_to_string(place.path("out")).unwrap_or_default();
    let whole = out.rfind('\n').map_or("", |end| &out[..end]);
    let line = |json: &str| {
        let object: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        object["line"].as_str().unwrap_or("").to_owned()
    };
    whole.lines().map(line).collect()
}

/// Waits until as many lines are delivered as are expected, and compares them, in their order.
fn expect(place: &Place, expected: &[&str]) {
    wait_until(place, expected.len());
    assert_eq!(delivered(place), expected);
}

/// Waits until `count` lines are delivered.
fn wait_until(place: &Place, count: usize) {
    wait_for(&format!("{count} lines"), PATIENCE, || {
        let out = std::fs::read(place.path("out")).unwrap_or_default();
        (memchr::memchr_iter(b'\n', &out).count() >= count).then_some(())
    });
}

/// Compares what was delivered with the numbered lines that were written, in any order: none is missing, doubled or cut.
fn expect_all(place: &Place, count: usize) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    delivered(place).into_iter().for_each(|line| *times.entry(line).or_default() += 1);
    let missing: Vec<usize> = (0..count).filter(|&number| !times.contains_key(&numbered(number))).collect();
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(
        missing.is_empty() && doubled.is_empty(),
        "{} are missing, first {:?}; {} are doubled, first {:?}",
        missing.len(),
        missing.first(),
        doubled.len(),
        doubled.first()
    );
    assert_eq!(times.len(), count, "lines that nobody wrote");
}

/// The line with a number, without its end.
fn numbered(number: usize) -> String {
    format!("line {number:07} {}", "x".repeat(number % 91))
}

/// Ends it as a service manager does.
fn stop(running: Running) -> Ran {
    running.signal(Signal::SIGTERM);
    let ran = running.end_with_input_open();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran
}
