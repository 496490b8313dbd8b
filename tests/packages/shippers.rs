//! The recipes of `contrib`, run by the programs for which they are made.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::kit::process::Process;
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, free_port, program, shippers, wait_for};

/// The number of messages of a burst.
const BURST: usize = 100_000;

/// Returns a recipe with the built `logator-push` instead of the installed one, and with another port.
fn recipe(name: &str, port: u16) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(name)).unwrap();
    text.replace("/usr/bin/logator-push", &program("logator-push").display().to_string())
        .replace("127.0.0.1:5514", &format!("127.0.0.1:{port}"))
}

fn pull(place: &Workspace, port: u16) -> Running {
    place.start("logator-pull", &["--connect", &format!("tcp://127.0.0.1:{port}")])
}

/// Starts the puller to which `logator-push` connects.
fn listening_pull(place: &Workspace, port: u16) -> Running {
    place.start("logator-pull", &["--bind", &format!("tcp://127.0.0.1:{port}")])
}

/// Sends the burst with `logger` as soon as the daemon listens.
fn log_burst(place: &Workspace, port: u16, shipper: &mut Process) {
    let lines: String = (0..BURST).map(|number| format!("message number {number}\n")).collect();
    let file = place.write("burst", lines);
    wait_for("the syslog daemon to listen", PATIENCE, || {
        assert!(shipper.ended().is_none(), "the syslog daemon has ended");
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let mut command = Command::new("logger");
    command.args(["--tcp", "--server", "127.0.0.1", "--port", &port.to_string(), "--rfc3164", "--tag", "burst"]);
    assert!(command.arg("--file").arg(file).status().expect("logger runs").success());
}

/// Waits for the burst, and checks that every message arrived once.
fn check_burst(pull: &Running) {
    // On a busy machine this takes long. As long as messages still come, it is not stuck.
    let (mut seen, mut since) = (0, Instant::now());
    let text = wait_for("all messages", 10 * PATIENCE, || {
        let text = pull.stdout();
        let count = text.lines().count();
        if count != seen {
            (seen, since) = (count, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "{count} of {BURST} messages have come, and no more");
        (count >= BURST).then_some(text)
    });
    let number = |line: &str| {
        let number = line.rsplit_once("burst: message number ").and_then(|(_, number)| number.parse::<usize>().ok());
        number.unwrap_or_else(|| panic!("no message of ours: {line}"))
    };
    let numbers: BTreeSet<usize> = text.lines().map(number).collect();
    assert_eq!(text.lines().count(), BURST, "some came twice");
    assert_eq!(numbers.len(), BURST);
    // The recipe says that the format `syslog` reads its lines.
    let place = Workspace::new();
    let few: String = text.lines().take(100).flat_map(|line| [line, "\n"]).collect();
    let (ran, receipt) = place.logator(&["-f", "syslog", "--to", "ndjson:out"], few.as_bytes());
    assert_eq!((ran.code, receipt.tally.stored), (Some(0), 100), "{}\n{few}", ran.stderr);
    let document = &place.objects("out")[0];
    assert_eq!(document["program"], "burst", "{document}");
    assert!(document["message"].as_str().unwrap().starts_with("message number "), "{document}");
}

/// With `late`, the puller starts only after all messages were sent.
fn rsyslog(recipe: &str, late: bool) {
    let place = Workspace::new();
    let (port, far) = (free_port(), free_port());
    let conf = format!(
        "global(workDirectory=\"{0}\" processInternalMessages=\"off\")\nmodule(load=\"imptcp\")\n\
         input(type=\"imptcp\" port=\"{port}\" address=\"127.0.0.1\" ruleset=\"burst\")\n\
         ruleset(name=\"burst\") {{\n{1}\n}}\n",
        place.path(".").display(),
        recipe.replace("127.0.0.1:5514", &format!("127.0.0.1:{far}")).replace("module(load=\"omprog\")", ""),
    );
    let conf = place.write("rsyslog.conf", format!("module(load=\"omprog\")\n{conf}"));
    let pull = (!late).then(|| listening_pull(&place, far));
    let mut daemon = Process::start(&shippers::rsyslog(&place, &conf));
    log_burst(&place, port, &mut daemon);
    check_burst(&pull.unwrap_or_else(|| listening_pull(&place, far)));
    daemon.signal(Signal::SIGTERM);
    wait_for("the end of rsyslogd", PATIENCE, || daemon.ended());
}

/// Returns the recipe with one argument of its program replaced.
fn rsyslog_recipe(from: &str, to: &str) -> String {
    let recipe = recipe("rsyslog.conf", 5514);
    let other = recipe.replace(from, to);
    assert!(recipe != other, "the recipe has no {from}");
    other
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_gets_its_burst_through_with_delivered_messages() {
    rsyslog(&recipe("rsyslog.conf", 5514), false);
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_keeps_its_burst_until_somebody_pulls() {
    rsyslog(&recipe("rsyslog.conf", 5514), true);
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_gets_its_burst_through_with_queued_messages() {
    rsyslog(&rsyslog_recipe("--confirm=delivered ", "--confirm "), false);
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_gets_its_burst_through_without_confirmations() {
    let recipe = rsyslog_recipe("--confirm=delivered ", "");
    rsyslog(&recipe.replace("confirmMessages=\"on\"", "confirmMessages=\"off\""), false);
}

/// The messages of the RFC 5424 test: some as old senders write them, one with structured data.
const MESSAGES: [&str; 3] = [
    "<131>Nov 30 10:00:00 gate shop[4711]: message one, gr\u{fc}\u{df}e",
    "<165>1 2024-02-03T04:05:06.789+01:00 web1 shop 4711 ORDER [order@32473 id=\"77\" note=\"a \\\"b\\\"\"] accepted",
    "<34>1 2024-02-03T04:05:06Z web1 - - - - no program",
];

/// Starts rsyslogd with the recipe for RFC 5424, sends [`MESSAGES`] to it, and returns the documents that `pull` stores.
fn rfc_5424(raw: bool, pull: &[&str]) -> Vec<serde_json::Value> {
    let place = Workspace::new();
    let (port, far) = (free_port(), free_port());
    let recipe = recipe("rsyslog-rfc5424.conf", far);
    let recipe = if raw { recipe } else { recipe.replace(" --raw ", " ") };
    let conf = format!(
        "global(workDirectory=\"{0}\" processInternalMessages=\"off\")\nmodule(load=\"imptcp\")\n\
         input(type=\"imptcp\" port=\"{port}\" address=\"127.0.0.1\")\n{recipe}",
        place.path(".").display(),
    );
    let conf = place.write("rsyslog.conf", conf);
    let bind = format!("tcp://127.0.0.1:{far}");
    let mut puller = place.start("logator-pull", &[&["--bind", &bind, "--to", "ndjson:out"], pull].concat());
    puller.wait_ready();
    let mut daemon = Process::start(&shippers::rsyslog(&place, &conf));
    let mut sender = wait_for("rsyslogd to listen", PATIENCE, || {
        assert!(daemon.ended().is_none(), "rsyslogd has ended");
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    for message in MESSAGES {
        writeln!(sender, "{message}").unwrap();
    }
    let out = || std::fs::read_to_string(place.path("out")).unwrap_or_default();
    wait_for("the documents", PATIENCE, || (out().lines().count() >= MESSAGES.len()).then_some(()));
    drop(sender);
    daemon.signal(Signal::SIGTERM);
    wait_for("the end of rsyslogd", PATIENCE, || daemon.ended());
    puller.signal(Signal::SIGTERM);
    let ran = puller.end_with_input_open();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut documents = place.objects("out");
    documents.sort_by_key(|document| document["priority"].as_u64());
    documents
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_brings_every_part_of_the_header_in_the_form_of_rfc_5424() {
    let json = [&["--envelope", "json"][..], &["--format", "rfc5424"]].concat();
    for (raw, pull) in [(true, &json[2..]), (false, &json[..])] {
        let documents = rfc_5424(raw, pull);
        assert_eq!(documents.len(), MESSAGES.len(), "{documents:?}");
        let [none, old, new] = &documents[..] else { unreachable!() };
        for (document, priority, program, text) in [
            (none, 34, None, "no program"),
            (old, 131, Some("shop"), "message one, gr\u{fc}\u{df}e"),
            (new, 165, Some("shop"), "accepted"),
        ] {
            assert_eq!(document["priority"], priority, "{document}");
            assert_eq!(document["version"], 1, "{document}");
            assert_eq!(document.get("program").and_then(|program| program.as_str()), program, "{document}");
            // RFC 3164 lets the sender choose whether a blank follows the tag.
            assert_eq!(document["message"].as_str().unwrap().trim_start(), text, "{document}");
            assert!(document["@timestamp"].is_string() && document.get("tags").is_none(), "{document}");
            assert_eq!(document.get("type").is_none(), raw, "{document}");
        }
        assert_eq!((&old["logsource"], &old["pid"]), (&"gate".into(), &4711.into()), "{old}");
        assert_eq!((&new["logsource"], &new["msgid"]), (&"web1".into(), &"ORDER".into()), "{new}");
        assert_eq!(
            new["structured_data"],
            serde_json::json!({"order@32473": {"id": "77", "note": "a \"b\""}}),
            "{new}"
        );
        assert_eq!(new["@timestamp"], "2024-02-03T03:05:06.789Z", "{new}");
    }
}

#[test]
#[ignore = "needs syslog-ng: run ./test"]
fn syslog_ng_gets_its_burst_through() {
    let place = Workspace::new();
    let (port, far) = (free_port(), free_port());
    let conf = format!(
        "@version: 3.35\noptions {{ use-dns(no); keep-hostname(yes); }};\n\
         source s_src {{ network(ip(127.0.0.1) port({port}) transport(tcp)); }};\n{}",
        recipe("syslog-ng.conf", far),
    );
    let conf = place.write("syslog-ng.conf", conf);
    let pull = pull(&place, far);
    let mut daemon = Process::start(&shippers::syslog_ng(&place, &conf));
    log_burst(&place, port, &mut daemon);
    check_burst(&pull);
    daemon.signal(Signal::SIGTERM);
    wait_for("the end of syslog-ng", PATIENCE, || daemon.ended());
}

#[test]
#[ignore = "needs nginx: run ./test"]
fn nginx_logs_to_a_file_a_pipe_and_syslog() {
    const PAGES: usize = 500;
    let place = Workspace::new();
    let (port, far) = (free_port(), free_port());
    let syslog = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    syslog.set_read_timeout(Some(PATIENCE)).unwrap();
    let pipe = place.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o622)).unwrap();
    // The pipe is open at both ends, as systemd holds it for logator-push.socket.
    let held = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let mut push =
        place.command("logator-push", &["--raw", "--on-full", "drop", "--bind", &format!("tcp://127.0.0.1:{far}")]);
    let mut push = push.stdin(held).stdout(std::process::Stdio::null()).spawn().unwrap();
    let pull = pull(&place, far);

    let logs = recipe("nginx.conf", syslog.local_addr().unwrap().port())
        .replace("/var/log/nginx/access.log", &place.path("access.log").display().to_string())
        .replace("/run/logator-push", &pipe.display().to_string());
    let conf = shippers::nginx_conf(&place, port, &logs);
    let mut nginx = Process::start(&shippers::nginx(&place, &conf));
    shippers::visit(port, PAGES);

    let pulled = wait_for("all lines", PATIENCE, || {
        assert!(nginx.ended().is_none(), "nginx has ended");
        let text = pull.stdout();
        (text.lines().count() >= PAGES).then_some(text)
    });
    let logged = place.text("access.log");
    assert_eq!(logged.lines().count(), PAGES);
    assert_eq!(pulled, logged);
    let mut message = [0; 4096];
    let length = syslog.recv(&mut message).unwrap();
    let message = String::from_utf8_lossy(&message[..length]).into_owned();
    let (header, line) = message.split_once(" nginx: ").unwrap_or_else(|| panic!("{message}"));
    assert!(header.starts_with("<190>") && logged.lines().next() == Some(line), "{message}");

    let (ran, receipt) = place.logator(&["access.log", "-f", "combined", "--to", "ndjson:out"], b"");
    assert_eq!((ran.code, receipt.tally.stored), (Some(0), PAGES as u64), "{}", ran.stderr);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(push.id() as i32), Signal::SIGTERM).unwrap();
    let end = wait_for("the end of logator-push", Duration::from_secs(30), || push.try_wait().unwrap());
    assert_eq!(end.code(), Some(0));
}
