//! Workers that a queue starts itself.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::kit::logs::access;
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, wait_for};

/// Returns the processes that `parent` started.
pub fn children(parent: u32) -> Vec<i32> {
    let listed = std::fs::read_dir(format!("/proc/{parent}/task")).expect("a running process");
    let of_thread = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children")).ok();
    let listed: Vec<String> = listed.flatten().filter_map(of_thread).collect();
    listed.iter().flat_map(|text| text.split_whitespace()).map(|id| id.parse().expect("a process id")).collect()
}

#[test]
#[cfg(feature = "sqlite")]
fn spawned_workers_do_the_work_and_end_with_it() {
    let place = Workspace::new();
    let to = place.at("sqlite:", "logs.db");
    let queue =
        place.queue(&["--spawn=2", "--linger", "0", "--batch-lines", "50", "--", "-f", "combined", "--to", &to]);
    let workers = wait_for("two workers", PATIENCE, || Some(children(queue.id())).filter(|workers| workers.len() == 2));
    stores_a_thousand_lines(queue, &place);
    for worker in workers {
        assert!(kill(Pid::from_raw(worker), None).is_err(), "worker {worker} is left behind");
    }
}

/// Gives `queue` a thousand lines and the end of its input, and checks that it stores them all.
fn stores_a_thousand_lines(mut queue: Running, place: &Workspace) {
    queue.feed(&access(0..1000));
    let queue = queue.end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [1000, 1000, 0, 0, 0, 0]);
}

#[test]
fn a_spawned_worker_that_is_killed_is_started_again() {
    let place = Workspace::new();
    let mut queue =
        place.queue(&["--spawn=1", "--linger", "0", "--lease", "0.5", "--", "-f", "combined", "--to", "null:"]);
    let first = wait_for("a worker", PATIENCE, || children(queue.id()).first().copied());
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    queue.says("a worker ended with signal 9; another worker is started");
    stores_a_thousand_lines(queue, &place);
}

#[test]
fn spawned_workers_that_cannot_work_end_the_queue() {
    let place = Workspace::new();
    let mut queue = place.start(
        "logator-queue",
        &["--bind", &place.endpoint(), "--receipt", "queue.json", "--spawn=2", "--", "-f", "no-such-format"],
    );
    queue.feed(&access(0..10));
    let queue = queue.end_with_input_open();
    assert_eq!(queue.code, Some(3), "{}", queue.stderr);
    assert!(queue.stderr.contains("a worker ended with exit code 2; no other worker is started"), "{}", queue.stderr);
    assert!(queue.stderr.contains("no-such-format"), "{}", queue.stderr);
    let receipt = place.receipt("queue.json");
    assert!(receipt.agrees && account(&receipt) == [0; 6], "{receipt:?}");
}

