//! Payloads that are no values, or that want more memory, time or depth than a value may take.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::avro::binary::write_long;
use crate::avro::decode::decode;
use crate::avro::frame::SchemaKey;
use crate::avro::reader::{NoSchema, SchemaSource};
use crate::avro::{OwnSchemas, Reader, Schema, Undecoded};
use crate::document::Refusal;

const MOST: usize = 1 << 16;

fn refused(schema: &Value, payload: &[u8]) -> String {
    let schema = Schema::parse(&schema.to_string()).unwrap();
    let mut out = b"before".to_vec();
    let fault = decode(&schema, payload, 0, MOST, &mut out).unwrap_err();
    assert_eq!(out, b"before", "nothing is left of a payload that is refused");
    format!("{} {} {}", fault.at, fault.path, fault.words)
}

fn longs(values: &[i64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| write_long(*value, &mut bytes));
    bytes
}

fn record(kind: &Value) -> Value {
    json!({"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": kind}]})
}

#[test]
fn a_payload_that_is_no_value_is_refused_with_the_place() {
    let inner = json!({"type": "record", "name": "i", "fields": [{"name": "c", "type": "string"}]});
    for (kind, payload, words) in [
        (json!("string"), longs(&[1]), "1 b the payload ends before a string"),
        (json!("string"), longs(&[1, i64::MAX]), "a string has 9223372036854775807 bytes, but only 0 are left"),
        (json!("string"), longs(&[1, i64::MIN]), "1 b a string has the length -9223372036854775808"),
        (json!("string"), [longs(&[1, 3]), b"a\xffb".to_vec()].concat(), "3 b a string is not UTF-8"),
        (inner, [longs(&[1, 2]), b"\xc3(".to_vec()].concat(), "2 b.c a string is not UTF-8"),
        (json!("bytes"), longs(&[1, 1 << 40]), "has 1099511627776 bytes, but only 0 are left"),
        (json!("boolean"), longs(&[1, 1]), "1 b a boolean is the byte 2, not 0 or 1"),
        (json!("int"), longs(&[1, 1 << 40]), "1 b an int is 1099511627776, which is no integer of 32 bits"),
        (json!("long"), [longs(&[1]), vec![0xff; 10]].concat(), "1 b a long is an integer of more than 64 bits"),
        (json!("float"), [longs(&[1]), f32::NAN.to_le_bytes().to_vec()].concat(), "1 b a number is NaN, which JSON"),
        (json!("double"), [longs(&[1]), f64::NEG_INFINITY.to_le_bytes().to_vec()].concat(), "1 b a number is -inf"),
        (json!("double"), [longs(&[1]), vec![0; 7]].concat(), "1 b a double has 8 bytes, but only 7 are left"),
        (json!({"type": "fixed", "name": "f", "size": 1_000_000_000}), longs(&[1]), "a fixed has 1000000000 bytes"),
        (
            json!({"type": "enum", "name": "e", "symbols": ["A"]}),
            longs(&[1, 1]),
            "1 b an enum of 1 symbols has the number 1",
        ),
        (json!({"type": "enum", "name": "e", "symbols": ["A"]}), longs(&[1, -1]), "has the number -1"),
        (json!(["null"]), longs(&[1, 1]), "1 b a union of 1 branches has the branch 1"),
        (json!(["null"]), longs(&[1, i64::MIN]), "has the branch -9223372036854775808"),
        (json!([]), longs(&[1, 0]), "a union of 0 branches"),
        (json!("null"), longs(&[1, 0]), "1  one more byte follows the value"),
        (json!("null"), longs(&[1, 0, 0, 0]), "1  3 more bytes follow the value"),
        (json!({"type": "array", "items": "int"}), longs(&[1, 2, 5]), "3 b the payload ends before an int"),
        (json!({"type": "array", "items": "int"}), longs(&[1, i64::MAX, 5]), "the payload ends before an int"),
        (
            json!({"type": "array", "items": "int"}),
            longs(&[1, -1, 9, 5, 0]),
            "2 b a block of an array has 9 bytes, but 2 are left",
        ),
        (json!({"type": "array", "items": "int"}), longs(&[1, -1, -9, 5, 0]), "has -9 bytes"),
        (
            json!({"type": "array", "items": "int"}),
            longs(&[1, -1, 2, 5, 0]),
            "1 b a block of an array ends at byte 5, but its items end at byte 4",
        ),
        (json!({"type": "map", "values": "int"}), longs(&[1, i64::MIN, 1, 0, 0]), "the payload ends before a key"),
        (
            json!({"type": "map", "values": "int"}),
            [longs(&[1, 1, 1]), vec![0xff, 0, 0]].concat(),
            "3 b a key of a map is not UTF-8",
        ),
    ] {
        let schema = record(&kind);
        let found = refused(&schema, &payload);
        assert!(found.contains(words), "{schema}: {found}");
    }
}

#[test]
fn values_that_take_no_bytes_are_bounded_by_the_size_of_the_document() {
    let empty = json!({"type": "record", "name": "e", "fields": []});
    for items in [json!("null"), empty, json!({"type": "fixed", "name": "f", "size": 0})] {
        let schema = json!({"type": "array", "items": items});
        for payload in [longs(&[i64::MAX]), longs(&[i64::MIN, 0])] {
            let found = refused(&schema, &payload);
            assert!(found.contains("larger than 65.5 kB"), "{schema}: {found}");
        }
    }
    let many = json!({"type": "array", "items": {"type": "array", "items": "null"}});
    let payload: Vec<u8> = (0..100).fold(longs(&[100]), |all, _| [all, longs(&[1 << 40])].concat());
    assert!(refused(&many, &payload).contains("larger than 65.5 kB"));
}

