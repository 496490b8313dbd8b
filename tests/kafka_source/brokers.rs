//! Brokers that go away, and answers that fail.

use nix::sys::signal::Signal;
use rdkafka::config::ClientConfig;
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::{counter, lines, numbers, objects, start};
use crate::kit::kafka::Kafka;
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

#[test]
#[ignore = "needs a Kafka of its own: run ./test"]
fn a_broker_that_goes_away_is_waited_for_and_nothing_is_lost() {
    let (mut kafka, place) = (Kafka::start(&[]), Workspace::new());
    kafka.api().create("t", 1, &[]);
    kafka.kcat().produce("t", &[], lines(0..1000).as_bytes());
    let mut consumer = start(&place, "a", &kafka.address("t?group=g"), &[]);
    let stored = |least: usize| {
        wait_for("documents", 3 * PATIENCE, || (objects(&place, "a.ndjson").len() >= least).then_some(()));
    };
    stored(1000);
    kafka.kill();
    consumer.says("Connection refused");
    kafka.start_again();
    kafka.wait_until_ready();
    kafka.kcat().produce("t", &[], lines(1000..2000).as_bytes());
    stored(2000);
    assert!(!consumer.has_ended());
    consumer.signal(Signal::SIGTERM);
    consumer.wait_stopping();
    let ran = consumer.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("Connection refused").count(), 1, "it is said once: {}", ran.stderr);
    assert!(ran.stderr.contains("the brokers answer again"), "{}", ran.stderr);
    assert_eq!(kafka.api().committed("g", "t", 1), [Some(2000)]);
    assert_eq!(numbers(&place, ["a"]).len(), 2000);
}

#[test]
#[ignore = "needs a Kafka of its own: run ./test"]
fn a_consumer_ends_although_its_broker_is_away_and_says_what_is_not_committed() {
    let (mut kafka, place) = (Kafka::start(&[]), Workspace::new());
    kafka.api().create("t", 1, &[]);
    kafka.kcat().produce("t", &[], lines(0..2000).as_bytes());
    let slow = ["--to", "delay:500", "--batch-lines", "1000", "-j", "1", "--in-flight", "1"];
    let consumer = start(&place, "a", &kafka.address("t?group=g"), &slow);
    wait_for("documents", PATIENCE, || (!objects(&place, "a.ndjson").is_empty()).then_some(()));
    kafka.kill();
    consumer.signal(Signal::SIGTERM);
    let ran = consumer.end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("are not committed"), "{}", ran.stderr);
}

#[test]
fn commits_that_fail_are_said_and_tried_again() {
    let place = Workspace::new();
    let cluster = MockCluster::new(1).expect("a cluster");
    cluster.create_topic("t", 1, 1).expect("a topic");
    cluster.coordinator(MockCoordinator::Group("g".to_owned()), 1).expect("a coordinator");
    let failures = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE; 2];
    cluster.request_errors(RDKafkaApiKey::OffsetCommit, &failures);
    let host = cluster.bootstrap_servers();
    let writer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &host).create().expect("a client");
    for line in lines(0..100).lines() {
        writer.send(BaseRecord::<(), str>::to("t").payload(line)).map_err(|(error, _)| error).expect("there is room");
    }
    writer.flush(PATIENCE).expect("the cluster answers");
    let consumer = start(&place, "a", &format!("kafka://{host}/t?group=g&until=end"), &[]);
    let ran = consumer.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the offsets of partition 0 are not committed"), "{}", ran.stderr);
    assert!(ran.stderr.contains("offsets are committed again"), "{}", ran.stderr);
    assert_eq!(counter(&place.receipt("a.receipt"), "failed_commits"), 2, "{}", ran.stderr);
    assert_eq!(numbers(&place, ["a"]).len(), 100);
}
