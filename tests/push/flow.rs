//! From push to pull: exactly the sent lines arrive, even if a peer starts late, ends, or does not read.

use std::collections::HashSet;

use nix::sys::signal::Signal;

use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, Ran, free_port, wait_for};

/// Lines with the numbers in `range`.
pub fn numbered(range: std::ops::Range<usize>) -> Vec<u8> {
    range.flat_map(|number| format!("line {number} of many\n").into_bytes()).collect()
}

/// Starts a puller of the test's endpoint that only writes to standard output.
pub fn pull(place: &Workspace, arguments: &[&str]) -> Running {
    place.start("logator-pull", arguments)
}

/// Returns the counts of `logator-push`.
pub fn sent(place: &Workspace) -> serde_json::Value {
    serde_json::from_str(&place.text("sent.json")).unwrap()
}

/// Waits until `puller` has written as many lines, stops it, and checks that it ends well.
pub fn stop_after(puller: Running, lines: usize) -> Ran {
    wait_for(&format!("{lines} lines"), PATIENCE, || {
        (puller.stdout().bytes().filter(|&byte| byte == b'\n').count() >= lines).then_some(())
    });
    puller.signal(Signal::SIGTERM);
    let ran = puller.end_with_input_open();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_line_arrives_once_and_in_order_whichever_side_listens() {
    let port = free_port();
    let place = Workspace::new();
    for endpoint in [place.endpoint(), format!("tcp://127.0.0.1:{port}")] {
        for (push_flag, pull_flag) in [("--connect", "--bind"), ("--bind", "--connect")] {
            let puller = pull(&place, &[pull_flag, &endpoint]);
            let input = numbered(0..100_000);
            let pushed = place.run("logator-push", &["--raw", push_flag, &endpoint, "--receipt", "sent.json"], &input);
            assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
            assert!(pushed.stderr.contains("Processed 100000 messages in "), "{}", pushed.stderr);
            assert!(!pushed.stderr.contains("Tagged"), "{}", pushed.stderr);
            let pulled = stop_after(puller, 100_000);
            assert!(pulled.stdout.into_bytes() == input, "{push_flag} {endpoint}");
            assert_eq!((&sent(&place)["read"], &sent(&place)["sent"]), (&100_000.into(), &100_000.into()));
        }
    }
}

/// Released versions of libzmq lose most of these lines: see `zmq-sys/patches.rs`.
#[test]
fn a_reader_that_is_slow_gets_all_that_a_peer_sent_before_it_closed() {
    for round in 0..5 {
        let place = Workspace::new();
        for endpoint in [place.endpoint(), format!("tcp://127.0.0.1:{}", free_port())] {
            let reader = zmq::Context::new().socket(zmq::PULL).unwrap();
            reader.set_rcvhwm(1).unwrap();
            reader.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
            reader.bind(&endpoint).unwrap();
            let context = zmq::Context::new();
            let peer = context.socket(zmq::PUSH).unwrap();
            peer.connect(&endpoint).unwrap();
            // This is more than libzmq reads at a time. And libzmq stops writing when a quarter of the kernel's buffer
            // is full.
            let message = |number: usize| format!("{number:0>100}");
            (0..300).for_each(|number| peer.send(&message(number), 0).unwrap());
            drop(peer);
            drop(context);
            for number in 0..300 {
                assert_eq!(reader.recv_string(0).unwrap().unwrap(), message(number), "{endpoint}, round {round}");
            }
        }
    }
}

#[test]
fn sockets_in_the_file_system_are_private_and_gone_at_the_end() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Workspace::new();
    let (there, elsewhere) = (place.endpoint(), place.at("ipc://", "other"));
    let mut push = place.start("logator-push", &["--bind", &there]);
    push.wait_ready();
    let mut pull = place.start("logator-pull", &["--bind", &elsewhere]);
    pull.wait_ready();
    for name in ["q", "other"] {
        assert_eq!(place.path(name).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    for program in ["logator-push", "logator-pull"] {
        let second = place.run(program, &["--bind", &there], b"");
        assert_eq!(second.code, Some(2));
        assert!(second.stderr.contains("in use by another process"), "{}", second.stderr);
    }
    push.signal(Signal::SIGTERM);
    pull.signal(Signal::SIGTERM);
    assert_eq!((push.end_with_input_open().code, pull.end_with_input_open().code), (Some(0), Some(0)));
    assert!(!place.path("q").exists() && !place.path("other").exists());
}

#[test]
fn two_pullers_share_the_lines() {
    let place = Workspace::new();
    let (one, two) = (place.at("ipc://", "one"), place.at("ipc://", "two"));
    let pullers = [pull(&place, &["--bind", &one]), pull(&place, &["--bind", &two])];
    pullers.iter().zip(["one", "two"]).for_each(|(_, name)| {
        wait_for("a socket", PATIENCE, || place.path(name).exists().then_some(()));
    });
    let mut push = place.start("logator-push", &["--raw", "--connect", &one, "--connect", &two]);
    // A few lines come first, so that both are known to be connected before the many lines.
    let mut fed = 0;
    wait_for("both to be served", PATIENCE, || {
        push.feed(&numbered(fed..fed + 10));
        fed += 10;
        pullers.iter().all(|puller| !puller.stdout().is_empty()).then_some(())
    });
    push.feed(&numbered(fed..fed + 50_000));
    let pushed = push.end();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    let all = fed + 50_000;
    wait_for("all lines", PATIENCE, || {
        let lines: usize = pullers.iter().map(|puller| puller.stdout().lines().count()).sum();
        (lines >= all).then_some(())
    });
    let outputs = pullers.map(|puller| stop_after(puller, 0).stdout);
    let counts = outputs.each_ref().map(|output| output.lines().count());
    assert!(counts.iter().all(|&count| count > all / 10), "{counts:?}");
    let lines: HashSet<&str> = outputs.iter().flat_map(|output| output.lines()).collect();
    assert_eq!((counts.iter().sum::<usize>(), lines.len()), (all, all));
    let input = text(numbered(0..all));
    assert!(input.lines().all(|line| lines.contains(line)));
}

#[test]
fn lines_wait_for_a_peer_that_appears_late_and_for_one_that_comes_back() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let mut push = place.start("logator-push", &["--raw", "--connect", &endpoint, "--receipt", "sent.json"]);
    push.feed(&numbered(0..5_000));
    let first = stop_after(pull(&place, &["--bind", &endpoint]), 5_000);
    assert!(first.stdout.into_bytes() == numbered(0..5_000));
    push.says("the peer is gone");
    push.feed(&numbered(5_000..12_000));
    let puller = pull(&place, &["--bind", &endpoint]);
    push.says("a peer is connected again");
    push.feed(&numbered(12_000..13_000));
    let second = stop_after(puller, 8_000);
    assert!(second.stdout.into_bytes() == numbered(5_000..13_000));
    assert_eq!(push.end().code, Some(0));
    assert_eq!(sent(&place)["sent"], 13_000);
}

#[test]
fn when_the_queue_is_full_the_newest_lines_are_dropped_and_counted() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let arguments = ["--raw", "--connect", &endpoint, "--queue", "10", "--on-full", "drop", "--receipt", "sent.json"];
    let ran = place.run("logator-push", &[&arguments[..], &["--linger", "100"]].concat(), &numbered(0..1_000));
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("990 lines were dropped: 10 waited already"), "{}", ran.stderr);
    assert!(ran.stderr.contains("10 lines were not sent: nobody took them within 100 ms"), "{}", ran.stderr);
    let counts = sent(&place);
    assert_eq!([&counts["read"], &counts["dropped"], &counts["unsent"]], [1_000, 990, 10]);

    // Confirmations tell how much was read when the peer appears.
    let mut push = place.start("logator-push", &[&arguments[..], &["--confirm"]].concat());
    push.feed(&numbered(0..25));
    wait_for("25 answers", PATIENCE, || (push.stdout().lines().count() == 26).then_some(()));
    let answers = push.stdout();
    assert!(answers.lines().take(11).all(|answer| answer == "OK"), "{answers}");
    assert!(answers.lines().skip(11).all(|answer| answer.starts_with("the queue is full")), "{answers}");
    let puller = pull(&place, &["--bind", &endpoint]);
    wait_for("the lines that waited", PATIENCE, || (puller.stdout().lines().count() == 10).then_some(()));
    push.feed(&numbered(25..30));
    let pulled = stop_after(puller, 15);
    assert_eq!(pulled.stdout.into_bytes(), [numbered(0..10), numbered(25..30)].concat());
    let pushed = push.end();
    assert_eq!((pushed.code, &sent(&place)["refused"]), (Some(0), &15.into()), "{}", pushed.stderr);
}

