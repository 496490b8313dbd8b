//! Numbers of workers that follow the load: threads of a run and of a worker, and processes of a queue.

#[cfg(feature = "contract-tests")]
use std::time::{Duration, Instant};

use super::spawn::children;
use crate::kit::logs::access;
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, wait_for};

/// Lines that are fed at a time.
const CHUNK: usize = 5000;

/// Feeds `program` until `says` has said `words`. Returns the number of lines.
fn feed_until(program: &mut Running, says: impl Fn(&Running) -> String, words: &str) -> u64 {
    let chunk = access(0..CHUNK);
    let mut lines = 0;
    wait_for(words, PATIENCE, || {
        program.feed(&chunk);
        lines += CHUNK as u64;
        says(program).contains(words).then_some(lines)
    })
}

#[test]
fn the_threads_of_a_run_follow_the_load_and_every_line_is_stored_once() {
    let place = Workspace::new();
    let options = ["-j", "1..3", "--scale-backlog", "100KiB", "--batch-lines", "1000", "--receipt", "receipt"];
    let mut run = place.start("logator", &[&["run", "-f", "combined", "--to", "null:"], &options[..]].concat());
    let mut lines = 0;
    for round in 0..2 {
        let more = |run: &Running| run.stderr().split("workers: 2 now, 1 before").nth(round + 1).map(str::to_owned);
        lines += feed_until(&mut run, |run| more(run).map(|_| "grown".to_owned()).unwrap_or_default(), "grown");
        wait_for("one worker", PATIENCE, || {
            let said = run.stderr();
            let last = said.lines().rfind(|line| line.contains("workers: "))?;
            last.contains("workers: 1 now").then_some(())
        });
    }
    let ran = run.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&place.receipt("receipt")), [lines, lines, 0, 0, 0, 0]);
    for reason in ["bytes wait, more than 102400, and the backlog rises", "workers waited for"] {
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
}

#[test]
fn the_threads_of_a_worker_follow_the_backlog_of_its_queue() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--linger", "0", "--batch-lines", "1000"]);
    let endpoint = place.endpoint();
    let mut worker = place.start(
        "logator-worker",
        &["--from", &endpoint, "-j", "1..3", "--scale-backlog", "100KiB", "-f", "combined", "--to", "null:"],
    );
    let lines = feed_until(&mut queue, |_| worker.stderr(), "workers: 2 now, 1 before");
    worker.says("workers: 1 now");
    queue.feed(&access(0..10));
    let queue = queue.end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    let worker = worker.end();
    assert_eq!(worker.code, Some(0), "{}", worker.stderr);
    let receipt = place.receipt("queue.json");
    assert_eq!(account(&receipt), [lines + 10, lines + 10, 0, 0, 0, 0]);
    assert!(!place.text("queue.json").contains("redelivered"), "what a worker holds is stored before it leaves");
}

#[test]
fn a_queue_starts_and_ends_processes_with_the_load() {
    let place = Workspace::new();
    let spawn = ["--spawn=1..3", "--scale-backlog", "100KiB", "--linger", "0", "--batch-lines", "1000"];
    let workers = ["--", "-f", "combined", "--to", "null:"];
    let mut queue = place.queue(&[&spawn[..], &workers].concat());
    wait_for("one worker", PATIENCE, || (children(queue.id()).len() == 1).then_some(()));
    let lines = feed_until(&mut queue, Running::stderr, "worker processes: 2 now, 1 before");
    wait_for("two workers", PATIENCE, || (children(queue.id()).len() >= 2).then_some(()));
    queue.says("worker processes: 1 now");
    wait_for("one worker", PATIENCE, || (children(queue.id()).len() == 1).then_some(()));
    queue.feed(&access(0..10));
    let queue = queue.end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    assert!(!queue.stderr.contains("a worker ended"), "{}", queue.stderr);
    let receipt = place.receipt("queue.json");
    assert_eq!(account(&receipt), [lines + 10, lines + 10, 0, 0, 0, 0]);
}

/// Only one process can write to the file of an NDJSON sink.
#[test]
fn workers_that_cannot_start_do_not_end_those_that_work() {
    let place = Workspace::new();
    let spawn = ["--spawn=1..3", "--scale-backlog", "100KiB", "--linger", "0", "--batch-lines", "1000"];
    let workers = ["--", "-f", "combined", "--to", "ndjson:out"];
    let mut queue = place.queue(&[&spawn[..], &workers].concat());
    let lines = feed_until(&mut queue, Running::stderr, "no further worker is started");
    let queue = queue.end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    assert!(queue.stderr.contains("another sink or process is writing to it"), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [lines, lines, 0, 0, 0, 0]);
    assert_eq!(place.text("out").lines().count() as u64, lines);
}

#[test]
fn the_state_of_a_job_is_printed_at_intervals() {
    let place = Workspace::new();
    let mut run = place.start("logator", &["run", "-j", "2", "--status-interval", "100ms", "--to", "null:"]);
    run.says("logator: workers 2, backlog 0 bytes, in flight 0 of 2, 0 lines/s");
    let mut queue = place.queue(&["--status-interval", "0.1s", "--linger", "0"]);
    queue.says("logator-queue: workers 0, backlog 0 bytes, in flight 0, 0 lines/s");
    let mut worker = place.worker(&["--status-interval", "0.1", "--in-flight", "3", "-f", "combined", "--to", "null:"]);
    worker.says("logator-worker: workers 1, backlog 0 bytes, in flight 0 of 3, 0 lines/s");
    queue.says("workers 1, backlog 0 bytes");
    assert_eq!((run.end().code, queue.end().code, worker.end().code), (Some(0), Some(0), Some(0)));
}

/// A sink that answers late gets several batches at a time.
#[test]
#[cfg(feature = "contract-tests")]
fn more_batches_than_workers_are_in_flight() {
    let lines = access(0..100);
    let place = Workspace::new();
    let start = Instant::now();
    let options = ["-f", "combined", "-j", "1", "--batch-lines", "1", "--to", "delay:200", "--in-flight"];
    let (ran, receipt) = place.logator(&[&options[..], &["20"]].concat(), &lines);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [100, 100, 0, 0, 0, 0]), "{}", ran.stderr);
    // One after the other, they would take 20 seconds.
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let start = Instant::now();
    let mut queue = place.queue(&["--linger", "0", "--batch-lines", "1"]);
    let worker = place.worker(&["-f", "combined", "--to", "delay:200", "--in-flight", "20..64"]);
    queue.feed(&lines);
    let (queue, worker) = (queue.end(), worker.end());
    assert_eq!((queue.code, worker.code), (Some(0), Some(0)), "{}{}", queue.stderr, worker.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [100, 100, 0, 0, 0, 0]);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// What is refused is sent again, and counted once.
#[test]
#[cfg(feature = "contract-tests")]
fn refused_requests_are_stored_once_when_nothing_is_refused_any_more() {
    let place = Workspace::new();
    let to = "delay:5,refuse=0..1.5";
    let options = ["-f", "combined", "--batch-lines", "50", "--log-level", "debug", "--to", to];
    let (ran, receipt) = place.logator(&options, &access(0..20_000));
    assert_eq!((ran.code, account(&receipt)), (Some(0), [20_000, 20_000, 0, 0, 0, 0]), "{}", ran.stderr);
    assert!(ran.stderr.contains("requests were refused"), "the limiter tells its reasons: {}", ran.stderr);
}
