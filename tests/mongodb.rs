//! The promises of the MongoDB sink, with a real server.

mod address;
mod faults;
mod login;

use std::sync::Arc;

use logator::core::record::{Key, RecordId};
use logator::document::Documents;
use logator::sink::{Encoding, Outcome, Sink, mongodb};
use mongodb_driver::bson::{Document, RawDocumentBuf, doc, rawdoc};

use crate::kit::mongod::AnyServer;
use ::mongodb as mongodb_driver;

/// Opens the sink.
fn open(uri: &str) -> Arc<dyn Sink> {
    mongodb::open(uri).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the `_id` of the line at `offset`.
fn id(offset: u64) -> RecordId {
    Key::Offset(offset).id(1, offset)
}

/// Returns documents with these bytes.
fn encoded(documents: impl IntoIterator<Item = RawDocumentBuf>) -> Documents {
    let mut buffer = Documents::new(Encoding::Bson);
    for (line, document) in documents.into_iter().enumerate() {
        buffer.push(line as u32, id(line as u64), |bytes| {
            bytes.extend_from_slice(document.as_bytes());
            true
        });
    }
    buffer
}

/// Returns `fields` for each offset, with its `_id` in front.
fn lines(offsets: std::ops::Range<u64>, fields: impl Fn(u64) -> Document) -> Documents {
    encoded(offsets.map(|offset| {
        let mut document = doc! { "_id": id(offset).to_string() };
        document.extend(fields(offset));
        RawDocumentBuf::try_from(&document).expect("a document of ours")
    }))
}

/// Returns plain documents, one for each offset.
fn plain(offsets: std::ops::Range<u64>) -> Documents {
    lines(offsets, |offset| doc! { "message": format!("line at {offset}"), "bytes": offset as i64 })
}

/// Stores documents and returns the outcomes.
fn store(sink: &dyn Sink, documents: &Documents) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::Duplicate; 3];
    sink.store(documents, &mut outcomes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(outcomes.len(), documents.len(), "one outcome for each document");
    outcomes
}

fn all(outcomes: &[Outcome], expected: &Outcome) {
    let other = outcomes.iter().position(|outcome| outcome != expected);
    assert_eq!(other.map(|index| (index, &outcomes[index])), None, "all {} are {expected:?}", outcomes.len());
}

