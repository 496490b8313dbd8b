//! Wrong addresses and missing servers give clear messages in time. No server is needed.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use logator::core::error::{Error, Kind};
use logator::sink::mongodb;

use crate::kit::free_port;

fn refusal(uri: &str) -> Error {
    mongodb::open(uri).err().unwrap_or_else(|| panic!("{uri} was opened"))
}

#[test]
fn a_server_that_is_not_there_is_named_in_good_time() {
    let port = free_port();
    let start = Instant::now();
    let error = refusal(&format!("mongodb://ann:hush@127.0.0.1:{port}/logs.access?serverSelectionTimeoutMS=700"));
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    assert_eq!(error.kind(), Kind::Sink);
    assert_eq!(
        error.to_string(),
        format!("mongodb://127.0.0.1:{port}: nobody answers within 0.7 s (127.0.0.1:{port}: connection refused)")
    );
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = refusal(&format!("mongodb://127.0.0.1:{port}/logs.access?serverSelectionTimeoutMS=700"));
    assert_eq!(error.kind(), Kind::Sink);
    assert!(error.to_string().contains("nobody answers within 0.7 s"), "{error}");
}

#[test]
fn a_write_concern_without_an_answer_is_refused() {
    let error = refusal("mongodb://127.0.0.1/logs.access?w=0");
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.to_string().contains("w=0 asks for no answer"), "{error}");
}

#[test]
fn wrong_addresses_are_usage_errors_without_the_password() {
    for (uri, words) in [
        ("mongodb://ann:hush@127.0.0.1:port/logs.access", "port"),
        ("mongodb://ann:hu/sh@127.0.0.1/logs.access", "URL encoded"),
        ("mongodb://ann:hush%zz@127.0.0.1/logs.access", "%"),
        ("mongodb://ann:hush@127.0.0.1/logs.access?wrong=1", "wrong"),
        ("mongodb://ann:hush@127.0.0.1/logs.access?w=-1", "negative"),
        ("mongodb://ann:hush@127.0.0.1/logs.access?tls=true&tlsCAFile=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("mongodb://ann:hush@127.0.0.1/logs.access?sinkDeadlineMS=never", "sinkDeadlineMS"),
    ] {
        let error = refusal(uri);
        assert_eq!(error.kind(), Kind::Usage, "{uri}: {error}");
        let error = error.to_string();
        assert!(error.contains(words), "{uri}: {error}");
        assert!(!error.contains("hush") && !error.contains("hu/sh"), "{uri}: {error}");
    }
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    let error = refusal("mongodb://no-such-host.invalid/logs.access?serverSelectionTimeoutMS=500");
    assert_eq!(error.kind(), Kind::Sink);
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}