#[test]
fn a_signal_ends_the_spawned_workers_as_well() {
    let place = Workspace::new();
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

/// Returns whether a process has ended. A process that nobody has waited for yet counts as ended.
fn has_ended(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

fn wait_for_end(processes: &[i32]) {
    wait_for("the workers to end", PATIENCE, || processes.iter().all(|&worker| has_ended(worker)).then_some(()));
}

/// Returns all workers whose arguments name something in `place`, whoever started them.
fn workers_of(place: &Workspace) -> Vec<i32> {
    let folder = place.path("").display().to_string();
    let here = |process: &i32| {
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("logator-worker") && line.contains(&folder) && !has_ended(*process)
    };
    let entries = std::fs::read_dir("/proc").expect("it is there").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(here).collect()
}

fn spawning(place: &Workspace, workers: usize, arguments: &[&str], of_workers: &[&str]) -> (Running, Vec<i32>) {
    let spawn = format!("--spawn={workers}");
    let all = [&[&spawn, "--linger", "0"], arguments, &["--", "-f", "combined"], of_workers].concat();
    let queue = place.queue(&all);
    let ids = wait_for("workers", PATIENCE, || Some(children(queue.id())).filter(|ids| ids.len() == workers));
    (queue, ids)
}

#[test]
fn workers_end_with_their_queue_however_it_ends() {
    // SIGQUIT is not among them: a shell that starts the tests in the background makes them and their children ignore it.
    for signal in [Signal::SIGKILL, Signal::SIGABRT, Signal::SIGSYS] {
        let place = Workspace::new();
        let (mut queue, workers) = spawning(&place, 2, &[], &["--to", "null:"]);
        queue.feed(&access(0..10));
        queue.signal(signal);
        wait_for("the end of the queue", PATIENCE, || queue.has_ended().then_some(()));
        wait_for_end(&workers);
    }
    // The second signal ends the queue at once. Two signals within half a second may count as one.
    let place = Workspace::new();
    let (mut queue, workers) = spawning(&place, 2, &["--drain", "3600"], &["--to", "null:"]);
    let peer = crate::kit::peer::Peer::connect(&place.endpoint());
    queue.feed(&access(0..1));
    queue.signal(Signal::SIGTERM);
    queue.wait_stopping();
    drop(peer);
    let start = Instant::now();
    wait_for("the end of the queue", PATIENCE, || {
        if start.elapsed() > Duration::from_millis(700) && !queue.has_ended() {
            queue.signal(Signal::SIGTERM);
        }
        queue.has_ended().then_some(())
    });
    wait_for_end(&workers);
}

/// The worker then waits for its sink for longer than it may wait for the queue.
#[test]
#[cfg(feature = "sqlite")]
fn a_worker_whose_sink_is_locked_ends_with_its_queue_and_stores_nothing_afterwards() {
    let place = Workspace::new();
    let to = place.at("sqlite:", "logs.db");
    let (mut queue, workers) = spawning(&place, 1, &["--batch-lines", "1"], &["--to", &to]);
    queue.feed(&access(0..1));
    let database = wait_for("the first line", PATIENCE, || {
        let database = rusqlite::Connection::open(place.path("logs.db")).ok()?;
        let rows = database.query_row("SELECT count(*) FROM logs", [], |row| row.get(0));
        (rows == Ok(1)).then_some(database)
    });
    database.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    queue.feed(&access(1..50));
    // The worker still finishes the work that it can finish.
    let peer = crate::kit::peer::Peer::connect(&place.endpoint());
    assert!(matches!(peer.reserve(), logator::net::wire::Answer::Batch { .. }));
    queue.kill();
    wait_for_end(&workers);
    database.execute_batch("COMMIT").unwrap();
    let rows: u32 = database.query_row("SELECT count(*) FROM logs", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
}

/// A worker that was stopped while its queue was killed does not know of the kill, and finds another queue at the same
/// endpoint.
#[test]
#[cfg(feature = "sqlite")]
fn workers_of_a_queue_that_was_killed_do_nothing_for_the_next_one() {
    let place = Workspace::new();
    // Both workers may write to a database, and either may get the last line, which is a batch of its own.
    let to = place.at("sqlite:", "first.db");
    let (mut first, workers) = spawning(&place, 2, &[], &["--to", &to]);
    first.feed(&access(0..20));
    let rows = || {
        let database = rusqlite::Connection::open(place.path("first.db")).ok()?;
        database.query_row("SELECT count(*) FROM logs", [], |row| row.get::<_, u32>(0)).ok()
    };
    wait_for("the documents", PATIENCE, || (rows() == Some(20)).then_some(()));
    kill(Pid::from_raw(workers[0]), Signal::SIGSTOP).unwrap();
    crate::kit::process::wait_until_it_stands_still(workers[0] as u32);
    first.kill();
    place.write("in.log", access(100..2000));
    let endpoint = place.endpoint();
    let next = place.run(
        "logator-queue",
        &[
            "in.log",
            "--bind",
            &endpoint,
            "--receipt",
            "queue.json",
            "--batch-lines",
            "10",
            "--linger",
            "0",
            "--spawn=1",
            "--",
            "-f",
            "combined",
            "--to",
            "ndjson:second",
        ],
        b"",
    );
    // The worker may already run again: the system wakes a stopped process when its parent is gone.
    let _ = kill(Pid::from_raw(workers[0]), Signal::SIGCONT);
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [1900, 1900, 0, 0, 0, 0]);
    assert_eq!(place.objects("second").len(), 1900);
    wait_for_end(&workers);
    assert_eq!(rows(), Some(20), "the flags of the first queue count for its own lines only");
}

#[test]
fn a_queue_that_ends_while_it_starts_leaves_no_worker_behind() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for started in 0..4 {
            let place = Workspace::new();
            let to = place.at("ndjson:", "out");
            let arguments =
                ["--bind", &place.endpoint(), "--spawn=4", "--drain", "0.1", "--", "-f", "combined", "--to", &to];
            let mut queue = place.start("logator-queue", &arguments);
            wait_for("a worker or the end", PATIENCE, || {
                (workers_of(&place).len() >= started || queue.has_ended()).then_some(())
            });
            queue.signal(signal);
            wait_for("the end of the queue", PATIENCE, || queue.has_ended().then_some(()));
            wait_for("the end of its workers", PATIENCE, || workers_of(&place).is_empty().then_some(()));
        }
    }
}

