//! The promises of the Elasticsearch sink: on a real OpenSearch, with a real nginx in front of it, and on a strict server that
//! does what only Elasticsearch does, and what no real server does when it is asked to.

mod documents;
mod failures;
mod hosts;
mod logins;
mod proxy;
mod refusals;
mod strict;

use std::collections::BTreeSet;
use std::ops::Range;

use logator::observe::receipt::Receipt;
use serde_json::Value;

use crate::kit::Ran;
use crate::kit::workspace::Workspace;

/// Returns access-log lines with these numbers, a thousand for each day of May 2026. After its last day, its first day comes
/// again.
fn lines(numbers: Range<usize>) -> String {
    numbers
        .map(|number| {
            let (day, minute, second) = (1 + number / 1000 % 31, number / 60 % 60, number % 60);
            format!(
                "192.0.2.{} - - [{day:02}/May/2026:10:{minute:02}:{second:02} +0000] \"GET /page/{number} HTTP/1.1\" 200 \
                 {number} \"http://www.example.com/from/{number}\" \"Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0\"\n",
                number % 250
            )
        })
        .collect()
}

/// Runs a job that stores `access.log`.
fn run(place: &Workspace, sink: &str, more: &[&str]) -> (Ran, Receipt) {
    place.logator(&[&["access.log", "-f", "combined", "--to", sink], more].concat(), b"")
}

/// Returns the arguments of such a job, with its receipt in `receipt`.
fn job<'a>(sink: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "access.log", "-f", "combined", "--receipt", "receipt", "--to", sink], more].concat()
}

/// Returns the ids that the lines of `access.log` have.
fn expected_ids(place: &Workspace) -> BTreeSet<String> {
    let (ran, _) = place.logator(&["access.log", "-f", "combined", "--to", "ndjson:expected"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    place.objects("expected").iter().map(|object| object["_id"].as_str().expect("an id").to_owned()).collect()
}

/// Returns the dead letters of a workspace; none if there is no file.
fn dead_letters(place: &Workspace) -> Vec<Value> {
    match place.path("dead-letters.ndjson").exists() {
        true => place.objects("dead-letters.ndjson"),
        false => Vec::new(),
    }
}
