//! Documents on their way to sinks: several sinks, sinks that hang, refuse or come back.

use std::time::Instant;

use nix::sys::signal::Signal;

use super::{number, probe, receipt, start};
use crate::kit::web_server::WebServer;
use crate::kit::workspace::{Workspace, objects};

/// Returns the number of rows of a database.
fn rows(place: &Workspace, file: &str) -> i64 {
    let database = rusqlite::Connection::open(place.path(file)).unwrap();
    database.query_row("SELECT count(*) FROM logs", [], |row| row.get(0)).unwrap()
}

/// Locks a database, as another program does that works with it.
fn lock(place: &Workspace, file: &str) -> rusqlite::Connection {
    let database = rusqlite::Connection::open(place.path(file)).unwrap();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    database
}

#[test]
fn each_document_goes_to_each_sink() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let file = format!("1,{}\n1,{}\n", server.url("/a"), server.url("/b"));
    let sinks = ["--to", "-", "--to", "sqlite:a.db", "--to", "ndjson:out.ndjson.gz", "--to", "contract:all"];
    let (ran, receipt) = probe(&place, &file, &[&["--once"], &sinks[..]].concat());
    assert_eq!((ran.code, objects(&ran.stdout).len()), (Some(0), 2), "{}", ran.stderr);
    assert_eq!((rows(&place, "a.db"), place.objects("all").len()), (2, 2));
    for sink in receipt["sinks"].as_array().unwrap() {
        assert_eq!(number(sink, "stored"), 2, "{receipt}");
    }
    // The contract sink asks for the body without `_id`, the time and the origin.
    for document in place.objects("all") {
        let same = objects(&ran.stdout).into_iter().find(|other| other["_id"] == document["id"]).unwrap();
        assert_eq!((&document["body"]["url"], &document["origin"]), (&same["url"], &same["url"]), "{document}");
        assert_eq!(document["time"].as_i64(), Some(super::time(&same, "@timestamp")));
    }
}

#[test]
fn a_document_that_a_sink_refuses_is_a_dead_letter_that_replay_stores_under_its_id() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let file = format!("1,{}\n1,{}\n", server.url("/never"), server.url("/later"));
    let (ran, receipt) = probe(&place, &file, &["--once", "--to", "contract:out"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!((number(&receipt, "dead_lettered"), place.objects("out").len()), (1, 1));
    let letter = &place.objects("dead-letters.ndjson")[0];
    assert_eq!((&letter["reason"], &letter["origin"]["name"]), (&"rejected".into(), &server.url("/never").into()));
    let ran = place.run("logator", &["replay", "dead-letters.ndjson", "-f", "ndjson", "--to", "ndjson:again"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let again = &place.objects("again")[0];
    assert_eq!((&again["_id"], &again["url"]), (&letter["_id"], &server.url("/never").into()));
}

#[test]
fn a_sink_that_hangs_stops_no_schedule_and_beyond_the_memory_documents_are_dropped_and_counted() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let arguments = ["--to", "sqlite:a.db", "--to", "null:", "--max-memory", "256KiB", "--sink-deadline", "1"];
    let file = format!("0.002,{}\n", server.url("/a"));
    let mut running = start(&place, &file, &arguments);
    let locked = lock(&place, "a.db");
    let seen = server.heads("/a").len();
    running.says("documents are dropped, because those that wait for the sink fill the memory (--max-memory)");
    let dropping = server.heads("/a").len();
    assert!(dropping > seen + 50, "{seen} {dropping}");
    server.wait_for("/a", dropping + 200);
    running.says("a.db");
    let begun = Instant::now();
    running.signal(Signal::SIGTERM);
    let ran = running.end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(begun.elapsed().as_secs() < 40, "{:?}", begun.elapsed());
    drop(locked);
    let receipt = receipt(&place);
    let (documents, dropped, unstored) =
        (number(&receipt, "documents"), number(&receipt, "dropped"), number(&receipt, "unstored"));
    let stored: Vec<i64> = receipt["sinks"].as_array().unwrap().iter().map(|sink| number(sink, "stored")).collect();
    assert!(dropped > 100 && unstored > 0, "{receipt}");
    assert_eq!(stored[0] + dropped + unstored, documents, "{receipt}");
    assert_eq!(stored[1], documents, "the other sink gets all: {receipt}");
    assert_eq!(rows(&place, "a.db"), stored[0]);
    assert!(!receipt["errors"].as_array().unwrap().is_empty() && receipt["finished"] == false, "{receipt}");
}

#[test]
fn a_sink_that_comes_back_gets_what_has_waited() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let file = format!("0.01,{}\n", server.url("/a"));
    let mut running = start(&place, &file, &["--to", "sqlite:a.db", "--sink-deadline", "0.3"]);
    let locked = lock(&place, "a.db");
    running.says("the documents wait for the next attempt");
    let seen = server.heads("/a").len();
    server.wait_for("/a", seen + 50);
    drop(locked);
    running.signal(Signal::SIGTERM);
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let receipt = receipt(&place);
    assert_eq!((number(&receipt, "dropped"), number(&receipt, "unstored")), (0, 0));
    assert_eq!(rows(&place, "a.db"), number(&receipt, "documents"));
}

#[test]
fn a_sink_that_cannot_be_opened_ends_the_program_before_the_first_request() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let (ran, _) =
        probe(&place, &format!("1,{}\n", server.url("/a")), &["--once", "--to", "sqlite:no/such/folder/a.db"]);
    assert!(matches!(ran.code, Some(2 | 3)), "{}", ran.stderr);
    assert!(ran.stderr.contains("a.db") && server.heads("/a").is_empty(), "{}", ran.stderr);
}

#[test]
fn the_program_ends_without_words_when_the_reader_of_its_output_has_gone() {
    let (place, server) = (Workspace::new(), WebServer::start());
    place.write("urls.csv", format!("0.01,{}\n", server.url("/a")));
    let program = crate::kit::program("logator-probe").display().to_string();
    let mut shell = std::process::Command::new("sh");
    let script = "\"$0\" urls.csv 2>errors | head -n 2; true";
    shell.args(["-c", script, &program]).current_dir(place.path("."));
    let ran = crate::kit::workspace::Running::start(shell).end();
    assert_eq!((ran.stdout.lines().count(), place.text("errors").as_str()), (2, ""), "{ran:?}");
}
