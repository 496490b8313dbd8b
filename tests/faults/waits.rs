//! Causes that keep a job waiting: locks, pipes that nobody reads, full disks. The program reports each wait, heeds signals while it
//! waits, and all waits end by the one deadline of the job.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use crate::kit::logs::access;
use crate::kit::peer::Peer;
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, program, wait_for};

/// Far longer than any wait of these tests, and far shorter than the usual deadline of a job.
const SOON: Duration = Duration::from_secs(30);

/// Arguments with which each line becomes a dead letter.
const LETTERS: [&str; 6] = ["run", "--to", "null:", "--unmatched", "dead-letter", "-fcombined"];

/// Makes the file of dead letters, locked by another process.
fn locked_letters(place: &Workspace) -> File {
    let file = File::create(place.path("dead-letters.ndjson")).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn dead_letters_that_somebody_has_locked_are_waited_for_until_the_deadline() {
    let place = Workspace::new();
    let _lock = locked_letters(&place);
    let start = Instant::now();
    let ran = place.run("logator", &[&LETTERS[..], &["--sink-deadline", "2", "-j", "2"]].concat(), b"a\nb\n");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = "dead letters dead-letters.ndjson: another process has locked the file; trying again for 1 s";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(ran.stderr.contains("dead letters dead-letters.ndjson: not written within 2 s: another"), "{}", ran.stderr);
}

/// A run that waits for [`locked_letters`] and has no deadline.
fn waiting_without_a_deadline(place: &Workspace) -> Running {
    let mut run = place.start("logator", &[&LETTERS[..], &["--sink-deadline", "none"]].concat());
    run.feed(b"a\n");
    run.says("another process has locked the file; trying again until it is over");
    run
}

#[test]
fn a_signal_ends_a_wait_that_has_no_deadline() {
    let place = Workspace::new();
    let _lock = locked_letters(&place);
    let run = waiting_without_a_deadline(&place);
    let start = Instant::now();
    run.signal(Signal::SIGTERM);
    let ran = run.end_with_input_open();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("the job was told to stop while it waited"), "{}", ran.stderr);
}

#[test]
fn without_a_deadline_a_wait_outlives_others_and_the_job_goes_on_when_it_is_over() {
    let place = Workspace::new();
    let lock = locked_letters(&place);
    let mut patient = waiting_without_a_deadline(&place);
    patient.close_input();
    let other = place.run("logator", &[&LETTERS[..], &["--sink-deadline", "3"]].concat(), b"b\n");
    assert_eq!(other.code, Some(3), "{}", other.stderr);
    assert!(!patient.has_ended());
    drop(lock);
    let patient = patient.end();
    assert_eq!(patient.code, Some(1), "{}", patient.stderr);
    assert!(patient.stderr.contains("dead letters dead-letters.ndjson: can be written again"), "{}", patient.stderr);
    assert_eq!(place.objects("dead-letters.ndjson").len(), 1);
}

