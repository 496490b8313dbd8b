//! The recipes of `contrib`, run by the programs that they are for.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::kit::place::{Place, Running};
use crate::kit::process::Process;
use crate::kit::{PATIENCE, free_port, program, wait_for};

/// The messages of a burst.
const BURST: usize = 100_000;

/// Where rsyslog, syslog-ng and nginx are unpacked.
fn shippers() -> PathBuf {
    let root = std::env::var_os("LOGATOR_TEST_SHIPPERS");
    root.expect("LOGATOR_TEST_SHIPPERS is not set: run ./test, which brings rsyslog, syslog-ng and nginx").into()
}

fn library(name: &str) -> PathBuf {
    let libraries = std::fs::read_dir(shippers().join("usr/lib")).unwrap().flatten();
    let found = libraries.map(|folder| folder.path().join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("there is no {name} in {}/usr/lib/*", shippers().display()))
}

/// One of those programs, with its libraries.
fn shipper(name: &str) -> Command {
    let root = shippers();
    let mut libraries = vec![root.join("usr/lib/syslog-ng")];
    for folder in ["usr/lib", "lib"] {
        let within = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        libraries.extend(within.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    let mut command = Command::new(root.join("usr/sbin").join(name));
    command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap());
    command
}

/// A recipe, with the built `logator-push` in the place of the installed one, and another port.
fn recipe(name: &str, port: u16) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(name)).unwrap();
    text.replace("/usr/bin/logator-push", &program("logator-push").display().to_string())
        .replace("127.0.0.1:5514", &format!("127.0.0.1:{port}"))
}

fn pull(place: &Place, port: u16) -> Running {
    place.start("logator-pull", &["--connect", &format!("tcp://127.0.0.1:{port}")])
}

