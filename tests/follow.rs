//! `--follow`: every line that is written to files is delivered once, whatever happens to their names.

mod logrotate;
mod losses;
mod names;
mod parts;
mod resuming;
mod rotation;
mod writing;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::Path;

use nix::sys::signal::Signal;

use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, Ran, wait_for};

/// The ways in which a follower learns of changes.
const WAYS: [&str; 2] = ["--follow", "--follow=poll"];

/// Starts `logator run` on `arguments`. The documents hold their lines and go to `out`.
fn follow(place: &Workspace, arguments: &[&str]) -> Running {
    let fixed = ["run", "--receipt", "receipt", "-p", "%{GREEDYDATA:line}", "-j", "1", "--to", "ndjson:out"];
    place.start("logator", &[&fixed, arguments].concat())
}

/// Appends to a file, and makes it if it is missing.
fn append(path: &Path, bytes: impl AsRef<[u8]>) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("a file");
    file.write_all(bytes.as_ref()).expect("room");
}

/// Returns the delivered lines in the order of their delivery.
fn delivered(place: &Workspace) -> Vec<String> {
    let out = std::fs::read_to_string(place.path("out")).unwrap_or_default();
    let whole = out.rfind('\n').map_or("", |end| &out[..end]);
    let line = |json: &str| {
        let object: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        object["line"].as_str().unwrap_or("").to_owned()
    };
    whole.lines().map(line).collect()
}

/// Waits until as many lines are delivered as are expected, and compares them in their order.
fn expect(place: &Workspace, expected: &[&str]) {
    wait_until(place, expected.len());
    assert_eq!(delivered(place), expected);
}

/// Waits until `count` lines are delivered.
fn wait_until(place: &Workspace, count: usize) {
    let (mut out, mut lines) = (None, 0);
    let mut block = vec![0; 1 << 16];
    let came = || {
        out = out.take().or_else(|| std::fs::File::open(place.path("out")).ok());
        while let Some(length) =
            out.as_mut().map(|out| out.read(&mut block).expect("it can be read")).filter(|&n| n > 0)
        {
            lines += memchr::memchr_iter(b'\n', &block[..length]).count();
        }
        (lines >= count).then_some(())
    };
    let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_for("lines", PATIENCE, came)));
    assert!(waited.is_ok(), "{lines} of {count} lines have come, of which are missing {:?}", missing(place, count));
}

/// Returns the numbered lines that were not delivered, as ranges.
fn missing(place: &Workspace, count: usize) -> Vec<(usize, usize)> {
    let there: std::collections::HashSet<String> = delivered(place).into_iter().collect();
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in (0..count).filter(|&number| !there.contains(&numbered(number))) {
        match ranges.last_mut() {
            Some((_, end)) if *end == number => *end += 1,
            _ => ranges.push((number, number + 1)),
        }
    }
    ranges
}

/// Compares the delivered lines with the numbered lines that were written, in any order: none is missing, doubled or cut.
fn expect_all(place: &Workspace, count: usize) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    delivered(place).into_iter().for_each(|line| *times.entry(line).or_default() += 1);
    let missing = missing(place, count);
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(
        missing.is_empty() && doubled.is_empty(),
        "missing {missing:?}; {} are doubled, first {:?}",
        doubled.len(),
        doubled.first()
    );
    assert_eq!(times.len(), count, "lines that nobody wrote");
}

/// Returns the line with a number, without its newline.
fn numbered(number: usize) -> String {
    format!("line {number:07} {}", "x".repeat(number % 91))
}

/// Ends the program as a service manager does.
fn stop(running: Running) -> Ran {
    running.signal(Signal::SIGTERM);
    let ran = running.end_with_input_open();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran
}
