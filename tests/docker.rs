//! `docker:`: every line that a container writes is delivered once, from its log files and through the API of the Engine.

mod answers;
mod api;
mod files;
mod recorded;
mod restarts;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::kit::workspace::{Running, Workspace, objects};
use crate::kit::{PATIENCE, Ran, wait_for};

/// Starts `logator run` on `arguments` with the Engine at `host`. The documents hold their lines and go to `out`.
fn read(place: &Workspace, host: &str, arguments: &[&str]) -> Running {
    read_into(place, host, "ndjson:out", arguments)
}

/// Does the same into another sink.
fn read_into(place: &Workspace, host: &str, sink: &str, arguments: &[&str]) -> Running {
    let fixed = ["run", "--receipt", "receipt", "-p", "^%{DATA:line}$", "-j", "2", "--to", sink];
    let mut command = place.command("logator", &[&fixed, arguments].concat());
    command.env("DOCKER_HOST", host).env_remove("DOCKER_TLS_VERIFY").env_remove("DOCKER_CERT_PATH");
    Running::start(command)
}

/// Reads to the end, without following.
fn read_all(place: &Workspace, host: &str, arguments: &[&str]) -> Ran {
    let mut running = read(place, host, &[arguments, &["--no-follow"]].concat());
    running.close_input();
    running.end()
}

/// Returns the documents that were delivered so far.
fn documents(place: &Workspace) -> Vec<Value> {
    let out = std::fs::read_to_string(place.path("out")).unwrap_or_default();
    objects(out.rfind('\n').map_or("", |end| &out[..=end]))
}

/// Returns the lines of documents.
fn lines(documents: &[Value]) -> Vec<String> {
    let line = |document: &Value| document["line"].as_str().or(document["message"].as_str()).unwrap_or("").to_owned();
    documents.iter().map(line).collect()
}

/// Waits until `count` documents are delivered.
fn wait_until(place: &Workspace, count: usize) {
    let (mut out, mut got) = (None, 0);
    let mut block = vec![0; 1 << 16];
    let came = || {
        out = out.take().or_else(|| std::fs::File::open(place.path("out")).ok());
        while let Some(length) =
            out.as_mut().map(|out| out.read(&mut block).expect("it can be read")).filter(|&length| length > 0)
        {
            got += memchr::memchr_iter(b'\n', &block[..length]).count();
        }
        (got >= count).then_some(())
    };
    let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_for("documents", PATIENCE, came)));
    assert!(waited.is_ok(), "{got} of {count} documents have come");
}

/// Ends the program as a service manager does.
fn stop(running: Running) -> Ran {
    running.signal(Signal::SIGTERM);
    let ran = running.end_with_input_open();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran
}

/// The script of a container that writes `count` numbered lines: as fast as it can, with a short rest after each 5,000 lines
/// (0.7 MB in a log file), so that a busy machine opens a file before the Engine removes it.
fn printer(count: usize) -> String {
    printer_of(count, PADDING)
}

/// The bytes of a printed line behind its number.
const PADDING: usize = 60;

/// The script of a [`printer`] of lines with `padding` bytes behind their numbers.
fn printer_of(count: usize, padding: usize) -> String {
    let rest = "if (i % 5000 == 4999) { fflush(); system(\"sleep 0.05\") }";
    format!(
        "awk 'BEGIN {{ for (i = 0; i < {count}; i++) {{ print \"line \" i \" {}\"; {rest} }} }}'",
        "x".repeat(padding)
    )
}

/// Compares lines with those of a [`printer`], in any order: none is missing, doubled or cut.
fn expect_printed(lines: Vec<String>, count: usize) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    lines.into_iter().for_each(|line| *times.entry(line).or_default() += 1);
    let name = |number: usize| format!("line {number} {}", "x".repeat(PADDING));
    let missing: Vec<usize> = (0..count).filter(|number| !times.contains_key(&name(*number))).collect();
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    let (first, last) = (missing.first(), missing.last());
    assert!(missing.is_empty(), "{} are missing, {first:?} to {last:?}", missing.len());
    assert!(doubled.is_empty(), "{} are doubled, first {:?}", doubled.len(), doubled.first());
    assert_eq!(times.len(), count, "lines that nobody wrote");
}

/// Returns how the containers were read, by their names.
fn accounts(place: &Workspace) -> BTreeMap<String, (String, String)> {
    let receipt: Value = serde_json::from_str(&place.text("receipt")).expect("a receipt");
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let all = receipt["containers"].as_array().cloned().unwrap_or_default();
    all.iter().map(|it| (text(&it["name"]), (text(&it["way"]), text(&it["loss"])))).collect()
}

fn account(way: &str, loss: &str) -> (String, String) {
    (way.to_owned(), loss.to_owned())
}

/// Returns the ids and lines of documents.
fn identified(documents: &[Value]) -> BTreeSet<(String, String)> {
    let ids = documents.iter().map(|document| document["_id"].as_str().unwrap_or("").to_owned());
    ids.zip(lines(documents)).collect()
}
