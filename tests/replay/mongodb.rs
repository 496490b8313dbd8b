//! Dead letters of a real MongoDB.

use mongodb_driver::bson::{Bson, doc};

use super::{documents, replayed};
use crate::kit::logs::access;
use crate::kit::mongod::AnyServer;
use crate::kit::workspace::{Workspace, account};
use ::mongodb as mongodb_driver;

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn what_a_validator_rejected_is_stored_once_the_validator_is_gone() {
    let place = Workspace::new();
    let server = AnyServer::get();
    let (admin, to) = (server.admin(), server.uri("checked"));
    let rule = doc! { "$jsonSchema": { "properties": { "bytes": { "bsonType": "long", "maximum": 1000_i64 } } } };
    admin.run(server.database(), doc! { "create": "checked", "validator": rule });
    place.write("in", access(0..500));
    let (ran, receipt) = place.logator(&["in", "-f", "combined", "--to", &to], b"");
    let [read, stored, .., dead, _] = account(&receipt);
    assert_eq!((ran.code, read, stored + dead), (Some(1), 500, 500), "{}", ran.stderr);
    assert!(stored > 100 && dead > 300, "{receipt:?}");
    let letters = place.objects("dead-letters.ndjson");
    assert!(letters.iter().all(|letter| letter["reason"] == "rejected"));
    assert!(letters[0]["detail"].as_str().unwrap().contains("Document failed validation"));

    // While the rule holds, the letters are rejected again.
    let letters = ["dead-letters.ndjson", "-f", "combined", "--to", &to];
    assert_eq!(replayed(&place, 1, &letters), [dead, 0, 0, 0, dead, 0]);
    admin.run(server.database(), doc! { "collMod": "checked", "validator": {} });
    assert_eq!(replayed(&place, 0, &letters), [dead, dead, 0, 0, 0, 0]);
    assert_eq!(replayed(&place, 0, &letters), [dead, 0, dead, 0, 0, 0]);
    let again = ["dead-letters-again.ndjson", "-f", "combined", "--to", &to, "--dead-letters", "third"];
    assert_eq!(replayed(&place, 0, &again), [dead, 0, dead, 0, 0, 0]);

    assert_eq!(admin.count(server.database(), "checked"), 500);
    place.logator(&["in", "-f", "combined", "--to", "ndjson:right"], b"");
    let documents = documents(&place, "right");
    for (id, expected) in &documents {
        let found = admin.find_one(server.database(), "checked", doc! { "_id": id }).expect("the document");
        assert_eq!(found.get("bytes").and_then(Bson::as_i64), expected["bytes"].as_i64());
        assert_eq!(found.get_str("request").ok(), expected["request"].as_str());
    }
}

#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn what_a_wrong_pattern_set_aside_is_stored_under_its_own_ids() {
    let place = Workspace::new();
    let server = AnyServer::get();
    let to = server.uri("access");
    place.write("in", access(0..3000));
    let wrong = ["in", "-p", "^%{IP:client} was here$", "--unmatched", "dead-letter", "--to", &to];
    let (ran, receipt) = place.logator(&wrong, b"");
    assert_eq!((ran.code, account(&receipt)), (Some(1), [3000, 0, 0, 0, 3000, 0]), "{}", ran.stderr);
    let letters = ["dead-letters.ndjson", "-f", "combined", "--to", &to];
    assert_eq!(replayed(&place, 0, &letters), [3000, 3000, 0, 0, 0, 0]);
    assert_eq!(replayed(&place, 0, &letters), [3000, 0, 3000, 0, 0, 0]);
    let (_, receipt) = place.logator(&["in", "-f", "combined", "--to", &to], b"");
    assert_eq!(account(&receipt), [3000, 0, 3000, 0, 0, 0], "a right run meets them all");
    assert_eq!(server.admin().count(server.database(), "access"), 3000);
}
