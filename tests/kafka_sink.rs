//! The promises of the Kafka sink, in whole jobs, on the mock cluster of librdkafka. `src/sink/kafka/tests.rs` has the answers of
//! brokers one by one.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::kit::mock_kafka::MockKafka;
use crate::kit::workspace::{Workspace, account};

const COUNT: u64 = 3000;

fn place() -> Workspace {
    let place = Workspace::new();
    let line = |number: u64| {
        format!(
            "192.0.2.{} - - [05/May/2026:10:{:02}:{:02} +0000] \"GET /page/{number} HTTP/1.1\" 200 {number}\n",
            number % 250,
            number / 60 % 60,
            number % 60,
        )
    };
    place.write("access.log", (0..COUNT).map(line).collect::<String>());
    place
}

fn cluster() -> MockKafka {
    let cluster = MockKafka::new();
    cluster.create_topic("access", 3);
    cluster
}

#[test]
fn every_line_becomes_a_message_under_its_id() {
    let (place, cluster) = (place(), cluster());
    let (ran, _) = place.logator(&["access.log", "-f", "common", "--to", "ndjson:expected"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expected: BTreeSet<String> = place.text("expected").lines().map(str::to_owned).collect();
    let (ran, receipt) = place.logator(&["access.log", "-f", "common", "--to", &cluster.address("access")], b"");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [COUNT, COUNT, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(receipt.sinks[0].get("messages"), COUNT);
    let messages = cluster.messages("access");
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("text");
    let found: BTreeSet<String> = messages.iter().map(|message| text(&message.value)).collect();
    assert_eq!((messages.len() as u64, found), (COUNT, expected));
    for message in &messages {
        let document: serde_json::Value = serde_json::from_slice(&message.value).expect("JSON");
        assert_eq!(document["_id"], message.header("logator-id"));
        assert_eq!(message.header("logator-id")[..16], *message.header("logator-origin"));
    }
}

/// Without an extended lease, the queue would give the batch to the worker again, and its lines would stand in the topic twice.
#[test]
fn a_batch_keeps_its_lease_while_its_reports_are_out() {
    let (place, cluster) = (place(), cluster());
    let mut queue = place.queue(&["-", "--lease", "1", "--linger", "0"]);
    let mut worker = place.worker(&["-f", "common", "--to", &cluster.address("access"), "--receipt", "worker.json"]);
    worker.wait_ready();
    cluster.answer_after(Duration::from_millis(3500));
    queue.feed(place.text("access.log").as_bytes());
    queue.close_input();
    let (queue, worker) = (queue.end(), worker.end());
    assert_eq!((queue.code, worker.code), (Some(0), Some(0)), "{}{}", queue.stderr, worker.stderr);
    cluster.answer_after(Duration::ZERO);
    assert_eq!(account(&place.receipt("queue.json")), [COUNT, COUNT, 0, 0, 0, 0]);
    assert_eq!(cluster.messages("access").len() as u64, COUNT);
}

#[test]
fn a_schema_file_needs_avro() {
    let (place, cluster) = (place(), cluster());
    let to = cluster.address("access");
    let ran =
        place.run("logator", &["run", "access.log", "-f", "common", "--to", &to, "--avro-schema", "schema.avsc"], b"");
    assert!(ran.code == Some(2) && ran.stderr.contains("format=avro"), "{}", ran.stderr);
    assert!(!place.path("schema.avsc").exists());
}
