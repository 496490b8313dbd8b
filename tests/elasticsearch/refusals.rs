//! A real server refuses: it is full, busy, closed or gone. Nothing is lost and nothing is there twice.

use serde_json::json;

use super::{dead_letters, expected_ids, job, lines, run};
use crate::kit::opensearch::{AnyCluster, OpenSearch};
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, wait_for};

#[test]
#[ignore = "needs an Elasticsearch: run ./test"]
fn documents_wait_until_a_full_disk_has_room_again() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    place.write("access.log", lines(0..3000));
    let index = cluster.name("full");
    // This block is the one that a server sets when its disk is full.
    cluster.api().put(&format!("/{index}"), &json!({ "settings": { "index.blocks.read_only_allow_delete": true } }));
    let sink = cluster.sink(&index);
    let mut running = place.start("logator", &job(&sink, &[]));
    running.says("flood-stage watermark");
    assert_eq!(cluster.api().count(&index), 0);
    let free = json!({ "index.blocks.read_only_allow_delete": null });
    cluster.api().put(&format!("/{index}/_settings"), &free);
    let ran = running.end();
    let receipt = place.receipt("receipt");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [3000, 3000, 0, 0, 0, 0]), "{}", ran.stderr);
    assert!(receipt.sinks[0].get("resent_documents") > 0, "{:?}", receipt.sinks);
    assert_eq!(cluster.api().count(&index), 3000);
}

#[test]
#[ignore = "needs an Elasticsearch: run ./test"]
fn an_index_that_someone_has_closed_ends_the_run_without_dead_letters() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    place.write("access.log", lines(0..3000));
    for (name, blocks, words) in [("blocked", true, "FORBIDDEN/8"), ("closed", false, "closed")] {
        let index = cluster.name(name);
        cluster.api().put(&format!("/{index}"), &json!({ "settings": { "index.blocks.write": blocks } }));
        if !blocks {
            cluster.api().post(&format!("/{index}/_close"), &json!({}));
        }
        let (ran, receipt) = run(&place, &cluster.sink(&index), &[]);
        assert_eq!((ran.code, account(&receipt)[1..].iter().sum::<u64>()), (Some(3), 0), "{}", ran.stderr);
        assert!(ran.stderr.contains(words) && ran.stderr.contains("change its settings"), "{}", ran.stderr);
        assert!(dead_letters(&place).is_empty());
    }
}

#[test]
#[ignore = "needs an OpenSearch of its own: run ./test"]
fn a_cluster_that_may_have_no_more_shards_ends_the_run_without_dead_letters() {
    let node = OpenSearch::start(&["cluster.max_shards_per_node=1"]);
    let place = Workspace::new();
    place.write("access.log", lines(0..3000));
    node.api().put("/first", &json!({ "settings": { "number_of_shards": 1, "number_of_replicas": 0 } }));
    let (ran, receipt) = run(&place, &node.sink("second"), &[]);
    assert_eq!((ran.code, account(&receipt)[1..].iter().sum::<u64>()), (Some(3), 0), "{}", ran.stderr);
    assert!(ran.stderr.contains("maximum shards open"), "{}", ran.stderr);
    assert!(dead_letters(&place).is_empty());
    // The same command stores everything as soon as the settings allow it.
    node.api().set_cluster(&json!({ "cluster.max_shards_per_node": 10 }));
    let (ran, receipt) = run(&place, &node.sink("second"), &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [3000, 3000, 0, 0, 0, 0]), "{}", ran.stderr);
}

#[test]
#[ignore = "needs an OpenSearch of its own: run ./test"]
fn single_documents_that_a_busy_server_refuses_are_sent_again_alone() {
    // One thread writes, one more request may wait, and each request becomes one for each shard.
    let node = OpenSearch::start(&["node.processors=1", "thread_pool.write.queue_size=1"]);
    let settings = json!({ "settings": { "number_of_shards": 12, "number_of_replicas": 0 } });
    node.api().put("/busy", &settings);
    let place = Workspace::new();
    let count = 20_000;
    place.write("access.log", lines(0..count as usize));
    let (ran, receipt) = run(&place, &node.sink("busy"), &["-j", "4", "--sink-deadline", "120"]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [count, count, 0, 0, 0, 0]), "{}", ran.stderr);
    let sink = &receipt.sinks[0];
    let (again, requests) = (sink.get("resent_documents"), sink.get("requests"));
    assert!(again > 0 && sink.get("resent") > 0, "nothing was refused: {sink:?}");
    let pool = &node.api().get("/_nodes/stats/thread_pool")["nodes"];
    let pool = pool.as_object().and_then(|nodes| nodes.values().next()).expect("a node");
    assert!(pool["thread_pool"]["write"]["rejected"].as_u64() > Some(0), "{pool}");
    assert_eq!(node.api().count("busy"), count, "{again} documents again in {requests} requests");
    assert!(dead_letters(&place).is_empty());
}

#[test]
#[ignore = "needs an OpenSearch of its own: run ./test"]
fn a_document_larger_than_the_server_takes_is_a_dead_letter_alone() {
    let node = OpenSearch::start(&["http.max_content_length=64kb"]);
    let place = Workspace::new();
    let long = format!("{}\n", lines(7..8).trim_end().replace("/page/", &format!("/{}/", "x".repeat(90_000))));
    place.write("access.log", [lines(0..2000), long, lines(2000..4000)].concat());
    let (ran, receipt) = run(&place, &node.sink("small"), &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(1), [4001, 4000, 0, 0, 1, 0]), "{}", ran.stderr);
    assert_eq!(node.api().count("small"), 4000);
    let letters = dead_letters(&place);
    assert_eq!((letters.len(), &letters[0]["reason"]), (1, &json!("oversize")), "{}", letters[0]["detail"]);
}

#[test]
#[ignore = "needs an OpenSearch of its own: run ./test"]
fn a_server_killed_in_mid_run_and_started_again_has_every_line_once() {
    let mut node = OpenSearch::start(&[]);
    let place = Workspace::new();
    let count = 60_000;
    place.write("access.log", lines(0..count as usize));
    let sink = node.sink("killed");
    let mut running = place.start("logator", &job(&sink, &["-j", "2", "--sink-deadline", "none"]));
    wait_for("the first documents", PATIENCE, || (node.api().count("killed") > 5000).then_some(()));
    node.kill();
    assert!(!running.has_ended(), "the server was killed in mid-run");
    node.start_again();
    let ran = running.end();
    let receipt = place.receipt("receipt");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [count, count, 0, 0, 0, 0]), "{}", ran.stderr);
    node.wait_until_ready();
    let ids = node.api().documents("killed").into_keys().map(|(_, id)| id).collect();
    assert_eq!(expected_ids(&place), ids);
}
