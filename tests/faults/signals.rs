//! SIGTERM, SIGINT, and a standard output that nobody reads any more.

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;
use std::time::Instant;

use logator::core::batch::{Batch, Origin};
use logator::net::wire::{self, Answer, Ask, Reply, Request};
use logator::process::signals::ONE_SIGNAL;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use super::unread::fill;
use crate::kit::logs::access;
use crate::kit::process::heeds;
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, wait_for};

const INTERRUPTED: &str = "-: stopped; the rest of the input was not read";

#[test]
fn a_signal_ends_a_run_whose_input_is_still_open_with_a_receipt() {
    for (signal, name) in [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGINT, "SIGINT")] {
        let place = Workspace::new();
        let mut run = place.start("logator", &["run", "-f", "combined", "--receipt", "receipt"]);
        run.feed(&access(0..100));
        wait_for("the documents", PATIENCE, || (run.stdout().lines().count() == 100).then_some(()));
        run.signal(signal);
        let ran = run.end_with_input_open();
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("logator: {name}: reading stops")), "{}", ran.stderr);
        let receipt = place.receipt("receipt");
        assert_eq!(account(&receipt), [100, 100, 0, 0, 0, 0]);
        assert!(receipt.agrees && !receipt.finished);
        assert_eq!(receipt.errors, [INTERRUPTED]);
        assert!(ran.stderr.contains("receipt\n") && ran.stderr.contains(INTERRUPTED), "{}", ran.stderr);
    }
}

#[test]
fn a_signal_ends_a_queue_when_its_workers_have_finished_what_was_read() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--drain", "60"]);
    queue.feed(&access(0..100));
    let mut worker = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    wait_for("the documents", PATIENCE, || {
        (std::fs::read_to_string(place.path("out")).unwrap_or_default().lines().count() == 100).then_some(())
    });
    queue.signal(Signal::SIGTERM);
    let ran = queue.end_with_input_open();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("SIGTERM: reading stops, workers have 60 s to finish"), "{}", ran.stderr);
    let receipt = place.receipt("queue.json");
    assert_eq!(account(&receipt), [100, 100, 0, 0, 0, 0]);
    assert_eq!(receipt.errors, [INTERRUPTED]);
    worker.close_input();
    assert_eq!(worker.end().code, Some(0), "it was told the end");
}

#[test]
fn a_queue_without_workers_ends_when_the_time_to_drain_is_over() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--drain", "0.2"]);
    queue.feed(&access(0..100));
    let peer = crate::kit::peer::Peer::connect(&place.endpoint());
    assert!(matches!(peer.reserve(), logator::net::wire::Answer::Batch { .. }));
    queue.signal(Signal::SIGTERM);
    let ran = queue.end_with_input_open();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let receipt = place.receipt("queue.json");
    assert_eq!(account(&receipt), [0; 6]);
    assert!(receipt.agrees && receipt.left > 0, "{receipt:?}");
    assert!(receipt.errors.iter().any(|error| error == "the workers did not finish what was read"), "{receipt:?}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--drain", "3600"]);
    queue.feed(&access(0..100));
    let peer = crate::kit::peer::Peer::connect(&place.endpoint());
    assert!(matches!(peer.reserve(), logator::net::wire::Answer::Batch { .. }));
    queue.signal(Signal::SIGTERM);
    let since = Instant::now();
    queue.wait_stopping();
    wait_for("more than the time in which two signals are one", PATIENCE, || {
        (since.elapsed() > 2 * ONE_SIGNAL).then_some(())
    });
    queue.signal(Signal::SIGTERM);
    assert_eq!(queue.end_with_input_open().code, Some(3));
}