/// Opens a database and locks it for as long as the connection is kept.
#[cfg(feature = "sqlite")]
fn locked_database(place: &Workspace) -> rusqlite::Connection {
    let (ran, _) = place.logator(&["-f", "combined", "--to", "sqlite:o.db"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let other = rusqlite::Connection::open(place.path("o.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[cfg(feature = "sqlite")]
const TWO_SINKS: [&str; 9] =
    ["run", "-fcombined", "--to", "ndjson:out", "--to", "sqlite:o.db", "--batch-lines=1", "--receipt", "receipt"];

#[test]
#[cfg(feature = "sqlite")]
fn several_workers_wait_for_a_locked_database_together_and_no_line_is_in_another_sink_twice() {
    let place = Workspace::new();
    let _lock = locked_database(&place);
    place.write("log", access(0..8));
    let start = Instant::now();
    let ran = place.run("logator", &[&TWO_SINKS[..], &["log", "-j", "4", "--sink-deadline", "2"]].concat(), b"");
    // The two seconds are for all workers together, not for each.
    assert!(start.elapsed() < Duration::from_secs(7), "{:?}: {}", start.elapsed(), ran.stderr);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = "logator: sqlite:o.db: another process has locked the database; trying again for 1 s";
    assert_eq!(ran.stderr.matches(said).count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("sqlite:o.db: not stored within 2 s: another process"), "{}", ran.stderr);
    let mut lines = place.objects("out");
    let count = lines.len();
    lines.sort_by_key(|line| line["_id"].to_string());
    lines.dedup();
    assert_eq!(lines.len(), count, "a line is there twice");
}

#[test]
#[cfg(feature = "sqlite")]
fn when_the_lock_is_gone_in_time_each_line_is_once_in_each_sink() {
    let place = Workspace::new();
    let lock = locked_database(&place);
    place.write("log", access(0..8));
    let mut run = place.start("logator", &[&TWO_SINKS[..], &["log", "-j", "4"]].concat());
    run.says("another process has locked the database; trying again");
    lock.execute_batch("COMMIT").unwrap();
    let ran = run.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("sqlite:o.db: stores again"), "{}", ran.stderr);
    assert_eq!(account(&place.receipt("receipt")), [8, 8, 0, 0, 0, 0]);
    assert_eq!(place.objects("out").len(), 8);
}

#[test]
#[cfg(feature = "sqlite")]
fn a_database_that_is_locked_at_the_start_is_waited_for_as_well() {
    let place = Workspace::new();
    let other = rusqlite::Connection::open(place.path("o.db")).unwrap();
    other.execute_batch("CREATE TABLE x(y); BEGIN EXCLUSIVE").unwrap();
    let start = Instant::now();
    let ran = place.run("logator", &["run", "--to", "sqlite:o.db", "--sink-deadline", "2"], b"a\n");
    assert!(ran.code == Some(3) && start.elapsed() < SOON, "{}", ran.stderr);
    assert!(ran.stderr.contains("database; trying again for 1 s"), "{}", ran.stderr);
    assert!(ran.stderr.contains("sqlite:o.db: not stored within 2 s"), "{}", ran.stderr);
}

#[test]
fn a_pipe_without_a_reader_and_one_whose_reader_takes_nothing_are_waited_for() {
    let place = Workspace::new();
    nix::unistd::mkfifo(&place.path("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
    place.write("log", access(0..5000));
    let arguments = ["run", "log", "-fcombined", "--to", "ndjson:pipe", "--sink-deadline"];
    let ran = place.run("logator", &[&arguments[..], &["2"]].concat(), b"");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("ndjson:pipe: nobody has opened the pipe for reading; trying"), "{}", ran.stderr);

    let mut run = place.start("logator", &[&arguments[..], &["none"]].concat());
    // The run waits until the pipe is opened for writing.
    let _pipe = File::open(place.path("pipe")).unwrap();
    run.says("ndjson:pipe: its reader takes nothing; trying again until it is over");
    run.signal(Signal::SIGTERM);
    let ran = run.end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("the job was told to stop while it waited"), "{}", ran.stderr);
}

#[test]
fn a_standard_output_that_nobody_takes_from_is_waited_for_and_others_find_it_as_it_was() {
    let place = Workspace::new();
    place.write("log", access(0..5000));
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = Command::new("sh");
    let script = "\"$0\" run log -fcombined --sink-deadline 1; echo $? >code; dd if=/dev/zero bs=1k count=100 2>err";
    command.arg("-c").arg(script).arg(program("logator")).current_dir(place.path("."));
    let mut child = command.stdout(writer).spawn().unwrap();
    drop(command);
    let code = wait_for("its end", PATIENCE, || {
        std::fs::read_to_string(place.path("code")).ok().filter(|code| code.ends_with('\n'))
    });
    assert_eq!(code, "3\n");
    // The next bytes in the same pipe wait, as usual: the program did not make the pipe non-blocking.
    let mut taken = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut taken).unwrap();
    child.wait().unwrap();
    assert!(place.text("err").contains("100+0 records out"), "{}", place.text("err"));
    assert!(taken.ends_with(&[0; 100 << 10]));
}

#[test]
fn lines_that_are_only_pulled_wait_for_the_reader_of_standard_output_as_well() {
    let place = Workspace::new();
    nix::unistd::mkfifo(&place.path("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
    for signal in [false, true] {
        let deadline = if signal { "none" } else { "2" };
        let endpoint = place.at("ipc://", deadline);
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" >pipe"]).arg(program("logator-pull")).current_dir(place.path("."));
        let mut puller = Running::start({
            command.args(["--bind", &endpoint, "--sink-deadline", deadline]);
            command
        });
        let _pipe = File::open(place.path("pipe")).unwrap();
        let mut push = place.start("logator-push", &["--raw", "--connect", &endpoint]);
        push.feed(&access(0..5000));
        puller.says("standard output: its reader takes nothing; trying again");
        let start = Instant::now();
        if signal {
            puller.signal(Signal::SIGTERM);
        }
        let ran = puller.end_with_input_open();
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let words = if signal { "the job was told to stop while it waited" } else { "not written within 2 s" };
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(ran.stderr.contains("lines that were received are lost"), "{}", ran.stderr);
        push.kill();
    }
}

#[test]
fn a_queue_serves_while_the_letter_of_a_poisonous_line_cannot_be_written() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--lease", "0.3", "--linger", "0", "--sink-deadline", "none"]);
    let lock = locked_letters(&place);
    queue.feed(b"deadly\n");
    for _ in 0..3 {
        let peer = Peer::connect(&place.endpoint());
        while peer.line().expect("a line") != "deadly" {}
    }
    queue.says("another process has locked the file");
    let mut worker = place.worker(&["--to", "ndjson:out", "-p", "%{GREEDYDATA:x}"]);
    queue.feed(b"a\nb\nc\n");
    wait_for("the lines that are no poison", PATIENCE, || {
        (place.path("out").exists() && place.objects("out").len() == 3).then_some(())
    });
    queue.close_input();
    assert!(!queue.has_ended() && !worker.has_ended());
    drop(lock);
    let queue = queue.end();
    assert_eq!((queue.code, worker.end().code), (Some(1), Some(0)), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [4, 3, 0, 0, 1, 0]);
    assert_eq!(place.objects("dead-letters.ndjson").len(), 1);
}

#[test]
fn letters_and_receipts_are_for_their_owner_alone_and_documents_as_the_umask_says() {
    let place = Workspace::new();
    place.write("kept", "old");
    std::fs::set_permissions(place.path("kept"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let script = "umask 002; exec \"$@\"";
    for receipt in ["receipt", "kept"] {
        let mut command = Command::new("sh");
        command.args(["-c", script, "umask"]).arg(program("logator")).args(["run", "--to", "ndjson:out", "-fcombined"]);
        #[cfg(feature = "sqlite")]
        command.args(["--to", "sqlite:o.db"]);
        command.args(["--unmatched", "dead-letter", "--receipt", receipt]).current_dir(place.path("."));
        let mut run = Running::start(command);
        run.feed(b"no access line\n");
        run.feed(&access(0..3));
        assert_eq!(run.end().code, Some(1));
    }
    let mode = |name: &str| std::fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("dead-letters.ndjson"), mode("receipt"), mode("out")), (0o600, 0o600, 0o664));
    assert_eq!(mode("kept"), 0o640, "what is there keeps its mode");
    assert!(place.receipt("kept").agrees);
    #[cfg(feature = "sqlite")]
    assert_eq!(mode("o.db"), 0o664);
    let ran = place.run("logator", &["run", "--to", "null:", "--receipt", "/dev/stdout"], b"a\n");
    assert!(ran.stdout.contains("\"read\": 1"), "{}", ran.stdout);
    let left: Vec<_> = std::fs::read_dir(place.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

/// A server takes 16 MiB; a line may be longer.
#[test]
#[cfg(feature = "mongodb")]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_document_larger_than_a_server_takes_is_oversize() {
    let place = Workspace::new();
    let server = crate::kit::mongod::Mongod::standalone();
    let long = "x".repeat(17 << 20);
    place.write("log", format!("first\n{long}\nlast\n"));
    let to = server.uri("logs.access");
    let arguments = ["log", "-p", "^(?<text>.*)$", "--to", &to, "--max-line", "64MiB", "--batch-bytes", "64MiB"];
    let (ran, receipt) = place.logator(&arguments, b"");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(account(&receipt), [3, 2, 0, 0, 1, 0]);
    let letters = place.objects("dead-letters.ndjson");
    assert_eq!((letters.len(), letters[0]["reason"].as_str()), (1, Some("oversize")));
    assert_eq!(letters[0]["length"].as_u64(), Some(17 << 20));
    let detail = letters[0]["detail"].as_str().unwrap();
    assert!(detail.contains("the server takes 16777216 at most"), "{detail}");
    assert_eq!(server.admin().count("logs", "access"), 2);
}

#[test]
#[cfg(feature = "mongodb")]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_server_that_stands_still_is_said_and_one_deadline_or_a_signal_ends_the_wait() {
    let place = Workspace::new();
    let mut server = crate::kit::mongod::Mongod::standalone();
    for signal in [false, true] {
        let deadline = if signal { "none" } else { "2" };
        let to = server.uri(&format!("logs.{deadline}"));
        let arguments =
            ["run", "-fcombined", "--batch-lines", "5", "-j", "3", "--to", &to, "--sink-deadline", deadline];
        let mut run = place.start("logator", &arguments);
        run.feed(&access(0..5));
        let admin = server.admin();
        wait_for("the first documents", PATIENCE, || (admin.count("logs", deadline) >= 5).then_some(()));
        server.process().freeze();
        run.feed(&access(5..50));
        let start = Instant::now();
        run.says("no answer; trying again");
        if signal {
            run.signal(Signal::SIGTERM);
        }
        let ran = run.end_with_input_open();
        server.process().signal(Signal::SIGCONT);
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let words =
            if signal { "the job was told to stop while it waited" } else { "not stored within 2 s: no answer" };
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

/// A service may start before its database.
#[test]
#[cfg(feature = "mongodb")]
fn without_a_deadline_a_server_that_is_not_there_yet_is_waited_for_until_a_signal_and_no_queue_waits_for_that() {
    let place = Workspace::new();
    let to = format!("mongodb://127.0.0.1:{}/logs.access", crate::kit::free_port());
    let mut queue = place.queue(&["--linger", "0"]);
    let mut early = place.worker(&["-f", "combined", "--to", &to, "--sink-deadline", "none"]);
    early.says("trying again until it is over");
    queue.feed(&access(0..10));
    let other = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    assert_eq!((queue.end().code, other.end().code), (Some(0), Some(0)));
    assert_eq!(place.objects("out").len(), 10);
    assert!(!early.has_ended());
    early.signal(Signal::SIGTERM);
    let early = early.end();
    assert_eq!(early.code, Some(3), "{}", early.stderr);
    assert!(early.stderr.contains("not opened: ") && early.stderr.contains("told to stop"), "{}", early.stderr);
}

#[test]
#[cfg(feature = "mongodb")]
#[ignore = "needs a mongod of its own: run ./test"]
fn without_a_deadline_a_job_that_starts_before_its_server_stores_when_it_is_there() {
    let place = Workspace::new();
    let mut server = crate::kit::mongod::Mongod::standalone();
    server.kill();
    place.write("log", access(0..10));
    let to = server.uri("logs.access?serverSelectionTimeoutMS=500");
    let mut run = place.start(
        "logator",
        &["run", "log", "-fcombined", "--to", &to, "--sink-deadline", "none", "--receipt", "receipt"],
    );
    run.says("trying again until it is over");
    server.restart();
    let ran = run.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains(": can be used now"), "{}", ran.stderr);
    assert_eq!(account(&place.receipt("receipt")), [10, 10, 0, 0, 0, 0]);
}
