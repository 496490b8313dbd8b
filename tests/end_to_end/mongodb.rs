//! One queue, two workers, a real MongoDB.

use logator::observe::receipt::Receipt;
use mongodb_driver::bson::{Bson, DateTime, doc};

use crate::kit::logs::access;
use crate::kit::mongod::AnyServer;
use crate::kit::workspace::{Workspace, account};
use ::mongodb as mongodb_driver;

const LINES: usize = 10_000;

/// The log. All but one of its lines match.
fn log() -> Vec<u8> {
    // After an access line, it would continue the record of that line.
    [b"this is no access line\n".to_vec(), access(0..LINES - 1)].concat()
}

/// Pipes the log through a queue to two workers, and returns the three receipts.
fn pipe(place: &Workspace, to: &str) -> [Receipt; 3] {
    let mut queue = place.queue(&["--batch-lines", "500"]);
    let worker = |receipt: &str| place.worker(&["-f", "combined", "--to", to, "--receipt", receipt]);
    let (first, second) = (worker("first.json"), worker("second.json"));
    queue.feed(&log());
    for ran in [queue.end(), first.end(), second.end()] {
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    ["queue.json", "first.json", "second.json"].map(|name| place.receipt(name))
}

fn sum(first: &Receipt, second: &Receipt) -> [u64; 6] {
    let (first, second) = (account(first), account(second));
    std::array::from_fn(|index| first[index] + second[index])
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn every_line_becomes_a_typed_document_once_however_often_it_is_run() {
    let place = Workspace::new();
    let server = AnyServer::get();
    let to = server.uri("access");
    let admin = server.admin();

    let [queue, first, second] = pipe(&place, &to);
    let expected = [LINES as u64, LINES as u64 - 1, 0, 1, 0, 0];
    assert_eq!(account(&queue), expected);
    assert_eq!(sum(&first, &second), expected, "the workers say the same together");
    assert_eq!(queue.bytes, log().len() as u64);
    assert_eq!(admin.count(server.database(), "access"), LINES as u64);

    let document = admin.find_one(server.database(), "access", doc! { "request": "/page/61" }).expect("page 61");
    assert_eq!(document.get("response"), Some(&Bson::Int64(200)));
    assert_eq!(document.get("bytes"), Some(&Bson::Int64(61 * 7 + 1)));
    let time = DateTime::parse_rfc3339_str("2025-10-10T11:01:01Z").unwrap();
    assert_eq!(document.get("@timestamp"), Some(&Bson::DateTime(time)));
    assert_eq!(document.get("clientip"), Some(&Bson::String("192.0.2.62".into())));
    assert_eq!(document.get("verb"), Some(&Bson::String("GET".into())));
    assert_eq!(document.get("agent"), Some(&Bson::String("Mozilla/5.0 (X11; Linux x86_64)".into())));
    let unmatched = admin.find_one(server.database(), "access", doc! { "tags": "_grokparsefailure" });
    assert_eq!(unmatched.expect("the line").get_str("message").ok(), Some("this is no access line"));
    let wrong = doc! { "response": { "$not": { "$type": "long" } }, "tags": { "$exists": false } };
    assert_eq!(admin.find_one(server.database(), "access", wrong), None);

    let [queue, first, second] = pipe(&place, &to);
    let expected = [LINES as u64, 0, LINES as u64, 0, 0, 0];
    assert_eq!(account(&queue), expected);
    assert_eq!(sum(&first, &second), expected);
    assert_eq!(admin.count(server.database(), "access"), LINES as u64);
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn run_and_the_distributed_way_give_the_same_documents() {
    let place = Workspace::new();
    let server = AnyServer::get();
    let to = server.uri("access");
    let (ran, receipt) = place.logator(&["-f", "combined", "--to", &to], &log());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&receipt), [LINES as u64, LINES as u64 - 1, 0, 1, 0, 0]);
    let [queue, ..] = pipe(&place, &to);
    assert_eq!(account(&queue), [LINES as u64, 0, LINES as u64, 0, 0, 0]);
}
