//! A worker as an iterator over lines: each line is acknowledged when the next one is asked for, and not before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use logator::core::stop::Stop;
use logator::net::client::Lines;
use logator::net::server::hand_out;

use crate::kit::workspace::{Workspace, line_account};
use crate::kit::{PATIENCE, wait_for};

/// A lease that does not run out during a test.
const LONG: &str = "600";

/// Takes `count` lines.
fn take(lines: &mut Lines, count: usize) -> Vec<String> {
    let taken = lines.by_ref().take(count).map(|line| String::from_utf8(line.unwrap()).unwrap());
    taken.collect()
}

#[test]
fn a_loop_that_is_left_gives_its_last_line_back_at_once_and_no_other() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--lease", LONG]);
    queue.feed(b"one\ntwo\nthree\nfour\n");
    queue.close_input();
    let mut first = Lines::connect(&place.endpoint()).unwrap();
    assert_eq!(take(&mut first, 2), ["one", "two"]);
    let started = Instant::now();
    drop(first);
    let mut second = Lines::connect(&place.endpoint()).unwrap();
    assert_eq!(take(&mut second, 9), ["two", "three", "four"]);
    assert!(second.next().is_none() && started.elapsed() < PATIENCE);
    assert_eq!(queue.end().code, Some(0));
    assert_eq!(line_account(&place.receipt("queue.json")), [4, 4, 0, 0]);
    let receipt: serde_json::Value = serde_json::from_str(&place.text("queue.json")).unwrap();
    assert_eq!(receipt["redelivered"], 1, "{receipt}");
}

#[test]
fn finishing_acknowledges_the_last_line_and_takes_no_other() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--lease", LONG]);
    queue.feed(b"one\ntwo\nthree\n");
    queue.close_input();
    for expected in ["one", "two", "three"] {
        let mut lines = Lines::connect(&place.endpoint()).unwrap();
        assert_eq!(take(&mut lines, 1), [expected]);
        lines.finish().unwrap();
    }
    assert!(Lines::connect(&place.endpoint()).unwrap().next().is_none());
    assert_eq!(queue.end().code, Some(0));
    assert_eq!(line_account(&place.receipt("queue.json")), [3, 3, 0, 0]);
}

#[test]
fn a_stop_ends_the_wait_for_a_line_and_gives_the_last_one_back() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--lease", LONG]);
    queue.feed(b"one\n");
    let stop = Stop::new().unwrap();
    let mut lines = Lines::connect(&place.endpoint()).unwrap().until(stop.clone());
    assert_eq!(take(&mut lines, 1), ["one"]);
    drop(lines);
    // Nobody else takes the line that came back, so this worker gets it again, and then waits.
    let mut lines = Lines::connect(&place.endpoint()).unwrap().until(stop.clone());
    assert_eq!(take(&mut lines, 1), ["one"]);
    let waiting = std::thread::spawn(move || lines.next().is_none());
    queue.feed(b"two\n");
    queue.close_input();
    // The waiting worker has the second line now, or gets it: it ends its loop, and then the stop meets it.
    assert!(!waiting.join().unwrap());
    stop.request();
    let mut stopped = Lines::connect(&place.endpoint()).unwrap().until(stop);
    assert!(stopped.next().is_none());
    drop(stopped);
    let mut last = Lines::connect(&place.endpoint()).unwrap();
    assert_eq!(take(&mut last, 9), ["two"]);
    assert_eq!(queue.end().code, Some(0));
}

#[test]
fn the_iterator_waits_for_a_queue_that_comes_later_and_for_one_that_was_killed() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let worker = std::thread::spawn(move || take(&mut Lines::connect(&endpoint).unwrap(), 9));
    let mut queue = place.queue(&["--state", "state"]);
    queue.wait_ready();
    queue.kill();
    let mut queue = place.queue(&["--state", "state"]);
    queue.feed(b"one\ntwo\n");
    assert_eq!(queue.end().code, Some(0));
    assert_eq!(worker.join().unwrap(), ["one", "two"]);
}

#[test]
fn a_queue_of_one_call_hands_out_to_threads_and_programs_until_all_is_acknowledged() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let count = 3000;
    let begun = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let (lines, begun) = (Lines::connect(&endpoint).unwrap(), Arc::clone(&begun));
            let take = move |(index, line): (usize, logator::core::error::Result<Vec<u8>>)| {
                begun.fetch_add(usize::from(index == 0), Ordering::Relaxed);
                String::from_utf8(line.unwrap()).unwrap()
            };
            std::thread::spawn(move || lines.enumerate().map(take).collect::<Vec<_>>())
        })
        .collect();
    let program = place.worker(&["-p", "^%{GREEDYDATA:text}$", "--to", "ndjson:out"]);
    // Nothing is left for a worker that comes after the end, so the last lines come when each worker has had a line.
    let all_have_begun = |number: u64| {
        if number == count / 2 {
            wait_for("each worker to begin", PATIENCE, || {
                let stored = std::fs::metadata(place.path("out")).is_ok_and(|data| data.len() > 0);
                (stored && begun.load(Ordering::Relaxed) == 3).then_some(())
            });
        }
        format!("line {number}")
    };
    let done = hand_out(&endpoint, (0..count).map(all_have_begun)).unwrap();
    assert_eq!((done.delivered, done.filtered, done.poison.len()), (count, 0, 0));
    let program = program.end();
    assert_eq!(program.code, Some(0), "{}", program.stderr);
    let mut all: Vec<String> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
    let stored = std::fs::read_to_string(place.path("out")).unwrap_or_default();
    let stored = crate::kit::workspace::objects(&stored);
    all.extend(stored.iter().map(|document| document["text"].as_str().unwrap().to_owned()));
    all.sort_unstable_by_key(|line| line["line ".len()..].parse::<u64>().unwrap());
    assert!(all == (0..count).map(|number| format!("line {number}")).collect::<Vec<_>>(), "{} lines", all.len());
}

#[test]
fn endpoints_that_other_machines_reach_are_refused_without_keys() {
    assert!(Lines::connect("tcp://192.0.2.1:7700").is_err());
    assert!(hand_out("tcp://0.0.0.0:7700", ["x"]).is_err());
    assert!(logator::net::push::serve("tcp://0.0.0.0:7700", ["x"]).is_err());
}
