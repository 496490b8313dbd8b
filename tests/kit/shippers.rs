//! Programs that bring lines: rsyslog, syslog-ng and nginx, unpacked and not installed. `./test` brings them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::needs::given;
use super::workspace::Workspace;
use super::{PATIENCE, wait_for};

/// Returns the folder where they are unpacked.
fn root() -> PathBuf {
    given("LOGATOR_TEST_SHIPPERS", "rsyslog, syslog-ng and nginx").into()
}

fn library(name: &str) -> PathBuf {
    let libraries = std::fs::read_dir(root().join("usr/lib")).unwrap().flatten();
    let found = libraries.map(|folder| folder.path().join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("there is no {name} in {}/usr/lib/*", root().display()))
}

/// Returns a command of one of these programs, with its libraries.
fn shipper(name: &str) -> Command {
    let root = root();
    let mut libraries = vec![root.join("usr/lib/syslog-ng")];
    for folder in ["usr/lib", "lib"] {
        let within = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        libraries.extend(within.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    let mut command = Command::new(root.join("usr/sbin").join(name));
    command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap());
    command
}

/// Returns a command of rsyslogd with this configuration.
pub fn rsyslog(place: &Workspace, conf: &Path) -> Command {
    let mut command = shipper("rsyslogd");
    command.arg("-n").arg("-M").arg(library("rsyslog")).arg("-f").arg(conf).arg("-i").arg(place.path("rsyslog.pid"));
    command
}

/// Returns a command of syslog-ng with this configuration.
pub fn syslog_ng(place: &Workspace, conf: &Path) -> Command {
    let modules = root().join("usr/lib/syslog-ng");
    let modules = std::fs::read_dir(modules).unwrap().flatten().map(|entry| entry.path()).find(|path| path.is_dir());
    let mut command = shipper("syslog-ng");
    command.args(["-F", "--no-caps", "-f"]).arg(conf).arg("-R").arg(place.path("persist"));
    command.arg("-p").arg(place.path("syslog-ng.pid")).arg("-c").arg(place.path("ctl"));
    command.arg(format!("--module-path={}", modules.expect("modules").display()));
    command
}

/// Returns a command of nginx with this configuration.
pub fn nginx(place: &Workspace, conf: &Path) -> Command {
    let mut command = shipper("nginx");
    command.arg("-p").arg(place.path(".")).arg("-e").arg(place.path("error.log")).arg("-c").arg(conf);
    command
}

/// Writes the configuration of an nginx that answers `hello` at `port` and logs as `logs` says.
pub fn nginx_conf(place: &Workspace, port: u16, logs: &str) -> PathBuf {
    nginx_server_conf(place, &format!("listen 127.0.0.1:{port};\n{logs}\nlocation / {{ return 200 \"hello\\n\"; }}"))
}

/// Writes the configuration of an nginx with these lines of its `server`. Files there are found in the folder of `place`.
pub fn nginx_server_conf(place: &Workspace, server: &str) -> PathBuf {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};\n", place.path(name).display()))
        .concat();
    let conf = format!(
        "daemon off;\nmaster_process off;\npid {};\nerror_log {};\nevents {{ worker_connections 4096; }}\nhttp {{\n{temporary}\n\
         keepalive_requests 100000;\nserver {{\n{server}\n}}\n}}\n",
        place.path("pid").display(),
        place.path("error.log").display(),
    );
    place.write("nginx.conf", conf)
}

/// Asks nginx for pages, one after the other over one connection.
pub fn visit(port: u16, pages: usize) {
    let mut stream = wait_for("nginx to listen", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).ok());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for page in 0..pages {
        // The request is sent in one write; a second write would wait for an acknowledgement of the first.
        let request = format!("GET /page/{page} HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello\n") {
            let mut bytes = [0; 512];
            let length = stream.read(&mut bytes).unwrap();
            assert!(length > 0, "nginx has closed the connection");
            answer.extend_from_slice(&bytes[..length]);
        }
    }
}
