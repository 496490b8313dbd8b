//! Databases that are missing, refuse the login, go away, come back, or stay away.

use std::time::{Duration, Instant};

use mongodb_driver::bson::doc;

use crate::kit::logs::access;
use crate::kit::mongod::{Mongod, Setup};
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, free_port, wait_for};
use ::mongodb as mongodb_driver;

#[test]
fn a_database_that_is_not_there_is_said_soon_and_the_lines_go_to_another_worker() {
    let place = Workspace::new();
    let server = format!("mongodb://127.0.0.1:{}", free_port());
    let to = format!("{server}/logs.access");
    let start = Instant::now();
    let ran = place.run("logator", &["run", "-f", "combined", "--to", &to], &access(0..10));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("logator: {server}: nobody answers within 5 s")), "{}", ran.stderr);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());

    let mut queue = place.queue(&["--linger", "0", "--lease", "3600"]);
    queue.feed(&access(0..10));
    let worker = place.worker(&["-f", "combined", "--to", &to]).end();
    assert_eq!(worker.code, Some(3), "{}", worker.stderr);
    let other = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    assert_eq!((queue.end().code, other.end().code), (Some(0), Some(0)));
    assert_eq!(place.objects("out").len(), 10);
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_refused_login_ends_run_and_worker_and_no_output_shows_the_password() {
    let place = Workspace::new();
    let server = Mongod::start(Setup { auth: true, ..Setup::default() });
    let to = format!("mongodb://writer:wr0ng-s3cret@{}/logs.access?authSource=admin", server.host());
    let run = place.run("logator", &["run", "-f", "combined", "--to", &to, "--receipt", "receipt"], &access(0..10));
    let queue = place.queue(&["--linger", "0"]);
    let worker = place.worker(&["-f", "combined", "--to", &to]).end();
    assert_eq!(queue.end().code, Some(0));
    for ran in [run, worker] {
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.contains("the login is refused"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("wr0ng-s3cret") && !ran.stdout.contains("wr0ng-s3cret"), "{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_database_that_is_killed_in_mid_run_and_comes_back_has_every_line_once() {
    let place = Workspace::new();
    let mut server = Mongod::standalone();
    let mut queue = place.queue(&["--linger", "0", "--batch-lines", "200"]);
    queue.feed(&access(0..5000));
    let mut worker = place.worker(&["-f", "combined", "--to", &server.uri("logs.access")]);
    let admin = server.admin();
    wait_for("the first documents", PATIENCE, || (admin.count("logs", "access") > 0).then_some(()));
    server.kill();
    queue.feed(&access(5000..10_000));
    queue.close_input();
    worker.says("trying again");
    server.restart();
    let (queue, worker) = (queue.end(), worker.end());
    assert_eq!((queue.code, worker.code), (Some(0), Some(0)), "{}{}", queue.stderr, worker.stderr);
    assert_eq!(server.admin().count("logs", "access"), 10_000);
    let receipt = place.receipt("queue.json");
    assert!(receipt.agrees && receipt.read == 10_000, "{receipt:?}");
    assert_eq!(receipt.tally.stored + receipt.tally.duplicate, 10_000);
    assert!(worker.stderr.contains("stores again"), "{}", worker.stderr);
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn the_worker_of_a_database_that_stays_away_gives_its_leases_back_and_another_finishes() {
    let place = Workspace::new();
    let mut server = Mongod::standalone();
    let mut queue = place.queue(&["--linger", "0", "--batch-lines", "100", "--lease", "3600"]);
    let to = server.uri("logs.access?sinkDeadlineMS=500");
    queue.feed(&access(0..100));
    let worker = place.worker(&["-f", "combined", "--to", &to, "--receipt", "worker.json"]);
    let admin = server.admin();
    // The worker stores one batch after the other. When the second batch is in the database, the first one is too.
    wait_for("the first documents", PATIENCE, || (admin.count("logs", "access") == 100).then_some(()));
    queue.feed(&access(100..200));
    wait_for("more documents", PATIENCE, || (admin.count("logs", "access") == 200).then_some(()));
    server.kill();
    queue.feed(&access(200..1000));
    let worker = worker.end();
    assert_eq!(worker.code, Some(3), "{}", worker.stderr);
    let [read, stored, others @ ..] = account(&place.receipt("worker.json"));
    assert!(read == stored && (100..=200).contains(&stored) && others == [0; 4], "{stored} {others:?}");
    assert!(worker.stderr.contains("not stored within 0.5 s"), "{}", worker.stderr);
    // The lease is an hour. The queue ends because the worker gave its batches back at once.
    let other = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    assert_eq!((queue.end().code, other.end().code), (Some(0), Some(0)));
    assert_eq!(account(&place.receipt("queue.json")), [1000, 1000, 0, 0, 0, 0]);
    assert_eq!(place.objects("out").len() as u64, 1000 - stored);
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_worker_killed_while_the_database_hangs_loses_and_doubles_nothing() {
    let place = Workspace::new();
    let server = Mongod::standalone();
    let to = server.uri("logs.access");
    let mut queue = place.queue(&["--linger", "0", "--batch-lines", "500", "--lease", "1"]);
    queue.feed(&access(0..500));
    let mut first = place.worker(&["-f", "combined", "--to", &to]);
    let admin = server.admin();
    wait_for("the first documents", PATIENCE, || (admin.count("logs", "access") >= 100).then_some(()));
    // The worker takes more lines and cannot finish them.
    let slow = doc! { "failCommands": vec!["insert"], "blockConnection": true, "blockTimeMS": 5000 };
    let set = admin.run("admin", doc! { "configureFailPoint": "failCommand", "mode": "alwaysOn", "data": slow });
    queue.feed(&access(500..10_000));
    queue.close_input();
    let entered = i64::from(set.get_i32("count").expect("a count")) + 1;
    let wait = doc! { "waitForFailPoint": "failCommand", "timesEntered": entered, "maxTimeMS": 60_000 };
    admin.run("admin", wait);
    first.kill();
    admin.run("admin", doc! { "configureFailPoint": "failCommand", "mode": "off" });
    let second = place.worker(&["-f", "combined", "--to", &to]);
    let (queue, second) = (queue.end(), second.end());
    assert_eq!((queue.code, second.code), (Some(0), Some(0)), "{}{}", queue.stderr, second.stderr);
    assert_eq!(server.admin().count("logs", "access"), 10_000);
    let receipt = place.receipt("queue.json");
    assert!(receipt.agrees && receipt.read == 10_000, "{receipt:?}");
    assert!(queue.stderr.contains("batches were handed out again"), "{}", queue.stderr);
}
