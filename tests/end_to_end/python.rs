//! The original's workers: ten lines of Python with a REQ socket.

use std::process::Command;

use crate::kit::logs::{access, access_line};
use crate::kit::needs::given;
use crate::kit::workspace::{Running, Workspace, line_account};

/// Prints each line that it gets. With a number, it stops after so many lines and does not ask again.
const CLIENT: &str = "
import sys, zmq
socket = zmq.Context().socket(zmq.REQ)
socket.connect(sys.argv[1])
left = int(sys.argv[2]) if len(sys.argv) > 2 else -1
while left != 0:
    socket.send(b'')
    line = socket.recv()
    if not line:
        break
    print(line.decode(), flush=True)
    left -= 1
";

fn client(place: &Workspace, arguments: &[&str]) -> Running {
    let mut command = Command::new(given("LOGATOR_TEST_PYTHON", "pyzmq"));
    command.args(["-c", CLIENT, &place.endpoint()]).args(arguments);
    Running::start(command)
}

fn expected(lines: usize) -> Vec<String> {
    (0..lines).map(access_line).collect()
}

#[test]
#[ignore = "needs pyzmq: run ./test"]
fn one_client_gets_all_lines_in_order_and_then_the_end() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--linger", "0"]);
    queue.feed(b"\n");
    queue.feed(&access(0..1000));
    let client = client(&place, &[]);
    let (queue, client) = (queue.end(), client.end());
    assert_eq!((queue.code, client.code), (Some(0), Some(0)), "{}{}", queue.stderr, client.stderr);
    assert_eq!(client.stdout.lines().collect::<Vec<_>>(), expected(1000));
    assert_eq!(line_account(&place.receipt("queue.json")), [1001, 1000, 0, 1]);
}

#[test]
#[ignore = "needs pyzmq: run ./test"]
fn two_clients_get_each_line_once_and_a_late_one_gets_the_end() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--linger", "60"]);
    queue.feed(&access(0..1000));
    queue.close_input();
    let (first, second) = (client(&place, &[]), client(&place, &[]));
    let (first, second) = (first.end(), second.end());
    let mut lines: Vec<&str> = first.stdout.lines().chain(second.stdout.lines()).collect();
    let mut expected = expected(1000);
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    let late = client(&place, &[]).end();
    assert_eq!((late.code, late.stdout.as_str()), (Some(0), ""), "{}", late.stderr);
    assert_eq!(line_account(&place.receipt("queue.json")), [1000, 1000, 0, 0]);
    queue.kill();
}

#[test]
#[ignore = "needs pyzmq: run ./test"]
fn the_line_of_a_client_that_went_away_goes_to_another_after_the_lease() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--linger", "0", "--lease", "0.5"]);
    queue.feed(&access(0..10));
    queue.close_input();
    let gone = client(&place, &["3"]).end();
    assert_eq!(gone.stdout.lines().collect::<Vec<_>>(), expected(3));
    let client = client(&place, &[]);
    let (queue, client) = (queue.end(), client.end());
    // The two requests that followed acknowledged two lines; the third line was never acknowledged.
    let mut lines: Vec<&str> = client.stdout.lines().collect();
    let mut left = expected(10).split_off(2);
    lines.sort_unstable();
    left.sort_unstable();
    assert_eq!(lines, left);
    assert_eq!(line_account(&place.receipt("queue.json")), [10, 10, 0, 0]);
    assert!(queue.stderr.contains("1 batches were handed out again"), "{}", queue.stderr);
}