#[test]
fn a_queue_that_is_full_holds_up_the_writer_and_loses_nothing() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let mut push = place.start("logator-push", &["--raw", "--connect", &endpoint, "--queue", "100"]);
    // 20 MB, which fit neither into the queue nor into a pipe.
    let input = numbered(0..1_000_000);
    let pulled = std::thread::scope(|scope| {
        let feeding = scope.spawn(|| push.feed(&input));
        let puller = pull(&place, &["--bind", &endpoint]);
        let pulled = stop_after(puller, 1_000_000);
        feeding.join().unwrap();
        pulled
    });
    assert!(pulled.stdout.into_bytes() == input);
    let most = push.most_memory().unwrap();
    assert!(most < 40_000, "{most} kB");
    assert_eq!(push.end().code, Some(0));
}

#[test]
fn what_a_peer_does_not_read_is_said_to_be_unsent() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let peer = zmq::Context::new().socket(zmq::PULL).unwrap();
    peer.set_rcvhwm(1).unwrap();
    peer.bind(&endpoint).unwrap();
    let line = [&[b'x'; 999][..], b"\n"].concat();
    let ran = place.run(
        "logator-push",
        &["--raw", "--connect", &endpoint, "--linger", "300", "--receipt", "sent.json"],
        &line.repeat(20_000),
    );
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("lines were not sent: nobody took them within 300 ms"), "{}", ran.stderr);
    let counts = sent(&place);
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(count("sent") + count("unsent"), 20_000);
    // These lines are in libzmq's queue, and in a block of 64 KiB that libzmq is about to write.
    assert_eq!(count("unsure"), count("sent").min(1_000 + (64 << 10) / 1_001 + 1), "{counts}");
}

