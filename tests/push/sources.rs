//! `logator-push --from`: the same sources as `logator run` has.

use std::io::Write;
use std::net::UdpSocket;

use nix::sys::signal::Signal;

use super::flow::{numbered, pull, sent, stop_after};
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, wait_for};

/// Starts a sender of lines without an envelope.
fn push(place: &Workspace, arguments: &[&str]) -> Running {
    let endpoint = place.endpoint();
    place.start("logator-push", &[&["--raw", "--connect", &endpoint, "--receipt", "sent.json"], arguments].concat())
}

fn wait_for_lines(puller: &Running, lines: usize) {
    wait_for(&format!("{lines} lines"), PATIENCE, || (puller.stdout().lines().count() >= lines).then_some(()));
}

#[test]
fn files_are_decompressed_and_each_line_is_sent_once() {
    let place = Workspace::new();
    let puller = pull(&place, &["--bind", &place.endpoint()]);
    let packed = place.path("a.log.gz");
    let mut gzip = flate2::write::GzEncoder::new(std::fs::File::create(packed).unwrap(), flate2::Compression::fast());
    gzip.write_all(&numbered(0..50_000)).unwrap();
    gzip.finish().unwrap();
    // The last line of the first file has no newline.
    place.write("b1.log", numbered(50_000..60_000).trim_ascii_end());
    place.write("b2.log", [&numbered(60_000..60_010)[..], &[b'x'; 3000], b"\n"].concat());
    let pushed = push(&place, &["--from", "a.log.gz", "--from", "b*.log", "--max-line", "2KiB"]).end();
    assert_eq!(pushed.code, Some(1), "{}", pushed.stderr);
    let pulled = stop_after(puller, 60_010).stdout;
    let (mut lines, mut expected): (Vec<&str>, _) = (pulled.lines().collect(), numbered(0..60_010));
    let expected_text = String::from_utf8(std::mem::take(&mut expected)).unwrap();
    let mut expected: Vec<&str> = expected_text.lines().collect();
    lines.sort_unstable();
    expected.sort_unstable();
    assert!(lines == expected, "{} lines", lines.len());
    let counts = sent(&place);
    assert_eq!((&counts["read"], &counts["sent"], &counts["too_long"]), (&60_011.into(), &60_010.into(), &1.into()));
}

/// Nothing in a message tells its encoding, so it is UTF-8.
#[test]
fn lines_in_other_encodings_are_sent_in_utf_8() {
    let place = Workspace::new();
    let puller = pull(&place, &["--bind", &place.endpoint()]);
    let utf16 = "\u{feff}one \u{a0a}\r\ntwo 日本\n".encode_utf16().flat_map(u16::to_le_bytes);
    place.write("a.log", utf16.collect::<Vec<u8>>());
    place.write("b.log", b"caf\xe9\nplain\n");
    let pushed = push(&place, &["--from", "a.log", "--from", "b.log", "--encoding", "windows-1252"]).end();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    let pulled = stop_after(puller, 4).stdout;
    let mut lines: Vec<&str> = pulled.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["café", "one \u{a0a}", "plain", "two 日本"]);
}

#[test]
fn followed_files_and_syslog_are_sent_as_they_come_until_a_signal() {
    let place = Workspace::new();
    let puller = pull(&place, &["--bind", &place.endpoint()]);
    place.write("a.log", "old\n");
    let mut push = push(&place, &["--from", "a.log", "--follow", "--from", "syslog+udp://127.0.0.1:0"]);
    push.wait_ready();
    wait_for_lines(&puller, 1);
    let address =
        push.addresses().into_iter().find_map(|address| address.strip_prefix("syslog+udp://").map(str::to_owned));
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"<13>from the network", address.unwrap()).unwrap();
    wait_for_lines(&puller, 2);
    let mut file = std::fs::OpenOptions::new().append(true).open(place.path("a.log")).unwrap();
    file.write_all(b"new\n").unwrap();
    wait_for_lines(&puller, 3);
    push.signal(Signal::SIGTERM);
    let pushed = push.end_with_input_open();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    assert_eq!(stop_after(puller, 3).stdout, "old\n<13>from the network\nnew\n");
    assert_eq!(sent(&place)["sent"], 3);
}

#[test]
fn a_file_that_a_signal_cuts_off_is_said_to_be_unread() {
    let place = Workspace::new();
    place.write("a.log", numbered(0..200_000));
    let mut push = push(&place, &["--from", "a.log", "--queue", "100", "--linger", "100"]);
    push.wait_ready();
    push.signal(Signal::SIGTERM);
    let pushed = push.end_with_input_open();
    assert_eq!(pushed.code, Some(3), "{}", pushed.stderr);
    assert!(pushed.stderr.contains("a.log: stopped"), "{}", pushed.stderr);
    let counts = sent(&place);
    assert_eq!(counts["read"], counts["unsent"], "{counts}");
    assert!(counts["read"].as_u64().unwrap() < 200_000, "{counts}");
}

#[test]
fn what_cannot_be_sent_is_a_usage_error() {
    let place = Workspace::new();
    place.write("a.log", "");
    let here = place.endpoint();
    for (arguments, words) in [
        (&["--from", "missing.log"][..], "missing.log: no such file or directory"),
        (&["--from", "a.log", "--confirm"], "only lines of standard input are answered"),
        (&["--follow"], "--follow: name files, directories or globs"),
        (&["--from", "pull+ipc:///tmp/x"], "receive the lines that peers push"),
        (&["--from", "syslog+tls://127.0.0.1:0"], "TLS needs --tls-cert FILE and --tls-key FILE"),
    ] {
        let ran = place.run("logator-push", &[&["--connect", &here], arguments].concat(), b"");
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}
