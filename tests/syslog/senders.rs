//! util-linux's `logger`, queues and workers, dead letters, and addresses that cannot be used.

use std::net::{TcpListener, UdpSocket};
use std::process::Command;

use serde_json::json;

use super::{Receiver, documents, receive};
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, wait_for};

#[test]
fn what_logger_sends_becomes_documents_with_its_fields() {
    let place = Workspace::new();
    let receiver = receive(&place, &["syslog+udp://127.0.0.1:0", "syslog+tcp://127.0.0.1:0"], &[]);
    let data = ["--rfc5424", "--sd-id", "zoo@123", "--sd-param", "tiger=\"hungry\""];
    let ways: [(&str, usize, &[&str]); 6] = [
        ("udp old", 0, &["--udp", "--rfc3164"]),
        ("udp new", 0, &["--udp", "--rfc5424"]),
        ("tcp old", 1, &["--tcp", "--rfc3164"]),
        ("tcp new", 1, &["--tcp", "--rfc5424", "--octet-count"]),
        ("tcp counted", 1, &["--tcp", "--rfc3164", "--octet-count"]),
        ("tcp data", 1, &data),
    ];
    for (message, source, flags) in ways {
        let mut logger = Command::new("logger");
        logger.args(["-n", "127.0.0.1", "-P", &receiver.ports[source].to_string()]).args(flags);
        if flags.len() > 3 {
            logger.arg("--tcp");
        }
        logger.args(["-t", "shop", "--id=4711", "-p", "local0.err", message]);
        let ran = logger.output().expect("util-linux's logger");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    let found = documents(&place, 6);
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    for (message, ..) in ways {
        let document = found.iter().find(|document| document["message"] == message);
        let document = document.unwrap_or_else(|| panic!("{message} is not in {found:?}"));
        let expected = [
            ("priority", json!(131)),
            ("facility", json!(16)),
            ("facility_label", json!("local0")),
            ("severity", json!(3)),
            ("severity_label", json!("Error")),
            ("program", json!("shop")),
            ("pid", json!(4711)),
        ];
        for (name, value) in expected {
            assert_eq!(document[name], value, "{name} of {message}");
        }
        let host = document["logsource"].as_str().unwrap();
        assert!(hostname.starts_with(host) || host.starts_with(&hostname), "{host}, {hostname}");
        assert!(document["@timestamp"].as_str().unwrap().ends_with('Z'), "{document}");
        assert_eq!(document.get("version").is_some(), !message.ends_with("old") && !message.ends_with("counted"));
    }
    let with_data = found.iter().find(|document| document["message"] == "tcp data").unwrap();
    assert_eq!(with_data["structured_data"]["zoo@123"], json!({"tiger": "hungry"}));
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&receipt), [6, 6, 0, 0, 0, 0]);
    let counts: Vec<_> = receipt
        .sources
        .iter()
        .map(|source| (source.get("received"), source.counts["dropped"], source.get("connections")))
        .collect();
    assert_eq!(counts, [(2, Some(0), 0), (4, None, 4)]);
    assert!(ran.stderr.contains("2 messages received, 0 dropped by the kernel"), "{}", ran.stderr);
    assert!(ran.stderr.contains("4 messages received, over 4 connections"), "{}", ran.stderr);
}

#[test]
fn a_queue_says_how_its_lines_are_wrapped_and_dead_letters_remember_it() {
    let place = Workspace::new();
    let queue = place.queue(&["syslog+tcp://127.0.0.1:0"]);
    let receiver = Receiver::of(queue, 1);
    let mut worker =
        place.worker(&["--ecs", "-p", "^%{WORD:[log][level]} ok$", "--unmatched", "dead-letter", "--to", "ndjson:out"]);
    receiver.send(b"<34>Feb  3 04:05:06 gate app[7]: info ok\n<35>Feb  3 04:05:07 gate app: all is lost\n");
    let found = documents(&place, 1);
    assert_eq!(found[0]["log"]["level"], "info");
    assert_eq!(found[0]["log"]["syslog"]["facility"], json!({"code": 4, "name": "security/authorization"}));
    assert_eq!(found[0]["process"], json!({"name": "app", "pid": 7}));
    wait_for("the letter", PATIENCE, || place.path("dead-letters.ndjson").exists().then_some(()));
    receiver.running.signal(nix::sys::signal::Signal::SIGTERM);
    let ran = receiver.running.end_with_input_open();
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(place.receipt("queue.json").sources[0].get("received"), 2);
    worker.close_input();
    assert_eq!(worker.end().code, Some(1), "it was told the end");
    let letter = &place.objects("dead-letters.ndjson")[0];
    assert_eq!(letter["origin"]["envelope"], "syslog");
    let replay = ["replay", "dead-letters.ndjson", "-p", "%{WORD:first}", "--to", "ndjson:again"];
    let ran = place.run("logator", &replay, b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let again = &place.objects("again")[0];
    assert_eq!((&again["_id"], &again["first"], &again["priority"]), (&letter["_id"], &json!("all"), &json!(35)));
}

#[test]
fn an_address_that_cannot_be_had_ends_the_program_at_once() {
    let place = Workspace::new();
    let (taken, datagrams) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let tcp = format!("syslog+tcp://{}", taken.local_addr().unwrap());
    let udp = format!("syslog+udp://{}", datagrams.local_addr().unwrap());
    for (address, code, words) in [
        (tcp.as_str(), 3, "another process has the port"),
        (udp.as_str(), 3, "another process has the port"),
        ("syslog+udp://127.0.0.1:port", 2, "the port is not a number"),
        ("syslog+tls://127.0.0.1:0", 2, "TLS needs --tls-cert FILE and --tls-key FILE"),
        ("syslog+tcp://no.such.host.invalid:0", 3, "cannot listen there"),
    ] {
        let ran = place.run("logator", &["run", address], b"");
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    for job in [&["replay", tcp.as_str()][..], &["grok", "x", tcp.as_str()]] {
        let ran = place.run("logator", job, b"");
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("needs inputs that have an end"), "{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs privileged ports: run ./test"]
fn a_port_that_needs_a_privilege_says_which() {
    let open = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let first: u16 = open.trim().parse().unwrap();
    assert!(first > 514, "this test needs privileged ports: here everybody may have each port from {first} on");
    let place = Workspace::new();
    let ran = Running::start(place.command_as_nobody("logator", &["run", "syslog+udp://127.0.0.1"])).end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("AmbientCapabilities=CAP_NET_BIND_SERVICE"), "{}", ran.stderr);
}
