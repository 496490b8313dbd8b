//! A signal in the middle of an input leaves the job incomplete: the exit code and the receipt say so. A sink that is a pipe holds up
//! the work until the test reads the pipe, so each signal comes at the intended moment.

use std::fs::File;
use std::io::Read as _;

use logator::observe::receipt::Receipt;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use crate::kit::logs::{access, gzip, zstd};
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, Ran, wait_for};

/// More lines than a queue reads ahead of workers that stand still.
const MANY: usize = 120_000;

/// Makes a pipe and returns its name as a sink.
fn pipe(place: &Workspace, name: &str) -> String {
    nix::unistd::mkfifo(&place.path(name), Mode::from_bits_truncate(0o600)).expect("a pipe");
    format!("ndjson:{name}")
}

/// Reads the pipe of a sink: first one byte, then calls `meanwhile`, then reads the rest. Returns the number of lines.
fn drain(place: &Workspace, name: &str, meanwhile: impl FnOnce()) -> u64 {
    let mut pipe = File::open(place.path(name)).expect("the pipe");
    let mut text = vec![0; 1];
    pipe.read_exact(&mut text).expect("a first document");
    meanwhile();
    pipe.read_to_end(&mut text).expect("the other documents");
    text.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// A program that was stopped in the middle of its inputs says so everywhere: code 3, `finished` false, and the place where it stopped.
fn check_stopped(ran: &Ran, receipt: &Receipt, stored: u64, names: &[&str], lengths: &[usize]) {
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(receipt.agrees && !receipt.finished, "{receipt:?}");
    assert_eq!(account(receipt), [stored, stored, 0, 0, 0, 0]);
    let mut stopped: Vec<_> = receipt.stopped.clone();
    stopped.sort_by(|a, b| a.name.cmp(&b.name));
    let named: Vec<&str> = stopped.iter().map(|stopped| stopped.name.as_str()).collect();
    assert_eq!(named, names);
    let mut handed_on = 0;
    for (stopped, &length) in stopped.iter().zip(lengths) {
        let offset = stopped.offset.expect("a file's place is known");
        assert!(offset < length as u64, "{stopped:?} of {length} bytes");
        handed_on += offset;
    }
    assert_eq!(receipt.bytes, handed_on, "what was handed on is what was taken in");
    assert!(receipt.errors.iter().any(|error| error.contains("stopped at byte")), "{:?}", receipt.errors);
    assert!(ran.stderr.contains("not finished"), "{}", ran.stderr);
}

#[test]
fn a_run_that_is_stopped_in_the_middle_of_a_file_is_not_finished() {
    let content = access(0..MANY);
    let inputs =
        [("plain.log", content.clone()), ("packed.log.gz", gzip(&content)), ("packed.log.zst", zstd(&content))];
    for (index, signal) in [Signal::SIGTERM, Signal::SIGINT].into_iter().enumerate() {
        for (name, bytes) in &inputs {
            let place = Workspace::new();
            place.write(name, bytes);
            let to = pipe(&place, "pipe");
            let state = ["--state", "state"];
            let usual = ["run", name, "-f", "combined", "--to", &to, "--receipt", "receipt"];
            let run = place.start("logator", &[&usual[..], &state[..if index == 0 { 2 } else { 0 }]].concat());
            let stored = drain(&place, "pipe", || run.signal(signal));
            check_stopped(&run.end(), &place.receipt("receipt"), stored, &[name], &[content.len()]);
        }
    }
}

#[test]
fn each_of_several_files_that_was_not_read_to_its_end_is_named() {
    let place = Workspace::new();
    let (a, b) = (access(0..MANY), access(MANY..2 * MANY));
    let whole = access(500_000..500_010);
    for (name, content) in [("a.log", &a), ("b.log", &b), ("0.log", &whole)] {
        place.write(name, content);
    }
    let to = pipe(&place, "pipe");
    // The small file is read to its end before anything can be stored.
    let arguments = ["run", "0.log", "a.log", "b.log", "-f", "combined", "--to", &to, "--receipt", "receipt"];
    let run = place.start("logator", &arguments);
    let stored = drain(&place, "pipe", || run.signal(Signal::SIGTERM));
    let (ran, mut receipt) = (run.end(), place.receipt("receipt"));
    receipt.bytes -= whole.len() as u64;
    check_stopped(&ran, &receipt, stored, &["a.log", "b.log"], &[a.len(), b.len()]);
}

#[test]
fn a_queue_that_is_stopped_in_the_middle_of_a_file_is_not_finished() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let place = Workspace::new();
        let content = access(0..MANY);
        place.write("access.log.gz", gzip(&content));
        let to = pipe(&place, "pipe");
        let mut queue = place.queue(&["access.log.gz", "--linger", "0"]);
        let worker = place.worker(&["-f", "combined", "--to", &to, "--receipt", "worker.json"]);
        let stored = drain(&place, "pipe", || {
            queue.signal(signal);
            queue.wait_stopping();
        });
        check_stopped(&queue.end(), &place.receipt("queue.json"), stored, &["access.log.gz"], &[content.len()]);
        // The worker came to the end of the lines.
        assert_eq!(worker.end().code, Some(0));
        assert!(place.receipt("worker.json").finished);
    }
}

