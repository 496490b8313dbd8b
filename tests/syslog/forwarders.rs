//! Syslog daemons and nginx forward messages over every transport and in every format that they have for it.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::encrypted::certificates;
use super::{Receiver, documents, receive};
use crate::kit::process::Process;
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, free_port, shippers, wait_for};

/// The number of messages of a burst.
const BURST: usize = 20_000;

/// Sends `count` messages with `logger` to the daemon at `port`, as soon as the daemon listens.
fn log(place: &Workspace, port: u16, daemon: &mut Process, count: usize) {
    let lines: String = (0..count).map(|number| format!("message {number:06}, grüße\n")).collect();
    let file = place.write("burst", lines);
    wait_for("the daemon to listen", PATIENCE, || {
        assert!(daemon.ended().is_none(), "it has ended");
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let mut logger = Command::new("logger");
    logger.args(["-n", "127.0.0.1", "-P", &port.to_string(), "--tcp", "--rfc3164", "-p", "local0.err", "-t", "shop"]);
    let ran = logger.arg("--id=4711").arg("-f").arg(file).output().expect("util-linux's logger");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// Checks that each of the `count` messages became one document, and the content of each document.
fn check(place: &Workspace, receiver: Receiver, count: usize, more: &[(&str, Value)]) {
    let mut found = documents(place, count);
    found.sort_by_key(|document| document["message"].as_str().map(String::from));
    for (number, document) in found.iter().enumerate() {
        // RFC 3164 lets the sender choose whether a blank follows the tag.
        let message = document["message"].as_str().unwrap().trim_start();
        assert_eq!(message, format!("message {number:06}, grüße"), "{document}");
        let all = [("priority", json!(131)), ("program", json!("shop")), ("pid", json!(4711))];
        for (name, value) in all.iter().chain(more) {
            assert_eq!(document[name], *value, "{name} of {document}");
        }
        assert!(document["logsource"].is_string() && document["@timestamp"].is_string(), "{document}");
        assert_eq!(document.get("tags"), None, "{document}");
    }
    let (ran, receipt) = receiver.stop(place);
    let count = count as u64;
    assert_eq!((ran.code, account(&receipt)), (Some(0), [count, count, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(receipt.sources[0].get("received"), count);
}

fn end(mut daemon: Process) {
    daemon.signal(Signal::SIGTERM);
    wait_for("the end of the daemon", PATIENCE, || daemon.ended());
}

/// Receives at `source`; over TLS both sides have certificates. Also returns the daemon's setting for forwarding:
/// `forwarding` with our port for PORT and the folder of the certificates for DIRECTORY.
fn receive_at(place: &Workspace, source: &str, forwarding: &str) -> (Receiver, String) {
    let mut flags: Vec<&str> = Vec::new();
    if source.starts_with("syslog+tls") {
        certificates(&place.path("."));
        flags.extend(["--tls-cert", "server.pem", "--tls-key", "server.key", "--tls-client-ca", "ca.pem"]);
    }
    let receiver = receive(place, &[source], &flags);
    let forwarding = forwarding.replace("PORT", &receiver.ports[0].to_string());
    let forwarding = forwarding.replace("DIRECTORY", &place.path(".").display().to_string());
    (receiver, forwarding)
}

/// Lets rsyslog forward as `action` says. PORT stands for our port.
fn rsyslog(source: &str, action: &str, count: usize, more: &[(&str, Value)]) {
    let place = Workspace::new();
    let (receiver, action) = receive_at(&place, source, action);
    let port = free_port();
    let directory = place.path(".").display().to_string();
    let conf = format!(
        "global(workDirectory=\"{directory}\" processInternalMessages=\"off\")\nmodule(load=\"imptcp\")\n\
         input(type=\"imptcp\" port=\"{port}\" address=\"127.0.0.1\" ruleset=\"burst\")\n\
         ruleset(name=\"burst\") {{\n{action}\n}}\n",
    );
    let conf = place.write("rsyslog.conf", conf);
    let mut daemon = Process::start(&shippers::rsyslog(&place, &conf));
    log(&place, port, &mut daemon, count);
    check(&place, receiver, count, more);
    end(daemon);
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_forwards_over_tcp_as_it_does_unless_told_otherwise() {
    rsyslog("syslog+tcp://127.0.0.1:0", "*.* @@127.0.0.1:PORT", BURST, &[("version", json!(null))]);
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_forwards_rfc_5424_with_octet_counting() {
    let action = r#"action(type="omfwd" target="127.0.0.1" port="PORT" protocol="tcp" TCP_Framing="octet-counted"
        template="RSYSLOG_SyslogProtocol23Format")"#;
    rsyslog("syslog+tcp://127.0.0.1:0", action, BURST, &[("version", json!(1))]);
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_forwards_over_udp_with_iso_times() {
    let action =
        r#"action(type="omfwd" target="127.0.0.1" port="PORT" protocol="udp" template="RSYSLOG_ForwardFormat")"#;
    rsyslog("syslog+udp://127.0.0.1:0", action, 2000, &[("version", json!(null))]);
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_forwards_over_tls_with_certificates_on_both_sides() {
    let action = r#"action(type="omfwd" target="127.0.0.1" port="PORT" protocol="tcp" TCP_Framing="octet-counted"
        template="RSYSLOG_SyslogProtocol23Format" StreamDriver="ossl" StreamDriverMode="1"
        StreamDriverAuthMode="x509/certvalid" StreamDriver.CAFile="DIRECTORY/ca.pem"
        StreamDriver.CertFile="DIRECTORY/sender.pem" StreamDriver.KeyFile="DIRECTORY/sender.key")"#;
    rsyslog("syslog+tls://127.0.0.1:0", action, BURST, &[("version", json!(1))]);
}

/// Lets syslog-ng forward to `destination`. PORT stands for our port.
fn syslog_ng(source: &str, destination: &str) {
    let place = Workspace::new();
    let (receiver, destination) = receive_at(&place, source, destination);
    let port = free_port();
    // Flow control keeps syslog-ng from losing messages.
    let conf = format!(
        "@version: 3.35\noptions {{ use-dns(no); dns-cache(no); keep-hostname(yes); stats-freq(0); }};\n\
         source s_src {{ network(ip(127.0.0.1) port({port}) transport(tcp)); }};\n\
         destination d_far {{ {destination} }};\n\
         log {{ source(s_src); destination(d_far); flags(flow-control); }};\n"
    );
    let conf = place.write("syslog-ng.conf", conf);
    let mut daemon = Process::start(&shippers::syslog_ng(&place, &conf));
    log(&place, port, &mut daemon, BURST);
    check(&place, receiver, BURST, &[("version", json!(1))]);
    end(daemon);
}

#[test]
#[ignore = "needs syslog-ng: run ./test"]
fn syslog_ng_forwards_over_tcp() {
    syslog_ng("syslog+tcp://127.0.0.1:0", r#"syslog("127.0.0.1" port(PORT) transport("tcp"));"#);
}

#[test]
#[ignore = "needs syslog-ng: run ./test"]
fn syslog_ng_forwards_over_tls_with_certificates_on_both_sides() {
    let destination = r#"syslog("127.0.0.1" port(PORT) transport("tls") tls(ca-file("DIRECTORY/ca.pem")
        cert-file("DIRECTORY/sender.pem") key-file("DIRECTORY/sender.key") peer-verify(required-trusted)));"#;
    syslog_ng("syslog+tls://127.0.0.1:0", destination);
}

#[test]
#[ignore = "needs nginx: run ./test"]
fn nginx_logs_its_requests() {
    const PAGES: usize = 500;
    let place = Workspace::new();
    let receiver = receive(&place, &["syslog+udp://127.0.0.1:0"], &["-f", "combined"]);
    let port = free_port();
    let log: &Path = &place.path("access.log");
    let logs = format!(
        "access_log {};\naccess_log syslog:server=127.0.0.1:{},facility=local7,severity=info,tag=web combined;",
        log.display(),
        receiver.ports[0]
    );
    let conf = shippers::nginx_conf(&place, port, &logs);
    let nginx = Process::start(&shippers::nginx(&place, &conf));
    shippers::visit(port, PAGES);
    // Workers may overtake each other.
    let page = |document: &Value| document["request"].as_str().unwrap()["/page/".len()..].parse::<usize>().unwrap();
    let mut found = documents(&place, PAGES);
    found.sort_by_key(page);
    for (page, document) in found.iter().enumerate() {
        assert_eq!(document["request"], format!("/page/{page}"), "{document}");
        assert_eq!((&document["priority"], &document["program"]), (&json!(190), &json!("web")), "{document}");
        assert_eq!((&document["verb"], &document["response"]), (&json!("GET"), &json!(200)), "{document}");
    }
    // The same lines in its file give the same documents, except for the outer fields.
    let (ran, _) = place.logator(&["access.log", "-f", "combined", "--to", "ndjson:file"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut lines = place.objects("file");
    lines.sort_by_key(page);
    for (line, datagram) in lines.iter().zip(&found) {
        for (name, value) in
            line.as_object().unwrap().iter().filter(|(name, _)| !["_id", "path", "host"].contains(&&***name))
        {
            assert_eq!(datagram[name], *value, "{name} of {datagram}");
        }
    }
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [500, 500, 0, 0, 0, 0]), "{}", ran.stderr);
    end(nginx);
}
