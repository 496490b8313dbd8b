//! Counts the lines on their way from a sender to a sink that stands still. A `kill -9` of the puller loses these
//! lines. Their number is at most the bound in `doc/push-pull.md`.

use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logator::net::push::Pusher;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use rusqlite::Connection;

use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, free_port, wait_for};

/// The number of messages that each side holds of a connection.
const HWM: usize = 100;

/// The number of lines that wait in the sender.
const QUEUE: usize = 1000;

/// The most bytes that the connection holds besides the messages of both high-water marks: 64 KiB in libzmq at each
/// end, and the buffers of the kernel.
fn connection(endpoint: &str) -> usize {
    (128 << 10) + if endpoint.starts_with("ipc") { 256 << 10 } else { 512 << 10 }
}

/// Returns the most lines of `length` bytes that are on their way when the receiver holds `memory` bytes, newlines
/// included.
fn bound(endpoint: &str, length: usize, memory: usize) -> usize {
    memory / (length + 1) + connection(endpoint) / (length + 2) + 2 * HWM
}

/// Returns a line of `length` bytes with a number.
fn line(number: usize, length: usize) -> String {
    format!("192.0.2.1 {number:0>0$}", length - 10)
}

/// Returns both ways to connect, with a folder for each.
fn endpoints() -> [(Workspace, String); 2] {
    let place = Workspace::new();
    let ipc = place.endpoint();
    [(place, ipc), (Workspace::new(), format!("tcp://127.0.0.1:{}", free_port()))]
}

/// Starts a program whose standard input or output the shell redirects, as `redirection` says.
fn start(place: &Workspace, redirection: &str, name: &str, arguments: &[&str]) -> Running {
    let program = place.command(name, arguments);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec \"$@\" {redirection}"), "sh"]).current_dir(place.path("."));
    shell.arg(program.get_program()).args(program.get_args());
    Running::start(shell)
}

/// Starts `logator-push` with `count` numbered lines in a file as its standard input.
fn sender(place: &Workspace, endpoint: &str, count: usize, length: usize) -> Running {
    let lines: String = (0..count).map(|number| line(number, length) + "\n").collect();
    place.write("lines", lines);
    let (hwm, queue) = (HWM.to_string(), QUEUE.to_string());
    let flags = ["--raw", "--connect", endpoint, "--hwm", &hwm, "--queue", &queue, "--linger", "60000"];
    start(place, "< lines", "logator-push", &flags)
}

/// Returns how many bytes of its standard input a process has read.
fn has_read(process: &Running) -> usize {
    let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/0", process.id())).unwrap_or_default();
    let position = info.lines().find_map(|line| line.strip_prefix("pos:"));
    position.map_or(0, |position| position.trim().parse().unwrap())
}

/// Returns how often each thread that moves lines has gone to sleep; `None` while any thread works or waits for a
/// processor.
fn asleep(process: &Running) -> Option<Vec<u64>> {
    let mut moves = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{}/task", process.id())).ok()? {
        let status = std::fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
        let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if !value("State:")?.starts_with('S') {
            return None;
        }
        // The other threads wait for the locked sink, and try again and again.
        if value("Name:")? == "reader" || value("Name:")?.starts_with("ZMQbg") {
            moves.push(value("voluntary_ctxt_switches:")?.parse().ok()?);
        }
    }
    Some(moves)
}

/// Waits until no line moves in `processes` any more: no thread works, and no thread that moves lines woke up between
/// 30 looks. A process that waits for a processor does not count as standing still.
fn wait_until_nothing_moves(processes: &[&Running]) {
    let (mut before, mut looks) = (None, 0);
    wait_for("processes to stand still", PATIENCE, || {
        let now: Option<Vec<_>> = processes.iter().map(|process| asleep(process)).collect();
        looks = if now.is_some() && now == before { looks + 1 } else { 0 };
        before = now;
        (looks >= 30).then_some(())
    });
}

