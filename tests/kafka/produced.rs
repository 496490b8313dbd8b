//! What kcat sees of documents that are written to a topic.

use std::collections::{BTreeMap, BTreeSet};

use super::{expected, header_ids, id, numbered};
use crate::kit::kafka::AnyKafka;
use crate::kit::logs::access;
use crate::kit::workspace::{Workspace, account};

#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn a_document_is_one_message_of_json_with_its_id_and_its_origin_in_headers() {
    let kafka = AnyKafka::get();
    let topic = kafka.topic("json", 3, &[]);
    let place = Workspace::new();
    place.write("access.log", access(0..3000));
    let expected = expected(&place, &["access.log"]);
    let (ran, receipt) = place.logator(&["access.log", "-f", "combined", "--to", &kafka.address(&topic)], b"");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [3000, 3000, 0, 0, 0, 0]), "{}", ran.stderr);
    let records = kafka.kcat().consume(&topic);
    assert_eq!(records.len(), 3000);
    for record in &records {
        let document = record.json();
        let id = id(&document);
        assert_eq!(Some(&document), expected.get(&id), "the document is that of any other sink");
        assert_eq!(record.header("logator-id"), Some(&*id));
        assert_eq!(record.header("logator-origin"), Some(&id[..16]));
        assert_eq!(record.key, None);
    }
    assert_eq!(header_ids(&records).len(), 3000);
}

/// kcat chooses partitions as the clients of Java do, when it is told to.
#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn a_key_leads_to_the_partition_to_which_the_clients_of_java_lead_it() {
    let kafka = AnyKafka::get();
    let [topic, other] = ["keys", "keys-of-kcat"].map(|name| kafka.topic(name, 7, &[]));
    let place = Workspace::new();
    place.write("access.log", access(0..500));
    let to = kafka.address(&format!("{topic}?key=clientip"));
    let (ran, receipt) = place.logator(&["access.log", "-f", "combined", "--to", &to], b"");
    assert_eq!((ran.code, receipt.tally.stored), (Some(0), 500), "{}", ran.stderr);
    let mut partitions: BTreeMap<Vec<u8>, i32> = BTreeMap::new();
    for record in kafka.kcat().consume(&topic) {
        let key = record.key.clone().expect("a key");
        assert_eq!(record.json()["clientip"], *String::from_utf8_lossy(&key));
        let partition = *partitions.entry(key).or_insert(record.partition);
        assert_eq!(partition, record.partition, "a key has one partition");
    }
    assert_eq!(partitions.len(), 250);
    let keys: Vec<u8> = partitions.keys().flat_map(|key| [&key[..], b"\t-\n"].concat()).collect();
    kafka.kcat().produce(&other, &["-K", "\t", "-X", "partitioner=murmur2_random"], &keys);
    let of_kcat: BTreeMap<Vec<u8>, i32> =
        kafka.kcat().consume(&other).into_iter().map(|record| (record.key.expect("a key"), record.partition)).collect();
    assert_eq!(partitions, of_kcat);
}

#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn several_workers_write_each_line_once() {
    let kafka = AnyKafka::get();
    let topic = kafka.topic("workers", 4, &[]);
    let place = Workspace::new();
    place.write("a.log", numbered(0..50_000));
    let to = kafka.address(&topic);
    let queue = place.queue(&["a.log"]);
    let workers = [(); 2].map(|()| place.worker(&["-p", super::ANY, "--to", &to]));
    let ran = queue.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    workers.into_iter().for_each(|worker| assert_eq!(worker.end().code, Some(0)));
    assert_eq!(account(&place.receipt("queue.json")), [50_000, 50_000, 0, 0, 0, 0]);
    let records = kafka.kcat().consume(&topic);
    let texts: BTreeSet<String> = records.iter().map(|record| record.json()["text"].to_string()).collect();
    assert_eq!((records.len(), texts.len(), header_ids(&records).len()), (50_000, 50_000, 50_000));
    let partitions: BTreeSet<i32> = records.iter().map(|record| record.partition).collect();
    assert!(partitions.len() > 1, "messages without a key are spread: {partitions:?}");
}
