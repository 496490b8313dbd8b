//! What is encoded is decoded, and what is no value is refused.

mod hostile;
mod schemas;

use serde_json::{Value, json};

use super::frame::Frame;
use super::{OwnSchemas, Reader, Schema, SinkEncoding};
use crate::core::record::RecordId;
use crate::event::decoder::JsonDecoder;
use crate::event::{Changes, Event, FieldPath, TypedField, TypedFields};
use crate::grok::FieldType;

fn id() -> RecordId {
    RecordId::at(1, 0, b"x")
}

/// The fields of the documents in these tests.
fn encoding() -> SinkEncoding {
    let field = |name, kind| TypedField::new(name, kind).unwrap();
    let fields = vec![
        field("a", FieldType::Int),
        field("f", FieldType::Float),
        field("b", FieldType::Bool),
        field("d", FieldType::Date),
        field("t", FieldType::Text),
        field("[http][status]", FieldType::Int),
        field("[http][req][id]", FieldType::Text),
        field("p", FieldType::Int).repeating(),
        field("q-q", FieldType::Text).repeating(),
    ];
    SinkEncoding::new(&TypedFields { name: "tests".into(), fields }).unwrap()
}

/// Encodes an event and decodes it again. Members that are null are left out.
fn round(encoding: &SinkEncoding, event: &mut Event<'_>) -> Value {
    let mut encoder = encoding.framed(encoding.single_object()).encoder().unwrap();
    let mut payload = Vec::new();
    // The second document must not depend on the first.
    for _ in 0..2 {
        payload.clear();
        encoder.encode(event, &id(), &mut payload).unwrap();
    }
    let schema = Schema::parse(encoding.schema_text()).unwrap();
    let mut reader = Reader::new(Box::new(OwnSchemas::new([schema])), 1 << 20);
    let mut json = Vec::new();
    reader.decode(&payload, None, &mut json).unwrap();
    let mut document: Value = serde_json::from_slice(&json).unwrap();
    strip(&mut document);
    let own = document.as_object_mut().unwrap().remove("_id");
    assert_eq!(own, Some(String::from_utf8_lossy(id().digits().as_bytes()).into()));
    document
}

fn strip(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(strip);
    }
}

fn of_json(line: &str) -> Value {
    let mut decoder = JsonDecoder::new(None).unwrap();
    let mut changes = Changes::default();
    let fields = decoder.decode(line.as_bytes()).unwrap();
    round(&encoding(), &mut Event::decoded(line.as_bytes(), fields, None, &mut changes, 0))
}

