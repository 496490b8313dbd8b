//! What a source and a sink may ask for, all of it at once: the source for tests `contract:FILE` has ids of its own with gaps,
//! two interleaved streams, a header that changes, cursors, and takes batches back; the sink for tests wants a time, a key and
//! the header beside the documents, ends its calls in any order, refuses some documents for good and some for now. They need
//! the feature `contract-tests`.

use std::collections::{BTreeMap, BTreeSet};

use logator::core::record::{self, Key};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::kills::{Kills, until_done};
use crate::kit::workspace::Workspace;

const RECORDS: usize = 6_000;

/// The most records in a batch of the source.
const BATCH: usize = 7;

/// A record of the journal: a cursor of 8 bytes, of a stream whose name has one byte.
const CURSOR: u64 = 15 + 1 + 8;

/// The time of the first record in milliseconds, 2026-01-02 00:00:00 UTC; each record is a second later.
const FIRST_TIME: i64 = 1_767_312_000_000;

/// What a record of the source must become.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Expected {
    id: String,
    /// The header that is in force.
    header: Option<String>,
    stream: String,
    time: i64,
    /// Whether the sink of the tests refuses the document for good.
    refused: bool,
}

/// Writes a file of records, and returns what they must become.
fn write_records(place: &Workspace, seed: u64) -> BTreeSet<Expected> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut next, mut headers) = (BTreeMap::from([("a", 0), ("b", 1 << 40)]), BTreeMap::new());
    let (mut content, mut expected) = (String::new(), BTreeSet::new());
    for nth in 0..RECORDS {
        let stream = if random.bool() { "a" } else { "b" };
        let number = next.get_mut(stream).unwrap();
        *number += random.u64(1..5);
        if random.u8(..) < 10 {
            headers.insert(stream, format!("#Fields:{nth}"));
        }
        let word = ["never", "later", "later"].get(random.usize(..50)).unwrap_or(&"GET");
        // A pattern sees the first line of a record, so the first line is whole.
        let more = if random.u8(..) < 20 { "\\n  continued" } else { "" };
        let time = format!("{:02}:{:02}:{:02}", nth / 3600, nth / 60 % 60, nth % 60);
        let request = format!("\"{word} /{nth} HTTP/1.1\" 200 1 \"-\" \"agent\"{more}");
        let text = format!("127.0.0.1 {stream} - [02/Jan/2026:{time} +0000] {request}");
        let header = headers.get(stream);
        content += &format!("{stream} {number} {} {text}\n", header.map_or("-", String::as_str));
        let hash = record::hash(text.replace("\\n", "\n").as_bytes());
        let id = Key::Number(*number).id(xxh3_64(format!("contract:{stream}").as_bytes()), hash);
        expected.insert(Expected {
            id: id.to_string(),
            header: header.map(|header| format!("{header}\n")),
            stream: stream.to_owned(),
            time: FIRST_TIME + nth as i64 * 1000,
            refused: *word == "never",
        });
    }
    place.write("records", content);
    assert_eq!(expected.len(), RECORDS);
    expected
}

/// The ids of all documents in the database, and their number.
fn ids(place: &Workspace) -> (BTreeSet<String>, usize) {
    let database = rusqlite::Connection::open(place.path("logs.db")).unwrap();
    let mut rows = database.prepare("select _id from logs").unwrap();
    let ids: Vec<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    (ids.iter().cloned().collect(), ids.len())
}

fn of(expected: &BTreeSet<Expected>) -> (BTreeSet<String>, usize) {
    (expected.iter().map(|expected| expected.id.clone()).collect(), RECORDS)
}

fn text(object: &Value, name: &str) -> Option<String> {
    object[name].as_str().map(str::to_owned)
}

/// Asserts that the sink of the tests has each record once, except those that it refuses for good; these are dead letters.
fn assert_stored_once(place: &Workspace, expected: &BTreeSet<Expected>) {
    let objects = place.objects("stored");
    let stored: BTreeSet<Expected> = objects
        .iter()
        .map(|object| Expected {
            id: text(object, "id").unwrap(),
            header: text(object, "header"),
            stream: text(object, "key").unwrap(),
            time: object["time"].as_i64().unwrap(),
            refused: false,
        })
        .collect();
    assert_eq!(objects.len(), stored.len(), "a document is there twice");
    let bodies = objects.iter().map(|object| &object["body"]);
    assert!(bodies.into_iter().all(|body| body["_id"].is_null() && body["request"].is_string()));
    let letters: BTreeSet<_> =
        place.objects("letters").iter().map(|letter| (text(letter, "_id"), text(letter, "header"))).collect();
    let (refused, others): (BTreeSet<_>, BTreeSet<_>) = expected.iter().cloned().partition(|expected| expected.refused);
    assert_eq!(stored, others);
    assert!(refused.len() > 50, "the records try refusals");
    assert_eq!(letters, refused.into_iter().map(|refused| (Some(refused.id), refused.header)).collect());
}

