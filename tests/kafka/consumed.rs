//! Topics that kcat has filled, as inputs.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::Signal;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};

use super::{ANY, dead_letters, id, numbered, stored};
use crate::kit::kafka::AnyKafka;
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, wait_for};

/// Fills each partition of a topic with lines of its own.
fn fill(kafka: &AnyKafka, topic: &str, partitions: usize, each: usize) {
    for partition in 0..partitions {
        let lines = numbered(partition * each..(partition + 1) * each);
        kafka.kcat().produce(topic, &["-p", &partition.to_string()], &lines);
    }
}

fn texts(documents: &BTreeMap<String, Value>) -> BTreeSet<String> {
    documents.values().map(|document| document["text"].as_str().expect("text").to_owned()).collect()
}

#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn a_topic_is_read_to_its_end_once_for_each_group_with_the_same_ids() {
    let kafka = AnyKafka::get();
    let topic = kafka.topic("raw", 3, &[]);
    fill(&kafka, &topic, 3, 1000);
    let place = Workspace::new();
    let run = |group: &str| {
        let from = kafka.address(&format!("{topic}?group={}&until=end", kafka.name(group)));
        let (ran, receipt) = place.logator(&[&from, "-p", ANY, "--to", "sqlite:logs.db"], b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (ran, account(&receipt))
    };
    let (ran, counts) = run("one");
    assert_eq!(counts, [3000, 3000, 0, 0, 0, 0], "{}", ran.stderr);
    assert!(ran.stderr.contains("first record"), "where reading starts is said: {}", ran.stderr);
    assert_eq!(kafka.api().committed(&kafka.name("one"), &topic, 3), [Some(1000); 3]);
    let documents = stored(&place.path("logs.db"));
    assert_eq!((documents.len(), texts(&documents).len()), (3000, 3000));
    assert_eq!(run("one").1, [0; 6], "the group goes on where it has stopped");
    assert_eq!(run("two").1, [3000, 0, 3000, 0, 0, 0], "another group meets the same documents");
    assert_eq!(stored(&place.path("logs.db")), documents);
    // A topic that grows gives its new records only.
    kafka.kcat().produce(&topic, &["-p", "1"], &numbered(9000..9010));
    assert_eq!(run("one").1, [10, 10, 0, 0, 0, 0]);
}

#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn a_run_without_an_end_reads_what_comes_until_a_signal() {
    let kafka = AnyKafka::get();
    let (topic, group) = (kafka.topic("live", 2, &[]), kafka.name("g"));
    let place = Workspace::new();
    let from = kafka.address(&format!("{topic}?group={group}"));
    let mut run = place.start("logator", &["run", &from, "-p", ANY, "--receipt", "receipt", "--to", "ndjson:out"]);
    run.wait_ready();
    for round in 0..3 {
        kafka.kcat().produce(&topic, &[], &numbered(round * 10..round * 10 + 10));
        wait_for("the documents", PATIENCE, || {
            (std::fs::read_to_string(place.path("out")).unwrap_or_default().lines().count() == 10 * (round + 1)).then_some(())
        });
    }
    // Offsets are committed while it runs, too.
    wait_for("a commit", PATIENCE, || {
        (kafka.api().committed(&group, &topic, 2).into_iter().flatten().sum::<i64>() == 30).then_some(())
    });
    run.signal(Signal::SIGTERM);
    let ran = run.end_with_input_open();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&place.receipt("receipt")), [30, 30, 0, 0, 0, 0]);
}

#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn records_of_json_are_documents_and_tombstones_are_filtered() {
    let kafka = AnyKafka::get();
    let topic = kafka.topic("json", 1, &[]);
    let kcat = kafka.kcat();
    kcat.produce(&topic, &["-K", "\t", "-Z"], b"k\t{\"a\": 1}\nk\t\nj\t{\"a\": [2, {\"b\": null}]}\nx\t{\"a\": 3\ny\t[4]\n");
    let place = Workspace::new();
    let from = kafka.address(&format!("{topic}?group={}&until=end&format=json", kafka.name("g")));
    let (ran, receipt) = place.logator(&[&from, "-f", "ndjson", "--to", "ndjson:out"], b"");
    assert_eq!((ran.code, account(&receipt)), (Some(1), [5, 2, 0, 0, 2, 1]), "{}", ran.stderr);
    let values: Vec<Value> = place.objects("out").iter().map(|document| document["a"].clone()).collect();
    assert_eq!(values, [json!(1), json!([2, { "b": null }])]);
    let letters: Vec<String> = dead_letters(&place).iter().map(Value::to_string).collect();
    assert_eq!(letters.len(), 2);
    for (letter, offset) in letters.iter().zip([3, 4]) {
        // Topic, partition and offset lead to the record.
        assert!(letter.contains(&topic) && letter.contains("partition 0") && letter.contains(&offset.to_string()), "{letter}");
    }
    assert_eq!(kafka.api().committed(&kafka.name("g"), &topic, 1), [Some(5)]);
}

