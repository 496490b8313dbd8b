//! What becomes of a record: its bytes, its id, its headers.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use super::{counter, lines, objects, produce, run};
use crate::kit::kafka::AnyKafka;
use crate::kit::workspace::{Workspace, account};

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn every_record_is_stored_once_and_read_again_it_is_a_duplicate() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("records", 3, &[]);
    produce(&kafka, &topic, 3, 0..3000);
    let address = |group: &str| kafka.address(&format!("{topic}?group={}&until=end", kafka.name(group)));
    let (ran, receipt) = run(&place, &address("a"), "sqlite:db", &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [3000, 3000, 0, 0, 0, 0]), "{}", ran.stderr);
    assert_eq!(kafka.api().committed(&kafka.name("a"), &topic, 3), [Some(1000); 3]);
    // Another group reads everything again, and the documents are known.
    let (ran, receipt) = run(&place, &address("b"), "sqlite:db", &["-j", "1", "--batch-lines", "7"]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [3000, 0, 3000, 0, 0, 0]), "{}", ran.stderr);
    // The group goes on where it stopped.
    produce(&kafka, &topic, 3, 3000..3300);
    let (ran, receipt) = run(&place, &address("a"), "sqlite:db", &[]);
    assert_eq!((ran.code, account(&receipt)), (Some(0), [300, 300, 0, 0, 0, 0]), "{}", ran.stderr);
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn a_value_is_one_record_whatever_bytes_it_has_and_tombstones_are_filtered() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("values", 1, &[]);
    let values = [&b"one"[..], b"two\nlines", b"ends\n", b"ends\r\n", b"carriage\r", b"\xff\xfe\0", b"a\r\nb\r"];
    let due = ["one", "two\nlines", "ends", "ends", "carriage\r", "\u{fffd}\u{fffd}\0", "a\r\nb\r"];
    for value in values {
        kafka.kcat().produce_bytes(&topic, &["-p", "0"], value);
    }
    kafka.kcat().produce(&topic, &["-p", "0", "-K", ":", "-Z"], b"k:\n");
    let address = kafka.address(&format!("{topic}?group={}&until=end", kafka.name("g")));
    let pattern = ["-p", "(?<all>(?m:.*))", "--unmatched", "keep", "--to", "ndjson:out", "-j", "1"];
    let (ran, receipt) = place.logator(&[&[address.as_str()], &pattern[..]].concat(), b"");
    let texts: Vec<String> = objects(&place, "out")
        .iter()
        .map(|object| object["all"].as_str().or(object["message"].as_str()).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(texts, due, "{}", ran.stderr);
    let [read, .., dead, filtered] = account(&receipt);
    assert_eq!((ran.code, read, dead, filtered), (Some(0), 8, 0, 1));
    assert_eq!(counter(&receipt, "tombstones"), 1);
    assert_eq!(
        kafka.api().committed(&kafka.name("g"), &topic, 1),
        [Some(8)],
        "a tombstone at the end is committed too"
    );
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn an_id_in_a_header_is_kept_and_a_malformed_one_is_not_believed() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("headers", 1, &[]);
    let given = "00112233445566778899aabbccddeeff001122334455";
    for header in [
        format!("logator-id={given}"),
        format!("logator-id={}", &given[..42]),
        "logator-id=no id at all".to_owned(),
        "other=1".to_owned(),
    ] {
        kafka.kcat().produce(&topic, &["-p", "0", "-H", &header], lines(0..1).as_bytes());
    }
    // A name that is no text.
    let mut command = Command::new("kcat");
    command.args(["-b", kafka.host(), "-P", "-t", &topic, "-p", "0", "-H"]);
    command.arg(OsStr::from_bytes(b"\xff\xfe=1")).arg(place.write("value", lines(0..1).trim_end()));
    assert!(command.status().expect("kcat").success());
    let address = |group: &str| kafka.address(&format!("{topic}?group={}&until=end", kafka.name(group)));
    let (ran, receipt) = run(&place, &address("a"), "ndjson:out", &[]);
    assert_eq!((ran.code, account(&receipt)[0]), (Some(0), 5), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert_eq!(counter(&receipt, "bad_ids"), 3);
    let ids: Vec<String> =
        objects(&place, "out").iter().map(|object| object["_id"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!((ids[0].as_str(), ids.iter().collect::<BTreeSet<_>>().len()), (given, 5));
    // The ids of records without one do not depend on their neighbours in a batch.
    let (_, _) = run(&place, &address("b"), "ndjson:again", &["--batch-lines", "1"]);
    let again: Vec<String> =
        objects(&place, "again").iter().map(|object| object["_id"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(BTreeSet::from_iter(again), BTreeSet::from_iter(ids));
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn records_that_cannot_be_used_become_dead_letters_with_their_place_and_the_rest_goes_on() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("bad", 2, &[]);
    let kcat = kafka.kcat();
    kcat.produce(&topic, &["-p", "1"], lines(0..10).as_bytes());
    kcat.produce_bytes(&topic, &["-p", "1"], b"\xff no json");
    kcat.produce_bytes(&topic, &["-p", "1"], format!("{{\"number\":1,\"long\":\"{}\"}}", "x".repeat(3000)).as_bytes());
    kcat.produce(&topic, &["-p", "1"], lines(10..20).as_bytes());
    kcat.produce(&topic, &["-p", "1", "-H", "logator-id=00112233445566778899aabbccddeeff001122334455"], b"[1]");
    let group = kafka.name("g");
    let address = kafka.address(&format!("{topic}?group={group}&until=end&format=json"));
    let (ran, receipt) = run(&place, &address, "ndjson:out", &["--max-line", "2000"]);
    assert_eq!((ran.code, account(&receipt)), (Some(1), [23, 20, 0, 0, 3, 0]), "{}", ran.stderr);
    let letters = objects(&place, "dead-letters.ndjson");
    let found: Vec<_> = letters
        .iter()
        .map(|letter| (letter["reason"].as_str().unwrap_or_default(), letter["offset"].as_u64(), &letter["length"]))
        .collect();
    let length = serde_json::json!(3000 + 22);
    assert_eq!(found[0], ("undecodable", Some(10), &9.into()));
    assert_eq!(found[1], ("too_long", Some(11), &length));
    assert_eq!(found[2], ("undecodable", Some(22), &3.into()));
    assert_eq!(letters[0]["raw_base64"], "/yBubyBqc29u");
    assert_eq!(
        (&letters[0]["number"], &letters[2]["_id"]),
        (&10.into(), &"00112233445566778899aabbccddeeff001122334455".into())
    );
    for letter in &letters {
        let name = letter["origin"]["name"].as_str().unwrap_or_default();
        assert!(name.contains(&topic) && name.ends_with("partition 1"), "{name}");
    }
    assert_eq!(kafka.api().committed(&group, &topic, 2), [None, Some(23)]);
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn a_letter_of_a_worker_names_the_offset_of_its_record() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("letters", 1, &[]);
    let kcat = kafka.kcat();
    kcat.produce(
        &topic,
        &["-H", "logator-id=00112233445566778899aabbccddeeff001122334455"],
        b"{\"number\":1}\nno json\n",
    );
    kcat.produce(&topic, &[], b"no json either\n");
    let address = |group: &str| kafka.address(&format!("{topic}?group={}&until=end", kafka.name(group)));
    let offsets = |name: &str| -> Vec<u64> {
        objects(&place, name).iter().filter_map(|letter| letter["offset"].as_u64()).collect()
    };
    let more = ["--unmatched", "dead-letter", "--dead-letters", "run.letters"];
    let (ran, _) = run(&place, &address("a"), "ndjson:out", &more);
    assert_eq!((ran.code, offsets("run.letters")), (Some(1), vec![1, 2]), "{}", ran.stderr);
    // The same through a queue and its workers.
    let mut queue = place.queue(&[&address("b")]);
    let more = ["-f", "ndjson", "--unmatched", "dead-letter", "--dead-letters", "worker.letters", "--to", "ndjson:w"];
    let worker = place.worker(&more).end();
    queue.close_input();
    let queue = queue.end();
    assert_eq!(worker.code, Some(1), "{}", worker.stderr);
    assert_eq!(offsets("worker.letters"), [1, 2], "{}", queue.stderr);
    assert_eq!(kafka.api().committed(&kafka.name("b"), &topic, 1), [Some(3)], "{}", queue.stderr);
}
