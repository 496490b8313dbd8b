//! The earlier peers: zmqpush in Python, and its puller.

use std::process::Command;

use serde_json::json;

use super::flow::{pull, stop_after};
use crate::kit::needs::given;
use crate::kit::workspace::{Running, Workspace, account, objects};
use crate::kit::{PATIENCE, wait_for};

/// Prints each message that it pulls: it parses the JSON strictly and encodes it again.
const PULL: &str = "
import json, sys, zmq
socket = zmq.Context().socket(zmq.PULL)
socket.bind(sys.argv[1])
for _ in range(int(sys.argv[2])):
    message = socket.recv()
    print(json.dumps(json.loads(message.decode('utf-8', 'strict'), strict=True)), flush=True)
";

/// zmqpush as it was: one object for each line.
const PUSH: &str = "
import os, sys, zmq
push = zmq.Context().socket(zmq.PUSH)
push.connect(sys.argv[1])
for line in sys.stdin:
    push.send_json({'message': line.rstrip('\\n'), 'type': 'syslog', '@pid': 4711})
push.close()
push.context.term() # An interpreter that ends does not wait for what is still to be sent.
";

fn python(script: &str, arguments: &[&str]) -> Running {
    let mut command = Command::new(given("LOGATOR_TEST_PYTHON", "pyzmq"));
    command.args(["-c", script]).args(arguments);
    Running::start(command)
}

#[test]
#[ignore = "needs pyzmq: run ./test"]
fn whatever_is_in_a_line_python_reads_valid_json() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    // A NUL at the beginning of a line would stand between lines.
    let control: Vec<u8> = [1, 0].into_iter().chain(2..32).filter(|&byte| byte != b'\n').collect();
    let high: Vec<u8> = (127..=255).collect();
    let lines: [&[u8]; 8] =
        [b"<13>plain", b"", b"\"quoted\" \\ and \\u0041", &control, &high, "é ﷽ 😀".as_bytes(), b"\xc3", b"last"];
    let puller = python(PULL, &[&endpoint, "8"]);
    // So many odd bytes do not make a stream binary.
    let mut push = place.start("logator-push", &["--connect", &endpoint]);
    // The last line has no newline.
    push.feed(&lines.join(&b'\n'));
    let id = push.id();
    let pushed = push.end();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    let pulled = puller.end();
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    let expected: Vec<_> = lines
        .iter()
        .map(|line| json!({"message": String::from_utf8_lossy(line), "type": "syslog", "@pid": id}))
        .collect();
    assert_eq!(objects(&pulled.stdout), expected);
}

#[test]
#[ignore = "needs pyzmq: run ./test"]
fn what_zmqpush_sends_is_written_as_it_is_or_opened_and_stored() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let puller = pull(&place, &["--bind", &endpoint]);
    let mut push = python(PUSH, &[&endpoint]);
    push.feed("first\n\"second\" ü\n".as_bytes());
    assert_eq!(push.end().code, Some(0));
    let expected = ["first", "\"second\" ü"].map(|line| json!({"message": line, "type": "syslog", "@pid": 4711}));
    assert_eq!(objects(&stop_after(puller, 2).stdout), expected);

    let arguments = ["--bind", &endpoint, "--envelope", "json", "--to", "ndjson:out", "--receipt", "receipt"];
    let stored = pull(&place, &[&arguments[..], &["-p", "^%{WORD:word}"]].concat());
    let mut push = python(PUSH, &[&endpoint]);
    push.feed(b"first\n(second)\n");
    assert_eq!(push.end().code, Some(0));
    wait_for("two documents", PATIENCE, || {
        std::fs::read_to_string(place.path("out")).is_ok_and(|text| text.lines().count() == 2).then_some(())
    });
    let ran = stop_after(stored, 0);
    assert_eq!(account(&place.receipt("receipt")), [2, 1, 0, 1, 0, 0], "{}", ran.stderr);
    let documents = place.objects("out");
    for document in &documents {
        assert_eq!((&document["type"], &document["@pid"]), (&json!("syslog"), &json!(4711)), "{document}");
    }
    assert_eq!((&documents[0]["word"], &documents[1]["message"]), (&json!("first"), &json!("(second)")));
}
