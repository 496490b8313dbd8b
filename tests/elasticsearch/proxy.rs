//! A real nginx in front: TLS, client certificates, logins, pages for people, and bodies that it refuses.

use std::path::Path;
use std::process::Command;

use super::{dead_letters, job, lines, run};
use crate::kit::bulk_server::{BulkServer, Setup};
use crate::kit::opensearch::AnyCluster;
use crate::kit::process::Process;
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, Ran, free_port, shippers, wait_for};

/// Makes an authority, certificates of 127.0.0.1 and of a client that it signed, one of a stranger, and a list of users.
fn certificates(directory: &Path) {
    crate::kit::certificates::make(directory, "client");
    let script = r#"
cat client.pem client.key > both.pem
printf 'ann:%s\n' "$(openssl passwd -apr1 's3cr:t/word')" > users
chmod 644 users
"#;
    let output = Command::new("sh").args(["-ec", script]).current_dir(directory).output().expect("sh");
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
}

/// A line of a `server` that takes any body; by default, nginx takes a megabyte.
const ANY_SIZE: &str = "client_max_body_size 0;";

/// An nginx that leads to `host`, in the folder of a workspace.
struct Front {
    port: u16,
    _nginx: Process,
}

impl Front {
    /// Starts it with more lines of its `server`.
    fn start(place: &Workspace, host: &str, is_tls: bool, more: &str) -> Front {
        let port = free_port();
        let tls = match is_tls {
            true => "ssl_certificate server.pem; ssl_certificate_key server.key;",
            false => "",
        };
        let listen = if is_tls { format!("{port} ssl") } else { port.to_string() };
        let server = format!(
            "listen 127.0.0.1:{listen};\n{tls}\naccess_log off;\n{more}\nlocation / {{\nproxy_pass http://{host};\n\
             proxy_http_version 1.1;\nproxy_set_header Connection '';\nproxy_set_header Authorization '';\n}}"
        );
        let conf = shippers::nginx_server_conf(place, &server);
        let mut nginx = Process::start(&shippers::nginx(place, &conf));
        wait_for("nginx to listen", PATIENCE, || {
            assert!(nginx.ended().is_none(), "nginx has ended");
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Front { port, _nginx: nginx }
    }

    /// Returns the address of a sink behind it.
    fn sink(&self, scheme: &str, rest: &str) -> String {
        format!("elasticsearch+{scheme}://127.0.0.1:{}/{rest}", self.port)
    }
}

/// Runs a job that is to be refused at the start: its exit code is 3, and nothing shows the password.
fn refused(place: &Workspace, sink: &str) -> Ran {
    let ran = place.run("logator", &job(sink, &[]), b"");
    assert_eq!(ran.code, Some(3), "{sink}: {}", ran.stderr);
    for secret in ["s3cr", "wr0ng", &["YW5u", "Om"].concat()] {
        assert!(!ran.stderr.contains(secret), "{}", ran.stderr);
    }
    ran
}

#[test]
#[ignore = "needs an Elasticsearch and nginx: run ./test"]
fn tls_is_spoken_with_an_authority_of_ones_own_and_with_no_stranger() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    certificates(&place.path("."));
    place.write("access.log", lines(0..2000));
    let front = Front::start(&place, cluster.host(), true, ANY_SIZE);
    let index = cluster.name("tls");
    let (ran, receipt) = run(&place, &front.sink("https", &format!("{index}?tlsCAFile=ca.pem")), &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [2000, 2000, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(cluster.api().count(&index), 2000);

    for (sink, words) in [
        (front.sink("https", &index), "certificate"),
        (front.sink("https", &format!("{index}?tlsCAFile=stranger.pem")), "certificate"),
        (front.sink("http", &index), "elasticsearch+https://"),
        (cluster.sink(&index).replace("elasticsearch+http:", "elasticsearch+https:"), "TLS"),
    ] {
        let ran = refused(&place, &sink);
        assert!(ran.stderr.contains(words), "{sink}: {}", ran.stderr);
    }
    let missing = front.sink("https", &format!("{index}?tlsCAFile=missing.pem"));
    let ran = place.run("logator", &job(&missing, &[]), b"");
    assert!(ran.code == Some(2) && ran.stderr.contains("missing.pem"), "{ran:?}");
}

#[test]
#[ignore = "needs an Elasticsearch and nginx: run ./test"]
fn a_client_shows_its_certificate() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    certificates(&place.path("."));
    place.write("access.log", lines(0..100));
    let front = Front::start(&place, cluster.host(), true, "ssl_client_certificate ca.pem; ssl_verify_client on;");
    let index = cluster.name("client");
    let sink = |more: &str| front.sink("https", &format!("{index}?tlsCAFile=ca.pem{more}"));
    for (more, stored) in
        [("&tlsCertificateFile=client.pem&tlsKeyFile=client.key", 100), ("&tlsCertificateFile=both.pem", 0)]
    {
        let (ran, receipt) = run(&place, &sink(more), &[]);
        assert_eq!((ran.code, receipt.tally.stored), (Some(0), stored), "{}", ran.stderr);
    }
    // nginx answers in a page that a certificate is missing, or closes the connection.
    for more in ["", "&tlsCertificateFile=stranger.pem&tlsKeyFile=stranger.key"] {
        let ran = refused(&place, &sink(more));
        assert!(ran.stderr.contains("web page") || ran.stderr.contains("certificate"), "{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs an Elasticsearch and nginx: run ./test"]
fn a_password_is_accepted_or_refused_in_a_sentence_that_does_not_show_it() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    certificates(&place.path("."));
    place.write("access.log", lines(0..100));
    let guarded = "auth_basic logs; auth_basic_user_file users;";
    let front = Front::start(&place, cluster.host(), true, guarded);
    let index = cluster.name("basic");
    let sink = |login: &str| format!("elasticsearch+https://{login}127.0.0.1:{}/{index}?tlsCAFile=ca.pem", front.port);
    let (ran, receipt) = run(&place, &sink("ann:s3cr%3At%2Fword@"), &[]);
    assert_eq!((ran.code, receipt.tally.stored), (Some(0), 100), "{}", ran.stderr);
    assert!(!ran.stderr.contains("s3cr"), "{}", ran.stderr);
    for login in ["ann:wr0ng@", "bob:s3cr%3At%2Fword@", ""] {
        let ran = refused(&place, &sink(login));
        assert!(ran.stderr.contains("login is refused"), "{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs nginx: run ./test"]
fn a_page_for_people_is_told_at_the_start_and_waited_for_in_mid_run() {
    let mut server = BulkServer::start(Setup::default());
    let place = Workspace::new();
    place.write("access.log", lines(0..30_000));
    let elsewhere =
        "client_max_body_size 0; location /elsewhere/ { return 200 '<html>Welcome</html>'; default_type text/html; }";
    let front = Front::start(&place, &server.host(), false, elsewhere);
    for (rest, words) in [("elsewhere/i", "web page"), ("elsewhere/deep/i", "web page")] {
        let ran = refused(&place, &front.sink("http", rest));
        assert!(ran.stderr.contains(words) && !ran.stderr.contains("Welcome"), "{}", ran.stderr);
    }
    // nginx answers with a page while the server is away.
    let sink = front.sink("http", "access");
    let running = place.start("logator", &job(&sink, &["--sink-deadline", "none"]));
    server.wait_until("the first documents", |numbers| numbers.created > 3000);
    server.close();
    let mut running = running;
    running.says("web page (status 502)");
    server.reopen();
    let ran = running.end();
    let receipt = place.receipt("receipt");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [30_000, 30_000, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(server.documents("access").len(), 30_000);
}

#[test]
#[ignore = "needs an Elasticsearch and nginx: run ./test"]
fn bodies_that_a_proxy_refuses_are_halved_until_it_takes_them() {
    let cluster = AnyCluster::get();
    let place = Workspace::new();
    let long = lines(7..8).trim_end().replace("/page/", &format!("/{}/", "x".repeat(90_000)));
    place.write("access.log", format!("{}{long}\n{}", lines(0..3000), lines(3000..6000)));
    let front = Front::start(&place, cluster.host(), false, "client_max_body_size 80k;");
    let index = cluster.name("halved");
    let (ran, receipt) = run(&place, &front.sink("http", &format!("{index}?gzip=false")), &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(1), [6001, 6000, 0, 0, 1, 0]), "{}", ran.stderr);
    assert!(receipt.sinks[0].get("halved") > 0, "{:?}", receipt.sinks);
    assert_eq!(cluster.api().count(&index), 6000);
    let letters = dead_letters(&place);
    assert_eq!((letters.len(), letters[0]["reason"].as_str()), (1, Some("oversize")), "{letters:?}");
}