const FORMAT: [&str; 4] = ["-f", "combined", "--to", "sqlite:logs.db"];

const TO_CONTRACT: [&str; 6] = ["-f", "combined", "--to", "contract:stored", "--dead-letters", "letters"];

#[test]
fn a_run_that_is_killed_again_and_again_goes_on_at_the_cursors_of_its_streams() {
    let place = Workspace::new();
    let expected = write_records(&place, 1);
    let common = ["run", "contract:records", "--state", "state", "-j", "2", "--receipt", "receipt"];
    let arguments = [&common[..], &TO_CONTRACT].concat();
    let kills = Kills { most: 20, record: CURSOR, records: RECORDS / BATCH / 2 };
    let (killed, ran) = until_done(&place, 1, &kills, |_| place.start("logator", &arguments));
    assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
    assert_eq!(killed, kills.most, "killed in the middle");
    assert_stored_once(&place, &expected);
    let receipt = place.receipt("receipt");
    assert!((receipt.read as usize) < RECORDS, "the last run went on where the others had come: {receipt:?}");
}

#[test]
fn a_queue_that_is_killed_again_and_again_goes_on_at_the_cursors_of_its_streams() {
    let place = Workspace::new();
    let expected = write_records(&place, 2);
    let mut workers = vec![place.worker(&TO_CONTRACT), place.worker(&TO_CONTRACT)];
    let arguments = ["contract:records", "--state", "state", "--lease", "2", "--linger", "3"];
    let kills = Kills { most: 20, record: CURSOR, records: RECORDS / BATCH / 2 };
    let (killed, ran) = until_done(&place, 2, &kills, |random| {
        if random.bool() {
            let nth = random.usize(..workers.len());
            workers[nth].kill();
            workers[nth] = place.worker(&TO_CONTRACT);
        }
        place.queue(&arguments)
    });
    assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
    assert_eq!(killed, kills.most, "killed in the middle");
    for worker in workers {
        assert!(matches!(worker.end().code, Some(0 | 1)));
    }
    assert_stored_once(&place, &expected);
}

#[test]
fn dead_letters_have_the_number_and_the_header_that_was_in_force() {
    let place = Workspace::new();
    let expected = write_records(&place, 3);
    let arguments = ["contract:records", "-p", "^nothing", "--unmatched", "dead-letter", "--dead-letters", "letters"];
    let (ran, receipt) = place.logator(&[&arguments[..], &["--to", "null:"]].concat(), b"");
    assert_eq!((ran.code, receipt.tally.dead_lettered as usize), (Some(1), RECORDS), "{}", ran.stderr);
    let letters = place.objects("letters");
    let letters: BTreeSet<_> = letters.iter().map(|letter| (text(letter, "_id"), text(letter, "header"))).collect();
    assert_eq!(letters, expected.iter().cloned().map(|expected| (Some(expected.id), expected.header)).collect());
    let replay = [&["replay", "letters"][..], &FORMAT].concat();
    assert_eq!(place.run("logator", &replay, b"").code, Some(0));
    assert_eq!(ids(&place), of(&expected));
}

#[test]
fn after_a_stop_a_source_takes_back_what_no_worker_has_and_the_next_run_reads_it() {
    let place = Workspace::new();
    let expected = write_records(&place, 4);
    let common = ["contract:records", "--state", "state", "--linger", "0"];
    let queue = place.queue(&[&common[..], &["--max-memory", "64KiB"]].concat());
    queue.signal(nix::sys::signal::Signal::SIGTERM);
    let ran = queue.end_with_input_open();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let receipt = place.receipt("queue.json");
    assert_eq!((receipt.read, receipt.left), (0, 0), "nothing was read for the account: {receipt:?}");
    let queue = place.queue(&common);
    let worker = place.worker(&FORMAT);
    assert_eq!((queue.end_with_input_open().code, worker.end().code), (Some(0), Some(0)));
    assert_eq!(ids(&place), of(&expected));
}