/// Waits until the sender has read `least` bytes, and nothing moves any more from it to the puller.
fn wait_for_standstill(puller: &Running, sender: &mut Running, least: usize) {
    wait_for("the sender to read", PATIENCE, || (has_read(sender) >= least).then_some(()));
    wait_until_nothing_moves(&[puller, sender]);
    assert!(!sender.has_ended(), "the sender was not held up");
}

fn puller(place: &Workspace, endpoint: &str, more: &[&str]) -> Running {
    let hwm = HWM.to_string();
    let fixed = ["--bind", endpoint, "--hwm", &hwm, "-p", "%{IP:c} %{INT:n}", "--to", "sqlite:logs.db", "-j", "2"];
    let mut puller = place.start("logator-pull", &[&fixed, &["--receipt", "receipt"][..], more].concat());
    puller.wait_ready();
    puller
}

/// Returns the stored numbers, in order.
fn stored(place: &Workspace) -> Vec<usize> {
    let Ok(database) = Connection::open(place.path("logs.db")) else { return Vec::new() };
    let numbers = "SELECT CAST(json_extract(doc, '$.n') AS INTEGER) AS n FROM logs ORDER BY n";
    let Ok(mut query) = database.prepare(numbers) else { return Vec::new() };
    query.query_map([], |row| row.get(0)).unwrap().map(|number| number.unwrap()).collect()
}

