//! TCP: framings, many connections, hostile ones, and senders that have to wait.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{Receiver, documents, messages, receive};
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, wait_for};

const TCP: &[&str] = &["syslog+tcp://127.0.0.1:0"];

#[test]
fn every_message_of_many_connections_is_stored_once_whatever_its_framing() {
    const CONNECTIONS: usize = 20;
    const EACH: usize = 300;
    let place = Workspace::new();
    let receiver = receive(&place, TCP, &[]);
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let receiver = &receiver;
            scope.spawn(move || {
                let mut bytes = Vec::new();
                for index in 0..EACH {
                    let message = format!("<13>Feb  3 04:05:06 h a[{connection}]: m-{connection:02}-{index:03}");
                    match (connection + index) % 3 {
                        0 => writeln!(bytes, "{message}").unwrap(),
                        1 => write!(bytes, "{} {message}", message.len()).unwrap(),
                        _ => write!(bytes, "{message}\0").unwrap(),
                    }
                }
                let mut stream = receiver.connect();
                stream.set_nodelay(true).unwrap();
                // Reads end anywhere in a message.
                bytes.chunks(97 + connection).for_each(|chunk| stream.write_all(chunk).unwrap());
            });
        }
    });
    let found = documents(&place, CONNECTIONS * EACH);
    let numbered =
        (0..CONNECTIONS).flat_map(|connection| (0..EACH).map(move |index| format!("m-{connection:02}-{index:03}")));
    assert_eq!(messages(&found), numbered.collect::<Vec<_>>());
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let all = (CONNECTIONS * EACH) as u64;
    assert_eq!(account(&receipt), [all, all, 0, 0, 0, 0]);
    assert_eq!((receipt.sources[0].get("received"), receipt.sources[0].get("connections")), (all, CONNECTIONS as u64));
}

#[test]
fn what_was_received_before_a_signal_is_delivered() {
    let place = Workspace::new();
    let receiver = receive(&place, TCP, &[]);
    let mut open = receiver.connect();
    open.write_all(b"<13>first\n").unwrap();
    documents(&place, 1);
    // The bytes are in the kernel when the signal comes, because the program stands still meanwhile.
    receiver.running.freeze();
    open.write_all(b"<13>second\n20 <13>not all of it").unwrap();
    let mut late = receiver.connect();
    late.write_all(b"<13>third\n").unwrap();
    receiver.running.signal(Signal::SIGTERM);
    receiver.running.signal(Signal::SIGCONT);
    let ran = receiver.running.end_with_input_open();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(messages(&place.objects("out")), ["first", "not all of it", "second", "third"]);
    let receipt = place.receipt("receipt");
    assert_eq!(account(&receipt), [4, 4, 0, 0, 0, 0]);
    assert!(receipt.finished && receipt.agrees);
}

#[test]
fn garbage_ends_its_connection_and_no_other() {
    let place = Workspace::new();
    let receiver = receive(&place, TCP, &[]);
    let mut good = receiver.connect();
    good.write_all(b"<13>one\n").unwrap();
    for garbage in [&b"<13>before\n\x16\x03\x01\x02\x00"[..], b"\x7f", b"\x01"] {
        let mut stream = receiver.connect();
        stream.write_all(garbage).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The connection is closed, with unread bytes or without.
        assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
    }
    good.write_all(b"<13>two\nno priority\n<13>two\nlines\n").unwrap();
    let found = documents(&place, 6);
    assert_eq!(messages(&found), ["before", "lines", "no priority", "one", "two", "two"]);
    let tagged: Vec<&Value> = found.iter().filter(|document| !document["tags"].is_null()).collect();
    assert_eq!(tagged.len(), 2);
    assert!(tagged.iter().all(|document| document["tags"] == json!(["_grokparsefailure_sysloginput"])));
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&receipt), [6, 4, 0, 2, 0, 0]);
    assert_eq!(receipt.sources[0].get("refused"), 3);
    assert!(ran.stderr.contains("was closed: it sends TLS"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("was closed").count(), 1, "the others are counted: {}", ran.stderr);
}

