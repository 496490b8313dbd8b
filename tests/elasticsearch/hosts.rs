//! Several hosts in one address: the next one is asked when one is away, and the first one again when it is back.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{expected_ids, job, lines, run};
use crate::kit::bulk_server::{BulkServer, Fault, Rule, Setup};
use crate::kit::workspace::{Workspace, account};

/// Returns the address of a sink with these hosts.
fn sink(servers: &[&BulkServer]) -> String {
    let hosts: Vec<String> = servers.iter().map(|server| server.host()).collect();
    format!("elasticsearch+http://{}/access", hosts.join(","))
}

fn ids(servers: &[&BulkServer]) -> (BTreeSet<String>, usize) {
    let all: Vec<String> = servers.iter().flat_map(|server| server.documents("access").into_keys()).collect();
    let count = all.len();
    (all.into_iter().collect(), count)
}

#[test]
fn a_run_goes_on_with_the_next_host_and_comes_back() {
    let place = Workspace::new();
    let count = 60_000;
    place.write("access.log", lines(0..count as usize));
    let slow = || BulkServer::start(Setup { delay: Duration::from_millis(40), ..Setup::default() });
    let (mut first, second) = (slow(), slow());
    let sink = sink(&[&first, &second]);
    // One request at a time, so that the run is long enough for the host to come back.
    let more = ["--sink-deadline", "none", "--in-flight", "1", "--batch-lines", "200"];
    let running = place.start("logator", &job(&sink, &more));
    first.wait_until("documents at the first host", |numbers| numbers.created > 1000);
    assert_eq!(second.numbers().created, 0);
    first.close();
    second.wait_until("documents at the second host", |numbers| numbers.created > 1000);
    let before = first.numbers().created;
    first.reopen();
    first.wait_until("documents at the first host again", |numbers| numbers.created > before);
    let ran = running.end();
    let receipt = place.receipt("receipt");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [count, count, 0, 0, 0, 0]), "{}", ran.stderr);
    assert!(receipt.sinks[0].get("failovers") >= 2, "{:?}", receipt.sinks);
    // These two are no cluster, so a document whose answer was lost may be at both.
    let (found, stored) = ids(&[&first, &second]);
    assert_eq!(expected_ids(&place), found);
    assert!(stored - found.len() <= 200, "{stored} documents for {count} lines");
}

#[test]
fn a_host_that_is_away_at_the_start_is_passed_by() {
    let place = Workspace::new();
    place.write("access.log", lines(0..1000));
    let (mut first, second) = (BulkServer::new(), BulkServer::new());
    let sink = sink(&[&first, &second]);
    first.close();
    let (ran, receipt) = run(&place, &sink, &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [1000, 1000, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(second.documents("access").len(), 1000);
}

#[test]
fn a_host_whose_proxy_has_no_server_is_passed_by() {
    let place = Workspace::new();
    place.write("access.log", lines(0..1000));
    let (first, second) = (BulkServer::new(), BulkServer::new());
    first.set_rules(vec![Rule::always(Fault::page(502, "Bad Gateway"))]);
    let (ran, receipt) = run(&place, &sink(&[&first, &second]), &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [1000, 1000, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(second.documents("access").len(), 1000);
}

#[test]
fn without_any_host_the_run_ends_soon_and_names_them() {
    let place = Workspace::new();
    place.write("access.log", lines(0..1000));
    let (mut first, mut second) = (BulkServer::new(), BulkServer::new());
    first.close();
    second.close();
    let sink = format!("{}?serverSelectionTimeoutMS=500", sink(&[&first, &second]));
    let ran = place.run("logator", &job(&sink, &[]), b"");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains(&first.host()) && ran.stderr.contains("0.5 s"), "{}", ran.stderr);
}