/// Starts a puller that stores one line with the number 0 and then finds its database locked. It waits without an end,
/// because the machine decides how long a test takes to unlock it again.
fn locked_out(place: &Workspace, endpoint: &str, more: &[&str]) -> (Running, Connection) {
    let puller = puller(place, endpoint, &[&["--sink-deadline", "none"], more].concat());
    assert_eq!(sender(place, endpoint, 1, 17).end().code, Some(0));
    wait_for("the first line", PATIENCE, || (stored(place) == [0]).then_some(()));
    let lock = Connection::open(place.path("logs.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    (puller, lock)
}

#[test]
fn a_sink_that_stands_still_holds_up_the_sender_and_a_kill_loses_no_more_than_is_documented() {
    check_what_a_kill_loses([(17, None), (237, None)]);
}

#[test]
fn with_little_memory_a_kill_loses_no_more_than_is_documented() {
    check_what_a_kill_loses([(17, Some(64 << 10)), (237, Some(256 << 10))]);
}

/// Calls a test for lines of each length, with the memory that the puller is given.
fn check_what_a_kill_loses(cases: [(usize, Option<usize>); 2]) {
    for (length, given) in cases {
        for (place, endpoint) in endpoints() {
            let memory: usize = given.unwrap_or(2 << 20);
            let more = given.map(|memory| ["--max-memory".to_owned(), memory.to_string()]);
            let more: Vec<&str> = more.iter().flatten().map(String::as_str).collect();
            let bound = bound(&endpoint, length, memory);
            let case = format!("{endpoint}, {length} bytes, {memory}");

            let (mut puller_1, lock) = locked_out(&place, &endpoint, &more);
            let idle = puller_1.most_memory().unwrap();
            let count = bound + bound / 4 + QUEUE + (256 << 10) / length;
            let mut pushing = sender(&place, &endpoint, count, length);
            puller_1.says("another process has locked the database");
            // At least a quarter waits for a worker. Workers may hold much less than they could, because they take
            // lines as soon as lines come.
            wait_for_standstill(&puller_1, &mut pushing, memory / 4);
            assert!(has_read(&pushing) < count * (length + 1), "{case}: the sender was not held up");
            let more_memory = puller_1.most_memory().unwrap() - idle;
            println!("{case}: {more_memory} kB more");
            assert!(more_memory < 80_000, "{case}: {more_memory} kB more than without lines");
            puller_1.kill();
            drop(lock);
            assert_eq!(stored(&place), [0], "{case}");

            // The next puller stores later lines. The missing lines were lost by the kill.
            let puller_2 = puller(&place, &endpoint, &more);
            let ran = pushing.end();
            assert_eq!(ran.code, Some(0), "{case}: {}", ran.stderr);
            wait_until_nothing_moves(&[&puller_2]);
            puller_2.signal(Signal::SIGTERM);
            let ran = puller_2.end_with_input_open();
            assert_eq!(ran.code, Some(0), "{case}: {}", ran.stderr);
            let stored = stored(&place);
            let lost = count + 1 - stored.len();
            println!("{case}: {lost} lines lost, at most {bound}");
            assert!(lost <= bound, "{case}: {lost} lines lost, more than {bound}");
            assert!(lost * (length + 1) >= memory / 4, "{case}: only {lost} lines were on their way");
            // The missing lines are the first ones, and every other line is stored once.
            assert!(stored[1..].iter().copied().eq(lost..count), "{case}: {lost} lines lost, not the first ones");
        }
    }
}

/// Starts a puller whose database is locked, with 64 KiB of memory, and sends 60 lines after the first one. The memory
/// holds 19 lines at most; the others are in the buffers of libzmq and the kernel.
///
/// All these places together hold more than 70 lines, so the sender ends. At least 16 KiB wait for a worker, and each
/// of two workers holds two lines. libzmq holds 50 (half of its high-water mark), and the kernel 13: a socket has room
/// again when at most a quarter of its 208 KiB is used, and a line counts for 4.3 KiB (a shorter line for at least 768
/// bytes).
fn held_up_in_all_places(place: &Workspace, endpoint: &str) -> (Running, Connection, usize) {
    let (count, length) = (60, 3700);
    let (mut puller, lock) = locked_out(place, endpoint, &["--max-memory", "64KiB"]);
    let ran = sender(place, endpoint, count, length).end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    puller.says("another process has locked the database");
    wait_until_nothing_moves(&[&puller]);
    (puller, lock, count)
}

#[test]
fn a_signal_to_a_puller_whose_sink_stands_still_loses_nothing_of_what_was_on_its_way() {
    for (place, endpoint) in endpoints() {
        let (mut puller, lock, count) = held_up_in_all_places(&place, &endpoint);
        puller.signal(Signal::SIGTERM);
        puller.wait_stopping();
        // The puller gives its sink five seconds after the signal.
        drop(lock);
        let ran = puller.end_with_input_open();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let [read, stored_now, ..] = account(&place.receipt("receipt"));
        assert_eq!((read, stored_now), (count as u64 + 1, count as u64 + 1), "{endpoint}");
        assert!(stored(&place)[1..].iter().copied().eq(0..count), "{endpoint}");
    }
}

#[test]
fn a_puller_whose_sink_still_stands_still_after_a_signal_ends_and_says_what_it_has_not_stored() {
    for (place, endpoint) in endpoints() {
        let (puller, lock, count) = held_up_in_all_places(&place, &endpoint);
        puller.signal(Signal::SIGTERM);
        let ran = puller.end_with_input_open();
        drop(lock);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.contains("the job was told to stop while it waited"), "{}", ran.stderr);
        let receipt = place.receipt("receipt");
        let [read, stored_now, ..] = account(&receipt);
        assert!(!receipt.finished && (read, stored_now) == (1, 1) && receipt.left > 0, "{endpoint}: {receipt:?}");
        // There are two errors: one for the lines that waited for workers, and one for the lines that the reader held
        // while it waited for room.
        let words = " lines that were received are lost: ";
        let counts = receipt.errors.iter().filter_map(|error| error.split_once(words)?.0.rsplit(' ').next());
        let lost: Vec<u64> = counts.map(|count| count.parse().unwrap()).collect();
        assert!(lost.len() == 2 && lost.contains(&receipt.left), "{endpoint}: {receipt:?}");
        let all = lost.iter().sum::<u64>();
        assert!(all > receipt.left && all <= count as u64, "{endpoint}: {receipt:?}");
        assert!(lost.iter().all(|lost| ran.stderr.contains(&format!("{lost}{words}"))), "{}", ran.stderr);
        assert_eq!(stored(&place), [0], "{endpoint}");
    }
}

#[test]
fn a_signal_ends_a_puller_though_a_sender_goes_on_and_what_it_counts_is_what_it_stored() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let puller = puller(&place, &endpoint, &[]);
    let mut pusher = Pusher::connect([&endpoint]).unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let pushing = std::thread::spawn({
        let ended = Arc::clone(&ended);
        move || {
            let mut number = 0;
            while !ended.load(Ordering::SeqCst) {
                let taken = pusher.push_within(line(number, 50).as_bytes(), Duration::from_millis(50)).unwrap();
                number += usize::from(taken);
            }
        }
    });
    wait_for("the first lines", PATIENCE, || (stored(&place).len() > 1000).then_some(()));
    puller.signal(Signal::SIGTERM);
    let ran = puller.end_with_input_open();
    ended.store(true, Ordering::SeqCst);
    pushing.join().unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let receipt = place.receipt("receipt");
    let [read, stored_now, ..] = account(&receipt);
    assert!(receipt.agrees && receipt.finished && receipt.left == 0, "{receipt:?}");
    // Everything that arrived is there in order and without a gap; only the end is missing.
    assert!(stored(&place).into_iter().eq(0..stored_now as usize));
    assert_eq!(read, stored_now);
}

