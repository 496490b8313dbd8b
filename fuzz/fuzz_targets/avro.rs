//! Decodes any bytes as a value of a schema, which is any text or one with every type. There must be no panic, and a value that
//! is decoded must be one JSON object on one line, of a limited size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logator::avro::{Frame, OwnSchemas, Reader, Schema};

/// Every type, with names that refer to themselves.
const RICH: &str = r#"{"type": "record", "name": "r", "fields": [
    {"name": "a", "type": ["null", "boolean", "int", "long", "float", "double", "bytes", "string", "r",
        {"type": "enum", "name": "e", "symbols": ["A", "B"]}, {"type": "fixed", "name": "f", "size": 3},
        {"type": "array", "items": ["r", "null"]}, {"type": "map", "values": "r"}]},
    {"name": "b", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 3},
        {"type": "long", "logicalType": "timestamp-nanos"}, {"type": "int", "logicalType": "date"},
        {"type": "fixed", "name": "g", "size": 12, "logicalType": "duration"}]},
    {"name": "c", "type": ["null", {"type": "fixed", "name": "h", "size": 16, "logicalType": "uuid"},
        {"type": "int", "logicalType": "time-millis"}, {"type": "array", "items": "null"}]}
]}"#;

/// The largest document.
const MOST: usize = 1 << 16;

fuzz_target!(|input: &[u8]| {
    let [length, rest @ ..] = input else { return };
    let (text, value) = rest.split_at(usize::from(*length).min(rest.len()));
    let schema = match std::str::from_utf8(text).ok().and_then(|text| Schema::parse(text).ok()) {
        Some(schema) => schema,
        None => Schema::parse(RICH).expect("it is well formed"),
    };
    let mut payload = Vec::new();
    Frame::SingleObject(schema.fingerprint()).write(&mut payload);
    payload.extend_from_slice(value);
    let mut reader = Reader::new(Box::new(OwnSchemas::new([schema])), MOST);
    for payload in [&payload[..], input] {
        let mut out = Vec::new();
        match reader.decode(payload, None, &mut out) {
            Ok(_) => {
                let object: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
                assert!(object.is_object() && !out.contains(&b'\n') && out.len() <= MOST);
            }
            Err(_) => assert!(out.is_empty()),
        }
    }
});
