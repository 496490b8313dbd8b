//! `logator-probe`: requests on a schedule, their documents, and the account at the end.

mod account;
mod file;
#[cfg(feature = "kafka")]
mod kafka;
mod requests;
mod schedule;
#[cfg(all(feature = "sqlite", feature = "contract-tests"))]
mod sinks;

use serde_json::Value;

use crate::kit::Ran;
use crate::kit::workspace::{Running, Workspace, objects};

/// Runs `logator-probe urls.csv` with `arguments` to its end. `urls` is the file.
fn probe(place: &Workspace, urls: &str, arguments: &[&str]) -> (Ran, Value) {
    place.write("urls.csv", urls);
    let ran = place.run("logator-probe", &[&["urls.csv", "--receipt", "receipt.json"], arguments].concat(), b"");
    let receipt = match place.path("receipt.json").exists() {
        true => serde_json::from_str(&place.text("receipt.json")).unwrap(),
        false => Value::Null,
    };
    (ran, receipt)
}

/// Starts `logator-probe urls.csv` with `arguments`, and waits until it is ready.
fn start(place: &Workspace, urls: &str, arguments: &[&str]) -> Running {
    place.write("urls.csv", urls);
    let all = [&["urls.csv", "--receipt", "receipt.json"], arguments].concat();
    let mut running = place.start("logator-probe", &all);
    running.wait_ready();
    running
}

/// Returns the receipt.
fn receipt(place: &Workspace) -> Value {
    serde_json::from_str(&place.text("receipt.json")).unwrap()
}

/// Returns the documents of a URL, in their order.
fn documents_of(text: &str, url: &str) -> Vec<Value> {
    objects(text).into_iter().filter(|document| document["url"] == url).collect()
}

/// Returns the number in a field.
fn number(document: &Value, field: &str) -> i64 {
    document[field].as_i64().unwrap_or_else(|| panic!("{field} in {document}"))
}

/// Returns the time in a field, in milliseconds since 1970.
fn time(document: &Value, field: &str) -> i64 {
    let text = document[field].as_str().unwrap_or_else(|| panic!("{field} in {document}"));
    logator::core::calendar::read_iso(text).unwrap_or_else(|| panic!("{text}"))
}