#[test]
fn workers_that_cannot_start_end_the_queue_at_once_with_their_reason() {
    let place = Workspace::new();
    place.write("in.log", access(0..200_000));
    for (wrong, reason) in [
        (&["--to", "ndjson:no/such/folder/x"][..], "no/such/folder/x"),
        (&["--no-such-flag"], "--no-such-flag"),
        (&["--to", "null:", "--pattern", "%{NO_SUCH_PATTERN:x}"], "NO_SUCH_PATTERN"),
        #[cfg(feature = "sqlite")]
        (&["--to", "sqlite:no/such/folder/x.db"], "no/such/folder/x.db"),
    ] {
        let mut command =
            place.command("logator-queue", &["in.log", "--receipt", "queue.json", "--bind", &place.endpoint()]);
        command.args(["--max-memory", "64KiB", "--spawn=2", "--"]).args(wrong);
        let start = Instant::now();
        let queue = Running::start(command).end_with_input_open();
        let took = start.elapsed();
        assert_eq!(queue.code, Some(3), "{}", queue.stderr);
        assert!(queue.stderr.contains("no other worker is started"), "{}", queue.stderr);
        assert!(!queue.stderr.contains("another worker is started"), "{}", queue.stderr);
        assert!(queue.stderr.contains(reason), "{}", queue.stderr);
        assert!(took < Duration::from_secs(8), "it took {took:?}: {}", queue.stderr);
        let receipt = place.receipt("queue.json");
        assert!(!receipt.finished && receipt.agrees, "{receipt:?}");
        assert!(workers_of(&place).is_empty());
    }
}

