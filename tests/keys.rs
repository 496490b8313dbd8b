//! Keys: which peers are let in, which are refused, and which messages both sides print.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::{Arc, Mutex};

use nix::sys::signal::Signal;

use crate::kit::free_port;
use crate::kit::logs::{access, access_line};
use crate::kit::needs::given;
use crate::kit::workspace::{Running, Workspace, account};

/// Makes a pair of keys and returns the public half.
fn keygen(place: &Workspace, file: &str) -> String {
    let ran = place.run("logator", &["keygen", file], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout.trim_end().to_owned()
}

/// Makes a folder with keys of a queue and a worker, and the list with the worker's key.
fn with_keys() -> Workspace {
    let place = Workspace::new();
    keygen(&place, "queue.key");
    keygen(&place, "worker.key");
    place.write("authorized", place.text("worker.key.pub"));
    place
}

const QUEUE: [&str; 4] = ["--curve-key", "queue.key", "--authorized-keys", "authorized"];
const WORKER: [&str; 4] = ["--curve-key", "worker.key", "--queue-key", "queue.key.pub"];
const TO_OUT: [&str; 4] = ["-f", "combined", "--to", "ndjson:out"];

fn queue(place: &Workspace, arguments: &[&str]) -> Running {
    place.queue(&[&QUEUE[..], arguments].concat())
}

fn worker(place: &Workspace, keys: &[&str]) -> Running {
    place.worker(&[keys, &TO_OUT].concat())
}

#[test]
fn keygen_makes_a_pair_for_its_owner_and_never_overwrites_one() {
    let place = Workspace::new();
    let ran = place.run("logator", &["keygen", "queue.key"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let key = ran.stdout.trim_end();
    assert_eq!(key.len(), 40);
    assert_eq!(place.text("queue.key.pub"), format!("{key} queue\n"));
    assert_eq!(place.path("queue.key").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let pair = place.text("queue.key");
    let secret = pair.lines().find_map(|line| line.strip_prefix("secret-key = ")).unwrap().trim_matches('"');
    assert!(secret.len() == 40 && pair.contains(key) && !(ran.stdout + &ran.stderr).contains(secret), "{pair}");
    for gone in ["", "queue.key", "queue.key.pub"] {
        if !gone.is_empty() {
            std::fs::rename(place.path(gone), place.path("gone")).unwrap();
        }
        let again = place.run("logator", &["keygen", "queue.key"], b"");
        assert_eq!((again.code, again.stdout.as_str()), (Some(2), ""));
        assert!(again.stderr.contains("the file exists, and a key is never overwritten"), "{}", again.stderr);
        if !gone.is_empty() {
            std::fs::rename(place.path("gone"), place.path(gone)).unwrap();
        }
    }
    assert_eq!(place.text("queue.key"), pair);
}

#[test]
fn keys_that_are_incomplete_wrong_or_open_to_others_are_usage_errors() {
    let place = with_keys();
    let key = place.text("queue.key.pub").split(' ').next().unwrap().to_owned();
    place.write("open.key", place.text("worker.key"));
    std::fs::set_permissions(place.path("open.key"), std::fs::Permissions::from_mode(0o640)).unwrap();
    place.write("wrong", "hello\n");
    for (program, arguments, words) in [
        ("logator-queue", &["--curve-key", "queue.key"][..], "--authorized-keys FILE is missing"),
        ("logator-queue", &["--authorized-keys", "authorized"], "--curve-key FILE is missing"),
        (
            "logator-queue",
            &["--curve-key", "open.key", "--authorized-keys", "authorized"],
            "others can read this secret",
        ),
        ("logator-queue", &["--curve-key", "queue.key", "--authorized-keys", "wrong"], "wrong:1: no public key"),
        ("logator-queue", &["--curve-key", "queue.key", "--authorized-keys", "none"], "none: the keys cannot be read"),
        ("logator-worker", &["--curve-key", "worker.key"], "--queue-key KEY|FILE is missing"),
        ("logator-worker", &["--queue-key", &key], "--curve-key FILE is missing"),
        (
            "logator-worker",
            &["--curve-key", "open.key", "--queue-key", &key],
            "others can read this secret key (mode 0640)",
        ),
        ("logator-worker", &["--curve-key", "worker.key", "--queue-key", &key[1..]], "neither a public key"),
        (
            "logator-worker",
            &["--curve-key", "worker.key", "--queue-key", &key, "--queue-key", &key],
            "2 keys for 1 queues",
        ),
    ] {
        let ran = place.run(program, arguments, b"");
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

/// Passes everything between its own port and `server`, and keeps a copy.
fn eavesdrop(server: u16) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let pass = move |mut from: TcpStream, mut to: TcpStream, kept: Arc<Mutex<Vec<u8>>>| {
        let mut buffer = [0; 16 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            kept.lock().unwrap().extend_from_slice(&buffer[..length]);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    };
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
            let (back, forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (one, other) = (Arc::clone(&kept), Arc::clone(&kept));
            std::thread::spawn(move || pass(client, server, one));
            std::thread::spawn(move || pass(forth, back, other));
        }
    });
    (port, heard)
}

#[test]
fn with_keys_on_both_sides_a_job_is_done_and_an_eavesdropper_reads_nothing() {
    for secret in [false, true] {
        let place = with_keys();
        let port = free_port();
        let bind = format!("tcp://0.0.0.0:{port}");
        let keys = if secret { &QUEUE[..] } else { &["--insecure"] };
        let mut queue = place.queue(&[keys, &["--bind", &bind, "--linger", "0"]].concat());
        queue.feed(&access(0..1000));
        let (tapped, heard) = eavesdrop(port);
        let from = format!("tcp://127.0.0.1:{tapped}");
        let keys = if secret { &WORKER[..] } else { &[] };
        let arguments = [&["--from", &from, "-j", "1"], keys, &TO_OUT].concat();
        let worker = place.start("logator-worker", &arguments);
        let queue = queue.end();
        assert_eq!((queue.code, worker.end().code), (Some(0), Some(0)), "{}", queue.stderr);
        assert_eq!(account(&place.receipt("queue.json")), [1000, 1000, 0, 0, 0, 0]);
        assert_eq!(place.objects("out").len(), 1000);
        let heard = heard.lock().unwrap();
        let line = access_line(500).into_bytes();
        assert_eq!(heard.windows(line.len()).any(|window| window == line), !secret);
        assert!(heard.len() > 1000 * line.len() / 2);
    }
}

#[test]
fn a_worker_that_is_not_on_the_list_is_told_so_and_gets_in_when_it_is() {
    let place = with_keys();
    place.write("authorized", "# nobody yet\n");
    let mut queue = queue(&place, &["--linger", "0"]);
    queue.feed(&access(0..100));
    let mut worker = worker(&place, &WORKER);
    let key = place.text("worker.key.pub").split(' ').next().unwrap().to_owned();
    worker.says(&format!("the queue refuses this worker's key; put {key} into the queue's --authorized-keys file"));
    queue.says(&format!("was refused: its key {key} is not in authorized"));
    // A wrong list changes nothing, and the queue reports it.
    place.write("authorized", "what is this?\n");
    queue.signal(Signal::SIGHUP);
    queue.says("SIGHUP: the keys stay as they were: authorized:1: no public key");
    place.write("authorized", place.text("worker.key.pub"));
    queue.signal(Signal::SIGHUP);
    queue.says("SIGHUP: authorized has 1 keys, which count from now on");
    worker.says("the queue answers again");
    let queue = queue.end();
    assert_eq!((queue.code, worker.end().code), (Some(0), Some(0)), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [100, 100, 0, 0, 0, 0]);
    assert!(queue.stderr.contains("connections with keys that are not authorized were refused, "), "{}", queue.stderr);
    assert_eq!(queue.stderr.matches("was refused: its key").count(), 1, "{}", queue.stderr);
    let secret = place.text("worker.key").lines().last().unwrap().to_owned();
    assert!(!queue.stderr.contains(secret.trim_start_matches("secret-key = ").trim_matches('"')));
}

/// A worker whose keys do not fit the queue reports this. It is let in when the queue's keys change.
#[test]
fn keys_that_do_not_fit_are_said() {
    let place = with_keys();
    keygen(&place, "other.key");
    let other = ["--curve-key", "worker.key", "--queue-key", "other.key.pub"];
    for (queue_keys, worker_keys, words) in [
        (&QUEUE[..], &other[..], "most likely it has another key than"),
        (&QUEUE, &[], "the queue requires keys, or the peer is no queue; give this worker --curve-key and --queue-key"),
        (&[], &WORKER, "the queue uses no keys, but this worker requires them"),
    ] {
        let mut wrong = place.queue(queue_keys);
        let mut worker = worker(&place, worker_keys);
        worker.says(words);
        wrong.kill();
        // The queue for which the worker is made.
        if worker_keys == other {
            place.write("queue.key", place.text("other.key"));
            std::fs::set_permissions(place.path("queue.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let keys = if worker_keys.is_empty() { &[][..] } else { &QUEUE };
        let mut queue = place.queue(&[keys, &["--linger", "0"]].concat());
        queue.feed(&access(0..10));
        let (queue, worker) = (queue.end(), worker.end());
        assert_eq!((queue.code, worker.code), (Some(0), Some(0)), "{words}: {}{}", queue.stderr, worker.stderr);
        assert_eq!(account(&place.receipt("queue.json"))[0..1], [10]);
        assert_eq!(worker.stderr.matches(words).count(), 1, "said once: {}", worker.stderr);
        if worker_keys == other {
            keygen(&place, "again.key");
            for end in ["", ".pub"] {
                std::fs::rename(place.path(&format!("again.key{end}")), place.path(&format!("queue.key{end}")))
                    .unwrap();
            }
        }
    }
}

#[test]
fn a_worker_that_waits_for_a_queue_that_refuses_it_can_be_stopped() {
    let place = with_keys();
    place.write("authorized", "");
    let _queue = queue(&place, &[]);
    let mut worker = worker(&place, &WORKER);
    worker.says("the queue refuses this worker's key");
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.end_with_input_open().code, Some(3));
}

#[test]
fn workers_that_the_queue_starts_come_in_with_its_own_key() {
    for list in [true, false] {
        let place = with_keys();
        let keys = if list { &QUEUE[..] } else { &["--curve-key", "queue.key"] };
        let arguments = [keys, &["--linger", "0", "--spawn=1", "--"], &TO_OUT].concat();
        let mut queue = place.queue(&arguments);
        queue.feed(&access(0..100));
        let queue = queue.end();
        assert_eq!(queue.code, Some(0), "{}", queue.stderr);
        assert_eq!(account(&place.receipt("queue.json")), [100, 100, 0, 0, 0, 0]);
    }
}

#[test]
fn keys_come_from_the_environment_and_the_configuration_too() {
    let place = with_keys();
    place.write(
        "logator.toml",
        "curve-key = \"queue.key\"\nauthorized-keys = \"authorized\"\nlinger = 0\n\
         [worker]\ncurve-key = \"worker.key\"\nqueue-key = [\"queue.key.pub\"]\n",
    );
    let mut queue = place.queue(&["--config", "logator.toml"]);
    queue.feed(&access(0..10));
    let first = place.worker(&[&["--config", "logator.toml"], &TO_OUT[..]].concat());
    let (queue, first) = (queue.end(), first.end());
    assert_eq!((queue.code, first.code), (Some(0), Some(0)), "{}{}", queue.stderr, first.stderr);
    let mut queue = self::queue(&place, &["--linger", "0"]);
    queue.feed(&access(0..10));
    let mut command = place.command("logator-worker", &["--from", &place.endpoint(), "--to", "null:"]);
    command.env("LOGATOR_CURVE_KEY", "worker.key").env("LOGATOR_QUEUE_KEY", "queue.key.pub");
    let worker = Running::start(command);
    let (queue, worker) = (queue.end(), worker.end());
    assert_eq!((queue.code, worker.code), (Some(0), Some(0)), "{}{}", queue.stderr, worker.stderr);
}

/// Asks for lines with the keys in a file, or without keys. Every ZeroMQ program can read our key files.
const CLIENT: &str = "
import sys, zmq, zmq.auth
socket = zmq.Context().socket(zmq.REQ)
if len(sys.argv) > 2:
    socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(sys.argv[2])
    socket.curve_serverkey = sys.argv[3].encode()
socket.linger = 0
socket.rcvtimeo = int(sys.argv[4]) if len(sys.argv) > 4 else 2000
socket.connect(sys.argv[1])
while True:
    socket.send(b'')
    print('asked', file=sys.stderr, flush=True)
    try:
        line = socket.recv()
    except zmq.Again:
        sys.exit(9)
    if not line:
        break
    print(line.decode(), flush=True)
    if len(sys.argv) > 5:
        sys.stdin.readline()
";

fn client(place: &Workspace, arguments: &[&str]) -> Running {
    let mut command = Command::new(given("LOGATOR_TEST_PYTHON", "pyzmq"));
    command.args(["-c", CLIENT, &place.endpoint()]).args(arguments).current_dir(place.path("."));
    Running::start(command)
}

#[test]
#[ignore = "needs pyzmq: run ./test"]
fn a_python_client_gets_lines_with_a_key_on_the_list_and_nothing_otherwise() {
    let place = with_keys();
    keygen(&place, "stranger.key");
    let key = place.text("queue.key.pub").split(' ').next().unwrap().to_owned();
    let mut queue = queue(&place, &["--linger", "0"]);
    queue.feed(&access(0..100));
    for arguments in [&[][..], &["stranger.key", &key], &["worker.key", &"0".repeat(40)]] {
        let stranger = client(&place, arguments).end();
        assert_eq!((stranger.code, stranger.stdout.as_str()), (Some(9), ""), "{}", stranger.stderr);
    }
    let client = client(&place, &["worker.key", &key, "60000"]);
    let (queue, client) = (queue.end(), client.end());
    assert_eq!((queue.code, client.code), (Some(0), Some(0)), "{}{}", queue.stderr, client.stderr);
    assert_eq!(client.stdout.lines().collect::<Vec<_>>(), (0..100).map(access_line).collect::<Vec<_>>());
    let receipt = place.receipt("queue.json");
    assert_eq!((account(&receipt), receipt.tally.delivered), ([100, 0, 0, 0, 0, 0], 100));
}

#[test]
#[ignore = "needs pyzmq: run ./test"]
fn a_key_that_is_taken_from_the_list_gets_nothing_more_over_a_connection_that_is_open() {
    let place = with_keys();
    let key = place.text("queue.key.pub").split(' ').next().unwrap().to_owned();
    keygen(&place, "other.key");
    let mut queue = queue(&place, &["--linger", "0", "--lease", "1"]);
    queue.feed(&access(0..10));
    let mut gone = client(&place, &["worker.key", &key, "2000", "step"]);
    gone.says("asked");
    crate::kit::wait_for("a line", crate::kit::PATIENCE, || (gone.stdout().lines().count() == 1).then_some(()));
    place.write("authorized", place.text("other.key.pub"));
    queue.signal(Signal::SIGHUP);
    queue.says("which count from now on");
    // The next request acknowledges the first line and asks for another line. The queue accepts neither of the two.
    gone.feed(b"\n");
    let gone = gone.end_with_input_open();
    assert_eq!((gone.code, gone.stdout.lines().count()), (Some(9), 1), "{}", gone.stderr);
    let other = client(&place, &["other.key", &key, "60000"]);
    let (queue, other) = (queue.end(), other.end());
    assert_eq!((queue.code, other.code), (Some(0), Some(0)), "{}{}", queue.stderr, other.stderr);
    assert_eq!(other.stdout.lines().count(), 10, "the first line as well");
    assert!(queue.stderr.contains("messages of unknown peers were dropped"), "{}", queue.stderr);
}
