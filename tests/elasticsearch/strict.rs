//! What only Elasticsearch does, and what no real server does when it is asked to, on the strict server.

use serde_json::json;

use super::{dead_letters, expected_ids, lines, run};
use crate::kit::bulk_server::{BulkServer, Fault, ItemFault, Product, Rule, Setup, When};
use crate::kit::workspace::{Workspace, account};

const COUNT: u64 = 6000;

fn place() -> Workspace {
    let place = Workspace::new();
    place.write("access.log", lines(0..COUNT as usize));
    place
}

#[test]
fn each_product_and_version_gets_requests_that_it_takes() {
    let place = place();
    let ids = expected_ids(&place);
    for product in [Product::Elasticsearch7, Product::Elasticsearch8, Product::Elasticsearch9, Product::OpenSearch2] {
        let server = BulkServer::start(Setup { product, data_streams: vec!["stream".into()], ..Setup::default() });
        for gzip in ["?gzip=true", "?gzip=false"] {
            let index = format!("access-{}", &gzip[6..]);
            let (ran, receipt) = run(&place, &server.sink(&format!("{index}{gzip}")), &[]);
            assert_eq!((ran.code, account(&receipt)), (Some(0), [COUNT, COUNT, 0, 0, 0, 0]), "{}", ran.stderr);
            assert_eq!(server.documents(&index).into_keys().collect::<std::collections::BTreeSet<_>>(), ids);
        }
        let (ran, receipt) = run(&place, &server.sink("stream?dataStream=true"), &["--unmatched", "drop"]);
        assert_eq!((ran.code, account(&receipt)), (Some(0), [COUNT, COUNT, 0, 0, 0, 0]), "{}", ran.stderr);
        let numbers = server.numbers();
        assert!(numbers.sent < numbers.body && numbers.refused == 0, "{numbers:?}");
    }
}

#[test]
fn a_data_stream_takes_lines_without_a_time_too() {
    let place = Workspace::new();
    // A line that begins with a brace continues no other line.
    place.write("access.log", format!("{}{{odd line\n", lines(0..10)));
    let server = BulkServer::start(Setup { data_streams: vec!["stream".into()], ..Setup::default() });
    let (ran, receipt) = run(&place, &server.sink("stream"), &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [11, 10, 0, 1, 0, 0]), "{}", ran.stderr);
}

#[test]
fn a_document_in_the_failure_store_is_rejected_and_never_sent_again() {
    let place = place();
    let server = BulkServer::start(Setup { data_streams: vec!["stream".into()], ..Setup::default() });
    server.set_rules(vec![Rule::always(Fault::Items(3, ItemFault::in_failure_store()))]);
    let (ran, receipt) = run(&place, &server.sink("stream"), &[]);
    let failed = server.documents("stream::failures").len() as u64;
    assert!(failed >= COUNT / 3, "{failed}");
    assert_eq!((ran.code, account(&receipt)), (Some(1), [COUNT, COUNT - failed, 0, 0, failed, 0]), "{}", ran.stderr);
    assert_eq!(receipt.sinks[0].get("failure_store"), failed);
    let letters = dead_letters(&place);
    assert_eq!(letters.len() as u64, failed);
    let detail = letters[0]["detail"].as_str().expect("words");
    assert!(letters[0]["reason"] == "rejected" && detail.contains("failure store"), "{detail}");
    let sent: usize = server.seen().iter().map(|seen| seen.documents).sum();
    assert_eq!(sent as u64, COUNT);
}

#[test]
fn a_document_that_does_not_fit_becomes_a_dead_letter_with_its_cause() {
    let place = place();
    let server = BulkServer::new();
    server.set_rules(vec![Rule::next(1, Fault::Items(1000, ItemFault::mapping()))]);
    let (ran, receipt) = run(&place, &server.sink("access"), &[]);
    let refused = server.numbers().refused;
    assert!(refused > 0);
    assert_eq!((ran.code, account(&receipt)), (Some(1), [COUNT, COUNT - refused, 0, 0, refused, 0]), "{}", ran.stderr);
    let detail = dead_letters(&place)[0]["detail"].as_str().expect("words").to_owned();
    for part in ["document_parsing_exception", "failed to parse field [bytes]", "caused by", "For input string"] {
        assert!(detail.contains(part), "{detail}");
    }
}