/// Sends the burst with `logger`, as soon as somebody listens there.
fn log_burst(place: &Place, port: u16, shipper: &mut Process) {
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

/// Waits for the burst, and checks that it is whole: every message once.
fn check_burst(pull: &Running) {
    // A whole gate on a busy machine: as long as something still comes, it is not stuck.
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
    // The recipe says that the format `syslog` reads them.
    let place = Place::new();
    let few: String = text.lines().take(100).flat_map(|line| [line, "\n"]).collect();
    let (ran, receipt) = place.logator(&["-f", "syslog", "--to", "ndjson:out"], few.as_bytes());
    assert_eq!((ran.code, receipt.tally.stored), (Some(0), 100), "{}\n{few}", ran.stderr);
    let document = &place.objects("out")[0];
    assert_eq!(document["program"], "burst", "{document}");
    assert!(document["message"].as_str().unwrap().starts_with("message number "), "{document}");
}

fn rsyslog(recipe: &str) {
    let place = Place::new();
    let (port, far) = (free_port(), free_port());
    let conf = format!(
        "global(workDirectory=\"{0}\" processInternalMessages=\"off\")\nmodule(load=\"imptcp\")\n\
         input(type=\"imptcp\" port=\"{port}\" address=\"127.0.0.1\" ruleset=\"burst\")\n\
         ruleset(name=\"burst\") {{\n{1}\n}}\n",
        place.path(".").display(),
        recipe.replace("127.0.0.1:5514", &format!("127.0.0.1:{far}")).replace("module(load=\"omprog\")", ""),
    );
    let conf = place.write("rsyslog.conf", format!("module(load=\"omprog\")\n{conf}"));
    let pull = pull(&place, far);
    let mut command = shipper("rsyslogd");
    command.arg("-n").arg("-M").arg(library("rsyslog")).arg("-f").arg(conf).arg("-i").arg(place.path("pid"));
    let mut daemon = Process::start(&command);
    log_burst(&place, port, &mut daemon);
    check_burst(&pull);
    daemon.signal(Signal::SIGTERM);
    wait_for("the end of rsyslogd", PATIENCE, || daemon.ended());
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_gets_its_burst_through_with_confirmed_messages() {
    rsyslog(&recipe("rsyslog.conf", 5514));
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_gets_its_burst_through_without() {
    let recipe = recipe("rsyslog.conf", 5514);
    let without = recipe.replace("confirmMessages=\"on\"", "confirmMessages=\"off\"").replace(" --confirm", "");
    assert!(!without.contains("--confirm ") && recipe != without);
    rsyslog(&without);
}

#[test]
#[ignore = "needs syslog-ng: run ./test"]
fn syslog_ng_gets_its_burst_through() {
    let place = Place::new();
    let (port, far) = (free_port(), free_port());
    let conf = format!(
        "@version: 3.35\noptions {{ use-dns(no); keep-hostname(yes); }};\n\
         source s_src {{ network(ip(127.0.0.1) port({port}) transport(tcp)); }};\n{}",
        recipe("syslog-ng.conf", far),
    );
    let conf = place.write("syslog-ng.conf", conf);
    let modules = shippers().join("usr/lib/syslog-ng");
    let modules = std::fs::read_dir(modules).unwrap().flatten().map(|entry| entry.path()).find(|path| path.is_dir());
    let pull = pull(&place, far);
    let mut command = shipper("syslog-ng");
    command.args(["-F", "--no-caps", "-f"]).arg(conf).arg("-R").arg(place.path("persist"));
    command.arg("-p").arg(place.path("pid")).arg("-c").arg(place.path("ctl"));
    command.arg(format!("--module-path={}", modules.expect("modules").display()));
    let mut daemon = Process::start(&command);
    log_burst(&place, port, &mut daemon);
    check_burst(&pull);
    daemon.signal(Signal::SIGTERM);
    wait_for("the end of syslog-ng", PATIENCE, || daemon.ended());
}

/// Asks for pages, one after the other over one connection.
fn visit(port: u16, pages: usize) {
    let mut stream = wait_for("nginx to listen", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).ok());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for page in 0..pages {
        write!(stream, "GET /page/{page} HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 0\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello\n") {
            let mut bytes = [0; 512];
            let length = stream.read(&mut bytes).unwrap();
            assert!(length > 0, "nginx has closed the connection");
            answer.extend_from_slice(&bytes[..length]);
        }
    }
}

#[test]
#[ignore = "needs nginx: run ./test"]
fn nginx_logs_to_a_file_a_pipe_and_syslog() {
    const PAGES: usize = 500;
    let place = Place::new();
    let (port, far) = (free_port(), free_port());
    let syslog = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    syslog.set_read_timeout(Some(PATIENCE)).unwrap();
    let pipe = place.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o622)).unwrap();
    // Both ends, as systemd holds it for logator-push.socket.
    let held = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let mut push =
        place.command("logator-push", &["--raw", "--on-full", "drop", "--bind", &format!("tcp://127.0.0.1:{far}")]);
    let mut push = push.stdin(held).stdout(std::process::Stdio::null()).spawn().unwrap();
    let pull = pull(&place, far);

    let logs = recipe("nginx.conf", syslog.local_addr().unwrap().port())
        .replace("/var/log/nginx/access.log", &place.path("access.log").display().to_string())
        .replace("/run/logator-push", &pipe.display().to_string());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};\n", place.path(name).display()))
        .concat();
    let conf = format!(
        "daemon off;\nmaster_process off;\npid {};\nerror_log {};\nevents {{}}\nhttp {{\n{temporary}\n\
         keepalive_requests 100000;\nserver {{\nlisten 127.0.0.1:{port};\n{logs}\nlocation / {{ return 200 \"hello\\n\"; }}\n}}\n}}\n",
        place.path("pid").display(),
        place.path("error.log").display(),
    );
    let conf = place.write("nginx.conf", conf);
    let mut command = shipper("nginx");
    command.arg("-p").arg(place.path(".")).arg("-e").arg(place.path("error.log")).arg("-c").arg(conf);
    let mut nginx = Process::start(&command);
    visit(port, PAGES);

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
