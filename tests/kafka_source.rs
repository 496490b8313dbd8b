//! The promises of `kafka://` as an input, on a real broker: what is read, the ids, the end, commits, and groups whose members come
//! and go or are killed.

mod avro;
mod brokers;
mod ends;
mod groups;
mod mistakes;
mod records;

use std::collections::BTreeMap;
use std::ops::Range;

use logator::observe::receipt::Receipt;
use serde_json::Value;

use crate::kit::Ran;
use crate::kit::kafka::AnyKafka;
use crate::kit::workspace::{Running, Workspace};

/// Returns lines of JSON with these numbers.
fn lines(numbers: Range<usize>) -> String {
    numbers.map(|number| format!("{{\"number\":{number},\"text\":\"line number {number}\"}}\n")).collect()
}

/// Writes lines with these numbers into a topic, spread over its partitions.
fn produce(kafka: &AnyKafka, topic: &str, partitions: usize, numbers: Range<usize>) {
    let (first, length) = (numbers.start, numbers.len());
    for partition in 0..partitions {
        let part = first + length * partition / partitions..first + length * (partition + 1) / partitions;
        kafka.kcat().produce(topic, &["-p", &partition.to_string()], lines(part).as_bytes());
    }
}

/// Runs `logator run INPUT -f ndjson --to SINK`. Its receipt goes to `receipt`.
fn run(place: &Workspace, input: &str, sink: &str, more: &[&str]) -> (Ran, Receipt) {
    place.logator(&[&[input, "-f", "ndjson", "--to", sink], more].concat(), b"")
}

/// Starts a consumer that runs until it is stopped. Its documents go to `NAME.ndjson`, and its receipt to `NAME.receipt`.
fn start(place: &Workspace, name: &str, input: &str, more: &[&str]) -> Running {
    let (sink, receipt) = (format!("ndjson:{name}.ndjson"), format!("{name}.receipt"));
    let arguments = ["run", input, "-f", "ndjson", "--to", &sink, "--receipt", &receipt];
    place.start("logator", &[&arguments[..], more].concat())
}

/// Returns how often each number stands in the documents of these consumers.
fn numbers<'a>(place: &Workspace, names: impl IntoIterator<Item = &'a str>) -> BTreeMap<u64, usize> {
    let mut found = BTreeMap::new();
    for name in names {
        for object in objects(place, &format!("{name}.ndjson")) {
            *found.entry(object["number"].as_u64().expect("a number")).or_default() += 1;
        }
    }
    found
}

/// Returns the objects of a file; none if there is no file. The last line of a killed program may be a part.
fn objects(place: &Workspace, name: &str) -> Vec<Value> {
    match place.path(name).exists() {
        true => place.text(name).lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
        false => Vec::new(),
    }
}

/// Returns a counter of the receipt's only source.
fn counter(receipt: &Receipt, name: &str) -> u64 {
    let json = serde_json::to_value(receipt).expect("JSON");
    let value = &json["sources"][0][name];
    value.as_u64().unwrap_or_else(|| panic!("no counter {name} in {json}"))
}
