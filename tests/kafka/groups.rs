//! Several consumers of one group.

use nix::sys::signal::Signal;

use super::{ANY, numbered, stored};
use crate::kit::kafka::AnyKafka;
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, wait_for};

const PARTITIONS: usize = 6;

fn consumer(place: &Workspace, from: &str, receipt: &str) -> Running {
    place.start("logator", &["run", from, "-p", ANY, "--batch-lines", "50", "--receipt", receipt, "--to", "sqlite:logs.db"])
}

fn rows(place: &Workspace) -> usize {
    match place.path("logs.db").exists() {
        true => stored(&place.path("logs.db")).len(),
        false => 0,
    }
}

/// A consumer that joins, and one that leaves in order, give partitions to each other. What they have read is committed first,
/// so nothing is read twice.
#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn consumers_that_come_and_go_in_order_read_each_record_once() {
    let kafka = AnyKafka::get();
    let (topic, group) = (kafka.topic("rebalance", PARTITIONS, &[]), kafka.name("g"));
    let place = Workspace::new();
    let from = kafka.address(&format!("{topic}?group={group}&session.timeout.ms=6000"));
    let mut first = consumer(&place, &from, "first");
    first.wait_ready();
    let mut sent = 0;
    let mut feed = |lines: usize| {
        kafka.kcat().produce(&topic, &[], &numbered(sent..sent + lines));
        sent += lines;
        sent
    };
    feed(2000);
    kafka.api().wait_for_members(&group, 1);
    let second = consumer(&place, &from, "second");
    feed(2000);
    kafka.api().wait_for_members(&group, 2);
    let third = consumer(&place, &from, "third");
    feed(2000);
    kafka.api().wait_for_members(&group, 3);
    let all = feed(2000);
    wait_for("all rows", PATIENCE, || (rows(&place) == all).then_some(()));
    second.signal(Signal::SIGTERM);
    let second = second.end_with_input_open();
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    let all = feed(2000);
    wait_for("all rows", PATIENCE, || (rows(&place) == all).then_some(()));
    let mut read = place.receipt("second").read;
    for (running, receipt) in [(first, "first"), (third, "third")] {
        running.signal(Signal::SIGTERM);
        let ran = running.end_with_input_open();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let receipt = place.receipt(receipt);
        assert_eq!(receipt.tally.duplicate, 0, "{receipt:?}");
        read += receipt.read;
    }
    assert_eq!(read as usize, all, "each record was read by one of them");
    let committed: i64 = kafka.api().committed(&group, &topic, PARTITIONS).into_iter().flatten().sum();
    assert_eq!(committed as usize, all);
}

/// With an end, no consumer ends before the group has stored everything.
#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn consumers_with_an_end_share_the_topic_and_end_together() {
    let kafka = AnyKafka::get();
    let (topic, group) = (kafka.topic("shared", PARTITIONS, &[]), kafka.name("g"));
    kafka.kcat().produce(&topic, &[], &numbered(0..6000));
    let place = Workspace::new();
    let from = kafka.address(&format!("{topic}?group={group}&until=end&session.timeout.ms=6000"));
    let names = ["first", "second"];
    let consumers = names.map(|name| consumer(&place, &from, name));
    for consumer in consumers {
        let ran = consumer.end();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    let receipts = names.map(|name| place.receipt(name));
    assert!(receipts.iter().all(|receipt| receipt.finished), "{receipts:?}");
    assert_eq!(receipts.iter().map(|receipt| receipt.tally.stored).sum::<u64>(), 6000);
    assert_eq!(rows(&place), 6000);
    let ends: Vec<Option<i64>> = kafka.api().ends(&topic, PARTITIONS).into_iter().map(Some).collect();
    let committed = kafka.api().committed(&group, &topic, PARTITIONS);
    let pairs = committed.iter().zip(&ends).filter(|(committed, end)| committed != end && **end != Some(0));
    assert_eq!(pairs.count(), 0, "{committed:?} {ends:?}");
}
