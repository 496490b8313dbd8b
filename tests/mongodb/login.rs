//! Logins and TLS.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use logator::core::error::Kind;
use logator::document::Documents;
use logator::sink::{Outcome, mongodb};
use mongodb_driver::bson::doc;

use super::{all, open, plain, store};
use crate::kit::mongod::{Mongod, Setup};
use crate::kit::temp_dir;
use ::mongodb as mongodb_driver;

/// Starts a server with three users: `root`, `writer` (of `logs`, defined in `admin`) and `reader` (defined in `logs`).
fn guarded() -> Mongod {
    let server = Mongod::start(Setup { auth: true, ..Setup::default() });
    let everything = vec!["root"];
    // The localhost exception allows making the first user without a login.
    server.admin().run("admin", doc! { "createUser": "root", "pwd": "all-s3cret", "roles": everything });
    let root = format!("mongodb://root:all-s3cret@{}/admin?directConnection=true", server.host());
    let root = crate::kit::mongod::Admin::connect(&root);
    let roles = [doc! { "role": "readWrite", "db": "logs" }];
    root.run("admin", doc! { "createUser": "writer", "pwd": "p@ss/w0rd", "roles": roles.to_vec() });
    let roles = [doc! { "role": "read", "db": "logs" }];
    root.run("logs", doc! { "createUser": "reader", "pwd": "only-look", "roles": roles.to_vec() });
    server
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn a_refused_login_is_told_at_once_and_shows_no_password() {
    let server = guarded();
    let host = server.host();
    for (uri, words) in [
        (format!("mongodb://writer:wr0ng-s3cret@{host}/logs.access?authSource=admin"), "Authentication failed"),
        (format!("mongodb://writer:p%40ss%2Fw0rd@{host}/logs.access"), "add authSource=admin"),
        (format!("mongodb://{host}/logs.access"), "requires authentication"),
    ] {
        let start = Instant::now();
        let error = mongodb::open(&uri).err().unwrap_or_else(|| panic!("{uri} was opened"));
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        assert_eq!(error.kind(), Kind::Sink);
        let error = error.to_string();
        assert!(error.contains("the login is refused") && error.contains(words), "{error}");
        for secret in ["wr0ng-s3cret", "p@ss/w0rd", "p%40ss%2Fw0rd"] {
            assert!(!error.contains(secret), "{error}");
        }
    }
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn a_login_is_looked_up_in_auth_source_or_in_the_database_of_the_path() {
    let server = guarded();
    let host = server.host();
    let sink = open(&format!("mongodb://writer:p%40ss%2Fw0rd@{host}/logs.access?authSource=admin"));
    assert_eq!(sink.name(), format!("mongodb://***@{host}/logs.access"));
    all(&store(&*sink, &plain(0..10)), &Outcome::Stored);
    all(&store(&*open(&format!("mongodb://root:all-s3cret@{host}/")), &plain(0..10)), &Outcome::Stored);

    // This user is defined in `logs` and found there, and may not write. Single documents have no outcome.
    let reader = open(&format!("mongodb://reader:only-look@{host}/logs.access"));
    let documents: Documents = plain(0..10);
    let mut outcomes = Vec::new();
    let error = reader.store(&documents, &mut outcomes).expect_err("a reader cannot write");
    assert_eq!(error.kind(), Kind::Sink);
    assert!(error.to_string().contains("not authorized"), "{error}");
    assert!(outcomes.is_empty() && !error.to_string().contains("only-look"), "{error}");
}

/// Makes a certificate authority and a certificate for 127.0.0.1 that it signed.
fn certificates(directory: &Path) {
    let script = r#"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority \
    -keyout ca.key -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server -keyout s.key -out s.csr
printf 'subjectAltName=IP:127.0.0.1\n' > ext
openssl x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out s.crt
cat s.key s.crt > server.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=stranger \
    -keyout other.key -out other.pem
"#;
    let output = Command::new("sh").args(["-ec", script]).current_dir(directory).output().expect("sh");
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn tls_is_spoken_and_its_failures_are_told_at_once() {
    let directory = temp_dir();
    certificates(directory.path());
    let file = |name: &str| directory.path().join(name).display().to_string();
    let trusting = format!("tls=true&tlsCAFile={}", file("ca.pem"));
    let options = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", &file("server.pem"), "--tlsCAFile"]
        .into_iter()
        .chain([file("ca.pem").as_str(), "--tlsAllowConnectionsWithoutCertificates"])
        .map(str::to_owned)
        .collect();
    let server = Mongod::start(Setup { options, client_options: trusting.clone(), ..Setup::default() });
    all(&store(&*open(&server.uri(&format!("logs.access?{trusting}"))), &plain(0..10)), &Outcome::Stored);

    let plain_server = Mongod::standalone();
    for uri in [
        server.uri(&format!("logs.access?tls=true&tlsCAFile={}", file("other.pem"))),
        server.uri("logs.access?tls=true"),
        plain_server.uri(&format!("logs.access?{trusting}")),
    ] {
        let start = Instant::now();
        let error = mongodb::open(&uri).err().unwrap_or_else(|| panic!("{uri} was opened"));
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}: {error}", start.elapsed());
        assert!(error.kind() == Kind::Sink && error.to_string().contains("TLS failed"), "{uri}: {error}");
    }
    let error = mongodb::open(&server.uri("logs.access?serverSelectionTimeoutMS=500")).err().expect("TLS is required");
    assert!(error.to_string().contains("nobody answers"), "{error}");
}

/// The password comes from a file or the environment, with characters that an address would have to escape. Neither the
/// command line of the process nor its output contains it.
#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn a_password_from_a_file_or_the_environment_is_nowhere_to_be_seen() {
    let server = guarded();
    let place = crate::kit::workspace::Workspace::new();
    place.write("password", "p@ss/w0rd\n");
    let from_file = format!("${{file:{}}}", place.path("password").display());
    for (secret, collection) in [(from_file.as_str(), "one"), ("${PASSWORD_OF_THE_TEST}", "two")] {
        let uri = format!("mongodb://writer:{secret}@{}/logs.{collection}?authSource=admin", server.host());
        let mut command = place.command("logator", &["run", "-f", "combined", "--to", &uri, "--receipt", "receipt"]);
        command.env("PASSWORD_OF_THE_TEST", "p@ss/w0rd");
        let mut run = crate::kit::workspace::Running::start(command);
        let seen = crate::kit::wait_for("its command line", crate::kit::PATIENCE, || {
            let seen = std::fs::read(format!("/proc/{}/cmdline", run.id())).unwrap();
            (!seen.is_empty()).then_some(seen)
        });
        run.feed(&crate::kit::logs::access(0..10));
        let ran = run.end();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(String::from_utf8_lossy(&seen).contains(&uri), "{seen:?}");
        let told = format!("{}{}{}{}", String::from_utf8_lossy(&seen), ran.stdout, ran.stderr, place.text("receipt"));
        for password in ["p@ss/w0rd", "p%40ss%2Fw0rd"] {
            assert!(!told.contains(password), "{told}");
        }
        assert_eq!(crate::kit::workspace::account(&place.receipt("receipt"))[..2], [10, 10]);
    }
}
