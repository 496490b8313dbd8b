//! A server errs, steps down, hangs, is killed and comes back: nothing is lost and nothing is doubled.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use logator::core::error::Kind;
use logator::core::wait::{Deadline, Waits};
use logator::sink::{Outcome, Sink, mongodb};
use mongodb_driver::bson::doc;
use nix::sys::signal::Signal;

use super::{all, count, open, plain, store};
use crate::kit::mongod::Mongod;
use crate::kit::proxy::Proxy;
use crate::kit::{PATIENCE, wait_for};
use ::mongodb as mongodb_driver;

/// A sink and everything that it said.
fn open_listening(uri: &str) -> (Arc<dyn Sink>, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&heard);
    let say = Box::new(move |words: &str| notes.lock().unwrap().push(words.to_owned()));
    let waits = Waits::new(Deadline::default(), None, say);
    (mongodb::open_with(uri, &waits).unwrap_or_else(|error| panic!("{error}")), heard)
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn errors_that_pass_are_tried_again() {
    let server = Mongod::standalone();
    let (sink, heard) = open_listening(&server.uri("logs.access"));
    for (round, code) in [189, 91, 11600, 11602, 10107, 13435, 50, 262, 112].into_iter().enumerate() {
        server.admin().fail_inserts(2, doc! { "errorCode": code });
        let start = round as u64 * 100;
        all(&store(&*sink, &plain(start..start + 100)), &Outcome::Stored);
        assert_eq!(server.admin().count("logs", "access"), start + 100, "after error {code}");
    }
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 18, "each trouble is told when it comes and when it is over: {heard:#?}");
    assert!(heard[0].contains("trying again") && heard[1].ends_with("stores again"), "{heard:#?}");
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn an_error_that_does_not_pass_ends_the_run() {
    let server = Mongod::standalone();
    let sink = open(&server.uri("logs.access"));
    server.admin().fail_inserts(1, doc! { "errorCode": 13 });
    let error = sink.store(&plain(0..10), &mut Vec::new()).expect_err("no permission");
    assert!(error.kind() == Kind::Sink && error.to_string().contains("code 13"), "{error}");
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_connection_dropped_before_the_write_loses_nothing() {
    let server = Mongod::standalone();
    let sink = open(&server.uri("logs.access"));
    server.admin().fail_inserts(3, doc! { "closeConnection": true });
    all(&store(&*sink, &plain(0..1000)), &Outcome::Stored);
    assert_eq!(server.admin().count("logs", "access"), 1000);
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn documents_of_a_try_whose_answer_was_lost_count_as_stored() {
    let server = Mongod::standalone();
    let proxy = Proxy::start(server.address());
    let sink = open(&format!("mongodb://127.0.0.1:{}/logs.access", proxy.port()));
    proxy.lose_answers_to_inserts(2);
    all(&store(&*sink, &plain(0..1000)), &Outcome::Stored);
    assert_eq!(proxy.left_to_lose(), 0);
    assert_eq!(server.admin().count("logs", "access"), 1000);
    // The next call meets no error.
    all(&store(&*sink, &plain(0..1000)), &Outcome::Duplicate);
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_write_that_is_not_durable_yet_is_waited_for() {
    let server = Mongod::replica_set();
    let sink = open(&server.uri("logs.access"));
    all(&store(&*sink, &plain(0..10)), &Outcome::Stored);
    let lagging = doc! { "code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out" };
    server.admin().fail_inserts(2, doc! { "writeConcernError": lagging.clone() });
    let outcomes = store(&*sink, &plain(5..20));
    all(&outcomes[..5], &Outcome::Duplicate);
    all(&outcomes[5..], &Outcome::Stored);
    assert_eq!(server.admin().count("logs", "access"), 20);

    let impatient = open(&server.uri("logs.access?sinkDeadlineMS=2000"));
    server.admin().fail_inserts(1000, doc! { "writeConcernError": lagging });
    let outcomes = store(&*impatient, &plain(20..22));
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Outcome::Failed(words)
            if words.contains("not stored within 2 s") && words.contains("waiting for replication timed out"))),
        "{outcomes:?}"
    );
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_write_concern_that_cannot_be_satisfied_ends_the_run() {
    let server = Mongod::replica_set();
    for concern in ["w=3", "w=no-such-tag"] {
        let sink = open(&server.uri(&format!("logs.access?{concern}")));
        let error = sink.store(&plain(0..10), &mut Vec::new()).expect_err(concern);
        assert_eq!(error.kind(), Kind::Sink, "{error}");
    }
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_primary_that_steps_down_loses_nothing() {
    let server = Mongod::replica_set();
    let sink = open(&server.uri("logs.access"));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let sink = &sink;
                scope.spawn(move || {
                    (0..100).for_each(|batch| {
                        let start = writer * 20_000 + batch * 200;
                        all(&store(&**sink, &plain(start..start + 200)), &Outcome::Stored);
                    });
                })
            })
            .collect();
        let admin = server.admin();
        wait_for("the first documents", PATIENCE, || (admin.count("logs", "access") > 1000).then_some(()));
        admin.run("admin", doc! { "replSetStepDown": 1, "force": true });
        assert!(writers.iter().any(|writer| !writer.is_finished()), "it stepped down in mid-run");
    });
    assert_eq!(server.admin().count("logs", "access"), 40_000);
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_server_killed_in_mid_run_and_restarted_has_every_line_once() {
    let mut server = Mongod::standalone();
    let (sink, heard) = open_listening(&server.uri("logs.access"));
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let sink = &sink;
            scope.spawn(move || {
                for batch in 0..100 {
                    let start = writer * 20_000 + batch * 200;
                    all(&store(&**sink, &plain(start..start + 200)), &Outcome::Stored);
                }
            });
        }
        let admin = server.admin();
        wait_for("the first documents", PATIENCE, || (admin.count("logs", "access") > 1000).then_some(()));
        server.kill();
        wait_for("a word about it", PATIENCE, || heard.lock().unwrap().first().cloned());
        server.restart();
    });
    assert_eq!(server.admin().count("logs", "access"), 40_000);
    let heard = heard.lock().unwrap();
    assert!(heard[0].starts_with(sink.name()) && heard[0].contains("trying again"), "{heard:#?}");
    assert!(heard.last().unwrap().ends_with("stores again") && heard.len() <= 4, "{heard:#?}");
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_server_that_stays_away_fails_the_documents_at_the_deadline() {
    let mut server = Mongod::standalone();
    let sink = open(&server.uri("logs.access?sinkDeadlineMS=900"));
    server.kill();
    let start = Instant::now();
    let outcomes = store(&*sink, &plain(0..10));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    for outcome in &outcomes {
        let Outcome::Failed(words) = outcome else { panic!("{outcomes:?}") };
        assert!(words.starts_with("not stored within 0.9 s: "), "{words}");
        assert!(words.contains("connection refused"), "{words}");
    }
    server.restart();
    all(&store(&*sink, &plain(0..10)), &Outcome::Stored);
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_server_that_hangs_fails_the_documents_at_the_deadline() {
    let mut server = Mongod::standalone();
    let sink = open(&server.uri("logs.access?sinkDeadlineMS=700"));
    all(&store(&*sink, &plain(0..10)), &Outcome::Stored);
    server.process().freeze();
    let start = Instant::now();
    let outcomes = store(&*sink, &plain(10..20));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Failed(_))), "{outcomes:?}");
    server.process().signal(Signal::SIGCONT);
    // The documents are delivered again. The server may have written them when it woke up; in either case they are
    // there once.
    let outcomes = store(&*open(&server.uri("logs.access")), &plain(10..20));
    assert_eq!(count(&outcomes, &Outcome::Stored) + count(&outcomes, &Outcome::Duplicate), 10, "{outcomes:?}");
    assert_eq!(server.admin().count("logs", "access"), 20);
}