#[test]
fn a_signal_ends_it_as_the_end_of_input_does() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let puller = pull(&place, &["--bind", &endpoint]);
        let mut push = place.start("logator-push", &["nginx", "--connect", &endpoint]);
        push.feed(b"one\ntwo\nthree");
        // Two lines have arrived, so the third one was read with them.
        wait_for("two lines", PATIENCE, || (puller.stdout().lines().count() == 2).then_some(()));
        push.signal(signal);
        let id = push.id();
        let pushed = push.end_with_input_open();
        assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
        // The sentence about the signal comes from another thread.
        let last = pushed
            .stderr
            .lines()
            .find(|line| line.starts_with("Processed"))
            .unwrap_or_else(|| panic!("{}", pushed.stderr));
        let time = last.strip_prefix("Processed 3 messages in ");
        let time = time.and_then(|rest| rest.strip_suffix(&format!("ms. Tagged with @pid:{id}")));
        let (ms, fraction) = time.and_then(|time| time.split_once('.')).unwrap_or_else(|| panic!("{last}"));
        assert!(ms.parse::<u64>().is_ok() && fraction.len() == 4 && fraction.parse::<u64>().is_ok(), "{last}");
        let pulled = stop_after(puller, 3).stdout;
        let messages: Vec<serde_json::Value> = crate::kit::workspace::objects(&pulled);
        let expected = ["one", "two", "three"]
            .map(|line| serde_json::json!({"message": line, "type": "nginx", "@pid": id}))
            .to_vec();
        assert_eq!(messages, expected);
    }
}

