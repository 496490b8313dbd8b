//! `until=end`: a run that ends where the topic ended at the start.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::{counter, lines, objects, produce, run};
use crate::kit::kafka::AnyKafka;
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, wait_for};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A writer of transactions.
fn writer(kafka: &AnyKafka) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.host()).set("transactional.id", kafka.name("writer"));
    let writer: BaseProducer = config.create().expect("a client");
    writer.init_transactions(TIMEOUT).expect("the broker answers");
    writer
}

fn write(writer: &BaseProducer, topic: &str, numbers: std::ops::Range<usize>) {
    writer.begin_transaction().expect("a transaction");
    for line in lines(numbers).lines() {
        let record = BaseRecord::<(), str>::to(topic).partition(0).payload(line);
        writer.send(record).map_err(|(error, _)| error).expect("there is room");
    }
    writer.flush(TIMEOUT).expect("the broker answers");
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn an_empty_topic_is_read_to_its_end_at_once() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("empty", 2, &[]);
    let address = kafka.address(&format!("{topic}?group={}&until=end", kafka.name("g")));
    let (ran, receipt) = run(&place, &address, "ndjson:out", &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [0; 6]), "{}", ran.stderr);
    assert!(ran.stderr.contains("at its first record"), "{}", ran.stderr);
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn markers_of_transactions_leave_gaps_and_may_stand_at_the_end() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("transactions", 1, &[]);
    let writer = writer(&kafka);
    let commit = |numbers| {
        write(&writer, &topic, numbers);
        writer.commit_transaction(TIMEOUT).expect("it is committed");
    };
    commit(0..3);
    commit(3..6);
    write(&writer, &topic, 6..9);
    writer.abort_transaction(TIMEOUT).expect("it is aborted");
    // The broker writes a marker after it has answered.
    let wait_for_end = |end| wait_for("markers", PATIENCE, || (kafka.api().ends(&topic, 1) == [end]).then_some(()));
    let (group, end) = (kafka.name("g"), 12);
    wait_for_end(end);
    let address = kafka.address(&format!("{topic}?group={group}&until=end"));
    let (ran, receipt) = run(&place, &address, "sqlite:db", &["-j", "1"]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [6, 6, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(
        kafka.api().committed(&group, &topic, 1),
        [Some(end)],
        "the end holds only records that count for nothing"
    );
    assert_eq!(counter(&receipt, "gone"), 0);
    // The next run begins and ends there.
    let (ran, receipt) = run(&place, &address, "sqlite:db", &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [0; 6]), "{}", ran.stderr);
    // An open transaction ends the readable part.
    write(&writer, &topic, 9..12);
    let (ran, receipt) = run(&place, &address, "sqlite:db", &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [0; 6]), "{}", ran.stderr);
    writer.commit_transaction(TIMEOUT).expect("it is committed");
    wait_for_end(16);
    let (ran, receipt) = run(&place, &address, "sqlite:db", &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [3, 3, 0, 0, 0, 0]), "{}", ran.stderr);
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn records_that_come_after_the_start_are_left_for_the_next_run() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("later", 2, &[]);
    produce(&kafka, &topic, 2, 0..2000);
    let group = kafka.name("g");
    let address = kafka.address(&format!("{topic}?group={group}&until=end"));
    // Each batch takes its time, so that the run is still at work when more records come.
    let arguments =
        ["run", &address, "-f", "ndjson", "--to", "delay:300", "--batch-lines", "100", "--receipt", "first"];
    let mut first = place.start("logator", &[&arguments[..], &["--in-flight", "1", "-j", "1"]].concat());
    first.says("reads partitions 0, 1");
    produce(&kafka, &topic, 2, 2000..2500);
    let ran = first.end();
    assert_eq!((ran.code, account(&place.receipt("first"))[0]), (Some(0), 2000), "{}", ran.stderr);
    assert_eq!(kafka.api().committed(&group, &topic, 2), [Some(1000); 2]);
    let (ran, receipt) = run(&place, &address, "ndjson:out", &[]);
    assert_eq!((ran.code, account(&receipt)[0]), (Some(0), 500), "{}", ran.stderr);
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn a_run_that_is_stopped_before_the_end_says_so_and_the_next_one_goes_on() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("stopped", 1, &[]);
    produce(&kafka, &topic, 1, 0..20_000);
    let group = kafka.name("g");
    let address = kafka.address(&format!("{topic}?group={group}&until=end"));
    let arguments =
        ["run", &address, "-f", "ndjson", "--to", "delay:200", "--to", "ndjson:out", "--receipt", "receipt"];
    let mut first =
        place.start("logator", &[&arguments[..], &["--in-flight", "1", "-j", "1", "--batch-lines", "50"]].concat());
    crate::kit::wait_for("some documents", crate::kit::PATIENCE, || (!objects(&place, "out").is_empty()).then_some(()));
    first.signal(nix::sys::signal::Signal::SIGTERM);
    first.wait_stopping();
    let ran = first.end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let stored = objects(&place, "out").len() as i64;
    assert_eq!(kafka.api().committed(&group, &topic, 1), [Some(stored)], "{}", ran.stderr);
    assert!(stored < 20_000, "it was stopped");
    let (ran, receipt) = run(&place, &address, "ndjson:out", &[]);
    assert_eq!((ran.code, account(&receipt)[0] as i64), (Some(0), 20_000 - stored), "{}", ran.stderr);
    assert_eq!(objects(&place, "out").len(), 20_000, "each record once");
}
