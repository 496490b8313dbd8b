//! Values in Avro, written by another implementation, with a real schema registry.

use serde_json::{Value, json};

use super::{objects, run};
use crate::kit::avro::{Frame, encode};
use crate::kit::kafka::AnyKafka;
use crate::kit::registry::Registry;
use crate::kit::workspace::{Workspace, account};

fn schema() -> Value {
    json!({ "type": "record", "name": "R", "fields": [
        { "name": "number", "type": "long" },
        { "name": "text", "type": ["null", "string"], "default": null },
    ] })
}

#[test]
#[ignore = "needs a Kafka, a schema registry and fastavro: run ./test"]
fn values_of_other_writers_become_documents_and_hostile_ones_become_dead_letters() {
    let (kafka, registry, place) = (AnyKafka::get(), Registry::get(), Workspace::new());
    let topic = kafka.topic("avro", 1, &[]);
    let id = registry.register(&topic, &schema());
    let documents: Vec<Value> =
        (0..5).map(|number| json!({ "number": number, "text": format!("t{number}") })).collect();
    let kcat = kafka.kcat();
    for value in encode(Frame::Confluent, id, &schema(), &documents) {
        kcat.produce_bytes(&topic, &[], &value);
    }
    for hostile in
        [&b"plain text"[..], &[0, 0, 0, 0, 99, 1, 2], &[0, 255, 255, 255, 255], &[0xc3, 1, 1, 2, 3, 4, 5, 6, 7, 8, 2]]
    {
        kcat.produce_bytes(&topic, &[], hostile);
    }
    let mut cut = encode(Frame::Confluent, id, &schema(), &documents[..1]).remove(0);
    cut.pop();
    kcat.produce_bytes(&topic, &[], &cut);
    let group = kafka.name("g");
    let address = kafka.address(&format!("{topic}?group={group}&until=end&format=avro&registry={}", registry.base()));
    let (ran, receipt) = run(&place, &address, "ndjson:out", &["-j", "1"]);
    assert_eq!((ran.code, account(&receipt)), (Some(1), [10, 5, 0, 0, 5, 0]), "{}", ran.stderr);
    let found: Vec<Value> = objects(&place, "out")
        .into_iter()
        .map(|object| json!({ "number": object["number"], "text": object["text"] }))
        .collect();
    assert_eq!(found, documents);
    let letters = objects(&place, "dead-letters.ndjson");
    assert!(letters.iter().all(|letter| letter["reason"] == "undecodable"), "{letters:?}");
    assert_eq!(kafka.api().committed(&group, &topic, 1), [Some(10)]);
    registry.remove(&topic);
}

#[test]
#[ignore = "needs a Kafka and fastavro: run ./test"]
fn single_objects_are_read_with_a_schema_of_a_file() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("single", 1, &[]);
    let document = json!({ "number": 7, "text": null });
    for value in encode(Frame::Single, 1, &schema(), std::slice::from_ref(&document)) {
        kafka.kcat().produce_bytes(&topic, &[], &value);
    }
    let file = place.write("schema.avsc", schema().to_string());
    let query = format!("{topic}?group={}&until=end&format=avro&schema={}", kafka.name("g"), file.display());
    let (ran, _) = run(&place, &kafka.address(&query), "ndjson:out", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(objects(&place, "out")[0]["number"], 7);
}
