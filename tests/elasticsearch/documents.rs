//! What becomes of documents on a real server: stored once, in the index of their time, with the types of a template.

use serde_json::json;

use super::{dead_letters, expected_ids, lines, run};
use crate::kit::opensearch::AnyCluster;
use crate::kit::workspace::{Workspace, account};

#[test]
#[ignore = "needs an Elasticsearch: run ./test"]
fn every_line_is_in_the_index_once_however_often_it_is_read() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    let (index, count) = (cluster.name("access"), 5000);
    place.write("access.log", lines(0..count as usize));
    let sink = cluster.sink(&index);
    let (ran, receipt) = run(&place, &sink, &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [count, count, 0, 0, 0, 0]), "{}", ran.stderr);
    let (ran, receipt) = run(&place, &sink, &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [count, 0, count, 0, 0, 0]), "{}", ran.stderr);

    let documents = cluster.api().documents(&index);
    let ids = documents.keys().map(|(_, id)| id.clone()).collect();
    assert_eq!(expected_ids(&place), ids);
    let document = documents.values().find(|document| document["request"] == "/page/4321").expect("a document");
    assert_eq!(document["@timestamp"], "2026-05-05T10:12:01.000Z");
    assert_eq!((&document["response"], &document["bytes"]), (&200.into(), &4321.into()));
    assert!(!document.contains_key("_id"), "{document:?}");
    let path = place.path("access.log").display().to_string();
    assert_eq!((&document["path"], document["host"].is_string()), (&path.into(), true));
}

#[test]
#[ignore = "needs an Elasticsearch: run ./test"]
fn the_time_of_a_line_chooses_its_index_and_lines_without_a_time_have_one_of_their_own() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    // Three days, line by line in turn, and lines that are no access-log lines.
    let days: Vec<String> = [0..40, 1000..1040, 2000..2040].map(lines).to_vec();
    let mut mixed = String::new();
    for number in 0..40 {
        days.iter().for_each(|day| mixed.push_str(&format!("{}\n", day.lines().nth(number).unwrap())));
        // A line that begins with a brace continues no other line.
        mixed.push_str(&format!("{{odd line {number}\n"));
    }
    place.write("access.log", mixed);
    let sink = cluster.sink(&format!("{}-%{{+YYYY.MM.dd}}", cluster.name("dated")));
    for expected in [[160, 120, 0, 40, 0, 0], [160, 0, 160, 0, 0, 0]] {
        let (ran, receipt) = run(&place, &sink, &[]);
        assert_eq!((ran.code, account(&receipt)), (Some(0), expected), "{}", ran.stderr);
    }
    for end in ["2026.05.01", "2026.05.02", "2026.05.03", "undated"] {
        assert_eq!(cluster.api().count(&format!("{}-{end}", cluster.name("dated"))), 40, "{end}");
    }
    let undated = cluster.api().documents(&format!("{}-undated", cluster.name("dated")));
    for document in undated.values() {
        let tags = document["tags"].as_array().expect("tags");
        assert!(tags.contains(&json!("_arrival_time")) && document.contains_key("@timestamp"), "{document:?}");
    }
}

#[test]
#[ignore = "needs an Elasticsearch: run ./test"]
fn a_data_stream_gets_each_line_and_its_user_is_warned() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    place.write("access.log", lines(0..1500));
    let name = cluster.name("stream");
    let template = json!({ "index_patterns": [name], "priority": 500, "data_stream": {} });
    cluster.api().put(&format!("/_index_template/{name}"), &template);
    let sink = cluster.sink(&format!("{name}?dataStream=true"));
    let (ran, receipt) = run(&place, &sink, &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [1500, 1500, 0, 0, 0, 0]), "{}", ran.stderr);
    assert!(ran.stderr.contains("data stream") && ran.stderr.contains("rollover"), "{}", ran.stderr);
    let streams = cluster.api().get(&format!("/_data_stream/{name}"));
    assert_eq!(streams["data_streams"][0]["name"], name.as_str());
    // Without the option, the sink finds out.
    let (ran, receipt) = run(&place, &cluster.sink(&name), &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [1500, 0, 1500, 0, 0, 0]), "{}", ran.stderr);
    assert!(ran.stderr.contains("data stream"), "{}", ran.stderr);
    // After a rollover, the ids of the older index are not known: this is what the warning says.
    cluster.api().post(&format!("/{name}/_rollover"), &json!({}));
    let (_, receipt) = run(&place, &cluster.sink(&name), &[]);
    assert_eq!(account(&receipt), [1500, 1500, 0, 0, 0, 0]);
}