#[test]
fn one_wrong_count_among_many_is_said_and_counted_and_costs_no_other_message() {
    const MESSAGES: usize = 2_001;
    let place = Workspace::new();
    let receiver = receive(&place, TCP, &[]);
    let message = |index: usize| format!("<13>1 2024-02-03T04:05:06Z h app - - - grüße {index:04}");
    let mut bytes = Vec::new();
    for index in 0..MESSAGES {
        let text = message(index);
        // One sender counts characters.
        let count = if index == 1_000 { text.chars().count() } else { text.len() };
        write!(bytes, "{count} {text}").unwrap();
    }
    let mut stream = receiver.connect();
    bytes.chunks(4_099).for_each(|chunk| stream.write_all(chunk).unwrap());
    // The message is cut, and its rest is a message of its own.
    let found = messages(&documents(&place, MESSAGES + 1));
    let whole = (0..MESSAGES).filter(|index| found.contains(&format!("grüße {index:04}"))).count();
    assert_eq!(whole, MESSAGES - 1);
    drop(stream);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(receipt.sources[0].get("wrong_counts"), 1);
    assert!(ran.stderr.contains("framing error"), "{}", ran.stderr);
}

#[test]
fn a_message_that_is_too_long_is_a_dead_letter_and_costs_no_memory() {
    let place = Workspace::new();
    let receiver = receive(&place, TCP, &["--max-line", "1KiB"]);
    let long = vec![b'x'; 12 << 20];
    let mut stream = receiver.connect();
    stream.write_all(b"<13>short\n<14>").unwrap();
    stream.write_all(&long).unwrap();
    stream.write_all(b"\n12582916 <15>").unwrap();
    stream.write_all(&long).unwrap();
    stream.write_all(b"<13>after\n").unwrap();
    assert_eq!(messages(&documents(&place, 2)), ["after", "short"]);
    assert!(receiver.running.most_memory().unwrap() < 120 << 10);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(account(&receipt), [4, 2, 0, 0, 2, 0]);
    let letters = place.objects("dead-letters.ndjson");
    assert_eq!(letters.iter().map(|letter| letter["length"].as_u64().unwrap()).collect::<Vec<_>>(), [12_582_916; 2]);
    assert!(
        letters.iter().all(|letter| letter["raw"].as_str().unwrap().len() == 1024 && letter["reason"] == "too_long")
    );
}

#[test]
fn there_are_no_more_connections_than_allowed() {
    let place = Workspace::new();
    let receiver = receive(&place, TCP, &["--max-connections", "2"]);
    let mut first = receiver.connect();
    let mut second = receiver.connect();
    first.write_all(b"<13>1\n").unwrap();
    second.write_all(b"<13>2\n").unwrap();
    documents(&place, 2);
    let mut third = receiver.connect();
    assert!(matches!(third.read(&mut [0]), Ok(0) | Err(_)), "it is refused");
    drop(first);
    // A new connection gets in as soon as the program notices that one has left.
    let mut tries = 0;
    wait_for("a connection", PATIENCE, || {
        tries += 1;
        let mut next = receiver.connect();
        next.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        match next.read(&mut [0]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => next.write_all(b"<13>3\n").ok(),
            _ => None,
        }
    });
    assert_eq!(messages(&documents(&place, 3)), ["1", "2", "3"]);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("was refused: there are 2 (--max-connections)"), "{}", ran.stderr);
    assert_eq!((receipt.sources[0].get("connections"), receipt.sources[0].get("refused")), (3, tries));
}

/// Returns whether the other side has closed `stream`.
fn is_closed(stream: &mut std::net::TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    match stream.read(&mut [0]) {
        Ok(0) => true,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        Ok(_) => panic!("nobody sends anything"),
    }
}

