//! The endpoints at which a queue listens.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::process::Command;

use crate::kit::free_port;
use crate::kit::logs::access;
use crate::kit::needs::requires_root;
use crate::kit::workspace::{Running, Workspace, account};

#[test]
fn an_endpoint_in_use_is_refused_and_the_first_queue_is_unharmed() {
    let place = Workspace::new();
    let port = free_port();
    let tcp = format!("tcp://127.0.0.1:{port}");
    let mut first = place.queue(&["--bind", &tcp]);
    for endpoint in [place.endpoint(), tcp] {
        let second = place.run("logator-queue", &["--bind", &endpoint], &access(0..5));
        assert_eq!(second.code, Some(2));
        let words = format!("{endpoint}: in use by another process; stop it, or --bind another endpoint");
        assert_eq!(second.stderr, format!("logator-queue: {words}\n"));
    }
    first.feed(&access(0..100));
    let worker = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    let first = first.end();
    assert_eq!((first.code, worker.end().code), (Some(0), Some(0)), "{}", first.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [100, 100, 0, 0, 0, 0]);
    assert!(!place.path("q").exists(), "it leaves no socket behind");
}

#[test]
fn a_file_at_the_path_is_left_alone() {
    let place = Workspace::new();
    place.write("q", "precious");
    let ran = place.run("logator-queue", &["--bind", &place.endpoint()], b"");
    assert_eq!(ran.code, Some(2));
    let words =
        format!("logator-queue: {}: there is a file that is not a socket, and it is not touched\n", place.endpoint());
    assert_eq!((ran.stderr, place.text("q").as_str()), (words, "precious"));
}

#[test]
fn the_socket_of_a_killed_queue_is_taken_over() {
    let place = Workspace::new();
    place.queue(&[]).kill();
    assert!(place.path("q").symlink_metadata().unwrap().file_type().is_socket());
    let mut queue = place.queue(&[]);
    queue.feed(&access(0..10));
    let worker = place.worker(&["-f", "combined", "--to", "null:"]);
    assert_eq!((queue.end().code, worker.end().code), (Some(0), Some(0)));
}

#[test]
fn only_the_user_may_use_the_socket() {
    let place = Workspace::new();
    let queue = place.queue(&[]);
    let mode = place.path("q").symlink_metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(queue.end().code, Some(0));
}

#[test]
fn another_machine_is_not_let_in_unless_asked_for() {
    let place = Workspace::new();
    for endpoint in ["tcp://*:5999", "tcp://0.0.0.0:5999", "tcp://192.0.2.1:5999"] {
        for (program, flag) in [("logator-queue", "--bind"), ("logator-worker", "--from")] {
            let ran = place.run(program, &[flag, endpoint], b"");
            assert_eq!(ran.code, Some(2), "{program} {endpoint}: {}", ran.stderr);
            let words = format!("{program}: {endpoint}: lines would cross the network unencrypted");
            assert!(ran.stderr.starts_with(&words) && ran.stderr.contains("--insecure"), "{}", ran.stderr);
        }
    }
    let endpoint = format!("tcp://0.0.0.0:{}", free_port());
    let mut queue = place.start("logator-queue", &["--bind", &endpoint, "--insecure"]);
    queue.wait_ready();
    assert_eq!(queue.end().code, Some(0));
}

#[test]
fn an_endpoint_that_cannot_be_is_a_usage_error() {
    let place = Workspace::new();
    for (endpoint, words) in [
        (place.at("ipc://", "no/such/folder/q"), "cannot listen there"),
        (format!("ipc:///{}", "x".repeat(200)), "cannot listen there"),
        ("udp://127.0.0.1:1".to_owned(), "not an endpoint"),
        ("tcp://127.0.0.1".to_owned(), "the port is missing"),
    ] {
        let ran = place.run("logator-queue", &["--bind", &endpoint], b"");
        assert_eq!(ran.code, Some(2), "{endpoint}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{endpoint}: {}", ran.stderr);
    }
}

/// Copies the programs to a place where every user can run them, in a folder where every user can make a socket.
fn open_to_all(place: &Workspace) -> String {
    let folder = place.path("programs");
    std::fs::create_dir(&folder).unwrap();
    for name in ["logator-queue", "logator-worker"] {
        std::fs::copy(crate::kit::program(name), folder.join(name)).unwrap();
    }
    let all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(place.path("."), all).unwrap();
    folder.display().to_string()
}

/// Starts `program` as the user nobody.
fn as_nobody(place: &Workspace, programs: &str, program: &str, arguments: &[&str]) -> Running {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(format!("{programs}/{program}"));
    command.args(arguments).current_dir(place.path("."));
    Running::start(command)
}

#[test]
#[ignore = "needs root: run ./test"]
fn neither_side_has_to_do_with_a_socket_of_another_user() {
    // Only root can be two users.
    requires_root();
    let place = Workspace::new();
    let programs = open_to_all(&place);
    let endpoint = place.endpoint();
    // The queue belongs to the user nobody, the worker to root. Root could use any socket, but the worker refuses this
    // one.
    let mut queue = as_nobody(&place, &programs, "logator-queue", &["--bind", &endpoint]);
    queue.wait_ready();
    let worker = place.run("logator-worker", &["--from", &endpoint, "--to", "null:"], b"");
    let words = "the socket belongs to user 65534, not to this user (0); sockets of other users are not trusted";
    assert!(worker.code == Some(2) && worker.stderr.contains(words), "{}", worker.stderr);
    let second = place.run("logator-queue", &["--bind", &endpoint], b"");
    assert!(second.code == Some(2) && second.stderr.contains("in use by another process"), "{}", second.stderr);
    queue.kill();
    // The queue belongs to root, the worker to the user nobody. The mode of the socket keeps the worker out, and the
    // worker says why.
    std::fs::remove_file(place.path("q")).unwrap();
    let queue = place.queue(&["--linger", "0"]);
    let worker = as_nobody(&place, &programs, "logator-worker", &["--from", &endpoint, "--to", "null:"]).end();
    let words = "the socket belongs to user 0, not to this user (65534)";
    assert!(worker.code == Some(2) && worker.stderr.contains(words), "{}", worker.stderr);
    let mut connect = Command::new("setpriv");
    let script = "use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); exit(connect(S, sockaddr_un($ARGV[0])) ? 0 : 9)";
    connect.args(["--reuid=65534", "--regid=65534", "--clear-groups", "perl", "-e", script]).arg(place.path("q"));
    assert_eq!(Running::start(connect).end().code, Some(9), "the kernel refuses whoever tries");
    let second = as_nobody(&place, &programs, "logator-queue", &["--bind", &endpoint, "--receipt", "/dev/null"]).end();
    assert!(second.code == Some(2) && second.stderr.contains("there is a socket of user 0"), "{}", second.stderr);
    assert_eq!(queue.end().code, Some(0));
}