#[test]
fn wrong_settings_of_the_server_end_the_run_without_dead_letters() {
    let place = place();
    for (fault, words) in [
        (Fault::all(ItemFault::write_block()), "FORBIDDEN/8"),
        (Fault::all(ItemFault::shards()), "shards open"),
        (Fault::all(ItemFault::no_index()), "no such index"),
        (
            Fault::all(ItemFault::new(400, "invalid_index_name_exception", "Invalid index name [x]")),
            "Invalid index name",
        ),
        (Fault::all(ItemFault::new(400, "index_closed_exception", "closed")), "closed"),
        (Fault::status(404, "index_not_found_exception", "no such index [x]"), "no such index"),
    ] {
        let server = BulkServer::start(Setup { rules: vec![Rule::always(fault.clone())], ..Setup::default() });
        let (ran, receipt) = run(&place, &server.sink("access"), &[]);
        assert_eq!((ran.code, account(&receipt)[1..].iter().sum::<u64>()), (Some(3), 0), "{fault:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(dead_letters(&place).is_empty());
    }
}

#[test]
fn a_request_that_is_too_large_is_halved_and_later_ones_are_smaller() {
    let place = place();
    let most = 100_000;
    for fault in [Fault::too_large(), Fault::page(413, "Request Entity Too Large"), Fault::CutBefore] {
        let server = BulkServer::new();
        server.set_rules(vec![Rule::new(When::LargerBody(most), usize::MAX, fault.clone())]);
        let (ran, receipt) = run(&place, &server.sink("access"), &["-j", "1", "--in-flight", "1"]);
        assert_eq!((ran.code, account(&receipt)), (Some(0), [COUNT, COUNT, 0, 0, 0, 0]), "{fault:?}: {}", ran.stderr);
        assert!(receipt.sinks[0].get("halved") > 0, "{:?}", receipt.sinks);
        assert_eq!(server.documents("access").len() as u64, COUNT);
        let seen = server.seen();
        let late = &seen[seen.len() * 3 / 4..];
        let larger = late.iter().filter(|seen| seen.body > most).count();
        assert_eq!(larger, 0, "of the last {} requests, so many were too large: {fault:?}", late.len());
    }
}

#[test]
fn a_limit_that_the_server_tells_is_kept_from_the_start() {
    let place = place();
    let most = 128 << 10;
    let server = BulkServer::start(Setup { max_content_length: Some(most), ..Setup::default() });
    let (ran, receipt) = run(&place, &server.sink("access"), &[]);
    assert_eq!((ran.code, receipt.tally.stored), (Some(0), COUNT), "{}", ran.stderr);
    let largest = server.seen().iter().map(|seen| seen.body).max();
    assert!(largest <= Some(most), "{largest:?}");
}

#[test]
fn a_template_fits_the_server_and_its_index() {
    let place = place();
    let server = BulkServer::new();
    let (ran, _) = run(&place, &server.sink("logator-web-%{+yyyy}"), &["--es-template"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let template = server.templates().remove("logator-web").expect("a template");
    assert_eq!(template["index_patterns"], json!(["logator-web-*"]));
    let properties = &template["template"]["mappings"]["properties"];
    assert_eq!((&properties["agent"]["type"], &properties["bytes"]["type"]), (&json!("keyword"), &json!("long")));
    // Other names belong to others.
    let ran = place.run("logator", &super::job(&server.sink("logs-web"), &["--es-template"]), b"");
    assert!(ran.code == Some(2) && ran.stderr.contains("logator-"), "{ran:?}");
}
