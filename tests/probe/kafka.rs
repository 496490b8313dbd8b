//! Documents of the probe in a topic: Avro by default, with a schema that follows from their types.

use std::collections::BTreeMap;

use serde_json::Value;

use super::probe;
use crate::kit::avro::{Frame, decode};
use crate::kit::kafka::AnyKafka;
use crate::kit::registry::Registry;
use crate::kit::web_server::WebServer;
use crate::kit::workspace::{Workspace, objects};

#[test]
#[ignore = "needs a Kafka, a schema registry, kcat and fastavro: run ./test"]
fn a_topic_gets_avro_that_others_read_and_json_if_the_address_says_so() {
    let (kafka, registry) = (AnyKafka::get(), Registry::get());
    let (place, server) = (Workspace::new(), WebServer::start());
    let topics = [kafka.topic("probe-avro", 2, &[]), kafka.topic("probe-json", 1, &[])];
    let avro = kafka.address(&format!("{}?registry={}&key=url", topics[0], registry.base()));
    let json = kafka.address(&format!("{}?format=json", topics[1]));
    let file = format!(
        "delay,url,name\n1,{},a\n1,{},b\n1,http://127.0.0.1:1/,c\n",
        server.url("/a"),
        server.url("/status/500")
    );
    let (ran, receipt) = probe(&place, &file, &["--once", "--to", "-", "--to", &avro, "--to", &json]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(receipt["dropped"], 0, "{receipt}");
    let documents: BTreeMap<String, Value> = objects(&ran.stdout)
        .into_iter()
        .map(|document| (document["_id"].as_str().unwrap().to_owned(), document))
        .collect();
    let records = kafka.kcat().consume(&topics[0]);
    assert_eq!((records.len(), documents.len()), (3, 3));
    let id = u32::from_be_bytes(records[0].value.as_deref().unwrap()[1..5].try_into().unwrap());
    let values = records.iter().map(|record| record.value.as_deref().unwrap());
    let decoded = decode(Frame::Confluent, &BTreeMap::from([(id, registry.schema(id))]), values);
    for (record, (_, avro)) in records.iter().zip(&decoded) {
        let json = &documents[record.header("logator-id").unwrap()];
        for (name, value) in json.as_object().unwrap() {
            match name.as_str() {
                // fastavro gives a time of Python.
                "@timestamp" => assert!(avro["_timestamp"].is_string(), "{avro}"),
                "scheduled_at" | "started_at" => assert!(avro[name].as_str().unwrap().starts_with("20"), "{avro}"),
                name => assert_eq!(&avro[name], value, "{name}"),
            }
        }
    }
    let texts = kafka.kcat().consume(&topics[1]);
    assert_eq!(texts.len(), 3);
    for record in texts {
        let same = &documents[record.header("logator-id").unwrap()];
        assert_eq!((&record.json()["url"], &record.json()["total_us"]), (&same["url"], &same["total_us"]));
    }
    registry.remove(&topics[0]);
}
