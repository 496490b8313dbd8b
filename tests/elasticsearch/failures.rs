//! Answers that are lost, wrong or late: every document is stored once, and counts as stored once.

use nix::sys::signal::Signal;

use super::{expected_ids, job, lines, run};
use crate::kit::bulk_server::{BulkServer, Fault, ItemFault, Keep, Rule, Setup, When};
use crate::kit::workspace::{Workspace, account};

const COUNT: u64 = 10_000;

fn place() -> Workspace {
    let place = Workspace::new();
    place.write("access.log", lines(0..COUNT as usize));
    place
}

#[test]
fn whatever_goes_wrong_for_a_while_nothing_is_lost_and_nothing_counts_twice() {
    let place = place();
    let ids = expected_ids(&place);
    for fault in [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::CutInside,
        Fault::ItemMissing,
        Fault::ItemTwice,
        Fault::ItemsReversed,
        Fault::all(ItemFault::busy()),
        Fault::Items(2, ItemFault::busy()),
        Fault::Items(3, ItemFault::unavailable()),
        Fault::Items(5, ItemFault::flood_stage(429)),
        Fault::Items(5, ItemFault::flood_stage(403)),
        Fault::Items(7, ItemFault::new(403, "security_exception", "action [indices:data/write/bulk] is unauthorized")),
        Fault::status(429, "circuit_breaking_exception", "[parent] Data too large"),
        Fault::status(503, "cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/2/no master];"),
        Fault::status(500, "null_pointer_exception", "x"),
        Fault::status(401, "security_exception", "unable to authenticate"),
        Fault::page(502, "Bad Gateway"),
        Fault::page(200, "Welcome"),
        Fault::AnswerAfter(crate::kit::bulk_server::Reply::page(504, "Gateway Time-out")),
        Fault::AnswerAfter(crate::kit::bulk_server::Reply::json(200, &serde_json::json!({}))),
    ] {
        let server = BulkServer::start(Setup { rules: vec![Rule::next(2, fault.clone())], ..Setup::default() });
        let (ran, receipt) = run(&place, &server.sink("access"), &["-j", "2"]);
        assert_eq!((ran.code, account(&receipt)), (Some(0), [COUNT, COUNT, 0, 0, 0, 0]), "{fault:?}: {}", ran.stderr);
        assert_eq!(server.times_left(), [0], "{fault:?}");
        let stored: std::collections::BTreeSet<String> = server.documents("access").into_keys().collect();
        assert!(stored == ids, "{fault:?}: {} of {} documents", stored.len(), ids.len());
    }
}

#[test]
fn a_single_item_is_sent_again_and_its_neighbours_are_not() {
    let place = place();
    let server = BulkServer::start(Setup {
        rules: vec![Rule::next(1, Fault::Items(100, ItemFault::busy()))],
        ..Setup::default()
    });
    let (ran, receipt) = run(&place, &server.sink("access"), &[]);
    assert_eq!((ran.code, receipt.tally.stored), (Some(0), COUNT), "{}", ran.stderr);
    let numbers = server.numbers();
    assert_eq!((numbers.created, numbers.existing), (COUNT, 0));
    assert_eq!(receipt.sinks[0].get("resent_documents"), numbers.refused);
}

#[test]
fn a_server_that_refuses_everything_for_long_costs_no_memory_and_no_line() {
    const LIMIT: u64 = 64 << 10;
    let place = Workspace::new();
    let count = 400_000;
    place.write("access.log", lines(0..count / 15).repeat(15));
    let count = (count / 15 * 15) as u64;
    let server = BulkServer::start(Setup { keep: Keep::Counts, ..Setup::default() });
    let sink = server.sink("access");
    let memory = ["--max-memory", "64M", "--sink-deadline", "none", "--origin", "path"];
    // The size of a job that has almost nothing to do.
    place.write("few.log", lines(0..10));
    let (ran, receipt) = place.logator(&["few.log", "-f", "combined", "--to", &server.sink("few")], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let idle_size = receipt.peak_memory_bytes / 1024;
    server.set_rules(vec![Rule::always(Fault::all(ItemFault::busy()))]);

    let running = place.start("logator", &job(&sink, &memory));
    server.wait_until("many refusals", |numbers| numbers.refused > 100_000);
    let most = running.most_memory().expect("it runs");
    assert!(most < LIMIT * 11 / 10 + idle_size, "{most} kB, idle {idle_size} kB");
    assert_eq!(server.numbers().created, 10);
    server.set_rules(Vec::new());
    let ran = running.end();
    let receipt = place.receipt("receipt");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [count, count, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(server.numbers().created, count + 10);
}

#[test]
fn a_server_that_answers_too_late_is_asked_again() {
    let place = place();
    let server = BulkServer::start(Setup { delay: std::time::Duration::from_millis(700), ..Setup::default() });
    let sink = server.sink("access?requestTimeoutMS=300&serverSelectionTimeoutMS=60000");
    let mut running = place.start("logator", &job(&sink, &["--sink-deadline", "none"]));
    running.says("no answer in time");
    server.set_delay(std::time::Duration::ZERO);
    let ran = running.end();
    let receipt = place.receipt("receipt");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [COUNT, COUNT, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(server.documents("access").len() as u64, COUNT);
}

#[test]
fn a_signal_ends_a_run_whose_server_refuses_everything_and_the_next_run_stores_the_rest() {
    let place = place();
    let server = BulkServer::new();
    server.set_rules(vec![Rule::new(When::Bulk, usize::MAX, Fault::all(ItemFault::busy()))]);
    let sink = server.sink("access");
    let running = place.start("logator", &job(&sink, &[]));
    server.wait_until("a refusal", |numbers| numbers.refused > 0);
    running.signal(Signal::SIGTERM);
    let ran = running.end_with_input_open();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    server.set_rules(Vec::new());
    let (ran, receipt) = run(&place, &sink, &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [COUNT, COUNT, 0, 0, 0, 0]), "{}", ran.stderr);
}
