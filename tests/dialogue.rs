//! What queues and workers tell each other besides records: versions, identities, reports, and what was known when the
//! records were read.

use std::time::{Duration, SystemTime};

use logator::net::wire::{Answer, Ask, MAGIC, Reply, Request};

use crate::kit::PATIENCE;
use crate::kit::logs::access;
use crate::kit::peer::Peer;
use crate::kit::workspace::{Workspace, account};

#[test]
fn the_receipt_of_a_queue_has_the_patterns_and_sinks_of_its_workers() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--batch-lines", "10"]);
    let workers = [0, 1].map(|_| place.worker(&["-f", "combined", "-p", "nothing of the kind", "--to", "null:"]));
    queue.feed(&access(0..1000));
    let queue = queue.end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    for worker in workers {
        assert_eq!(worker.end().code, Some(0));
    }
    let receipt = place.receipt("queue.json");
    assert_eq!(account(&receipt)[..2], [1000, 1000]);
    let patterns: Vec<(&str, u64)> =
        receipt.patterns.iter().map(|pattern| (pattern.name.as_str(), pattern.get("matched"))).collect();
    assert_eq!(patterns, [("combined", 1000), ("nothing of the kind", 0)]);
    let sinks: Vec<(&str, u64)> = receipt.sinks.iter().map(|sink| (sink.name.as_str(), sink.get("stored"))).collect();
    assert_eq!(sinks, [("null:", 1000)]);
}

#[test]
fn a_worker_says_once_that_another_queue_answers_and_a_state_directory_stays_the_same_queue() {
    for (state, said) in [(&[][..], 1), (&["--state", "state"], 0)] {
        let place = Workspace::new();
        let mut queue = place.queue(state);
        let mut worker = place.worker(&["-f", "combined", "--to", "null:"]);
        worker.wait_ready();
        queue.kill();
        worker.says("waiting for it");
        let mut queue = place.queue(state);
        worker.says("the queue answers again");
        queue.feed(&access(0..100));
        assert_eq!(queue.end().code, Some(0));
        let worker = worker.end();
        assert_eq!(worker.stderr.matches("another queue answers").count(), said, "{}", worker.stderr);
    }
}

#[test]
fn a_worker_that_meets_a_queue_of_another_version_names_both_versions() {
    let place = Workspace::new();
    let context = zmq::Context::new();
    let queue = context.socket(zmq::ROUTER).unwrap();
    queue.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    queue.bind(&place.endpoint()).unwrap();
    let worker = place.worker(&["-f", "combined", "--to", "null:"]);
    let frames = queue.recv_multipart(0).expect("a greeting");
    let error = [&b"\x85\0\x01\0\x02"[..], b"no"].concat();
    queue.send_multipart([&frames[0][..], b"", b"logator1", &error], 0).unwrap();
    let worker = worker.end();
    assert_eq!(worker.code, Some(3), "{}", worker.stderr);
    let sentence = "this worker speaks logator2, and the queue speaks logator1";
    assert!(worker.stderr.contains(sentence), "{}", worker.stderr);
}

#[test]
fn a_peer_holds_as_many_leases_as_it_asks_for_within_the_limit_of_the_queue() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--batch-lines", "1"]);
    queue.feed(&access(0..100));
    queue.close_input();
    let reserve = |leases| Request { leases, ..Ask::Reserve { wait: Duration::ZERO, acks: Vec::new() }.into() };
    for (leases, held) in [(Some(3), 3), (None, 8), (Some(1000), 64)] {
        let peer = Peer::connect(&place.endpoint());
        let mut batches = 0;
        let state = loop {
            let reply: Reply = peer.request(&reserve(leases));
            match reply.answer {
                Answer::Batch { .. } => batches += 1,
                Answer::Wait(_) if batches == 0 => {}
                _ => break reply.queue.expect("the state of the queue"),
            }
        };
        assert_eq!((batches, state.leases), (held, held), "{leases:?}");
        assert!(state.backlog > 0);
        peer.send(&[MAGIC, &Request::from(Ask::Bye(Vec::new())).encode()]);
        peer.receive();
    }
    queue.kill();
}

/// A file of 2005, whose lines have no year, is read in one process and over the wire.
#[test]
fn a_date_without_a_year_gets_the_year_of_its_file_in_one_process_and_over_the_wire() {
    let place = Workspace::new();
    let lines = ["Jun 30 10:00:00 one", "Jul  2 10:00:00 two", "Dec 31 10:00:00 three"].map(|line| format!("{line}\n"));
    let path = place.write("old.log", lines.concat());
    // 2005-07-01T12:00:00Z.
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_120_219_200);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
    let parse = ["-p", "%{SYSLOGTIMESTAMP:at:date} %{WORD:word}"];
    let (ran, _) = place.logator(&[&["old.log", "--to", "ndjson:run"], &parse[..]].concat(), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let queue = place.queue(&["old.log"]);
    let worker = place.worker(&[&["--to", "ndjson:wire"], &parse[..]].concat());
    assert_eq!((queue.end().code, worker.end().code), (Some(0), Some(0)));
    let dates = |name: &str| -> Vec<String> {
        place.objects(name).iter().map(|document| document["at"].as_str().unwrap_or("none")[..10].to_owned()).collect()
    };
    assert_eq!(dates("run"), ["2005-06-30", "2005-07-02", "2004-12-31"]);
    assert_eq!(place.objects("run"), place.objects("wire"));
}