#[test]
fn at_the_most_connections_the_one_that_was_idle_for_longest_makes_room() {
    let place = Workspace::new();
    let receiver = receive(&place, TCP, &["--max-connections", "3", "--idle-connection", "0.5"]);
    let mut streams: Vec<_> = (0..3).map(|_| receiver.connect()).collect();
    // The oldest connection is active last; the second one leaves a message unfinished.
    streams[1].write_all(b"<13>second\n<13>not whole").unwrap();
    documents(&place, 1);
    streams[2].write_all(b"<13>third\n").unwrap();
    documents(&place, 2);
    streams[0].write_all(b"<13>first\n").unwrap();
    documents(&place, 3);
    let mut newer = Vec::new();
    for (index, expected) in [1, 2].into_iter().enumerate() {
        // A new connection gets in as soon as another one has been idle for long enough. Until then new ones are refused.
        let next = wait_for("room", PATIENCE, || {
            let mut next = receiver.connect();
            next.write_all(format!("<13>new {index}\n").as_bytes()).unwrap();
            wait_for("an answer", PATIENCE, || {
                let text = std::fs::read_to_string(place.path("out")).unwrap_or_default();
                let taken = text.contains(&format!("new {index}"));
                (taken || is_closed(&mut next)).then_some(taken)
            })
            .then_some(next)
        });
        newer.push(next);
        wait_for("the end of the idle one", PATIENCE, || is_closed(&mut streams[expected]).then_some(()));
        // The other connections stay active.
        streams[0].write_all(b"<13>first again\n").unwrap();
        newer.iter_mut().for_each(|stream| stream.write_all(b"<13>new again\n").unwrap());
    }
    assert!(!is_closed(&mut streams[0]), "it was heard of");
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let source = &receipt.sources[0];
    assert_eq!((source.get("connections"), source.get("idle")), (5, 2), "{}", ran.stderr);
    assert!(ran.stderr.contains("there are 3 (--max-connections); the connection of 127.0.0.1:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("was closed for another one"), "{}", ran.stderr);
    assert!(ran.stderr.contains("; 2 idle ones closed for others"), "{}", ran.stderr);
    let messages = messages(&place.objects("out"));
    for whole in ["first", "second", "third", "not whole", "new 0", "new 1"] {
        assert!(messages.iter().any(|message| message == whole), "{whole}: {messages:?}");
    }
    assert_eq!(receipt.read, messages.len() as u64);
}

#[test]
fn a_connection_over_which_something_comes_is_never_closed_for_another_one() {
    let place = Workspace::new();
    let receiver = receive(&place, TCP, &["--max-connections", "1", "--idle-connection", "60"]);
    let mut first = receiver.connect();
    first.write_all(b"<13>a\n<13>unfini").unwrap();
    documents(&place, 1);
    for _ in 0..20 {
        let mut next = receiver.connect();
        wait_for("the refusal", PATIENCE, || is_closed(&mut next).then_some(()));
    }
    first.write_all(b"shed\n").unwrap();
    assert_eq!(messages(&documents(&place, 2)), ["a", "unfinished"]);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!((receipt.sources[0].get("refused"), receipt.sources[0].get("idle")), (20, 0));
    // One sentence reports all of them.
    assert_eq!(ran.stderr.matches("was refused").count(), 1, "{}", ran.stderr);
}

#[test]
fn a_quiet_source_does_nothing() {
    let place = Workspace::new();
    let receiver = receive(&place, &["syslog+tcp://127.0.0.1:0", "syslog+udp://[::1]:0"], &[]);
    let _quiet: Vec<_> = (0..50).map(|_| receiver.connect()).collect();
    let mut stream = receiver.connect();
    stream.write_all(b"<13>x\n").unwrap();
    documents(&place, 1);
    let switches = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", receiver.running.id())).unwrap();
        let of = |path: std::path::PathBuf| {
            let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
            let lines = status.lines().filter(|line| line.contains("voluntary_ctxt_switches"));
            lines.map(|line| line.split_whitespace().last().unwrap().parse::<u64>().unwrap()).sum::<u64>()
        };
        tasks.map(|task| of(task.unwrap().path())).sum::<u64>()
    };
    // First, the program must have finished the messages that are on their way.
    let mut before = (switches(), Instant::now());
    wait_for("two quiet seconds", PATIENCE, || {
        let now = switches();
        if now != before.0 {
            before = (now, Instant::now());
        }
        (before.1.elapsed() > Duration::from_secs(2)).then_some(())
    });
}

/// Starts a program whose documents go into a pipe that is not read yet. Returns the program and the pipe.
fn receive_slowly(place: &Workspace) -> (Receiver, File) {
    let pipe = place.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // The pipe is open in both directions, so that nobody waits for the other side.
    let file = File::options().read(true).write(true).custom_flags(nix::libc::O_CLOEXEC).open(&pipe).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" > pipe", "slow"]).arg(crate::kit::program("logator"));
    command
        .args(["run", TCP[0], "--to", "-", "--receipt", "receipt", "--max-memory", "1MiB"])
        .current_dir(place.path("."));
    (Receiver::of(Running::start(command), 1), file)
}