#[test]
fn a_worker_that_is_stopped_before_its_queue_has_ended_is_not_finished() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--linger", "0"]);
    queue.feed(&access(0..100));
    let mut worker = place.worker(&["-f", "combined", "--to", "ndjson:out", "--receipt", "worker.json"]);
    wait_for("the documents", PATIENCE, || {
        (std::fs::read_to_string(place.path("out")).unwrap_or_default().lines().count() == 100).then_some(())
    });
    worker.signal(Signal::SIGTERM);
    worker.says("stopped before the queue had come to its end");
    assert_eq!(worker.end().code, Some(3));
    let receipt = place.receipt("worker.json");
    assert!(receipt.agrees && !receipt.finished, "{receipt:?}");
    assert_eq!(account(&receipt), [100, 100, 0, 0, 0, 0]);
    assert_eq!(receipt.stopped.len(), 1);
    assert_eq!(queue.end().code, Some(0), "nothing was lost by it");
}

#[test]
fn a_replay_that_is_stopped_is_not_finished_whatever_its_letters_are() {
    let place = Workspace::new();
    place.write("in.log", access(0..MANY));
    let arguments = ["run", "in.log", "-p", "nothing", "--unmatched", "dead-letter", "--to", "null:"];
    let made = place.run("logator", &[&arguments[..], &["--dead-letters", "old", "-q"]].concat(), b"");
    assert_eq!(made.code, Some(1), "{}", made.stderr);
    let length = std::fs::metadata(place.path("old")).unwrap().len() as usize;
    // Letters that are sent.
    let to = pipe(&place, "pipe");
    let usual = ["replay", "old", "-f", "combined", "--receipt", "receipt"];
    let replay = place.start("logator", &[&usual[..], &["--to", &to]].concat());
    let stored = drain(&place, "pipe", || replay.signal(Signal::SIGTERM));
    let (ran, receipt) = (replay.end(), place.receipt("receipt"));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(receipt.agrees && !receipt.finished && stored < MANY as u64, "{receipt:?}");
    assert_eq!(account(&receipt), [stored, stored, 0, 0, 0, 0]);
    assert!(receipt.stopped[0].offset.is_some_and(|offset| offset < length as u64), "{:?}", receipt.stopped);
    // This replay sends no letter: it writes all letters to the other file. A signal stops it too.
    let mut replay = place.start("logator", &[&usual[..], &["--reason", "poison", "--dead-letters", "kept"]].concat());
    wait_for("a first letter", PATIENCE, || {
        std::fs::metadata(place.path("kept")).is_ok_and(|kept| kept.len() > 0).then_some(())
    });
    replay.signal(Signal::SIGTERM);
    replay.wait_stopping();
    let ran = replay.end();
    let (receipt, kept) = (place.receipt("receipt"), place.text("kept").lines().count() as u64);
    assert_eq!(account(&receipt), [kept, 0, 0, 0, kept, 0]);
    assert_eq!(receipt.finished, kept == MANY as u64, "{receipt:?}");
    assert_eq!(ran.code, Some(if receipt.finished { 1 } else { 3 }), "{}", ran.stderr);
}

/// A signal after the end of the input changes nothing: the input is complete, and so is the work when everything is stored.
#[test]
fn a_signal_behind_the_end_of_the_input_leaves_a_run_finished() {
    let place = Workspace::new();
    place.write("access.log", access(0..500));
    let to = pipe(&place, "pipe");
    let mut run = place.start("logator", &["run", "access.log", "-f", "combined", "--to", &to, "--receipt", "receipt"]);
    let stored = drain(&place, "pipe", || {
        run.signal(Signal::SIGTERM);
        run.wait_stopping();
    });
    let ran = run.end();
    assert_eq!((ran.code, stored), (Some(0), 500), "{}", ran.stderr);
    let receipt = place.receipt("receipt");
    assert!(receipt.finished && receipt.stopped.is_empty() && receipt.errors.is_empty(), "{receipt:?}");
}

/// A file that `--state` knows to its end is complete, though none of its lines is wanted.
#[test]
fn a_file_that_was_settled_before_is_complete() {
    let place = Workspace::new();
    let path = place.write("access.log", access(0..500));
    let hour = std::time::Duration::from_secs(3600);
    File::options().write(true).open(path).unwrap().set_modified(std::time::SystemTime::now() - hour).unwrap();
    for round in ["first", "second"] {
        let arguments = ["access.log", "-f", "combined", "--to", "null:", "--state", "state"];
        let (ran, receipt) = place.logator(&arguments, b"");
        assert_eq!(ran.code, Some(0), "{round}: {}", ran.stderr);
        assert!(receipt.finished && receipt.stopped.is_empty(), "{round}: {receipt:?}");
    }
}

/// Another run with `--state` delivers the rest of a stopped run, and nothing else.
#[test]
fn what_was_stopped_is_completed_by_the_next_run() {
    let place = Workspace::new();
    place.write("access.log.gz", gzip(&access(0..MANY)));
    let to = pipe(&place, "pipe");
    let usual = ["run", "access.log.gz", "-f", "combined", "--state", "state", "--receipt", "receipt", "--to"];
    let run = place.start("logator", &[&usual[..], &[&to]].concat());
    let first = drain(&place, "pipe", || run.signal(Signal::SIGTERM));
    assert_eq!(run.end().code, Some(3));
    let ran = place.run("logator", &[&usual[..], &["null:"]].concat(), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let receipt = place.receipt("receipt");
    assert_eq!((receipt.read + first, receipt.resumed_lines), (MANY as u64, first));
}
