//! The notifications that programs send to a service manager (sd_notify(3)).

use std::os::unix::net::UnixDatagram;

use nix::sys::signal::Signal;

use crate::kit::PATIENCE;
use crate::kit::logs::access;
use crate::kit::workspace::{Running, Workspace};

/// Makes the manager: a socket in the folder.
fn manager(place: &Workspace) -> UnixDatagram {
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn hear(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    let length = manager.recv(&mut bytes).expect("the program tells its manager");
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

fn told(place: &Workspace, name: &str, arguments: &[&str]) -> Running {
    let mut command = place.command(name, arguments);
    command.env("NOTIFY_SOCKET", place.path("notify"));
    Running::start(command)
}

#[test]
fn a_queue_is_ready_when_workers_can_ask_and_says_when_it_stops() {
    let place = Workspace::new();
    let manager = manager(&place);
    let endpoint = place.endpoint();
    let queue = told(&place, "logator-queue", &["--bind", &endpoint, "--drain", "0.1"]);
    let ready = format!("READY=1\nSTATUS=lines are handed out at {endpoint}\nX_LOGATOR_LISTEN={endpoint}");
    assert_eq!(hear(&manager), ready);
    assert!(std::os::unix::net::UnixStream::connect(place.path("q")).is_ok(), "it was not true");
    queue.signal(Signal::SIGTERM);
    assert_eq!(hear(&manager), "STOPPING=1\nSTATUS=reading has stopped, workers finish what was read");
    queue.end();
}

#[test]
fn workers_that_a_queue_starts_do_not_speak_for_it() {
    let place = Workspace::new();
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
    let place = Workspace::new();
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
        let place = Workspace::new();
        let manager = manager(&place);
        let endpoint = place.endpoint();
        let push = told(&place, "logator-push", &[&["--connect", &endpoint, "--linger", "0"], confirm].concat());
        assert_eq!(hear(&manager), "READY=1\nSTATUS=lines of standard input are sent", "{confirm:?}");
        // Nothing is left to send, so the program ends at once, and may send no other notification.
        push.end();
    }
}

#[test]
fn pull_is_ready_when_it_listens_and_says_when_it_stops() {
    for (to, stopping) in [
        (&[][..], "what was received is written"),
        (&["--to", "null:"], "reading has stopped, what was read is finished"),
    ] {
        let place = Workspace::new();
        let manager = manager(&place);
        let endpoint = place.endpoint();
        let pull = told(&place, "logator-pull", &[&["--bind", &endpoint], to].concat());
        let ready = format!("READY=1\nSTATUS=lines are pulled at {endpoint}\nX_LOGATOR_LISTEN={endpoint}");
        assert_eq!(hear(&manager), ready, "{to:?}");
        assert!(std::os::unix::net::UnixStream::connect(place.path("q")).is_ok(), "it was not true");
        pull.signal(Signal::SIGTERM);
        assert_eq!(hear(&manager), format!("STOPPING=1\nSTATUS={stopping}"));
        pull.end_with_input_open();
    }
}

#[test]
fn a_run_that_receives_syslog_tells_the_ports_that_the_kernel_chose() {
    let place = Workspace::new();
    let manager = manager(&place);
    let sources = ["syslog+tcp://127.0.0.1:0", "syslog+udp://127.0.0.1:0"];
    let run = told(&place, "logator", &[&["run", "--to", "null:"], &sources[..]].concat());
    let ready = hear(&manager);
    let addresses: Vec<&str> = ready.lines().filter_map(|line| line.strip_prefix("X_LOGATOR_LISTEN=")).collect();
    let status = format!("STATUS=messages are received at {}", addresses.join(" and "));
    assert_eq!(ready.lines().take(2).collect::<Vec<_>>(), ["READY=1", &status]);
    let tcp = addresses[0].strip_prefix("syslog+tcp://").expect("the first source");
    assert!(addresses[1].starts_with("syslog+udp://127.0.0.1:") && addresses.len() == 2, "{ready}");
    assert!(std::net::TcpStream::connect(tcp).is_ok(), "nobody listens at {tcp}");
    run.signal(Signal::SIGTERM);
    assert_eq!(hear(&manager), "STOPPING=1\nSTATUS=reading has stopped, what was read is finished");
    run.end_with_input_open();
}

#[test]
fn a_run_that_follows_is_ready_when_it_watches() {
    for how in ["--follow", "--follow=poll"] {
        let place = Workspace::new();
        let manager = manager(&place);
        place.write("logs/a.log", "");
        let run = told(&place, "logator", &["run", how, "logs", "--to", "ndjson:out", "-p", "%{GREEDYDATA:line}"]);
        assert_eq!(hear(&manager), "READY=1\nSTATUS=files are followed", "{how}");
        // The file is renamed at once. Only a program that already watches the folder finds its line.
        place.write("logs/b.log", "one\n");
        std::fs::rename(place.path("logs/b.log"), place.path("logs/c.log")).unwrap();
        crate::kit::wait_for("the document", PATIENCE, || {
            (place.path("out").exists() && place.text("out").ends_with('\n')).then_some(())
        });
        run.signal(Signal::SIGTERM);
        assert_eq!(hear(&manager), "STOPPING=1\nSTATUS=reading has stopped, what was read is finished");
        run.end_with_input_open();
    }
}

#[cfg(feature = "probe")]
#[test]
fn the_probe_is_ready_when_the_first_requests_are_due_and_says_when_it_stops() {
    let place = Workspace::new();
    place.write("urls.csv", "3600,http://127.0.0.1:1/\n3600,http://127.0.0.1:2/\n");
    let manager = manager(&place);
    let probe = told(&place, "logator-probe", &["urls.csv", "--to", "null:"]);
    assert_eq!(hear(&manager), "READY=1\nSTATUS=2 URLs are requested");
    place.write("urls.csv", "3600,http://127.0.0.1:1/\n");
    probe.signal(Signal::SIGHUP);
    assert_eq!(hear(&manager), "STATUS=1 URLs are requested");
    probe.signal(Signal::SIGTERM);
    assert_eq!(hear(&manager), "STOPPING=1\nSTATUS=requests that are in the air come to their end");
    assert_eq!(probe.end_with_input_open().code, Some(0));
}