#[test]
#[ignore = "needs an Elasticsearch: run ./test"]
fn a_demanded_data_stream_that_is_none_is_told_before_anything_is_stored() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    place.write("access.log", lines(0..10));
    let name = cluster.name("plain");
    let sink = cluster.sink(&format!("{name}?dataStream=true"));
    let ran = place.run("logator", &super::job(&sink, &[]), b"");
    assert!(ran.code == Some(3) && ran.stderr.contains("no data stream"), "{ran:?}");
    assert_eq!(cluster.api().count(&name), 0);
}

#[test]
#[ignore = "needs an Elasticsearch: run ./test"]
fn a_document_that_does_not_fit_becomes_a_dead_letter_with_type_reason_and_cause() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    place.write("access.log", lines(0..1000));
    let index = cluster.name("narrow");
    let narrow = json!({ "mappings": { "properties": { "bytes": { "type": "byte" } } } });
    cluster.api().put(&format!("/{index}"), &narrow);
    let (ran, receipt) = run(&place, &cluster.sink(&index), &[]);
    // A number of bytes over 127 does not fit.
    assert_eq!((ran.code, account(&receipt)), (Some(1), [1000, 128, 0, 0, 872, 0]), "{}", ran.stderr);
    let letters = dead_letters(&place);
    assert_eq!((letters.len(), cluster.api().count(&index)), (872, 128));
    let letter = &letters[0];
    let detail = letter["detail"].as_str().expect("words");
    let (kind, cause) = ("parsing_exception: ", "out of range for a byte");
    assert!(letter["reason"] == "rejected" && detail.contains(kind) && detail.contains(cause), "{letter}");
    assert!(detail.contains("failed to parse field [bytes] of type [byte]"), "{detail}");
}

#[test]
#[ignore = "needs an Elasticsearch: run ./test"]
fn a_template_gives_the_fields_of_the_formats_their_types() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    place.write("access.log", lines(0..100));
    let name = cluster.name("typed");
    let sink = cluster.sink(&format!("{name}-%{{+yyyy.MM}}"));
    let (ran, receipt) = run(&place, &sink, &["--es-template"]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [100, 100, 0, 0, 0, 0]), "{}", ran.stderr);
    let templates = cluster.api().get(&format!("/_index_template/{name}*"));
    let template = &templates["index_templates"][0]["index_template"];
    assert_eq!(template["index_patterns"], json!([format!("{name}-*")]));
    assert!(template["priority"].as_u64().expect("a number") < 100);
    let mappings = cluster.api().get(&format!("/{name}-2026.05/_mapping"));
    let properties = &mappings[format!("{name}-2026.05")]["mappings"]["properties"];
    for (field, kind) in
        [("@timestamp", "date"), ("clientip", "keyword"), ("response", "long"), ("bytes", "long"), ("agent", "keyword")]
    {
        assert_eq!(properties[field]["type"], kind, "{field}: {properties}");
    }
    assert_eq!(properties["agent"]["ignore_above"], 1024);
    // Another run installs it again, with a type that this pattern has.
    let pattern = "%{IP:peer:ip} %{GREEDYDATA:rest}";
    let sink = cluster.sink(&format!("{name}-other"));
    let (ran, receipt) = place.logator(&["access.log", "-p", pattern, "--to", &sink, "--es-template"], b"");
    assert_eq!((ran.code, receipt.tally.stored), (Some(0), 100), "{}", ran.stderr);
    let mappings = cluster.api().get(&format!("/{name}-other/_mapping"));
    assert_eq!(mappings[format!("{name}-other")]["mappings"]["properties"]["peer"]["type"], "ip");
}
