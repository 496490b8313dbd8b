//! Schemas that are read: every type, names and references, and what is wrong in others.

use serde_json::{Value, json};

use crate::avro::Schema;
use crate::avro::decode::decode;

fn canonical(schema: &Value) -> String {
    Schema::parse(&schema.to_string()).unwrap().canonical().to_owned()
}

fn decoded(schema: &Value, payload: &[u8]) -> String {
    let schema = Schema::parse(&schema.to_string()).unwrap();
    let mut out = Vec::new();
    decode(&schema, payload, 0, 1 << 20, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_type_is_decoded() {
    let all = json!({"type": "record", "name": "all", "fields": [
        {"name": "n", "type": "null"},
        {"name": "b", "type": {"type": "boolean"}},
        {"name": "i", "type": "int"},
        {"name": "l", "type": "long"},
        {"name": "f", "type": "float"},
        {"name": "d", "type": "double"},
        {"name": "y", "type": "bytes"},
        {"name": "s", "type": "string"},
        {"name": "x", "type": {"type": "fixed", "name": "two", "size": 2}},
        {"name": "e", "type": {"type": "enum", "name": "suit", "symbols": ["♠", "HEARTS"]}},
        {"name": "a", "type": {"type": "array", "items": ["null", "long"]}},
        {"name": "m", "type": {"type": "map", "values": "two"}},
        {"name": "u", "type": ["null", "string", "suit"]},
        {"name": "r", "type": {"type": "record", "name": "empty", "fields": []}},
    ]});
    let payload = [
        &[1, 3, 4][..],
        &0.1_f32.to_le_bytes(),
        &(-2.5_f64).to_le_bytes(),
        &[4, 0xff, 0, 2, b'"', 9, 8, 0],
        // Three items in two blocks, of which the second tells its size.
        &[2, 0, 3, 8, 2, 6, 2, 0, 0],
        &[2, 2, b'k', 7, 6, 0],
        &[4, 2],
    ]
    .concat();
    assert_eq!(
        decoded(&all, &payload),
        "{\"n\":null,\"b\":true,\"i\":-2,\"l\":2,\"f\":0.1,\"d\":-2.5,\"y\":\"/wA=\",\"s\":\"\\\"\",\"x\":\"CQg=\",\
         \"e\":\"♠\",\"a\":[null,3,0],\"m\":{\"k\":\"BwY=\"},\"u\":\"HEARTS\",\"r\":{}}"
    );
}

#[test]
fn a_value_that_is_no_object_becomes_one() {
    for (schema, payload, expected) in [
        (json!("string"), &[2, b'x'][..], r#"{"value":"x"}"#),
        (json!(["null", "int"]), &[0], r#"{"value":null}"#),
        (json!({"type": "array", "items": "int"}), &[0], r#"{"value":[]}"#),
        (json!({"type": "map", "values": "int"}), &[2, 2, b'k', 2, 0], r#"{"k":1}"#),
        (
            json!(["null", {"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}]}]),
            &[2, 2],
            r#"{"a":1}"#,
        ),
    ] {
        assert_eq!(decoded(&schema, payload), expected, "{schema}");
    }
}

#[test]
fn a_recursive_type_refers_to_itself() {
    let list = json!({"type": "record", "name": "list", "namespace": "a.b", "fields": [
        {"name": "n", "type": "int"},
        {"name": "next", "type": ["null", "list"]},
    ]});
    assert_eq!(decoded(&list, &[2, 2, 4, 0]), r#"{"n":1,"next":{"n":2,"next":null}}"#);
    assert_eq!(
        canonical(&list),
        r#"{"name":"a.b.list","type":"record","fields":[{"name":"n","type":"int"},{"name":"next","type":["null","a.b.list"]}]}"#
    );
}

#[test]
fn names_have_the_namespace_in_which_they_stand() {
    let schema = json!({"type": "record", "name": "x.y.Outer", "namespace": "ignored", "doc": "d", "aliases": ["z"], "fields": [
        {"name": "a", "type": {"type": "fixed", "size": 4, "name": "Hash"}, "default": "abcd", "order": "ignore"},
        {"name": "b", "type": {"type": "record", "name": "Inner", "namespace": "other", "fields": [
            {"name": "c", "type": {"type": "enum", "name": "E", "symbols": ["A"], "default": "A"}},
            {"name": "d", "type": "x.y.Hash"},
            {"name": "e", "type": "E"},
        ]}},
        {"name": "c", "type": "other.E"},
        {"name": "d", "type": {"type": "record", "name": "Plain", "namespace": "", "fields": []}},
        {"name": "e", "type": {"type": "Plain"}},
        {"name": "f", "type": {"type": {"type": "long", "logicalType": "timestamp-millis"}}},
        {"name": "g", "type": {"type": "map", "values": {"type": "array", "items": "Hash"}}},
    ]});
    let expected = "{\"name\":\"x.y.Outer\",\"type\":\"record\",\"fields\":[\
        {\"name\":\"a\",\"type\":{\"name\":\"x.y.Hash\",\"type\":\"fixed\",\"size\":4}},\
        {\"name\":\"b\",\"type\":{\"name\":\"other.Inner\",\"type\":\"record\",\"fields\":[\
        {\"name\":\"c\",\"type\":{\"name\":\"other.E\",\"type\":\"enum\",\"symbols\":[\"A\"]}},\
        {\"name\":\"d\",\"type\":\"x.y.Hash\"},{\"name\":\"e\",\"type\":\"other.E\"}]}},\
        {\"name\":\"c\",\"type\":\"other.E\"},\
        {\"name\":\"d\",\"type\":{\"name\":\"Plain\",\"type\":\"record\",\"fields\":[]}},\
        {\"name\":\"e\",\"type\":\"Plain\"},{\"name\":\"f\",\"type\":\"long\"},\
        {\"name\":\"g\",\"type\":{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":\"x.y.Hash\"}}}]}";
    assert_eq!(canonical(&schema), expected);
}

#[test]
fn a_schema_may_refer_to_those_before_it() {
    let inner = json!({"type": "record", "name": "a.Inner", "fields": [{"name": "n", "type": "int"}]}).to_string();
    let middle = json!({"type": "record", "name": "a.Middle", "fields": [{"name": "i", "type": "Inner"}]}).to_string();
    let outer = json!({"type": "record", "name": "b.Outer", "fields": [{"name": "m", "type": "a.Middle"}]}).to_string();
    let schema = Schema::parse_with(&[inner, middle], &outer).unwrap();
    let mut out = Vec::new();
    decode(&schema, &[14], 0, 100, &mut out).unwrap();
    assert_eq!(out, br#"{"m":{"i":{"n":7}}}"#);
    assert_eq!(schema.canonical(), r#"{"name":"b.Outer","type":"record","fields":[{"name":"m","type":"a.Middle"}]}"#);
}

#[test]
fn a_logical_type_that_does_not_fit_is_passed_over() {
    for (schema, payload, expected) in [
        (json!({"type": "int", "logicalType": "timestamp-millis"}), &[2][..], "1"),
        (json!({"type": "string", "logicalType": "uuid"}), &[2, b'x'], "\"x\""),
        (json!({"type": "long", "logicalType": "light-years"}), &[2], "1"),
        (json!({"type": "bytes", "logicalType": "decimal"}), &[2, 1], "\"AQ==\""),
        (json!({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3}), &[2, 1], "\"AQ==\""),
        (json!({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": -1}), &[2, 1], "\"AQ==\""),
        (json!({"type": "bytes", "logicalType": "decimal", "precision": 2}), &[2, 1], "1"),
        (json!({"type": "fixed", "name": "f", "size": 1, "logicalType": "decimal", "precision": 3}), &[1], "\"AQ==\""),
        (json!({"type": "fixed", "name": "f", "size": 1, "logicalType": "decimal", "precision": 2}), &[1], "1"),
        (json!({"type": "fixed", "name": "f", "size": 1, "logicalType": "duration"}), &[1], "\"AQ==\""),
        (json!({"type": "int", "logicalType": "date"}), &[2], "\"1970-01-02\""),
        (json!({"type": "int", "logicalType": 5}), &[2], "1"),
    ] {
        assert_eq!(decoded(&schema, payload), format!("{{\"value\":{expected}}}"), "{schema}");
    }
}

#[test]
fn a_wrong_schema_says_what_is_wrong() {
    let record = |fields: Value| json!({"type": "record", "name": "r", "fields": fields});
    let mut deep = json!("int");
    for _ in 0..110 {
        deep = json!({"type": "array", "items": deep});
    }
    for (schema, words) in [
        (json!(5), "a type is a text, an array or an object"),
        (json!("Foo"), "the type Foo is not defined"),
        (json!({"name": "x"}), "has no type"),
        (json!([["null"]]), "a union is directly in a union"),
        (json!({"type": "array"}), "an array has no items"),
        (json!({"type": "map"}), "a map has no values"),
        (json!({"type": "enum", "name": "e"}), "no list of symbols"),
        (json!({"type": "enum", "name": "e", "symbols": [1]}), "symbol of an enum is not a text"),
        (json!({"type": "enum", "symbols": []}), "a type enum has no name"),
        (json!({"type": "fixed", "name": "f", "size": -1}), "a fixed has no size"),
        (json!({"type": "record", "name": "r"}), "the record r has no list of fields"),
        (record(json!([1])), "a field of the record r is no object"),
        (record(json!([{"type": "int"}])), "a field of the record r has no name"),
        (record(json!([{"name": "f"}])), "the field f of the record r has no type"),
        (record(json!([{"name": 5, "type": "int"}])), "has a name that is not a text"),
        (
            record(json!([{"name": "f", "type": "\u{1b}x"}])),
            "the field f of the record r: the type \\x1bx is not defined",
        ),
        (record(json!([{"name": "f", "type": record(json!([]))}])), "the type r is defined twice"),
        (deep, "nested more than 100 levels deep"),
    ] {
        let error = Schema::parse(&schema.to_string()).unwrap_err();
        assert!(error.contains(words), "{schema}: {error}");
    }
    let error = Schema::parse("{").unwrap_err();
    assert!(error.contains("it is not JSON: EOF"), "{error}");
    let error = Schema::parse_with(&["\"Foo\""], "\"int\"").unwrap_err();
    assert!(error.contains("a schema that it refers to is wrong: the type Foo"), "{error}");
}