#[test]
fn depth_is_bounded_with_and_without_bytes() {
    let endless = json!({"type": "record", "name": "r", "fields": [{"name": "r", "type": "r"}]});
    assert!(refused(&endless, &[]).contains("nested more than 128 levels deep"));
    let list = json!({"type": "record", "name": "r", "fields": [{"name": "r", "type": ["null", "r"]}]});
    assert!(refused(&list, &[2; 100_000]).contains("nested more than 128 levels deep"));
    let tree = json!({"type": "map", "values": [{"type": "array", "items": "null"}, "string"]});
    assert!(refused(&tree, &longs(&[1, 0, 0, i64::MAX])).contains("larger than 65.5 kB"));
    let fits = Schema::parse(&list.to_string()).unwrap();
    let payload = [vec![2; 127], vec![0]].concat();
    assert!(decode(&fits, &payload, 0, MOST, &mut Vec::new()).is_ok());
}

/// Answers as its list says, and counts the questions.
struct Told(Vec<NoSchema>, std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl SchemaSource for Told {
    fn schema(&mut self, _: SchemaKey) -> Result<std::sync::Arc<Schema>, NoSchema> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        match self.0.pop() {
            Some(none) => Err(none),
            None => Ok(std::sync::Arc::new(Schema::parse("\"int\"").unwrap())),
        }
    }
}

#[test]
fn a_registry_that_is_away_refuses_no_payload_and_an_unknown_schema_is_asked_for_once() {
    let asked = std::sync::Arc::default();
    let told = vec![NoSchema::Unknown("no schema 8".into()), NoSchema::Unavailable("away".into())];
    let mut reader = Reader::new(Box::new(Told(told, std::sync::Arc::clone(&asked))), MOST);
    let mut out = Vec::new();
    let mut decode = |payload: &[u8], header: Option<&[u8]>| reader.decode(payload, header, &mut out);
    let payload = [0, 0, 0, 0, 8, 2];
    assert_eq!(decode(&payload, None), Err(Undecoded::Unavailable("away".into())));
    for _ in 0..3 {
        let Err(Undecoded::Refused(Refusal { too_large: false, words })) = decode(&payload, None) else { panic!() };
        assert_eq!(words, "the schema of the payload cannot be found: no schema 8");
    }
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 2);
    assert_eq!(decode(&[2], Some(&[0, 0, 0, 0, 9])), Ok(SchemaKey::Id(9)));
    let Err(Undecoded::Refused(Refusal { words, .. })) = decode(&[0, 0, 0, 0, 9, 2, 2], None) else { panic!() };
    assert_eq!(words, "the payload is no value of its schema 9: byte 6: one more byte follows the value");
    let Err(Undecoded::Refused(Refusal { words, .. })) = decode(b"{}", None) else { panic!() };
    assert_eq!(words, "no Avro: the payload names no schema: it begins with 7b, not with 00, 01 or c3 01");
    assert_eq!(out, br#"{"value":1}"#);
    let mut own = Reader::new(Box::new(OwnSchemas::default()), MOST);
    for (payload, part) in
        [(&payload[..], "there is no registry"), (&[0xc3, 1, 1, 0, 0, 0, 0, 0, 0, 0], "0000000000000001")]
    {
        let Err(Undecoded::Refused(Refusal { words, .. })) = own.decode(payload, None, &mut out) else { panic!() };
        assert!(words.contains(part), "{words}");
    }
}

/// A schema with every type, which may be recursive.
fn rich() -> Schema {
    let text = json!({"type": "record", "name": "r", "fields": [
        {"name": "u", "type": ["null", "boolean", "int", "long", "float", "double", "bytes", "string", "r",
            {"type": "enum", "name": "e", "symbols": ["A", "B"]},
            {"type": "fixed", "name": "f", "size": 3},
            {"type": "array", "items": "r"},
            {"type": "map", "values": "r"}]},
        {"name": "d", "type": ["null",
            {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 3},
            {"type": "long", "logicalType": "timestamp-nanos"},
            {"type": "int", "logicalType": "date"},
            {"type": "fixed", "name": "g", "size": 12, "logicalType": "duration"}]},
    ]});
    Schema::parse(&text.to_string()).unwrap()
}

proptest! {
    #[test]
    fn any_bytes_give_an_object_or_a_refusal(payload in proptest::collection::vec(prop_oneof![0..28_u8, any::<u8>()], 0..60)) {
        let mut out = Vec::new();
        match decode(&rich(), &payload, 0, MOST, &mut out) {
            Ok(()) => {
                prop_assert!(!out.contains(&b'\n'));
                prop_assert!(serde_json::from_slice::<Value>(&out).unwrap().is_object());
                // A part of a value is no value.
                for end in 0..payload.len() {
                    let mut part = Vec::new();
                    prop_assert!(decode(&rich(), &payload[..end], 0, MOST, &mut part).is_err());
                }
            }
            Err(fault) => prop_assert!(fault.at <= payload.len() && out.is_empty()),
        }
    }

    #[test]
    fn any_text_is_a_schema_or_is_refused(text in "[\\[\\]{}\",:a-z ]{0,60}") {
        let _ = Schema::parse(&text);
    }
}