#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn the_id_in_a_header_is_kept_and_a_header_that_holds_none_is_counted() {
    let kafka = AnyKafka::get();
    let topic = kafka.topic("headers", 1, &[]);
    let known = "0123456789abcdef0000000000000007fedcba987654";
    for header in [&format!("logator-id={known}")[..], "logator-id=ab", "other=1"] {
        kafka.kcat().produce(&topic, &["-H", header], b"the same line\n");
    }
    let place = Workspace::new();
    let from = kafka.address(&format!("{topic}?group={}&until=end", kafka.name("g")));
    let (ran, _) = place.logator(&[&from, "-p", ANY, "--to", "ndjson:out"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ids: Vec<String> = place.objects("out").iter().map(id).collect();
    assert_eq!(ids[0], known);
    assert_eq!(BTreeSet::from_iter(&ids).len(), 3, "{ids:?}");
    assert!(ran.stderr.contains("1 header"), "{}", ran.stderr);
}

/// Transactions and their ends take offsets. The numbers of the records that are read therefore have gaps.
#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn gaps_between_offsets_hold_nothing_up_and_what_was_aborted_is_not_read() {
    let kafka = AnyKafka::get();
    let topic = kafka.topic("gaps", 1, &[]);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.host()).set("transactional.id", kafka.name("writer"));
    let producer: BaseProducer = config.create().expect("a client");
    producer.init_transactions(PATIENCE).expect("a transactional client");
    for round in 0..5 {
        producer.begin_transaction().expect("a transaction");
        for number in round * 100..round * 100 + 100 {
            let line = format!("line {number}");
            producer.send(BaseRecord::<(), str>::to(&topic).payload(&line)).map_err(|(error, _)| error).expect("it is taken");
        }
        producer.flush(PATIENCE).expect("it is sent");
        match round % 2 {
            0 => producer.commit_transaction(PATIENCE).expect("it ends"),
            _ => producer.abort_transaction(PATIENCE).expect("it ends"),
        }
    }
    let place = Workspace::new();
    let group = kafka.name("g");
    let from = kafka.address(&format!("{topic}?group={group}&until=end"));
    let (ran, receipt) = place.logator(&[&from, "-p", ANY, "--to", "sqlite:logs.db"], b"");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [300, 300, 0, 0, 0, 0]), "{}", ran.stderr);
    let texts = texts(&stored(&place.path("logs.db")));
    let expected = (0..500).filter(|number| number / 100 % 2 == 0).map(|number| format!("line {number}"));
    assert_eq!(texts, expected.collect());
    // After the last record, there is the end of its transaction.
    assert_eq!(kafka.api().offsets(&topic, 0).1, 505);
    let [Some(committed)] = kafka.api().committed(&group, &topic, 1)[..] else { panic!("nothing is committed") };
    assert!((504..=505).contains(&committed), "{committed}");
    let (_, receipt) = place.logator(&[&from, "-p", ANY, "--to", "sqlite:logs.db"], b"");
    assert_eq!(account(&receipt), [0; 6]);
}

#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn the_new_protocol_of_groups_works_as_well() {
    let kafka = AnyKafka::get();
    let topic = kafka.topic("kip-848", 2, &[]);
    fill(&kafka, &topic, 2, 500);
    let place = Workspace::new();
    let from = kafka.address(&format!("{topic}?group={}&until=end&group.protocol=consumer", kafka.name("g")));
    let (ran, receipt) = place.logator(&[&from, "-p", ANY, "--to", "ndjson:out"], b"");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [1000, 1000, 0, 0, 0, 0]), "{}", ran.stderr);
    let (_, receipt) = place.logator(&[&from, "-p", ANY, "--to", "ndjson:out"], b"");
    assert_eq!(account(&receipt), [0; 6]);
}

/// The sink is a database that stands still, so no document can be durable.
#[cfg(feature = "mongodb")]
#[test]
#[ignore = "needs a Kafka, kcat and a mongod of its own: run ./test"]
fn no_offset_is_committed_before_its_document_is_durable() {
    let kafka = AnyKafka::get();
    let (topic, group) = (kafka.topic("durable", 2, &[]), kafka.name("g"));
    fill(&kafka, &topic, 2, 2000);
    let mut server = crate::kit::mongod::Mongod::standalone();
    let place = Workspace::new();
    let to = server.uri("kafka.durable");
    let from = kafka.address(&format!("{topic}?group={group}&session.timeout.ms=6000"));
    let start = || place.start("logator", &["run", &from, "-p", ANY, "--batch-lines", "100", "--receipt", "receipt", "--to", &to]);
    let mut first = start();
    first.wait_ready();
    server.process().freeze();
    // It has read everything that it may read, and cannot store it.
    first.says("MongoDB");
    first.kill();
    server.process().signal(Signal::SIGCONT);
    let count = || server.admin().rough_count("kafka", "durable");
    let stored = wait_for("the server to answer", PATIENCE, count);
    let committed: i64 = kafka.api().committed(&group, &topic, 2).into_iter().flatten().sum();
    assert!(committed as u64 <= stored, "{committed} committed, {stored} stored");
    assert!(committed < 4000, "{committed}");
    let second = start();
    wait_for("all documents", PATIENCE, || (count() == Some(4000)).then_some(()));
    wait_for("the last commit", PATIENCE, || {
        (kafka.api().committed(&group, &topic, 2) == [Some(2000); 2]).then_some(())
    });
    second.signal(Signal::SIGTERM);
    let second = second.end_with_input_open();
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert!(place.receipt("receipt").read >= 4000 - committed as u64);
}
