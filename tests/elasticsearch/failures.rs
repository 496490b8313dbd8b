//! Answers that are lost, wrong or late: every document is stored once, and counts as stored once.

use nix::sys::signal::Signal;

use super::{expected_ids, job, lines, run};
use crate::kit::bulk_server::{BulkServer, Fault, ItemFault, Keep, Rule, Setup, When};
use crate::kit::workspace::{Running, Workspace, account};

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
    place.write("few.log", lines(0..10));
    let rules = vec![Rule::always(Fault::all(ItemFault::busy()))];
    let server = BulkServer::start(Setup { keep: Keep::Counts, rules, ..Setup::default() });
    let sink = server.sink("access");
    // What a job holds in memory of its own: pages of its file are not counted.
    let size = |running: &Running| running.memory_called("RssAnon:").expect("it runs");
    // A job that has almost nothing to do.
    let mut few = place.start("logator", &["run", "few.log", "-f", "combined", "--to", &sink, "--max-memory", "64M"]);
    server.wait_until("some refusals", |numbers| numbers.refused >= 30);
    let idle_size = size(&few);
    few.kill();

    let memory = ["--max-memory", "64M", "--sink-deadline", "none", "--origin", "path"];
    let running = place.start("logator", &job(&sink, &memory));
    server.wait_until("many refusals", |numbers| numbers.refused > 15_000);
    let most = size(&running);
    assert!(most < LIMIT * 11 / 10 + idle_size, "{most} kB, idle {idle_size} kB");
    assert_eq!(server.numbers().created, 0);
    server.set_rules(Vec::new());
    let ran = running.end();
    let receipt = place.receipt("receipt");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [count, count, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(server.numbers().created, count);
}

#[test]
fn a_server_that_answers_too_late_is_asked_again() {
    let place = place();
    let slow = std::time::Duration::from_millis(100);
    let server = BulkServer::start(Setup { delay: slow, ..Setup::default() });
    let sink = server.sink("access?requestTimeoutMS=1000");
    let more = ["--sink-deadline", "none", "-j", "1", "--batch-lines", "200"];
    let mut running = place.start("logator", &job(&sink, &more));
    server.wait_until("the first documents", |numbers| numbers.created > 0);
    server.set_delay(15 * slow);
    running.says("no answer");
    server.set_delay(slow / 20);
    let ran = running.end();
    let receipt = place.receipt("receipt");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [COUNT, COUNT, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(server.documents("access").len() as u64, COUNT);
    assert!(receipt.sinks[0].get("resent_documents") > 0, "{:?}", receipt.sinks);
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
    // The server may have read a last request of the first run, and store it now that it refuses nothing.
    let [_, stored, duplicate, rest @ ..] = account(&receipt);
    assert_eq!((ran.code, stored + duplicate, rest), (Some(0), COUNT, [0; 3]), "{}", ran.stderr);
    assert_eq!(server.documents("access").len() as u64, COUNT);
}
