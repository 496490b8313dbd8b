//! Queues and workers that come, go, and come back.

use std::time::{Duration, Instant};

use logator::net::wire::Answer;

use crate::kit::logs::{access, access_line};
use crate::kit::peer::Peer;
use crate::kit::workspace::{Workspace, account, line_account};

#[test]
fn a_worker_may_start_before_its_queue() {
    let place = Workspace::new();
    let mut worker = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    worker.says("there is no queue; waiting for it");
    let mut queue = place.queue(&[]);
    queue.feed(&access(0..100));
    assert_eq!(queue.end().code, Some(0));
    let worker = worker.end();
    assert_eq!(worker.code, Some(0));
    assert_eq!(worker.stderr.matches("waiting for it").count(), 1, "{}", worker.stderr);
    assert_eq!(worker.stderr.matches("the queue answers again").count(), 1, "{}", worker.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [100, 100, 0, 0, 0, 0]);
    assert_eq!(place.objects("out").len(), 100);
}

#[test]
fn a_queue_that_is_killed_and_restarted_is_found_again_and_that_is_said_once() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--lease", "0.5"]);
    queue.feed(&access(0..10));
    let mut worker = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    crate::kit::wait_for("the first documents", crate::kit::PATIENCE, || {
        (std::fs::read_to_string(place.path("out")).unwrap_or_default().lines().count() == 10).then_some(())
    });
    queue.kill();
    worker.says("the queue is gone; waiting for it");
    let mut queue = place.queue(&["--lease", "0.5"]);
    worker.says("the queue answers again");
    queue.feed(&access(10..100));
    assert_eq!(queue.end().code, Some(0));
    let worker = worker.end();
    assert_eq!(worker.code, Some(0), "{}", worker.stderr);
    assert_eq!(worker.stderr.matches("waiting for it").count(), 1, "{}", worker.stderr);
    assert_eq!(worker.stderr.matches("the queue answers again").count(), 1, "{}", worker.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [90, 90, 0, 0, 0, 0]);
    assert_eq!(place.objects("out").len(), 100);
}

#[test]
fn the_batch_of_a_worker_that_died_goes_to_another_when_its_lease_has_run_out() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--lease", "0.3", "--linger", "0", "--batch-lines", "10"]);
    queue.feed(&access(0..100));
    let dead = Peer::connect(&place.endpoint());
    let Answer::Batch { batch, .. } = dead.reserve() else { panic!("no batch") };
    drop(dead);
    let worker = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    let (queue, worker) = (queue.end(), worker.end());
    assert_eq!((queue.code, worker.code), (Some(0), Some(0)), "{}", queue.stderr);
    assert!(queue.stderr.contains("1 batches were handed out again"), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [100, 100, 0, 0, 0, 0]);
    assert_eq!(place.objects("out").len(), 100);
    assert!(batch.records > 0);
}

#[test]
fn a_trickling_input_is_handed_out_line_by_line_though_the_batch_is_not_full() {
    let place = Workspace::new();
    // Otherwise a line waits for lines that continue it.
    let mut queue = place.queue(&["--linger", "0", "--multiline", "none"]);
    let peer = Peer::connect(&place.endpoint());
    let mut fastest = Duration::MAX;
    // The best of several tries: a busy machine may be late, but a queue that waits for a full batch is late each time.
    for index in 0..20 {
        peer.send(&[b""]);
        assert_eq!(peer.receive_within(Duration::from_millis(1)), None);
        let start = Instant::now();
        queue.feed(format!("{}\n", access_line(index)).as_bytes());
        assert_eq!(peer.receive(), [access_line(index).into_bytes()]);
        fastest = fastest.min(start.elapsed());
    }
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
    // The next request acknowledges the last line.
    peer.send(&[b""]);
    assert_eq!(queue.end().code, Some(0));
    assert_eq!(peer.receive(), [b""]);
    assert_eq!(line_account(&place.receipt("queue.json")), [20, 20, 0, 0]);
}

#[test]
fn an_input_that_never_pauses_is_handed_out_though_no_batch_is_full() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--linger", "0"]);
    let mut fed = Vec::new();
    let peer = Peer::connect(&place.endpoint());
    peer.send(&[b""]);
    // A line comes every few milliseconds, as long as nothing is handed out; a full batch would take seconds.
    let line = loop {
        let line = access_line(fed.len());
        queue.feed(format!("{line}\n").as_bytes());
        fed.push(line);
        if let Some(line) = peer.receive_within(Duration::from_millis(3)) {
            break line;
        }
        assert!(fed.len() < 500, "500 lines have come, and none was handed out");
    };
    assert_eq!(line, [fed[0].clone().into_bytes()]);
    drop(peer);
    queue.kill();
}