/// Sends up to `count` numbered messages in a separate thread, until a write fails.
fn send_numbers(receiver: &Receiver, count: usize) -> (JoinHandle<()>, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let mut stream = receiver.connect();
    let thread = std::thread::spawn({
        let sent = Arc::clone(&sent);
        move || {
            for index in 0..count {
                if stream.write_all(format!("<13>{index:06}{}\n", "x".repeat(200)).as_bytes()).is_err() {
                    return;
                }
                sent.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (thread, sent)
}

/// Waits until the sender has stood still for a while, and returns how many messages it has sent.
fn wait_for_standstill(sent: &AtomicUsize) -> usize {
    let mut before = (0, Instant::now());
    wait_for("the sender to stand still", PATIENCE, || {
        let now = sent.load(Ordering::SeqCst);
        if now != before.0 {
            before = (now, Instant::now());
        }
        (now > 0 && before.1.elapsed() > Duration::from_secs(1)).then_some(now)
    })
}

fn number(line: &str) -> usize {
    let at = line.find("\"message\":\"").unwrap() + 11;
    line[at..at + 6].parse().unwrap()
}

#[test]
fn senders_wait_while_a_sink_is_slow_and_nothing_is_lost() {
    const MESSAGES: usize = 100_000;
    let place = Workspace::new();
    let (receiver, pipe) = receive_slowly(&place);
    let (sender, sent) = send_numbers(&receiver, MESSAGES);
    assert!(wait_for_standstill(&sent) < MESSAGES, "all of it was taken while nothing could be stored");
    let mut seen = vec![false; MESSAGES];
    let mut lines = BufReader::new(pipe).lines();
    for _ in 0..MESSAGES {
        let index = number(&lines.next().unwrap().unwrap());
        assert!(!std::mem::replace(&mut seen[index], true), "{index} is there twice");
    }
    sender.join().unwrap();
    assert!(seen.iter().all(|seen| *seen));
    assert!(receiver.running.most_memory().unwrap() < 150 << 10);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&receipt), [MESSAGES as u64, MESSAGES as u64, 0, 0, 0, 0]);
}

#[test]
fn what_a_slow_sink_held_up_when_a_signal_came_is_delivered() {
    let place = Workspace::new();
    let (mut receiver, mut pipe) = receive_slowly(&place);
    let (sender, sent) = send_numbers(&receiver, 100_000);
    wait_for_standstill(&sent);
    receiver.running.signal(Signal::SIGTERM);
    receiver.running.wait_stopping();
    let signalled = Instant::now();
    wait_for("a sink that stays slow for long", PATIENCE, || {
        assert!(!receiver.running.has_ended());
        (signalled.elapsed() > Duration::from_secs(4)).then_some(())
    });
    let lines = BufReader::new(pipe.try_clone().unwrap()).lines();
    let reader = std::thread::spawn(move || {
        let lines = lines.map(Result::unwrap).take_while(|line| line != "end");
        lines.map(|line| number(&line)).collect::<Vec<_>>()
    });
    let ran = receiver.running.end_with_input_open();
    pipe.write_all(b"end\n").unwrap();
    let mut stored = reader.join().unwrap();
    stored.sort_unstable();
    sender.join().unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let receipt = place.receipt("receipt");
    assert!(receipt.finished && receipt.agrees);
    // The numbers begin with the first one and have no gap.
    assert_eq!(stored, (0..stored.len()).collect::<Vec<_>>());
    assert_eq!(receipt.sources[0].get("received"), receipt.read);
    assert_eq!(account(&receipt), [stored.len() as u64, stored.len() as u64, 0, 0, 0, 0]);
}

/// Starts `logator run`. `limit` says how many files may be open.
fn receive_within(place: &Workspace, limit: &str) -> Receiver {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limit}; exec \"$@\""), "few"]).arg(crate::kit::program("logator"));
    command.args(["run", TCP[0], "--to", "ndjson:out", "--receipt", "receipt"]).current_dir(place.path("."));
    Receiver::of(Running::start(command), 1)
}

fn connect_all(receiver: &Receiver, count: usize) -> Vec<TcpStream> {
    let connections = (0..count).map(|index| {
        let mut stream = receiver.connect();
        writeln!(stream, "<13>{index:03}").unwrap();
        stream
    });
    connections.collect()
}

#[test]
fn there_may_be_as_many_open_files_as_the_hard_limit_says() {
    let place = Workspace::new();
    let receiver = receive_within(&place, "ulimit -Sn 50");
    let _open = connect_all(&receiver, 100);
    documents(&place, 100);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!((ran.code, receipt.sources[0].get("connections")), (Some(0), 100), "{}", ran.stderr);
}

#[test]
fn without_open_files_connections_wait_until_others_leave() {
    let place = Workspace::new();
    let mut receiver = receive_within(&place, "ulimit -n 50");
    let mut open = connect_all(&receiver, 60);
    receiver.running.says("no more connections for now");
    open.drain(..30);
    documents(&place, 60);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!((ran.code, receipt.sources[0].get("connections")), (Some(0), 60), "{}", ran.stderr);
    assert_eq!(receipt.sources[0].get("refused"), 0);
}
