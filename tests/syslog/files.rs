//! One truth: the same bytes have the same fields by file and by network.

use std::net::UdpSocket;

use serde_json::Value;

use super::{documents, receive};
use crate::kit::workspace::Workspace;

/// Messages as different senders write them, with and without a priority.
const LINES: [&str; 12] = [
    "<30>Feb  3 04:05:06 gate sshd[812]: session opened",
    "Feb  3 04:05:06 gate sshd[812]: session opened",
    "<34>Dec 31 23:59:59 gate cron: a year ends",
    "Jan  1 00:00:01 gate last message repeated 3 times",
    "<165>1 2024-02-03T04:05:06.789Z web1 shop 4711 ORDER [order@32473 id=\"77\" q=\"a\\\"b\"] accepted",
    "<13>1 - - - - - -",
    "<30>2024-02-03T04:05:06.789+01:00 gate app[a-b]: iso",
    "2024-02-03T04:05:06.789+01:00 gate su(pam_unix)[9]: closed",
    "<187>2029: asr: Aug 3 08:11:02.204 UTC: %LINEPROTO-5-UPDOWN: up",
    "<166>:Nov 19 17:27:56 GMT: %ASA-session-5-111010: User x",
    "<13>no header at all",
    "neither a priority nor a header",
];

/// Removes what differs, and sorts.
fn comparable(documents: Vec<Value>) -> Vec<String> {
    let own = ["_id", "path", "host", "@source_path", "@source_host"];
    let mut texts: Vec<String> = documents
        .into_iter()
        .map(|mut document| {
            let members = document.as_object_mut().expect("an object");
            own.iter().for_each(|name| drop(members.remove(*name)));
            document.to_string()
        })
        .collect();
    texts.sort();
    texts
}

#[test]
fn the_same_lines_have_the_same_fields_by_file_and_by_network() {
    let network = Workspace::new();
    let receiver = receive(&network, &["syslog+udp://127.0.0.1:0"], &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for line in LINES {
        socket.send_to(line.as_bytes(), ("127.0.0.1", receiver.ports[0])).unwrap();
    }
    let expected = comparable(documents(&network, LINES.len()));
    receiver.stop(&network);
    assert_eq!(expected.len(), LINES.len());

    let content: String = LINES.iter().flat_map(|line| [*line, "\n"]).collect();
    for format in [&[][..], &["-f", "syslog"], &["-f", "rfc5424"], &["--wrapping", "syslog"]] {
        let place = Workspace::new();
        place.write("messages", &content);
        let (ran, _) =
            place.logator(&[&["messages", "--multiline", "none", "--to", "ndjson:out"], format].concat(), b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(comparable(place.objects("out")), expected, "{format:?}");
    }
}