#[test]
fn a_signal_ends_a_puller_though_a_sender_that_is_never_quiet_sends_little() {
    for (place, endpoint) in endpoints() {
        let mut puller = puller(&place, &endpoint, &[]);
        let mut pusher = Pusher::connect([&endpoint]).unwrap();
        pusher.push(line(0, 50).as_bytes()).unwrap();
        wait_for("the first line", PATIENCE, || (stored(&place) == [0]).then_some(()));
        puller.signal(Signal::SIGTERM);
        let mut number = 1;
        wait_for("the end of the puller", PATIENCE, || {
            number += usize::from(pusher.try_push(line(number, 50).as_bytes()).unwrap());
            puller.has_ended().then_some(())
        });
        let ran = puller.end_with_input_open();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let stored = stored(&place);
        assert!(stored.len() > 1 && stored.iter().copied().eq(0..stored.len()), "{stored:?}");
    }
}

#[test]
fn a_reader_of_standard_output_that_stands_still_holds_up_the_sender_and_a_signal_loses_nothing() {
    for (place, endpoint) in endpoints() {
        let (length, hwm) = (17, HWM.to_string());
        nix::unistd::mkfifo(&place.path("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let open = |flags| std::fs::OpenOptions::new().read(true).custom_flags(flags).open(place.path("pipe")).unwrap();
        // This handle keeps the pipe open and does not read it.
        let _held = open(nix::fcntl::OFlag::O_NONBLOCK.bits());
        let mut puller = start(&place, "> pipe", "logator-pull", &["--bind", &endpoint, "--hwm", &hwm]);
        puller.wait_ready();
        // 256 KiB wait to be written, and 64 KiB are in the pipe.
        let bound = bound(&endpoint, length, 320 << 10);
        let count = bound + QUEUE + (256 << 10) / length;
        let mut pushing = sender(&place, &endpoint, count, length);
        wait_for_standstill(&puller, &mut pushing, 64 << 10);
        assert!(has_read(&pushing) < count * (length + 1), "{endpoint}: the sender was not held up");
        pushing.kill();
        // Bytes that have left the sender are still read after a signal.
        puller.signal(Signal::SIGTERM);
        let mut text = String::new();
        open(0).read_to_string(&mut text).unwrap();
        assert_eq!(puller.end_with_input_open().code, Some(0));
        let received = text.lines().count();
        assert!(text.lines().enumerate().all(|(number, text)| text == line(number, length)), "{endpoint}");
        // At least the bytes in the pipe have been received.
        assert!((3500..=bound).contains(&received), "{endpoint}: {received} lines, at most {bound}");
    }
}
