//! A real nginx that is asked for pages: plain and with TLS, slowly, with redirects, and with connections that break. `curl -w`
//! times requests beside the programs under test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::process::Process;
use super::workspace::Workspace;
use super::{PATIENCE, certificates, free_port, shippers, wait_for};

/// The time after which [`Web`] answers to `/slow`.
pub const SLOW: Duration = Duration::from_millis(300);

/// The size of the file at `/drip`, which arrives within a second, a part at a time.
pub const DRIP: usize = 16 << 10;

/// An nginx of one test, which ends with the test.
///
/// | path | answer |
/// |---|---|
/// | `/` and all others | 200, `hello` |
/// | `/slow` | 200 after [`SLOW`] |
/// | `/drip` | 200 at once; its [`DRIP`] bytes take about a second |
/// | `/hang` | none |
/// | `/reset` | none: the connection is reset |
/// | `/close` | none: the connection is closed |
/// | `/cut` | half of what the head promises |
/// | `/hop/N` | 302 to `/hop/N-1` for N of 2 to 5; `/hop/1` leads to `/` |
/// | `/loop` | 302 to itself |
/// | `/to-tls` | 302 to `/` with TLS |
/// | `/to-slow` | 302 to `/slow` |
/// | `/missing`, `/broken` | 404, 500 |
/// | `/agent` | 200, the method and the user agent of the request |
pub struct Web {
    port: u16,
    tls_port: u16,
    place: Workspace,
    _nginx: Process,
}

impl Web {
    /// Starts it. Its certificate is of ECDSA and belongs to `127.0.0.1`; see [`Web::authority`].
    pub fn start() -> Self {
        let place = Workspace::new();
        certificates::make(&place.path("."), "client");
        place.write("www/drip", vec![b'x'; DRIP]);
        let (port, tls_port) = (free_port(), free_port());
        let [slow, hang, cut] = [Upstream::Slow, Upstream::Hang, Upstream::Cut].map(upstream);
        let behind = |path: &str, port: u16| format!("location = {path} {{ proxy_pass http://127.0.0.1:{port}; }}\n");
        let hops: String = (1..=5)
            .map(|hop| {
                let next = if hop == 1 { "/".to_owned() } else { format!("/hop/{}", hop - 1) };
                format!("location = /hop/{hop} {{ return 302 {next}; }}\n")
            })
            .collect();
        let server = format!(
            "listen 127.0.0.1:{port} backlog=4096;\nlisten 127.0.0.1:{tls_port} ssl http2 backlog=4096;\n\
             ssl_certificate server.pem;\nssl_certificate_key server.key;\nssl_protocols TLSv1.2 TLSv1.3;\n\
             access_log off;\nroot {};\nabsolute_redirect off;\nreset_timedout_connection on;\nproxy_buffering off;\n{}{}{}{hops}\
             location = /drip {{ limit_rate {}; limit_rate_after 1; }}\n\
             location = /reset {{ return 444; }}\nlocation = /close {{ reset_timedout_connection off; return 444; }}\n\
             location = /loop {{ return 302 /loop; }}\nlocation = /to-tls {{ return 302 https://127.0.0.1:{tls_port}/; }}\n\
             location = /to-slow {{ return 302 /slow; }}\nlocation = /missing {{ return 404; }}\n\
             location = /broken {{ return 500; }}\n\
             location = /agent {{ return 200 \"$request_method $http_user_agent\\n\"; }}\n\
             location / {{ return 200 \"hello\\n\"; }}",
            place.path("www").display(),
            behind("/slow", slow),
            behind("/hang", hang),
            behind("/cut", cut),
            DRIP,
        );
        let conf = shippers::nginx_server_conf(&place, &server);
        let mut nginx = Process::start(&shippers::nginx(&place, &conf));
        for port in [port, tls_port] {
            wait_for("nginx to listen", PATIENCE, || {
                assert!(nginx.ended().is_none(), "nginx has ended");
                TcpStream::connect(("127.0.0.1", port)).ok()
            });
        }
        Web { port, tls_port, place, _nginx: nginx }
    }

    /// Returns the URL of a path, of plain HTTP.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the URL of a path, with TLS.
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.tls_port)
    }

    /// Returns the file with the certificate of the authority that has signed the server's.
    pub fn authority(&self) -> PathBuf {
        self.place.path("ca.pem")
    }

    /// Asks for `url` with curl, which trusts the authority, and returns everything that `curl -w '%{json}'` tells. `more` are
    /// options.
    pub fn curl(&self, url: &str, more: &[&str]) -> Value {
        let mut command = Command::new("curl");
        // The options of the user's own configuration are not read.
        command.args(["-q", "-s", "-o", "/dev/null", "-w", "%{json}", "--noproxy", "*", "--cacert"]);
        command.arg(self.authority()).args(more).arg(url).stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| panic!("this test needs curl: run ./test ({error})"));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("curl {url}: {error}"))
    }
}

/// A server behind nginx, which does what nginx itself cannot.
#[derive(Clone, Copy)]
enum Upstream {
    /// Answers after [`SLOW`].
    Slow,
    /// Never answers.
    Hang,
    /// Promises more than it sends.
    Cut,
}

/// Starts it, and returns its port. Its threads end with the process.
fn upstream(kind: Upstream) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(kind, stream));
        }
    });
    port
}

fn answer(kind: Upstream, mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|length| length > 2) {
        line.clear();
    }
    let length = match kind {
        Upstream::Slow => {
            std::thread::sleep(SLOW);
            6
        }
        Upstream::Hang => {
            // Until nginx closes the connection.
            let _ = lines.read_line(&mut line);
            return;
        }
        Upstream::Cut => 12,
    };
    // The client may have gone.
    let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\nhello\n");
}

#[test]
#[ignore = "needs nginx and curl: run ./test"]
fn nginx_does_what_the_table_says() {
    let web = Web::start();
    let asked = |path: &str, more: &[&str]| {
        let said = web.curl(&web.url(path), more);
        (said["exitcode"].as_u64(), said["response_code"].as_u64(), said["num_redirects"].as_u64())
    };
    for (path, more, exit, status, redirects) in [
        ("/", &[][..], 0, 200, 0),
        ("/slow", &[], 0, 200, 0),
        ("/drip", &[], 0, 200, 0),
        ("/hang", &["-m", "0.3"], 28, 0, 0),
        ("/reset", &[], 56, 0, 0),
        ("/close", &[], 52, 0, 0),
        ("/cut", &[], 18, 200, 0),
        ("/hop/3", &["-L"], 0, 200, 3),
        ("/hop/3", &[], 0, 302, 0),
        ("/loop", &["-L", "--max-redirs", "4"], 47, 302, 4),
        ("/to-tls", &["-L"], 0, 200, 1),
        ("/to-slow", &["-L"], 0, 200, 1),
        ("/missing", &[], 0, 404, 0),
        ("/broken", &[], 0, 500, 0),
    ] {
        assert_eq!(asked(path, more), (Some(exit), Some(status), Some(redirects)), "{path} {more:?}");
    }
    assert!(web.curl(&web.url("/slow"), &[])["time_starttransfer"].as_f64().unwrap() >= SLOW.as_secs_f64());
    assert!(web.curl(&web.url("/drip"), &[])["time_total"].as_f64().unwrap() > 0.5);
    let secure = web.curl(&web.tls_url("/"), &[]);
    assert_eq!((secure["exitcode"].as_u64(), secure["http_version"].as_str()), (Some(0), Some("2")), "{secure}");
    assert_eq!(web.curl(&web.tls_url("/"), &["--cacert", "/dev/null"])["exitcode"], 77);
}
