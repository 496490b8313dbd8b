//! The promises of topics of Kafka, as a sink, as a source and as the target of `logator-push`: on a real Apache Kafka, with kcat
//! and fastavro as clients that know nothing of this project.
//!
//! `LOGATOR_CRASHES` sets how often a program or a broker is killed (a few times by default). The tests that kill print their rows
//! of the table in `benches/record/kafka.md`.

mod avro;
mod broker;
#[cfg(feature = "mongodb")]
mod durable;
mod hostile;
mod killed;
mod produced;
mod pushed;
mod refused;
mod secure;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::kit::kcat::Record;
use crate::kit::workspace::Workspace;

/// Returns the rows of a SQLite sink: the documents by their ids.
fn stored(path: &Path) -> BTreeMap<String, Value> {
    let database = rusqlite::Connection::open(path).expect("a database");
    let mut rows = database.prepare("select doc from logs").expect("a table `logs`");
    let rows = rows.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    let documents = rows.map(|text| serde_json::from_str::<Value>(&text.expect("text")).expect("JSON"));
    documents.map(|document| (id(&document), document)).collect()
}

/// Returns the id of a document.
fn id(document: &Value) -> String {
    document["_id"].as_str().unwrap_or_else(|| panic!("{document} has no id")).to_owned()
}

/// Returns the documents that `logator run` makes of `inputs`, by their ids.
fn expected(place: &Workspace, inputs: &[&str]) -> BTreeMap<String, Value> {
    let (ran, _) = place.logator(&[inputs, &["-f", "combined", "--to", "ndjson:expected"]].concat(), b"");
    assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
    place.objects("expected").into_iter().map(|document| (id(&document), document)).collect()
}

/// Returns the value of the header `logator-id` of each record.
fn header_ids(records: &[Record]) -> BTreeSet<String> {
    records.iter().map(|record| record.header("logator-id").expect("a header logator-id").to_owned()).collect()
}

/// Returns how many records have an id that a record before them has.
fn twice(records: &[Record]) -> usize {
    records.len() - header_ids(records).len()
}

/// Returns the dead letters of a workspace; none if there is no file.
fn dead_letters(place: &Workspace) -> Vec<Value> {
    match place.path("dead-letters.ndjson").exists() {
        true => place.objects("dead-letters.ndjson"),
        false => Vec::new(),
    }
}

/// Returns lines with the numbers in `range`.
fn numbered(range: std::ops::Range<usize>) -> Vec<u8> {
    range.flat_map(|number| format!("line {number}\n").into_bytes()).collect()
}

/// The pattern that takes each line of [`numbered`] as it is.
const ANY: &str = "^%{GREEDYDATA:text}$";