#[test]
fn the_line_dialogue_gives_every_line_in_order_and_counts_empty_ones_as_filtered() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--linger", "0.5", "--batch-lines", "7", "--multiline", "none"]);
    queue.feed(b"\n\n");
    queue.feed(&access(0..50));
    queue.feed(b"\r\n\n");
    queue.feed(&access(50..100));
    let peer = Peer::connect(&place.endpoint());
    for index in 0..100 {
        assert_eq!(peer.line(), Some(access_line(index)));
        if index == 98 {
            // The end is known only after the last line was asked for.
            queue.close_input();
        }
    }
    assert_eq!(peer.line(), None);
    // A late peer is told the end too.
    assert_eq!(Peer::connect(&place.endpoint()).line(), None);
    assert_eq!(peer.line(), None);
    assert_eq!(queue.end().code, Some(0));
    assert_eq!(line_account(&place.receipt("queue.json")), [104, 100, 0, 4]);
}

#[test]
fn a_line_peer_that_dies_holding_a_line_loses_it_to_another_after_the_lease() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--lease", "0.3", "--linger", "0"]);
    queue.feed(&access(0..3));
    queue.close_input();
    let dead = Peer::connect(&place.endpoint());
    assert_eq!(dead.line(), Some(access_line(0)));
    drop(dead);
    let peer = Peer::connect(&place.endpoint());
    let mut lines: Vec<String> = std::iter::from_fn(|| peer.line()).collect();
    lines.sort();
    assert_eq!(lines, [access_line(0), access_line(1), access_line(2)]);
    let queue = queue.end();
    assert_eq!(queue.code, Some(0));
    assert!(queue.stderr.contains("1 batches were handed out again; 0 acks came too late"), "{}", queue.stderr);
    assert!(queue.stderr.contains("\n+ delivered                   3\n"), "{}", queue.stderr);
    assert_eq!(line_account(&place.receipt("queue.json")), [3, 3, 0, 0]);
}

/// Each of many peers keeps a tiny line from a different block, and other peers take the rest of that block.
#[test]
fn peers_that_keep_tiny_lines_make_the_queue_hold_no_more_than_it_may() {
    const PEERS: usize = 300;
    let place = Workspace::new();
    let long = "x".repeat(200_000);
    let content: String = (0..PEERS + 20).map(|number| format!("tiny {number}\n{long}\n")).collect();
    place.write("in.log", content);
    let mut queue = place.queue(&["in.log", "--max-memory", "1MiB", "--lease", "600", "--linger", "0"]);
    let mut keepers: Vec<Peer> = Vec::new();
    let mut before = 0;
    let mut peer = Peer::connect(&place.endpoint());
    while keepers.len() < PEERS {
        if peer.line().expect("a line").starts_with("tiny") {
            keepers.push(std::mem::replace(&mut peer, Peer::connect(&place.endpoint())));
            if keepers.len() == 20 {
                before = queue.memory().expect("it runs");
            }
        }
    }
    // libzmq keeps some 20 kB for each connection; 280 blocks would be 70 MiB.
    let more = queue.memory().expect("it runs").saturating_sub(before);
    assert!(more < 30 << 10, "{more} kB more");
    queue.kill();
}

#[test]
fn a_line_that_was_never_asked_beyond_counts_as_nothing() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--lease", "600", "--drain", "0.1"]);
    queue.feed(&access(0..2));
    let peer = Peer::connect(&place.endpoint());
    assert_eq!((peer.line(), peer.line()), (Some(access_line(0)), Some(access_line(1))));
    queue.signal(nix::sys::signal::Signal::SIGTERM);
    let queue = queue.end_with_input_open();
    assert_eq!(queue.code, Some(3), "{}", queue.stderr);
    let receipt = place.receipt("queue.json");
    assert_eq!((line_account(&receipt), receipt.left), ([1, 1, 0, 0], 1));
}

/// The change to WAL mode does not wait for a lock, and neither does the repair after a killed process.
#[cfg(feature = "sqlite")]
#[test]
fn processes_that_open_a_new_database_at_once_wait_for_each_other() {
    let place = Workspace::new();
    for round in 0..15 {
        let (to, letters) = (format!("sqlite:{round}.db"), format!("letters-{round}"));
        let arguments = ["run", "-f", "combined", "-j", "1", "--to", &to, "--dead-letters", &letters];
        let mut runs: Vec<crate::kit::workspace::Running> =
            (0..4).map(|_| place.start("logator", &arguments)).collect();
        runs.iter_mut().for_each(|run| run.feed(&access(0..20)));
        for run in runs {
            let ran = run.end();
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        }
        let database = rusqlite::Connection::open(place.path(&format!("{round}.db"))).unwrap();
        let rows: u32 = database.query_row("SELECT count(*) FROM logs", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 20);
    }
}