#[test]
fn values_go_to_their_fields_and_others_to_the_text_or_to_extra() {
    for (line, expected) in [
        (r#"{"a":-5,"f":0.5,"b":true,"t":"ä\n"}"#, json!({"a": -5, "f": 0.5, "b": true, "t": "ä\n"})),
        (r#"{"t":"first","b":false,"a":9223372036854775807}"#, json!({"t": "first", "b": false, "a": i64::MAX})),
        (r#"{"a":"12x","f":"-","b":"maybe","d":"then"}"#, json!({"a": "12x", "f": "-", "b": "maybe", "d": "then"})),
        (r#"{"a":1.5,"f":7,"b":0,"d":0,"t":1}"#, json!({"a": "1.5", "f": 7.0, "b": "0", "d": "0", "t": "1"})),
        (r#"{"f":9007199254740993,"a":true,"t":false}"#, json!({"f": "9007199254740993", "a": "true", "t": "false"})),
        (r#"{"a":null,"t":"","http":{}}"#, json!({"t": ""})),
        (r#"{"a":{"b":1},"t":[]}"#, json!({"extra": {"a": "{\"b\":1}", "t": "[]"}})),
        (
            r#"{"http":{"new":"x","status":200,"deep":{"y":[1,{"z":null}]}}}"#,
            json!({"http": {"status": 200}, "extra": {"[http][new]": "x", "[http][deep]": "{\"y\":[1,{\"z\":null}]}"}}),
        ),
        (
            r#"{"http":{"req":{"id":"i","n":1}}}"#,
            json!({"http": {"req": {"id": "i"}}, "extra": {"[http][req][n]": "1"}}),
        ),
        (r#"{"http":5,"a":1}"#, json!({"a": 1, "extra": {"http": "5"}})),
        (r#"{"http":{"req":"x"}}"#, json!({"extra": {"[http][req]": "x"}})),
        (r#"{"p":[1,"x",2.5,true],"q-q":["a","b"]}"#, json!({"p": [1, "x", "2.5", "true"], "q_q": ["a", "b"]})),
        (r#"{"p":7,"q-q":"alone"}"#, json!({"p": 7, "q_q": "alone"})),
        (r#"{"p":[],"q-q":[null]}"#, json!({"p": [], "extra": {"q-q": "[null]"}})),
        (r#"{"p":[1,[2]],"q-q":[{}]}"#, json!({"extra": {"p": "[1,[2]]", "q-q": "[{}]"}})),
        (
            r#"{"x":"text","y":1,"z":null,"w":[1,"a"],"v":{"u":"\"\u0001"}}"#,
            json!({"extra": {
                "x": "text", "y": "1", "z": "null", "w": "[1,\"a\"]", "v": "{\"u\":\"\\\"\\u0001\"}"
            }}),
        ),
        (r#"{"a":1,"a":2}"#, json!({"extra": {"a": "[1,2]"}, "tags": ["_duplicate_field:a"]})),
        (r#"{"tags":["x"],"_id":"y"}"#, json!({"extra": {"tags_": "[\"x\"]", "_id_": "y"}})),
        (r#"{"extra":{"x":1}}"#, json!({"extra": {"extra": "{\"x\":1}"}})),
    ] {
        assert_eq!(of_json(line), expected, "{line}");
    }
}

#[test]
fn what_stages_set_and_remove_has_its_place_too() {
    use crate::document::Value as Set;
    let line = br#"{"a":1,"http":{"status":200,"req":{"id":"i"}},"x":2}"#;
    let mut decoder = JsonDecoder::new(None).unwrap();
    let mut changes = Changes::default();
    let fields = decoder.decode(line).unwrap();
    let mut event = Event::decoded(line, fields, None, &mut changes, 0);
    let path = |name: &str| FieldPath::new(name).unwrap();
    event.set(&path("@timestamp"), Set::Date(1_431_857_103_000.into()));
    event.set(&path("d"), Set::Date(0.into()));
    event.set(&path("t"), Set::Date(1.into()));
    event.set(&path("[http][req][id]"), Set::Text(b"\xff"));
    event.set(&path("[http][new][er]"), Set::Int(1));
    event.set(&path("[new][er]"), Set::Text(b"\xff"));
    event.set(&path("[x][y]"), Set::Null);
    event.remove(&path("[http][status]"));
    let expected = json!({
        "_timestamp": "2015-05-17T10:05:03.000Z",
        "a": 1,
        "d": "1970-01-01T00:00:00.000Z",
        "t": "1970-01-01T00:00:00.001Z",
        "http": {"req": {"id": "\u{FFFD}"}},
        "extra": {
            "[http][new]": "{\"er\":1}",
            "new": "{\"er\":\"\u{FFFD}\"}",
            "x": "{\"y\":null}",
        },
        "tags": ["_invalid_utf8"],
    });
    assert_eq!(round(&encoding(), &mut event), expected);
    // A value in the place of an object of the schema, and an object in the place of a value.
    event.set(&path("http"), Set::Bool(true));
    event.set(&path("[a][b]"), Set::Float(0.5));
    event.remove(&path("x"));
    event.remove(&path("new"));
    let document = round(&encoding(), &mut event);
    assert_eq!((&document["extra"], &document["a"]), (&json!({"http": "true", "a": "{\"b\":0.5}"}), &Value::Null));
}

#[test]
fn a_line_that_does_not_match_is_the_message_or_an_extra_field() {
    let mut changes = Changes::default();
    let mut event = Event::undecoded(b"odd \xff", true, None, &mut changes);
    let tags = json!(["_grokparsefailure", "_invalid_utf8"]);
    assert_eq!(round(&encoding(), &mut event), json!({"extra": {"message": "odd \u{FFFD}"}, "tags": tags}));
    let pattern = crate::grok::Library::builtin().pattern("%{INT:n:int}").unwrap();
    let own = SinkEncoding::new(&TypedFields::of(&pattern)).unwrap();
    assert_eq!(round(&own, &mut event), json!({"message": "odd \u{FFFD}", "tags": tags}));
}

#[test]
fn a_payload_begins_with_its_frame() {
    let encoding = encoding();
    let mut changes = Changes::default();
    for (frame, beginning) in [
        (Frame::Registry(258), vec![0, 0, 0, 1, 2]),
        (encoding.single_object(), [&[0xc3, 1][..], &encoding.fingerprint().to_le_bytes()].concat()),
    ] {
        let mut payload = b"before".to_vec();
        let mut event = Event::without_text(&mut changes);
        encoding.framed(frame).encoder().unwrap().encode(&mut event, &id(), &mut payload).unwrap();
        assert!(payload[6..].starts_with(&beginning), "{payload:x?}");
    }
}
