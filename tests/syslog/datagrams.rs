//! UDP: every datagram was received or is counted as dropped.

use std::net::UdpSocket;

use nix::sys::signal::Signal;

use super::{Receiver, documents, messages, receive};
use crate::kit::workspace::{Running, Workspace, account};

#[test]
fn what_the_kernel_drops_is_counted() {
    const SENT: u64 = 20_000;
    let place = Workspace::new();
    let receiver = receive(&place, &["syslog+udp://127.0.0.1:0"], &["--udp-buffer", "256KiB"]);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(("127.0.0.1", receiver.ports[0])).unwrap();
    receiver.running.freeze();
    for index in 0..SENT {
        sender.send(format!("<13>{index:05}{}", "x".repeat(400)).as_bytes()).unwrap();
    }
    receiver.running.signal(Signal::SIGCONT);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let source = &receipt.sources[0];
    let dropped = source.counts["dropped"].unwrap();
    assert!(dropped > 0 && source.get("received") > 0, "{receipt:?}");
    assert_eq!(source.get("received") + dropped, SENT);
    assert_eq!(receipt.tally.stored, source.get("received"));
    assert_eq!(place.objects("out").len() as u64, source.get("received"));
    assert!(ran.stderr.contains("the kernel dropped"), "{}", ran.stderr);
    assert!(ran.stderr.contains(" dropped by the kernel before they were read"), "{}", ran.stderr);
}

#[test]
fn each_datagram_is_a_message_of_either_family() {
    let place = Workspace::new();
    let receiver = receive(&place, &["syslog+udp://[::1]:0", "syslog+udp://*:0"], &["--max-line", "1KiB"]);
    let six = UdpSocket::bind("[::1]:0").unwrap();
    let four = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (first, second) = (("::1", receiver.ports[0]), ("127.0.0.1", receiver.ports[1]));
    six.send_to(b"<13>one", first).unwrap();
    six.send_to(b"<13>two\nof two lines\n\0", first).unwrap();
    six.send_to(b"\n", first).unwrap();
    six.send_to(b"", first).unwrap();
    four.send_to(b"<13>four", second).unwrap();
    four.send_to(b"\xff\xfe", second).unwrap();
    four.send_to(&vec![b'x'; 60_000], second).unwrap();
    let found = messages(&documents(&place, 4));
    assert_eq!(found, ["four", "one", "two\\nof two lines", "\u{FFFD}\u{FFFD}"]);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(account(&receipt), [5, 3, 0, 1, 1, 0]);
    assert_eq!(receipt.sources.iter().map(|source| source.get("received")).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_buffer_that_is_smaller_than_asked_for_is_said() {
    let place = Workspace::new();
    let arguments = ["run", "syslog+udp://127.0.0.1:0", "--to", "null:", "--udp-buffer", "1GiB"];
    let running = Running::start(place.command_as_nobody("logator", &arguments));
    let receiver = Receiver::of(running, 1);
    receiver.running.signal(Signal::SIGTERM);
    let ran = receiver.running.end_with_input_open();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("instead of 1.1 GB; sysctl net.core.rmem_max=1073741823 allows more"),
        "{}",
        ran.stderr
    );
}

#[test]
fn files_are_read_beside() {
    let place = Workspace::new();
    place.write("file", "of a file\n");
    let receiver = receive(&place, &["syslog+udp://127.0.0.1:0"], &["file", "-p", "^(?<message>.*)$"]);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"<13>of the network", ("127.0.0.1", receiver.ports[0])).unwrap();
    let found = documents(&place, 2);
    assert_eq!(messages(&found), ["of a file", "of the network"]);
    assert_eq!(found.iter().filter(|document| document["priority"] == 13).count(), 1);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [2, 2, 0, 0, 0, 0]), "{}", ran.stderr);
}
