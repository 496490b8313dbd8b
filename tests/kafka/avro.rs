//! Documents as Avro: fastavro reads what the sink writes, and writes what the source reads.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{expected, header_ids};
use crate::kit::avro::{Frame, decode, encode};
use crate::kit::kafka::AnyKafka;
use crate::kit::kcat::Record;
use crate::kit::logs::access;
use crate::kit::registry::Registry;
use crate::kit::workspace::{Workspace, account};

/// Writes the access log of `place` to a topic as Avro.
fn write(place: &Workspace, to: &str, more: &[&str]) -> crate::kit::Ran {
    place.run(
        "logator",
        &[&["run", "access.log", "-f", "combined", "--receipt", "receipt", "--to", to], more].concat(),
        b"",
    )
}

/// Checks that Avro documents say the same as the JSON documents of the same lines.
fn compare(documents: &BTreeMap<String, Value>, records: &[Record], decoded: &[(u32, Value)]) {
    assert_eq!(
        (records.len(), decoded.len(), header_ids(records).len()),
        (documents.len(), documents.len(), documents.len())
    );
    for (record, (_, avro)) in records.iter().zip(decoded) {
        let json = &documents[record.header("logator-id").expect("an id")];
        for (name, value) in json.as_object().expect("an object") {
            let name = if name == "@timestamp" { "_timestamp" } else { name };
            let found = avro.get(name).unwrap_or_else(|| panic!("{name} is missing in {avro}"));
            match name {
                // fastavro gives a time of Python.
                "_timestamp" => {
                    let (found, value) = (found.as_str().expect("a time"), value.as_str().expect("a time"));
                    assert_eq!(found.trim_end_matches("+00:00"), value.trim_end_matches('Z').trim_end_matches(".000"));
                }
                _ => assert_eq!(found, value, "{name}"),
            }
        }
        let unknown = avro.as_object().expect("an object").iter().filter(|(name, value)| {
            !value.is_null() && **value != json!({}) && *name != "_timestamp" && json.get(*name).is_none()
        });
        assert_eq!(unknown.count(), 0, "{avro} has more than {json}");
    }
}

#[test]
#[ignore = "needs a Kafka, a schema registry, kcat and fastavro: run ./test"]
fn documents_are_avro_that_others_read_by_the_schema_in_the_registry() {
    let (kafka, registry) = (AnyKafka::get(), Registry::get());
    let topic = kafka.topic("avro", 2, &[]);
    let place = Workspace::new();
    place.write("access.log", access(0..1000));
    let documents = expected(&place, &["access.log"]);
    let to = kafka.address(&format!("{topic}?format=avro&registry={}", registry.base()));
    for round in 1..=2 {
        let ran = write(&place, &to, &["--avro-schema", "schema.avsc"]);
        assert_eq!(
            (ran.code, account(&place.receipt("receipt"))),
            (Some(0), [1000, 1000, 0, 0, 0, 0]),
            "{}",
            ran.stderr
        );
        assert_eq!(registry.versions(&topic).len(), 1, "the same schema is registered once, round {round}");
    }
    let records = kafka.kcat().consume(&topic);
    assert_eq!(records.len(), 2000);
    let id = u32::from_be_bytes(records[0].value.as_deref().expect("a value")[1..5].try_into().expect("four bytes"));
    let schema = registry.schema(id);
    assert_eq!(
        schema,
        serde_json::from_str::<Value>(&place.text("schema.avsc")).expect("JSON"),
        "the file has the same schema"
    );
    let mut seen = BTreeSet::new();
    let records: Vec<Record> =
        records.into_iter().filter(|record| seen.insert(record.header("logator-id").map(str::to_owned))).collect();
    let values = records.iter().map(|record| record.value.as_deref().expect("a value"));
    compare(&documents, &records, &decode(Frame::Confluent, &BTreeMap::from([(id, schema)]), values));
    registry.remove(&topic);
}

