//! Workers that are stopped for longer than their lease, and workers that wait while their queue ends and is started
//! again.

use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{APART, MILLI, ROUND, Trial, content, until};
use crate::kit::table::times;

/// A worker is stopped in the middle of its work and goes on when another worker has done everything. Its documents are
/// stored already, and its acknowledgement belongs to a lease that has expired.
#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn workers_that_are_stopped_beyond_their_lease_lose_and_double_nothing() {
    let count = times(8);
    let portion = 2000;
    let mut trial = Trial::from_stdin("SIGSTOP a worker beyond its lease", count * portion + 500);
    trial.queue_arguments = ["--lease", "0.3"].map(String::from).to_vec();
    trial.begin(2);
    for nth in 0..count {
        let fed = nth * portion..(nth + 1) * portion;
        trial.queue().feed(&content(fed.clone()));
        let moment = (fed.start + trial.random.usize(1..portion / 2)) as u64;
        until("documents of this portion", || trial.count().is_some_and(|count| count >= moment));
        let stopped = trial.random.usize(..2);
        trial.workers[stopped].freeze();
        trial.breaks();
        trial.recovers();
        until("the other one to do it all", || trial.count() == Some(fed.end as u64));
        trial.workers[stopped].signal(Signal::SIGCONT);
    }
    trial.queue().feed(&content(count * portion..count * portion + 500));
    trial.finish();
    assert!(trial.redelivered > 0, "some held a batch when they were stopped");
    trial.close();
}

/// If one worker is stopped, the others continue with all other batches. A lease is a time, so the test waits by the
/// clock.
fn beyond_the_leases(fault: &'static str, stop: impl Fn(&mut Trial) -> u32) {
    let mut trial = Trial::new(fault, ROUND);
    trial.queue_arguments = ["--lease", "0.3"].map(String::from).to_vec();
    trial.disturb(times(4), APART, 2, |trial| {
        let stopped = stop(trial);
        let start = Instant::now();
        until("the leases to run out", || start.elapsed() > 400 * MILLI);
        trial.broken.0 = Instant::now();
        kill(Pid::from_raw(stopped as i32), Signal::SIGCONT).expect("it is there");
    });
    trial.close();
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_queue_that_is_stopped_beyond_its_leases_loses_and_doubles_nothing() {
    beyond_the_leases("SIGSTOP the queue beyond its leases", |trial| {
        trial.breaks();
        trial.queue().freeze();
        trial.queue().id()
    });
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_database_that_is_stopped_beyond_the_leases_loses_and_doubles_nothing() {
    beyond_the_leases("SIGSTOP mongod beyond the leases", |trial| {
        trial.breaks();
        trial.server.process().freeze();
        trial.server.process().id() as u32
    });
}

/// A restarted queue gets the same input again from the beginning. Its state knows the lines that are settled.
#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn eight_workers_that_wait_while_their_queue_is_killed_find_the_next_one() {
    let count = times(5);
    let portion = 600;
    let mut trial = Trial::from_stdin("kill -9 the queue of 8 workers that wait", count * portion);
    trial.begin(0);
    let alone = trial.queue().open_files();
    trial.workers = (0..8).map(|_| trial.new_worker()).collect();
    for nth in 0..count {
        until("eight workers to come", || trial.queue().open_files() >= alone + 8);
        trial.queue().kill();
        trial.breaks();
        trial.start_queue();
        trial.queue().feed(&content(0..(nth + 1) * portion));
        let all = ((nth + 1) * portion) as u64;
        trial.recovers();
        until("all that was fed", || trial.count() == Some(all));
    }
    trial.finish();
    trial.close();
}
