//! TLS and logins, on a broker that asks for both.

use super::twice;
use crate::kit::certificates;
use crate::kit::kafka::Kafka;
use crate::kit::logs::access;
use crate::kit::workspace::{Workspace, account};

#[test]
#[ignore = "needs a Kafka of its own and kcat: run ./test"]
fn tls_and_logins_work_and_what_is_refused_is_told_without_secrets() {
    let place = Workspace::new();
    certificates::make(&place.path("."), "client");
    let kafka = Kafka::start_secure(&place.path("."), "s3cr:t/word", &[]);
    kafka.api().create("logs", 2, &[]);
    place.write("access.log", access(0..100));
    place.write("password", "s3cr:t/word\n");
    let address = |login: &str, rest: &str| format!("kafka://{login}{}/logs?{rest}", kafka.secure_host());
    let (right, ca) = ("ann:s3cr%3At%2Fword@", "ssl.ca.location=ca.pem");
    let mut written = 0;
    for to in [
        address(right, ca),
        address(right, &format!("{ca}&sasl.mechanism=SCRAM-SHA-256")),
        address("", &format!("{ca}&security.protocol=sasl_ssl&sasl.username=ann&sasl.password=${{file:password}}")),
    ] {
        let (ran, receipt) = place.logator(&["access.log", "-f", "combined", "--to", &to], b"");
        assert_eq!((ran.code, account(&receipt)), (Some(0), [100, 100, 0, 0, 0, 0]), "{to}: {}", ran.stderr);
        written += 100;
    }
    let from = address(right, &format!("{ca}&group=g&until=end&format=json"));
    let (ran, receipt) = place.logator(&[&from, "-f", "ndjson", "--to", "sqlite:logs.db"], b"");
    // Each document was written three times with the same id.
    assert_eq!((ran.code, account(&receipt)), (Some(0), [300, 100, 200, 0, 0, 0]), "{}", ran.stderr);
    for (login, rest, words) in [
        ("ann:wr0ng@", ca.to_owned(), "uthentication"),
        ("ann:wr0ng@", format!("{ca}&sasl.mechanism=SCRAM-SHA-256"), "uthentication"),
        (right, String::new(), "certificate"),
        (right, "ssl.ca.location=stranger.pem".to_owned(), "certificate"),
    ] {
        for to in [address(login, &rest), address(login, &format!("{rest}&group=h&until=end"))] {
            let arguments = match to.contains("group=") {
                true => ["run", &to, "-f", "combined", "--to", "ndjson:none"],
                false => ["run", "access.log", "-f", "combined", "--to", &to],
            };
            let ran = place.run("logator", &arguments, b"");
            assert_eq!(ran.code, Some(3), "{rest}: {}", ran.stderr);
            assert!(ran.stderr.contains(words), "{rest}: {}", ran.stderr);
            assert!(!ran.stderr.contains("s3cr") && !ran.stderr.contains("wr0ng"), "{}", ran.stderr);
        }
    }
    let records = kafka.kcat().consume("logs");
    assert_eq!((records.len(), twice(&records)), (written, written - 100));
}