#[test]
#[ignore = "needs a Kafka, kcat and fastavro: run ./test"]
fn without_a_registry_each_message_has_the_fingerprint_of_the_schema_in_the_file() {
    let kafka = AnyKafka::get();
    let topic = kafka.topic("single", 1, &[]);
    let place = Workspace::new();
    place.write("access.log", access(0..500));
    let documents = expected(&place, &["access.log"]);
    let ran = write(&place, &kafka.address(&format!("{topic}?format=avro")), &["--avro-schema", "schema.avsc"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let schema: Value = serde_json::from_str(&place.text("schema.avsc")).expect("JSON");
    let records = kafka.kcat().consume(&topic);
    let values = records.iter().map(|record| record.value.as_deref().expect("a value"));
    compare(&documents, &records, &decode(Frame::Single, &BTreeMap::from([(1, schema)]), values));
}

#[test]
#[ignore = "needs a Kafka, a schema registry and kcat: run ./test"]
fn a_schema_that_is_only_looked_up_must_be_there() {
    let (kafka, registry) = (AnyKafka::get(), Registry::get());
    let topic = kafka.topic("look-up", 1, &[]);
    let place = Workspace::new();
    place.write("access.log", access(0..10));
    let to = kafka.address(&format!("{topic}?format=avro&registry={}&register=false", registry.base()));
    let ran = write(&place, &to, &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("{topic}-value")), "{}", ran.stderr);
    assert_eq!((registry.versions(&topic).len(), kafka.kcat().consume(&topic).len()), (0, 0));
    let may_register = to.replace("&register=false", "");
    for address in [&may_register, &to] {
        let ran = write(&place, address, &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    assert_eq!((registry.versions(&topic).len(), kafka.kcat().consume(&topic).len()), (1, 20));
    registry.remove(&topic);
}

#[test]
#[ignore = "needs a Kafka, a schema registry and kcat: run ./test"]
fn a_schema_that_the_registry_refuses_ends_the_run_before_anything_is_written() {
    let (kafka, registry) = (AnyKafka::get(), Registry::get());
    let topic = kafka.topic("refused", 1, &[]);
    let other = json!({ "type": "record", "name": "Other", "fields": [{ "name": "response", "type": { "type": "array", "items": "bytes" } }] });
    registry.register(&topic, &other);
    registry.demand_backward(&topic);
    let place = Workspace::new();
    place.write("access.log", access(0..10));
    let ran = write(&place, &kafka.address(&format!("{topic}?format=avro&registry={}", registry.base())), &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = ran.stderr.to_lowercase();
    assert!(said.contains(&format!("{topic}-value")) && said.contains("incompatible"), "{}", ran.stderr);
    assert_eq!((registry.versions(&topic).len(), kafka.kcat().consume(&topic).len()), (1, 0));
    registry.remove(&topic);
}

/// Another format has other fields. Null is the default of each, so the new schema reads what the old one wrote.
#[test]
#[ignore = "needs a Kafka, a schema registry, kcat and fastavro: run ./test"]
fn more_fields_make_a_new_version_that_is_compatible_backward() {
    let (kafka, registry) = (AnyKafka::get(), Registry::get());
    let topic = kafka.topic("versions", 1, &[]);
    let place = Workspace::new();
    place.write("access.log", access(0..10));
    let to = kafka.address(&format!("{topic}?format=avro&registry={}", registry.base()));
    for (nth, pattern) in
        ["^%{IPORHOST:clientip} ", "^%{IPORHOST:clientip} .* %{INT:bytes:int} \""].into_iter().enumerate()
    {
        let ran = place.run("logator", &["run", "access.log", "-p", pattern, "--to", &to], b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        if nth == 0 {
            registry.demand_backward(&topic);
        }
    }
    assert_eq!(registry.versions(&topic).len(), 2);
    let records = kafka.kcat().consume(&topic);
    let values: Vec<&[u8]> = records.iter().map(|record| record.value.as_deref().expect("a value")).collect();
    let ids: BTreeSet<u32> =
        values.iter().map(|value| u32::from_be_bytes(value[1..5].try_into().expect("four bytes"))).collect();
    assert_eq!((records.len(), ids.len()), (20, 2));
    let schemas = ids.iter().map(|id| (*id, registry.schema(*id))).collect();
    let decoded = decode(Frame::Confluent, &schemas, values);
    assert!(
        decoded[..10].iter().all(|(_, document)| document.get("bytes").is_none() && document["clientip"].is_string())
    );
    assert!(decoded[10..].iter().all(|(_, document)| document["bytes"].is_i64()), "{:?}", decoded[10]);
    registry.remove(&topic);
}

#[test]
#[ignore = "needs a Kafka, a schema registry, kcat and fastavro: run ./test"]
fn avro_of_other_writers_is_read_by_the_schema_of_each_message() {
    let (kafka, registry) = (AnyKafka::get(), Registry::get());
    let topic = kafka.topic("others", 1, &[]);
    let schema = |fields: Value| json!({ "type": "record", "name": "R", "fields": fields });
    let first =
        schema(json!([{ "name": "a", "type": "string" }, { "name": "n", "type": ["null", "long"], "default": null }]));
    let second = schema(json!([
        { "name": "a", "type": "string" },
        { "name": "n", "type": ["null", "long"], "default": null },
        { "name": "when", "type": { "type": "long", "logicalType": "timestamp-millis" }, "default": 0 },
        { "name": "labels", "type": { "type": "array", "items": "string" }, "default": [] },
    ]));
    let ids = [registry.register(&topic, &first), registry.register(&topic, &second)];
    let old = encode(Frame::Confluent, ids[0], &first, &[json!({ "a": "x", "n": 7 }), json!({ "a": "y", "n": null })]);
    let new = json!({ "a": "z", "n": -1, "when": 1_760_090_400_000_i64, "labels": ["p", "q"] });
    let new = encode(Frame::Confluent, ids[1], &second, &[new]);
    for value in old.iter().chain(&new) {
        kafka.kcat().produce_bytes(&topic, &[], value);
    }
    // A writer may name the schema in a header instead.
    let bare = encode(Frame::Bare, ids[0], &first, &[json!({ "a": "header", "n": 1 })]);
    let header = [&[0][..], &ids[0].to_be_bytes()].concat();
    let sent = send_with_header(&kafka, &topic, &header, &bare[0]);
    assert!(sent, "the broker has the message");
    let place = Workspace::new();
    let rest = format!("{topic}?group={}&until=end&format=avro&registry={}", kafka.name("g"), registry.base());
    let (ran, receipt) = place.logator(&[&kafka.address(&rest), "-f", "ndjson", "--to", "ndjson:out"], b"");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [4, 4, 0, 0, 0, 0]), "{}", ran.stderr);
    let out = place.objects("out");
    let values: Vec<(&str, Option<i64>)> =
        out.iter().map(|document| (document["a"].as_str().expect("text"), document["n"].as_i64())).collect();
    assert_eq!(values, [("x", Some(7)), ("y", None), ("z", Some(-1)), ("header", Some(1))]);
    assert_eq!(out[2]["labels"], json!(["p", "q"]));
    assert!(out[2]["when"].to_string().contains("2025-10-10T10:00:00"), "{}", out[2]);
    registry.remove(&topic);
}

/// Sends a message with a binary header, which kcat cannot send.
fn send_with_header(kafka: &AnyKafka, topic: &str, header: &[u8], value: &[u8]) -> bool {
    use rdkafka::config::ClientConfig;
    use rdkafka::message::{Header, OwnedHeaders};
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", kafka.host()).create().expect("a client");
    let headers = OwnedHeaders::new().insert(Header { key: "__value_schema_id", value: Some(header) });
    let record = BaseRecord::<(), [u8]>::to(topic).payload(value).headers(headers);
    producer.send(record).map_err(|(error, _)| error).expect("it is taken");
    producer.flush(crate::kit::PATIENCE).is_ok()
}
