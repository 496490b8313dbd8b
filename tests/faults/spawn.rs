//! Workers that a queue starts itself.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::kit::logs::access;
use crate::kit::place::{Place, account};
use crate::kit::{PATIENCE, wait_for};

/// The processes that `parent` started.
fn children(parent: u32) -> Vec<i32> {
    let listed = std::fs::read_dir(format!("/proc/{parent}/task")).expect("a running process");
    let of_thread = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children")).ok();
    let listed: Vec<String> = listed.flatten().filter_map(of_thread).collect();
    listed.iter().flat_map(|text| text.split_whitespace()).map(|id| id.parse().expect("a process id")).collect()
}

#[test]
#[cfg(feature = "sqlite")]
fn spawned_workers_do_the_work_and_end_with_it() {
    let place = Place::new();
    let to = place.at("sqlite:", "logs.db");
    let mut queue =
        place.queue(&["--spawn=2", "--linger", "0", "--batch-lines", "50", "--", "-f", "combined", "--to", &to]);
    let workers = wait_for("two workers", PATIENCE, || Some(children(queue.id())).filter(|workers| workers.len() == 2));
    queue.feed(&access(0..1000));
    let queue = queue.end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [1000, 1000, 0, 0, 0, 0]);
    for worker in workers {
        assert!(kill(Pid::from_raw(worker), None).is_err(), "worker {worker} is left behind");
    }
}

#[test]
fn a_spawned_worker_that_is_killed_is_started_again() {
    let place = Place::new();
    let mut queue =
        place.queue(&["--spawn=1", "--linger", "0", "--lease", "0.5", "--", "-f", "combined", "--to", "null:"]);
    let first = wait_for("a worker", PATIENCE, || children(queue.id()).first().copied());
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    queue.says("a worker ended with signal 9; another is started");
    queue.feed(&access(0..1000));
    let queue = queue.end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [1000, 1000, 0, 0, 0, 0]);
}

#[test]
fn spawned_workers_that_cannot_work_end_the_queue() {
    let place = Place::new();
    let mut queue = place.start(
        "logator-queue",
        &["--bind", &place.endpoint(), "--receipt", "queue.json", "--spawn=2", "--", "-f", "no-such-format"],
    );
    queue.feed(&access(0..10));
    let queue = queue.end_with_input_open();
    assert_eq!(queue.code, Some(3), "{}", queue.stderr);
    assert!(queue.stderr.contains("a worker ended with exit code 2; no other is started"), "{}", queue.stderr);
    assert!(queue.stderr.contains("no-such-format"), "{}", queue.stderr);
    let receipt = place.receipt("queue.json");
    assert!(receipt.agrees && account(&receipt) == [0; 6], "{receipt:?}");
}

#[test]
fn a_signal_ends_the_spawned_workers_as_well() {
    let place = Place::new();
    let mut queue = place.queue(&["--spawn=2", "--", "-f", "combined", "--to", "null:"]);
    let workers = wait_for("two workers", PATIENCE, || Some(children(queue.id())).filter(|workers| workers.len() == 2));
    queue.feed(&access(0..100));
    queue.signal(Signal::SIGTERM);
    let queue = queue.end_with_input_open();
    assert_eq!(queue.code, Some(3), "{}", queue.stderr);
    assert!(place.receipt("queue.json").agrees);
    for worker in workers {
        assert!(kill(Pid::from_raw(worker), None).is_err(), "worker {worker} is left behind");
    }
}
