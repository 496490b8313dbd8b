//! Logins: each way, refused at the start, and taken away in mid-run.

use super::{dead_letters, expected_ids, job, lines, run};
use crate::kit::bulk_server::{BulkServer, Setup};
use crate::kit::workspace::{Workspace, account};

const COUNT: u64 = 30_000;

fn place() -> Workspace {
    let place = Workspace::new();
    place.write("access.log", lines(0..COUNT as usize));
    place
}

/// Each way to log in: what stands before the host, the options, and the header that a server expects.
const WAYS: [(&str, &str, &str); 4] = [
    ("ann:s3cr%40t@", "", "Basic YW5uOnMzY3JAdA=="),
    ("", "?apiKey=aWQ6czNjckB0", "ApiKey aWQ6czNjckB0"),
    ("", "?apiKey=id%3As3cr%40t", "ApiKey aWQ6czNjckB0"),
    ("", "?bearerToken=s3cr.t", "Bearer s3cr.t"),
];

fn sink(server: &BulkServer, login: &str, options: &str) -> String {
    format!("elasticsearch+http://{login}{}/access{options}", server.host())
}

#[test]
fn each_way_to_log_in_is_accepted_by_its_server_and_shown_to_nobody() {
    let place = Workspace::new();
    place.write("access.log", lines(0..100));
    for (login, options, header) in WAYS {
        let server = BulkServer::start(Setup { authorization: Some(header.to_owned()), ..Setup::default() });
        let (ran, receipt) = run(&place, &sink(&server, login, options), &["--log-level", "debug"]);
        assert_eq!((ran.code, receipt.tally.stored), (Some(0), 100), "{}", ran.stderr);
        let receipt = place.text("receipt");
        for secret in ["s3cr", header.split_once(' ').unwrap().1] {
            assert!(!ran.stderr.contains(secret) && !receipt.contains(secret), "{}\n{receipt}", ran.stderr);
        }
    }
}

#[test]
fn a_login_that_is_refused_at_the_start_is_told_in_one_sentence() {
    let place = Workspace::new();
    place.write("access.log", lines(0..100));
    let server = BulkServer::start(Setup { authorization: Some("ApiKey other".into()), ..Setup::default() });
    for (login, options, _) in WAYS.into_iter().chain([("", "", "")]) {
        let ran = place.run("logator", &job(&sink(&server, login, options), &[]), b"");
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.contains("login is refused") && !ran.stderr.contains("s3cr"), "{}", ran.stderr);
    }
    assert!(server.indexes().is_empty());
}

#[test]
fn a_login_that_comes_back_in_mid_run_costs_nothing() {
    let place = place();
    let server = BulkServer::start(Setup { authorization: Some("ApiKey a2V5".into()), ..Setup::default() });
    let sink = sink(&server, "", "?apiKey=a2V5");
    let mut running = place.start("logator", &job(&sink, &["--sink-deadline", "none"]));
    server.wait_until("the first documents", |numbers| numbers.created > 1000);
    server.set_authorization(Some("ApiKey other"));
    running.says("login is refused");
    server.set_authorization(Some("ApiKey a2V5"));
    let ran = running.end();
    let receipt = place.receipt("receipt");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [COUNT, COUNT, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(server.documents("access").len() as u64, COUNT);
}

#[test]
fn a_login_that_is_lost_in_mid_run_ends_it_at_the_deadline_and_the_next_run_stores_the_rest() {
    let place = place();
    let server = BulkServer::start(Setup { authorization: Some("ApiKey a2V5".into()), ..Setup::default() });
    let sink = sink(&server, "", "?apiKey=a2V5");
    let running = place.start("logator", &job(&sink, &["--sink-deadline", "1"]));
    server.wait_until("the first documents", |numbers| numbers.created > 1000);
    server.set_authorization(Some("ApiKey other"));
    let ran = running.end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("login is refused") && dead_letters(&place).is_empty(), "{}", ran.stderr);
    let first = place.receipt("receipt");
    let there = server.numbers().created;
    assert_eq!(first.tally.stored, there);

    server.set_authorization(Some("ApiKey a2V5"));
    let (ran, receipt) = run(&place, &sink, &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [COUNT, COUNT - there, there, 0, 0, 0]), "{}", ran.stderr);
    let ids = server.documents("access").into_keys().collect();
    assert_eq!(expected_ids(&place), ids);
}