/// The signal goes to the whole group, as with Ctrl-C at a terminal.
#[test]
#[cfg(feature = "sqlite")]
fn a_signal_to_the_group_of_the_queue_lets_the_workers_finish() {
    let place = Workspace::new();
    let to = place.at("sqlite:", "logs.db");
    let endpoint = place.endpoint();
    let mut command = place.command(
        "logator-queue",
        &[
            "--bind",
            &endpoint,
            "--receipt",
            "queue.json",
            "--linger",
            "0",
            "--drain",
            "60",
            "--batch-lines",
            "1",
            "--spawn=2",
            "--",
            "-f",
            "combined",
            "--to",
            &to,
        ],
    );
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut queue = Running::start(command);
    queue.feed(&access(0..1));
    let database = wait_for("the first line", PATIENCE, || {
        let database = rusqlite::Connection::open(place.path("logs.db")).ok()?;
        let rows = database.query_row("SELECT count(*) FROM logs", [], |row| row.get(0));
        (rows == Ok(1)).then_some(database)
    });
    database.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    queue.feed(&access(1..200));
    let peer = crate::kit::peer::Peer::connect(&endpoint);
    let logator::net::wire::Answer::Batch { lease, .. } = peer.reserve() else { panic!("a batch") };
    kill(Pid::from_raw(-(queue.id() as i32)), Signal::SIGINT).unwrap();
    queue.wait_stopping();
    peer.ask(logator::net::wire::Ask::Release(vec![lease]));
    peer.ask(logator::net::wire::Ask::Bye(Vec::new()));
    database.execute_batch("COMMIT").unwrap();
    let queue = queue.end_with_input_open();
    assert_eq!(queue.code, Some(3), "{}", queue.stderr);
    assert!(!queue.stderr.contains("a worker ended"), "{}", queue.stderr);
    let receipt = place.receipt("queue.json");
    assert_eq!((receipt.left, receipt.read), (0, receipt.tally.stored), "{receipt:?}");
    assert!(receipt.read > 1, "{receipt:?}");
}

#[test]
fn a_worker_that_somebody_ends_is_replaced() {
    let place = Workspace::new();
    let (mut queue, workers) = spawning(&place, 1, &[], &["--to", "null:"]);
    kill(Pid::from_raw(workers[0]), Signal::SIGTERM).unwrap();
    queue.says("; another worker is started");
    stores_a_thousand_lines(queue, &place);
}

#[test]
fn workers_ask_at_a_socket_of_their_run_in_a_private_folder_which_goes_with_the_queue() {
    use std::os::unix::fs::PermissionsExt;
    let place = Workspace::new();
    std::fs::create_dir(place.path("run")).unwrap();
    let folders =
        || -> Vec<_> { std::fs::read_dir(place.path("run")).unwrap().map(|entry| entry.unwrap().path()).collect() };
    let start = || {
        let mut command = place.command("logator-queue", &["--linger", "0", "--receipt", "queue.json"]);
        command.args(["--bind", &place.endpoint(), "--spawn=1", "--", "-f", "combined", "--to", "null:"]);
        // The queue's receipt, which its workers must not write.
        command.env("XDG_RUNTIME_DIR", place.path("run")).env("LOGATOR_RECEIPT", place.path("queue.json"));
        let queue = Running::start(command);
        let workers = wait_for("a worker", PATIENCE, || Some(children(queue.id())).filter(|ids| ids.len() == 1));
        (queue, workers)
    };
    let (mut queue, workers) = start();
    let [folder] = &folders()[..] else { panic!("one folder: {:?}", folders()) };
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let asks = format!("--from\0ipc://{}/q\0", folder.display());
    // For a moment, a new process has the arguments of its parent.
    wait_for("a worker that asks there", PATIENCE, || {
        let line = std::fs::read_to_string(format!("/proc/{}/cmdline", workers[0])).unwrap_or_default();
        line.contains(&asks).then_some(())
    });
    queue.kill();
    wait_for_end(&workers);
    let left = folders();
    assert_eq!(left.len(), 1, "nobody was there to remove it");
    let (mut queue, _) = start();
    let [folder] = &folders()[..] else { panic!("one folder: {:?}", folders()) };
    assert_ne!(*folder, left[0], "the next queue has removed what the killed one left");
    queue.feed(&access(0..100));
    let queue = queue.end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    assert_eq!(folders().len(), 0);
    let receipt = place.receipt("queue.json");
    assert_eq!(account(&receipt), [100, 100, 0, 0, 0, 0]);
    let patterns: Vec<_> = receipt.patterns.iter().map(|pattern| (&*pattern.name, pattern.get("matched"))).collect();
    assert_eq!(patterns, [("combined", 100)], "the workers have reported it");
}

