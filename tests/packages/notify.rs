//! What a service manager is told.

use std::os::unix::net::UnixDatagram;

use nix::sys::signal::Signal;

use crate::kit::PATIENCE;
use crate::kit::logs::access;
use crate::kit::place::{Place, Running};

/// The manager: a socket in the place.
fn manager(place: &Place) -> UnixDatagram {
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn hear(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    let length = manager.recv(&mut bytes).expect("the program tells its manager");
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

fn told(place: &Place, name: &str, arguments: &[&str]) -> Running {
    let mut command = place.command(name, arguments);
    command.env("NOTIFY_SOCKET", place.path("notify"));
    Running::start(command)
}

#[test]
fn a_queue_is_ready_when_workers_can_ask_and_says_when_it_stops() {
    let place = Place::new();
    let manager = manager(&place);
    let endpoint = place.endpoint();
    let queue = told(&place, "logator-queue", &["--bind", &endpoint, "--drain", "0.1"]);
    assert_eq!(hear(&manager), format!("READY=1\nSTATUS=lines are handed out at {endpoint}"));
    assert!(std::os::unix::net::UnixStream::connect(place.path("q")).is_ok(), "it was not true");
    queue.signal(Signal::SIGTERM);
    assert_eq!(hear(&manager), "STOPPING=1\nSTATUS=reading has stopped, workers finish what was read");
    queue.end();
}

#[test]
fn workers_that_a_queue_starts_do_not_speak_for_it() {
    let place = Place::new();
    let manager = manager(&place);
    let endpoint = place.endpoint();
    place.write("a.log", access(0..100));
    let arguments = ["a.log", "--bind", &endpoint, "--spawn=1", "--", "-f", "combined", "--to", "null:"];
    let ran = told(&place, "logator-queue", &arguments).end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(hear(&manager).starts_with("READY=1\nSTATUS=lines are handed out"));
    assert_eq!(hear(&manager), "STATUS=100 lines accounted for, staying for late workers");
    manager.set_nonblocking(true).unwrap();
    assert!(manager.recv(&mut [0; 10]).is_err(), "a worker has spoken");
}

#[test]
fn a_worker_is_ready_before_it_has_a_queue_and_says_when_it_stops() {
    let place = Place::new();
    let manager = manager(&place);
    let worker = told(&place, "logator-worker", &["--from", &place.endpoint(), "-j", "3", "--to", "null:"]);
    assert_eq!(hear(&manager), "READY=1\nSTATUS=3 threads ask for lines");
    worker.signal(Signal::SIGTERM);
    assert_eq!(hear(&manager), "STOPPING=1\nSTATUS=finishing what is in hand");
    worker.end();
}

#[test]
fn push_is_ready_when_its_socket_is() {
    for confirm in [&[][..], &["--confirm=delivered"]] {
        let place = Place::new();
        let manager = manager(&place);
        let endpoint = place.endpoint();
        let push = told(&place, "logator-push", &[&["--connect", &endpoint, "--linger", "0"], confirm].concat());
        assert_eq!(hear(&manager), "READY=1\nSTATUS=lines of standard input are sent", "{confirm:?}");
        // With nothing left to send it ends at once, and may not come to speak of it.
        push.end();
    }
}
