//! Groups: members that come, go, and are killed.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{counter, lines, numbers, objects, produce, start};
use crate::kit::kafka::AnyKafka;
use crate::kit::table::seed;
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, wait_for};

/// Members answer soon, so that a killed one is missed soon.
const QUICK: &str = "session.timeout.ms=6000&heartbeat.interval.ms=500";

/// Waits until the group has settled all records of the topic.
fn wait_until_settled(kafka: &AnyKafka, group: &str, topic: &str, partitions: usize) {
    wait_for("the group to settle everything", PATIENCE, || {
        let ends: Vec<Option<i64>> = kafka.api().ends(topic, partitions).into_iter().map(Some).collect();
        (kafka.api().committed(group, topic, partitions) == ends).then_some(())
    });
}

fn each_once(numbers: u64) -> BTreeMap<u64, usize> {
    (0..numbers).map(|number| (number, 1)).collect()
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn members_that_come_and_go_in_order_read_no_record_twice() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    for protocol in ["classic", "consumer"] {
        let topic = kafka.topic(&format!("order-{protocol}"), 6, &[]);
        let group = kafka.name(protocol);
        let address = kafka.address(&format!("{topic}?group={group}&group.protocol={protocol}"));
        let name = |member: &str| format!("{member}-{protocol}");
        let begin = |member: &str| start(&place, &name(member), &address, &["--batch-lines", "20", "-j", "1"]);
        let finish = |mut member: Running, name: &str| {
            member.signal(Signal::SIGTERM);
            member.wait_stopping();
            let ran = member.end();
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let receipt = place.receipt(&format!("{name}.receipt"));
            for zero in ["lost", "undrained"] {
                assert_eq!(counter(&receipt, zero), 0, "{zero}: {}", ran.stderr);
            }
            ran
        };
        let mut a = begin("a");
        a.says("reads partitions 0, 1, 2, 3, 4, 5");
        produce(&kafka, &topic, 6, 0..3000);
        let mut b = begin("b");
        produce(&kafka, &topic, 6, 3000..6000);
        b.says("reads partition");
        a.says("no more");
        let mut c = begin("c");
        produce(&kafka, &topic, 6, 6000..9000);
        c.says("reads partition");
        finish(a, &name("a"));
        produce(&kafka, &topic, 6, 9000..12_000);
        wait_until_settled(&kafka, &group, &topic, 6);
        finish(b, &name("b"));
        finish(c, &name("c"));
        let names = ["a", "b", "c"].map(name);
        assert_eq!(numbers(&place, names.iter().map(String::as_str)), each_once(12_000), "{protocol}");
    }
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn a_partition_is_drained_before_it_goes() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("drain", 2, &[]);
    let group = kafka.name("g");
    produce(&kafka, &topic, 2, 0..200);
    let address = kafka.address(&format!("{topic}?group={group}&drainMS=20000"));
    let slow = ["--to", "delay:300", "--batch-lines", "10", "-j", "1", "--in-flight", "2"];
    let mut a = start(&place, "a", &address, &slow);
    a.says("reads partitions 0, 1");
    wait_for("records in work", PATIENCE, || (!objects(&place, "a.ndjson").is_empty()).then_some(()));
    let mut b = start(&place, "b", &address, &["-j", "1"]);
    b.says("reads partition");
    assert!(!a.stderr().contains("are not waited for"), "{}", a.stderr());
    wait_until_settled(&kafka, &group, &topic, 2);
    for member in [&a, &b] {
        member.signal(Signal::SIGTERM);
    }
    let (a, b) = (a.end(), b.end());
    assert_eq!((a.code, b.code), (Some(0), Some(0)), "{}{}", a.stderr, b.stderr);
    assert_eq!(counter(&place.receipt("a.receipt"), "undrained"), 0, "{}", a.stderr);
    let found = numbers(&place, ["a", "b"]);
    assert_eq!(found.len(), 200, "no record is lost");
    assert!(found.values().all(|times| *times == 1), "no record is read twice");
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn a_record_is_stored_once_however_members_are_killed() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("kills", 3, &[]);
    let group = kafka.name("g");
    let address = kafka.address(&format!("{topic}?group={group}&{QUICK}"));
    let kills = std::env::var("LOGATOR_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let mut random = seed("kills of consumers");
    let member = |number: usize| {
        let (sink, receipt) = (format!("ndjson:{number}.ndjson"), format!("{number}.receipt"));
        let arguments = ["run", &address, "-f", "ndjson", "--to", &sink, "--receipt", &receipt, "--batch-lines", "50"];
        place.start("logator", &[&arguments[..], &["--to", "delay:20", "--in-flight", "1", "-j", "1"]].concat())
    };
    let mut members: Vec<Running> = (0..3).map(member).collect();
    let mut count = members.len();
    let mut produced = 0;
    for _ in 0..kills {
        produce(&kafka, &topic, 3, produced..produced + 6000);
        produced += 6000;
        let victim = random.usize(..members.len());
        let stored = || (0..count).map(|number| objects(&place, &format!("{number}.ndjson")).len()).sum::<usize>();
        let due = stored() + random.usize(100..2000);
        wait_for("some documents", PATIENCE, || (stored() >= due).then_some(()));
        members[victim].kill();
        members[victim] = member(count);
        count += 1;
    }
    wait_until_settled(&kafka, &group, &topic, 3);
    for member in &members {
        member.signal(Signal::SIGTERM);
    }
    for member in members {
        let ran = member.end();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    let mut ids = BTreeMap::new();
    for number in 0..count {
        for object in objects(&place, &format!("{number}.ndjson")) {
            let id = object["_id"].as_str().expect("an id").to_owned();
            let before = ids.insert(id, object["number"].clone());
            assert!(before.is_none_or(|before| before == object["number"]), "an id is that of one record");
        }
    }
    assert_eq!(ids.len(), produced, "each record has one document");
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn a_run_to_the_end_waits_for_the_partitions_of_other_members() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("share", 4, &[]);
    let group = kafka.name("g");
    produce(&kafka, &topic, 4, 0..4000);
    let address = kafka.address(&format!("{topic}?group={group}&until=end&{QUICK}"));
    let member = |name: &str, delay: &str| {
        start(&place, name, &address, &["--to", delay, "--batch-lines", "50", "-j", "1", "--in-flight", "1"])
    };
    // The first member has all partitions, gives up some, and gets them again.
    let mut a = member("a", "delay:100");
    a.says("reads partitions 0, 1, 2, 3");
    let mut b = member("b", "delay:100");
    b.says("reads partition");
    // The one that is killed has partitions that are not at their ends.
    wait_for("some documents", PATIENCE, || (!objects(&place, "b.ndjson").is_empty()).then_some(()));
    b.kill();
    let ran = a.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(numbers(&place, ["a", "b"]).len(), 4000, "{}", ran.stderr);
    assert_eq!(kafka.api().committed(&group, &topic, 4), [Some(1000); 4]);
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn a_sink_that_is_slow_pauses_partitions_and_the_member_stays_in_its_group() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("slow", 2, &[]);
    let group = kafka.name("g");
    // So many records take about five calls of the sink, and one more for each minute that begins while they are produced.
    produce(&kafka, &topic, 2, 0..24_000);
    let times = "session.timeout.ms=6000&max.poll.interval.ms=6000";
    let address = kafka.address(&format!("{topic}?group={group}&until=end&{times}"));
    let slow = ["--to", "delay:8000", "--batch-lines", "10000", "-j", "1", "--in-flight", "1", "--max-memory", "1MiB"];
    let ran = start(&place, "a", &address, &slow).end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let receipt = place.receipt("a.receipt");
    assert!(counter(&receipt, "pauses") > 0, "{}", ran.stderr);
    assert_eq!(counter(&receipt, "lost"), 0, "{}", ran.stderr);
    assert_eq!(numbers(&place, ["a"]), each_once(24_000));
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn workers_read_topics_themselves_and_commit_what_they_have_stored() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("worker", 2, &[]);
    let group = kafka.name("g");
    produce(&kafka, &topic, 2, 0..2000);
    let address = kafka.address(&format!("{topic}?group={group}"));
    let arguments = ["--from", &address, "-f", "ndjson", "--to", "ndjson:out", "-j", "2", "--receipt", "receipt"];
    let mut worker = place.start("logator-worker", &arguments);
    wait_until_settled(&kafka, &group, &topic, 2);
    worker.signal(Signal::SIGTERM);
    worker.wait_stopping();
    let ran = worker.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(objects(&place, "out").len(), 2000);
    // The group is left in order: the next member does not wait for the session of this one.
    let begun = std::time::Instant::now();
    kafka.kcat().produce(&topic, &["-p", "0"], lines(2000..2001).as_bytes());
    let next = kafka.address(&format!("{topic}?group={group}&until=end"));
    let (ran, receipt) = super::run(&place, &next, "ndjson:next", &[]);
    assert_eq!((ran.code, receipt.read), (Some(0), 1), "{}", ran.stderr);
    assert!(begun.elapsed() < Duration::from_secs(30), "the session of the worker lasts 45 s");
}