/// No endpoint is given, so each queue uses only its private one.
#[test]
fn two_queues_with_workers_of_their_own_do_not_get_in_each_others_way() {
    let place = Workspace::new();
    let start = |name: &str| {
        let receipt = format!("{name}.json");
        let to = format!("ndjson:{name}");
        let arguments = ["--linger", "0", "--receipt", &receipt, "--spawn=1", "--", "-f", "combined", "--to", &to];
        let mut command = place.command("logator-queue", &arguments);
        command.env_remove("LOGATOR_BIND");
        Running::start(command)
    };
    let mut first = start("first");
    wait_for("a worker", PATIENCE, || (children(first.id()).len() == 1).then_some(()));
    let mut second = start("second");
    second.says("only the workers that this queue starts get lines: ipc:///tmp/logator: in use");
    first.feed(&access(0..500));
    second.feed(&access(500..1200));
    for (queue, name, lines) in [(first, "first", 500), (second, "second", 700)] {
        let queue = queue.end();
        assert_eq!(queue.code, Some(0), "{}", queue.stderr);
        assert_eq!(account(&place.receipt(&format!("{name}.json"))), [lines, lines, 0, 0, 0, 0]);
        assert_eq!(place.objects(name).len() as u64, lines);
    }
}

/// A killed worker stays known to its queue as a peer that was never told the end.
#[test]
fn a_queue_does_not_wait_for_peers_that_are_gone_when_its_workers_have_ended() {
    let place = Workspace::new();
    let (mut queue, _) = spawning(&place, 1, &[], &["--to", "null:"]);
    let gone = crate::kit::peer::Peer::connect(&place.endpoint());
    gone.ask(logator::net::wire::Ask::Touch(Vec::new()));
    drop(gone);
    queue.feed(&access(0..100));
    queue.close_input();
    queue.says("receipt\n");
    let start = Instant::now();
    let queue = queue.end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let receipt = place.receipt("queue.json");
    assert!(receipt.finished, "{receipt:?}");
    assert_eq!(account(&receipt), [100, 100, 0, 0, 0, 0]);
}

/// The last message of a worker is its goodbye, and a queue that has ended does not answer.
#[test]
fn a_queue_ends_as_soon_as_its_workers_know_the_end() {
    let place = Workspace::new();
    let (mut queue, workers) = spawning(&place, 2, &[], &["--to", "null:"]);
    queue.feed(&access(0..1000));
    queue.close_input();
    queue.says("receipt\n");
    let start = Instant::now();
    let queue = queue.end();
    let took = start.elapsed();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    assert!(took < Duration::from_millis(2500), "{took:?}: {}", queue.stderr);
    wait_for_end(&workers);
}

/// A service may write to only a few folders.
#[test]
fn the_socket_of_the_workers_of_a_service_is_in_its_runtime_directory() {
    let place = Workspace::new();
    std::fs::create_dir(place.path("run")).unwrap();
    let mut command = place.command("logator-queue", &["--linger", "0", "--receipt", "queue.json"]);
    command.args(["--bind", &place.endpoint(), "--spawn=1", "--", "-f", "combined", "--to", "null:"]);
    let service = format!("{}:{}", place.path("missing").display(), place.path("run").display());
    command.env("RUNTIME_DIRECTORY", service).env_remove("XDG_RUNTIME_DIR").env("TMPDIR", place.path("missing"));
    let mut queue = Running::start(command);
    wait_for("a worker", PATIENCE, || (children(queue.id()).len() == 1).then_some(()));
    let inside = std::fs::read_dir(place.path("run")).unwrap().count();
    assert_eq!(inside, 1, "one folder");
    queue.feed(&access(0..100));
    let queue = queue.end();
    assert_eq!(queue.code, Some(0), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [100, 100, 0, 0, 0, 0]);
    assert_eq!(std::fs::read_dir(place.path("run")).unwrap().count(), 0);
}