fn count(outcomes: &[Outcome], expected: &Outcome) -> usize {
    outcomes.iter().filter(|outcome| *outcome == expected).count()
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn a_document_is_stored_once_and_is_a_duplicate_from_then_on() {
    let server = AnyServer::get();
    let sink = open(&server.uri("access"));
    all(&store(&*sink, &plain(0..100)), &Outcome::Stored);
    all(&store(&*sink, &plain(0..100)), &Outcome::Duplicate);
    let mixed = store(&*sink, &plain(90..110));
    all(&mixed[..10], &Outcome::Duplicate);
    all(&mixed[10..], &Outcome::Stored);
    assert_eq!(server.admin().count(server.database(), "access"), 110);
    assert!(store(&*sink, &plain(0..0)).is_empty());
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn types_arrive_as_they_were_encoded() {
    let server = AnyServer::get();
    let document = rawdoc! {
        "_id": id(0).to_string(),
        "text": "Grüße\u{0}€",
        "bytes": 4_294_967_296_i64,
        "time": 0.25,
        "secure": true,
        "@timestamp": mongodb_driver::bson::DateTime::from_millis(1_431_857_103_123),
        "http": { "request": { "method": "GET" } },
        "tags": ["a", "b"],
    };
    all(&store(&*open(&server.uri("types")), &encoded([document.clone()])), &Outcome::Stored);
    let found = server.admin().find_one(server.database(), "types", doc! {}).expect("the document");
    assert_eq!(found, Document::try_from(document).unwrap());
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn another_unique_index_rejects_in_the_servers_words() {
    let server = AnyServer::get();
    let index = doc! { "key": { "user": 1 }, "name": "one_each", "unique": true };
    server.admin().run(server.database(), doc! { "createIndexes": "people", "indexes": [index] });
    let outcomes = store(&*open(&server.uri("people")), &lines(0..3, |offset| doc! { "user": (offset / 2) as i64 }));
    assert_eq!((&outcomes[0], &outcomes[2]), (&Outcome::Stored, &Outcome::Stored));
    let Outcome::Rejected(words) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert!(words.contains("one_each") && words.contains("11000"), "{words}");
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn a_validator_rejects_one_document_and_its_neighbours_are_stored() {
    let server = AnyServer::get();
    let rule = doc! { "$jsonSchema": { "properties": { "status": { "bsonType": "long", "maximum": 599_i64 } } } };
    server.admin().run(server.database(), doc! { "create": "checked", "validator": rule });
    let documents = lines(0..5, |offset| doc! { "status": if offset == 2 { 999_i64 } else { 200 } });
    let outcomes = store(&*open(&server.uri("checked")), &documents);
    assert_eq!(count(&outcomes, &Outcome::Stored), 4);
    let Outcome::Rejected(words) = &outcomes[2] else { panic!("{outcomes:?}") };
    assert!(words.contains("Document failed validation (code 121)") && words.contains("maximum"), "{words}");
    assert_eq!(server.admin().count(server.database(), "checked"), 4);
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn a_document_over_16_mib_is_caught_and_one_of_exactly_16_mib_is_stored() {
    const LIMIT: usize = 16 * 1024 * 1024;
    let server = AnyServer::get();
    let of_size = |offset: u64, size: usize| {
        let empty = rawdoc! { "_id": id(offset).to_string(), "message": "" };
        let padding = "x".repeat(size - empty.as_bytes().len());
        rawdoc! { "_id": id(offset).to_string(), "message": padding }
    };
    let documents = [of_size(0, LIMIT), of_size(1, LIMIT + 1), of_size(2, 100)];
    assert_eq!(documents[0].as_bytes().len(), LIMIT);
    let outcomes = store(&*open(&server.uri("large")), &encoded(documents));
    assert_eq!((&outcomes[0], &outcomes[2]), (&Outcome::Stored, &Outcome::Stored));
    let Outcome::Oversize(words) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert_eq!(words, "the document has 16777217 bytes; the server takes 16777216 at most");
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn more_than_one_command_takes_is_sent_as_several() {
    let server = AnyServer::get();
    let padding = "x".repeat(1024 * 1024);
    let documents = lines(0..40, |_| doc! { "message": &padding });
    all(&store(&*open(&server.uri("wide")), &documents), &Outcome::Stored);
    assert_eq!(server.admin().count(server.database(), "wide"), 40);
    let sink = open(&server.uri("long"));
    let documents = lines(0..20_003, |_| doc! {});
    all(&store(&*sink, &documents), &Outcome::Stored);
    // After the first megabyte of errors, a server leaves out their texts. The sink still distinguishes the errors.
    all(&store(&*sink, &documents), &Outcome::Duplicate);
    assert_eq!(server.admin().count(server.database(), "long"), 20_003);
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn a_document_the_server_cannot_read_is_rejected_alone() {
    let server = AnyServer::get();
    let mut deep = doc! {};
    for _ in 0..250 {
        deep = doc! { "a": deep };
    }
    let documents = lines(0..9, |offset| {
        if offset == 5 {
            doc! { "deep": &deep }
        } else {
            doc! {}
        }
    });
    let outcomes = store(&*open(&server.uri("deep")), &documents);
    assert_eq!(count(&outcomes, &Outcome::Stored), 8, "{outcomes:?}");
    assert!(matches!(&outcomes[5], Outcome::Rejected(words) if words.contains("depth")), "{outcomes:?}");
    assert_eq!(server.admin().count(server.database(), "deep"), 8);
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn threads_share_one_sink() {
    let server = AnyServer::get();
    let sink = open(&server.uri("shared"));
    let sink = &*sink;
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for batch in 0..10 {
                    let start = (thread * 10 + batch) * 50;
                    all(&store(sink, &plain(start..start + 50)), &Outcome::Stored);
                }
            });
        }
    });
    assert_eq!(server.admin().count(server.database(), "shared"), 4000);
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn the_write_concern_is_majority_unless_the_address_says_otherwise() {
    let server = AnyServer::get();
    let admin = server.admin();
    admin.run(server.database(), doc! { "profile": 2 });
    for (collection, options, expected) in [
        ("a", "", doc! { "w": "majority" }),
        ("b", "&w=1&wtimeoutMS=900", doc! { "w": 1_i64, "j": true, "wtimeout": 900_i64 }),
        ("c", "&w=1&journal=false", doc! { "w": 1_i64, "j": false }),
        ("d", "&w=majority&journal=true", doc! { "w": "majority", "j": true }),
    ] {
        all(&store(&*open(&format!("{}{options}", server.uri(collection))), &plain(0..1)), &Outcome::Stored);
        let seen = admin
            .find_one(server.database(), "system.profile", doc! { "op": "insert", "command.insert": collection })
            .unwrap_or_else(|| panic!("no insert into {collection} in the profile"));
        let command = seen.get_document("command").unwrap();
        let concern = command.get_document("writeConcern").unwrap();
        for (key, value) in &expected {
            assert_eq!(concern.get(key).map(comparable), Some(comparable(value)), "{collection}: {command}");
        }
    }
    admin.run(server.database(), doc! { "profile": 0 });
}

/// Numbers of different widths are equal.
fn comparable(value: &mongodb_driver::bson::Bson) -> String {
    match value.as_i32() {
        Some(number) => number.to_string(),
        None => value.to_string(),
    }
}