#[test]
fn a_line_that_is_too_long_is_left_out_and_counted() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let puller = pull(&place, &["--bind", &endpoint]);
    let input = [&b"first\n"[..], &[b'x'; 200_000], b"\n0123456789\n01234567890\nlast"].concat();
    let arguments = ["--raw", "--connect", &endpoint, "--max-line", "10", "--receipt", "sent.json"];
    let pushed = place.run("logator-push", &arguments, &input);
    assert_eq!(pushed.code, Some(1), "{}", pushed.stderr);
    assert!(pushed.stderr.contains("2 lines longer than 10 bytes were not sent"), "{}", pushed.stderr);
    assert_eq!(stop_after(puller, 3).stdout, "first\n0123456789\nlast\n");
    assert_eq!((&sent(&place)["read"], &sent(&place)["too_long"]), (&5.into(), &2.into()));
}

#[test]
fn flags_that_make_no_sense_are_usage_errors() {
    const KAFKA: &str = "kafka://broker/topic";
    let place = Workspace::new();
    let here = place.endpoint();
    for (program, arguments, words) in [
        ("logator-push", &[][..], "--connect ENDPOINT or --bind ENDPOINT is missing"),
        ("logator-pull", &[], "--connect ENDPOINT or --bind ENDPOINT is missing"),
        ("logator-push", &["--connect", &here, "--bind", &here], "one of the two"),
        ("logator-push", &["--bind", "kafka://broker/topic"], "is only connected to"),
        ("logator-push", &["--connect", KAFKA, "--bind", &here], "--bind and kafka://"),
        ("logator-push", &["--connect", KAFKA, "--connect", &here], "give one address"),
        ("logator-push", &["--connect", KAFKA, "--curve-key", "x"], "has the login and the settings of TLS"),
        ("logator-push", &["--connect", KAFKA, "--insecure"], "has the login and the settings of TLS"),
        ("logator-push", &["--connect", KAFKA, "--hwm", "7"], "--hwm and kafka://"),
        ("logator-push", &["--connect", KAFKA, "--json"], "the lines as they are"),
        ("logator-push", &["--connect", KAFKA, "--linger", "7"], "--sink-deadline"),
        ("logator-push", &["--connect", KAFKA, "--queue", "7"], "--max-memory"),
        ("logator-push", &["--connect", KAFKA, "--on-full", "drop"], "no line is dropped"),
        ("logator-push", &["--connect", KAFKA, "--confirm", "--state", "x"], "knows what is left"),
        ("logator-push", &["x", "a.log", "--connect", KAFKA, "--confirm"], "only lines of standard input"),
        ("logator-push", &["--connect", &here, "--state", "x"], "--state: that is for --connect kafka://"),
        ("logator-push", &["--connect", &here, "--origin", "path"], "--origin: that is for --connect kafka://"),
        ("logator-push", &["--connect", &here, "--since", "1m"], "--since: that is for --connect kafka://"),
        ("logator-push", &["--connect", &here, "--dead-letters", "x"], "--dead-letters: that is for"),
        ("logator-push", &["--connect", &here, "--sink-deadline", "7"], "--sink-deadline: that is for"),
        ("logator-pull", &["--connect", KAFKA], "logator-worker --from reads one"),
        ("logator-push", &["--bind", &here, "--confirm=delivered"], "--confirm=delivered needs --connect"),
        ("logator-push", &["--bind", "tcp://0.0.0.0:1"], "give both sides keys"),
        ("logator-push", &["--connect", "tcp://192.0.2.1:1"], "give both sides keys"),
        ("logator-pull", &["--connect", "tcp://192.0.2.1:1"], "give both sides keys"),
        ("logator-pull", &["--connect", &here, "--authorized-keys", "x"], "that is for --bind"),
        ("logator-push", &["--connect", &here, "--max-line", "1GiB"], "too much for a message"),
        ("logator-worker", &["--from", &here, "--from", "pull+ipc:///tmp/x"], "do not go together"),
        ("logator-worker", &["--from", &here, "--envelope", "json"], "that is for pull+ endpoints"),
    ] {
        let ran = place.run(program, arguments, b"");
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}