#[test]
fn a_signal_ends_a_worker_that_waits_and_the_queue_does_not_wait_for_it() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--linger", "0"]);
    let mut worker = place.worker(&["-f", "combined", "--to", "ndjson:out", "--receipt", "worker.json"]);
    queue.feed(&access(0..100));
    wait_for("the documents", PATIENCE, || {
        (std::fs::read_to_string(place.path("out")).unwrap_or_default().lines().count() == 100).then_some(())
    });
    worker.signal(Signal::SIGTERM);
    worker.wait_stopping();
    let worker = worker.end_with_input_open();
    assert_eq!(worker.code, Some(3), "{}", worker.stderr);
    assert!(worker.stderr.contains("SIGTERM: finishing what is in hand"), "{}", worker.stderr);
    assert_eq!(account(&place.receipt("worker.json")), [100, 100, 0, 0, 0, 0]);
    let queue = queue.end();
    assert_eq!(queue.code, Some(0));
    assert!(!queue.stderr.contains("handed out again"), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [100, 100, 0, 0, 0, 0]);
}

/// A worker gets a signal while it stores: it finishes and acknowledges its batch, and does not leave it to the lease.
#[test]
fn a_signal_lets_a_worker_finish_and_acknowledge_what_it_holds() {
    let place = Workspace::new();
    // Storing into a pipe does not finish before somebody reads the pipe.
    nix::unistd::mkfifo(&place.path("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
    let lines = 4000;
    let mut queue = place.queue(&["--linger", "0", "--lease", "3600", "--batch-lines", "1000"]);
    queue.feed(&access(0..lines));
    queue.close_input();
    let mut worker = place.worker(&["-f", "combined", "--to", "ndjson:pipe", "--receipt", "worker.json"]);
    // The pipe is open now: the worker has its sink, and will be stuck in it.
    let mut pipe = File::open(place.path("pipe")).unwrap();
    let mut text = vec![0; 10];
    pipe.read_exact(&mut text).unwrap();
    worker.signal(Signal::SIGTERM);
    worker.wait_stopping();
    let mut rest = Vec::new();
    pipe.read_to_end(&mut rest).unwrap();
    let stored = text.iter().chain(&rest).filter(|&&byte| byte == b'\n').count();
    let worker = worker.end_with_input_open();
    assert_eq!(worker.code, Some(3), "{}", worker.stderr);
    let done = place.receipt("worker.json");
    assert_eq!(account(&done), [stored as u64, stored as u64, 0, 0, 0, 0]);
    assert!(stored > 0 && stored < lines, "{stored} lines in hand");
    // The lease is an hour, so another worker can only get lines that were given back at once.
    let other = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    let queue = queue.end();
    assert_eq!((queue.code, other.end().code), (Some(0), Some(0)), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [4000, 4000, 0, 0, 0, 0]);
    assert_eq!(place.objects("out").len() + stored, lines, "no line was stored twice");
}

#[test]
fn a_reader_that_leaves_standard_output_ends_the_run_quietly() {
    let place = Workspace::new();
    let content = access(0..20_000);
    place.write("access.log", &content);
    let mut command = place.command("logator", &["run", "access.log", "-f", "combined", "--receipt", "receipt"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut first = [0; 1];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
    // Not everything was stored. The exit code says so to a shell with pipefail.
    assert_eq!((first[0], ended.status.code()), (b'{', Some(3)));
    let receipt = place.receipt("receipt");
    assert!(receipt.agrees && !receipt.finished && !receipt.errors.is_empty(), "{receipt:?}");
    // One message for each worker that met the closed pipe.
    for error in &receipt.errors {
        assert_eq!(error, "standard output: its reader left: Broken pipe (os error 32)");
    }
}

/// If a request for work is still open, the goodbye goes over the same connection. Then the queue knows which request
/// the goodbye withdraws, and takes back a batch that it handed out at the same moment. (The goodbye once went over a
/// new connection, and such a batch waited for its lease.)
#[test]
fn a_worker_that_is_stopped_says_goodbye_over_the_connection_on_which_its_question_waits() {
    let place = Workspace::new();
    let context = zmq::Context::new();
    let queue = context.socket(zmq::ROUTER).unwrap();
    queue.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    queue.bind(&place.endpoint()).unwrap();
    let mut worker = place.worker(&["-f", "combined", "--to", "null:"]);
    let request = |queue: &zmq::Socket| {
        let frames = queue.recv_multipart(0).expect("a request");
        (frames[0].clone(), Request::decode(&frames[3]).expect("of the protocol").ask)
    };
    let reply = |to: &[u8], answer: Answer, data: &[u8]| {
        let encoded = Reply { answer, queue: None }.encode();
        let frames = [to, b"", wire::MAGIC, &encoded, data];
        queue.send_multipart(&frames[..if data.is_empty() { 4 } else { 5 }], 0).unwrap();
    };
    let (who, hello) = request(&queue);
    assert_eq!(hello, Ask::Touch(Vec::new()));
    reply(&who, Answer::Ok(0), b"");
    let (who, question) = request(&queue);
    assert!(matches!(question, Ask::Reserve { wait, .. } if !wait.is_zero()));
    worker.signal(Signal::SIGTERM);
    worker.wait_stopping();
    // The queue hands this out after the signal, and before it has read the goodbye.
    let batch = Batch::new(Origin::new(1, "x").into(), 0, 1, access(0..1).into());
    reply(&who, Answer::Batch { lease: 7, ttr: PATIENCE, batch }, &access(0..1));
    let (again, goodbye) = request(&queue);
    assert_eq!((again, goodbye), (who.clone(), Ask::Bye(Vec::new())));
    reply(&who, Answer::Ok(0), b"");
    assert_eq!(worker.end_with_input_open().code, Some(3));
}

/// The same with a real queue, in any order. Another worker gets every line that a stopping worker was given.
#[test]
fn what_is_handed_out_to_a_worker_that_is_stopped_does_not_wait_for_its_lease() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--linger", "0", "--lease", "3600"]);
    let rounds = 20;
    for round in 0..rounds {
        let out = format!("out-{round}");
        let worker = place.worker(&["-f", "combined", "--to", &format!("ndjson:{out}")]);
        // The worker's sink is open, so the worker asks for work or is about to ask.
        wait_for("the worker", PATIENCE, || place.path(&out).exists().then_some(()));
        worker.signal(Signal::SIGTERM);
        queue.feed(&access(round * 10..round * 10 + 10));
        let worker = worker.end_with_input_open();
        assert_eq!(worker.code, Some(3), "{}", worker.stderr);
    }
    let last = place.worker(&["-f", "combined", "--to", &format!("ndjson:out-{rounds}")]);
    let queue = queue.end();
    assert_eq!((queue.code, last.end().code), (Some(0), Some(0)), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [10 * rounds as u64, 10 * rounds as u64, 0, 0, 0, 0]);
    let stored: usize = (0..=rounds).map(|round| place.objects(&format!("out-{round}")).len()).sum();
    assert_eq!(stored, 10 * rounds, "no line was stored twice");
}

/// `timeout` of coreutils sends its signal twice: to the program and to its group.
#[test]
fn two_signals_within_half_a_second_are_one() {
    for (first, second) in [(Signal::SIGTERM, Signal::SIGTERM), (Signal::SIGTERM, Signal::SIGINT)] {
        let place = Workspace::new();
        let mut run = place.start("logator", &["run", "-f", "combined", "--receipt", "receipt"]);
        run.feed(&access(0..100));
        wait_for("the documents", PATIENCE, || (run.stdout().lines().count() == 100).then_some(()));
        run.signal(first);
        run.signal(second);
        let ran = run.end_with_input_open();
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert_eq!(account(&place.receipt("receipt")), [100, 100, 0, 0, 0, 0]);
    }
}

/// A queue that has printed its receipt still answers late workers. If a signal ends it at once, its exit code is that
/// of the receipt.
#[test]
fn a_second_signal_after_the_receipt_does_not_contradict_it() {
    let place = Workspace::new();
    place.write("in.log", access(0..100));
    let mut queue = place.queue(&["in.log", "--linger", "60"]);
    let worker = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    queue.says("lines/s");
    wait_for("the receipt", PATIENCE, || place.path("queue.json").exists().then_some(()));
    assert_eq!(worker.end().code, Some(0));
    assert!(!queue.has_ended(), "it stays for late workers: {}", queue.stderr());
    queue.signal(Signal::SIGTERM);
    let since = Instant::now();
    wait_for("time for another signal", PATIENCE, || (since.elapsed() > 2 * ONE_SIGNAL).then_some(()));
    queue.signal(Signal::SIGTERM);
    let ran = queue.end();
    assert_eq!((ran.code, place.receipt("queue.json").exit_code()), (Some(0), 0), "{}", ran.stderr);
}

#[test]
fn coreutils_timeout_gets_a_receipt() {
    let place = Workspace::new();
    let program = crate::kit::program("logator").display().to_string();
    let mut command = std::process::Command::new("timeout");
    command.args(["0.5", &program, "run", "--receipt", "receipt", "--to", "null:"]).current_dir(place.path("."));
    let run = Running::start(command);
    let ran = run.end_with_input_open();
    assert_eq!(ran.code, Some(124), "{}", ran.stderr);
    let receipt = place.receipt("receipt");
    assert!(!receipt.finished && ran.stderr.contains("receipt\n"), "{receipt:?}, {}", ran.stderr);
}

/// While a sink is still to be opened, the work has not begun. A signal then ends the program, and the receipt says that nothing
/// was read.
#[test]
#[cfg(feature = "sqlite")]
fn a_signal_before_the_work_has_begun_is_heeded() {
    for (program, arguments) in [
        ("logator", &["run", "in.log"][..]),
        ("logator", &["replay", "in.log"]),
        ("logator-pull", &["--bind", "ipc://pull"]),
    ] {
        let place = Workspace::new();
        place.write("in.log", access(0..100));
        let database = rusqlite::Connection::open(place.path("o.db")).unwrap();
        database.execute_batch("PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE").unwrap();
        let to = ["--to", "sqlite:o.db", "--receipt", "receipt"];
        let run = place.start(program, &[arguments, &to].concat());
        wait_for("a reaction to SIGTERM", PATIENCE, || heeds(run.id(), Signal::SIGTERM).then_some(()));
        let since = Instant::now();
        run.signal(Signal::SIGTERM);
        let ran = run.end_with_input_open();
        assert!(since.elapsed().as_secs() < 10, "it waits for the database");
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.contains("SIGTERM: stopped before the work began; nothing was read"), "{}", ran.stderr);
        // There is no receipt if the signal came before the command line was read.
        if place.path("receipt").exists() {
            let receipt = place.receipt("receipt");
            assert!(account(&receipt) == [0; 6] && !receipt.finished, "{receipt:?}");
        }
    }
}

#[test]
fn signals_without_a_meaning_are_ignored_and_said_once() {
    let place = Workspace::new();
    let mut run = place.start("logator", &["run", "-f", "combined"]);
    run.feed(&access(0..10));
    wait_for("the documents", PATIENCE, || (run.stdout().lines().count() == 10).then_some(()));
    let ignored = [(Signal::SIGUSR1, "SIGUSR1"), (Signal::SIGUSR2, "SIGUSR2"), (Signal::SIGALRM, "SIGALRM")];
    for (signal, name) in ignored {
        run.signal(signal);
        run.says(&format!("{name}: this program ignores the signal"));
        run.signal(signal);
    }
    run.feed(&access(10..20));
    let ran = run.end();
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 20), "{}", ran.stderr);
    for (_, name) in ignored {
        assert_eq!(ran.stderr.matches(name).count(), 1, "{}", ran.stderr);
    }
}

/// A program that cannot print anything, because nobody reads its standard error, is still ended by a second signal.
#[test]
fn a_second_signal_ends_a_program_whose_standard_error_nobody_reads() {
    let place = Workspace::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let filled = fill(&writer);
    let mut command = place.command("logator", &["run", "--to", "null:"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(writer).spawn().unwrap();
    wait_for("a reaction to SIGTERM", PATIENCE, || heeds(child.id(), Signal::SIGTERM).then_some(()));
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    let since = Instant::now();
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    wait_for("half a second", PATIENCE, || (since.elapsed() > 2 * ONE_SIGNAL).then_some(()));
    // The first signal may have ended the program, if it came before the work began.
    let _ = nix::sys::signal::kill(pid, Signal::SIGTERM);
    let ended = wait_for("its end", PATIENCE, || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(3));
    drop((reader, filled));
}
