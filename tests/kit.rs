//! Things that all tests share: programs, processes, ports, waiting, and real servers.
//!
//! | variable | meaning |
//! |---|---|
//! | `LOGATOR_TEST_MONGODB` | address of a MongoDB to use for the tests that only store and read (`mongodb://HOST:PORT`) |
//! | `LOGATOR_TEST_MONGOD` | path of a `mongod`, for the tests that start, stop and break their own |
//! | `LOGATOR_TEST_FAKETIME` | a `libfaketime.so.1`, for the tests that set a program's clock |
//! | `LOGATOR_TEST_LOGROTATE` | a `logrotate`, for the tests in which it rotates followed files |
//! | `LOGATOR_TEST_CARGO_DEB` | a `cargo-deb`, for the tests of the Debian package |
//! | `LOGATOR_TEST_SHIPPERS` | a folder with `usr/sbin/{rsyslogd,syslog-ng,nginx}` and their libraries |
//! | `LOGATOR_TEST_DOCKER` | a folder with an Engine, its command line and an image, for the tests of `docker:` |
//! | `DOCKER_HOST` | address of a Docker Engine to use for the tests that only start containers and read their logs |
//! | `LOGATOR_TEST_OPENSEARCH` | a folder with an OpenSearch, for the tests that start, stop and break their own |
//! | `LOGATOR_TEST_ELASTICSEARCH` | address of an Elasticsearch or OpenSearch to use for the tests that only store and read |
//! | `LOGATOR_TEST_KAFKA_HOME` | a folder with a Kafka, for the tests that start, stop and break their own |
//! | `LOGATOR_TEST_KAFKA` | address of a Kafka to use for the tests that only write and read (`HOST:PORT`) |
//! | `LOGATOR_TEST_REGISTRY_HOME` | a folder with a schema registry |
//! | `LOGATOR_TEST_REGISTRY` | address of a schema registry to use instead (`http://HOST:PORT/PATH`) |
//! | `LOGATOR_TEST_SEED` | the seed of all random choices in `crash::` and `accounts::`; each test there prints its seed |
//! | `LOGATOR_CRASHES` | how often each test of `crash::` breaks something |
//! | `LOGATOR_ACCOUNTS` | how many rounds `accounts::` plays |
//! | `LOGATOR_ACCOUNTS_SEED` | the one round of `accounts::` to play, by its own number |
//! | `LOGATOR_ACCOUNTS_BIN` | a folder with other builds of the programs, for `accounts::` |
//! | `LOGATOR_SOAK` | how many seconds the soak lasts |
//! | `LOGATOR_CRASH_TABLE` | a file to which each test of `crash::` and `accounts::` appends its row |
//! | `LOGATOR_TEST_PYTHON` | a Python 3 that can `import zmq` and `import fastavro` |

// Some sets of features use only a part of this module.
#![allow(dead_code)]

pub mod avro;
pub mod bulk_server;
pub mod certificates;
pub mod disk;
pub mod docker;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod kcat;
pub mod logs;
#[cfg(feature = "kafka")]
pub mod mock_kafka;
#[cfg(feature = "mongodb")]
pub mod mongod;
pub mod needs;
pub mod noise;
#[cfg(feature = "elasticsearch")]
pub mod opensearch;
pub mod peer;
pub mod process;
pub mod proxy;
#[cfg(feature = "kafka")]
pub mod registry;
pub mod shippers;
pub mod systemd;
pub mod table;
pub mod web;
pub mod web_server;
pub mod workspace;

use std::ffi::OsStr;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use self::process::Process;

/// The longest time that anything may take before a test fails. It is long, because a busy machine is no reason to fail.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Returns a new directory for one test, which is removed at the end.
pub fn temp_dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("logator-test-").tempdir().expect("a temporary directory")
}

/// Returns a TCP port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Calls `condition` until it returns a value. The pause between two calls is the only sleep of all tests.
///
/// # Panics
/// When `deadline` passes first. The message names `what`.
pub fn wait_for<T>(what: &str, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = condition() {
            return answer;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the path of the built program `name` of this package.
pub fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_logator")).with_file_name(name);
    assert!(path.exists(), "{} is not built", path.display());
    path
}

/// The results of a program that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output, as text.
    pub stdout: String,
    /// Its standard error, as text.
    pub stderr: String,
}

/// Runs `name` with `arguments`, feeds it `input`, and waits for its end.
///
/// # Panics
/// When it cannot be started or does not end within [`PATIENCE`].
pub fn run(name: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>, input: &[u8]) -> Ran {
    let mut child = Command::new(program(name))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut stdin = child.stdin.take().expect("its input is ours");
    let stdout = child.stdout.take().expect("its output is ours");
    let stderr = child.stderr.take().expect("its errors are ours");
    std::thread::scope(|scope| {
        // A program may end without reading all of its input.
        scope.spawn(move || stdin.write_all(input).ok());
        let stdout = scope.spawn(|| std::io::read_to_string(stdout).expect("UTF-8 on its output"));
        let stderr = scope.spawn(|| std::io::read_to_string(stderr).expect("UTF-8 on its errors"));
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("its state") {
                break status;
            }
            if start.elapsed() > PATIENCE {
                child.kill().expect("it ends when killed");
                let (out, err) = (stdout.join().unwrap(), stderr.join().unwrap());
                panic!("{name} did not end within {PATIENCE:?}\nstdout: {out}\nstderr: {err}");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ran { code: status.code(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    })
}

/// Starts `name` with `arguments`. The program ends when the returned value is dropped, or with this process.
pub fn start(name: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Process {
    let mut command = Command::new(program(name));
    command.args(arguments);
    Process::start(&command)
}
