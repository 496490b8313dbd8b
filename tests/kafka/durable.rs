//! A topic is read into a database that stands still.

use nix::sys::signal::Signal;

use super::{ANY, numbered};
use crate::kit::kafka::AnyKafka;
use crate::kit::mongod::Mongod;
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

#[test]
#[ignore = "needs a Kafka, kcat and a mongod of its own: run ./test"]
fn no_offset_is_committed_before_its_document_is_durable() {
    let kafka = AnyKafka::get();
    let (topic, group) = (kafka.topic("durable", 2, &[]), kafka.name("g"));
    let mut server = Mongod::standalone();
    let place = Workspace::new();
    let to = server.uri("kafka.durable");
    let from = kafka.address(&format!("{topic}?group={group}&session.timeout.ms=6000"));
    let start = || {
        place.start("logator", &["run", &from, "-p", ANY, "--batch-lines", "100", "--receipt", "receipt", "--to", &to])
    };
    let committed = || kafka.api().committed(&group, &topic, 2);
    let mut first = start();
    first.wait_ready();
    kafka.api().wait_for_members(&group, 1);
    server.process().freeze();
    kafka.kcat().produce(&topic, &[], &numbered(0..4000));
    // It has read what it may hold, and waits for the server.
    first.says("no answer");
    assert_eq!(committed(), [None; 2]);
    first.kill();
    server.process().signal(Signal::SIGCONT);
    let second = start();
    let count = || server.admin().rough_count("kafka", "durable");
    wait_for("all documents", PATIENCE, || (count() == Some(4000)).then_some(()));
    let ends: Vec<Option<i64>> = kafka.api().ends(&topic, 2).into_iter().map(Some).collect();
    wait_for("the last commit", PATIENCE, || (committed() == ends).then_some(()));
    second.signal(Signal::SIGTERM);
    let second = second.end_with_input_open();
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert_eq!(place.receipt("receipt").read, 4000, "nothing was committed, so everything is read again");
}
