mod changes;
mod names;
mod values;

use mongodb::bson;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::decoder::JsonDecoder;
use super::*;
use crate::core::record::RecordId;
use crate::document::{Encoding, date};
use crate::grok::{DateRule, Field, FieldSlot, FieldType, Span};

/// 2024-03-10T00:00:00Z.
const NOW: i64 = 1_710_028_800_000;

fn field(name: &str, kind: FieldType, slots: &[usize]) -> Field {
    let slots = slots.iter().map(|&slot| FieldSlot { slot, kind, again: false }).collect();
    Field { path: name.split('/').map(String::from).collect(), slots }
}

fn rule(name: &str, format: &str) -> DateRule {
    DateRule { paths: vec![name.split('/').map(String::from).collect()], formats: vec![format.into()] }
}

fn id_of(line: &[u8]) -> RecordId {
    RecordId::at(7, 0, line)
}

/// Returns a line made of `texts`, and the span of each text in it.
fn line_of<T: AsRef<[u8]>>(texts: &[T]) -> (Vec<u8>, Vec<Span>) {
    let mut line = Vec::new();
    let spans = texts.iter().map(|text| {
        let start = line.len() as u32;
        line.extend_from_slice(text.as_ref());
        line.push(b' ');
        Span { start, end: line.len() as u32 - 1 }
    });
    let spans = spans.collect();
    (line, spans)
}

/// Returns a BSON document as a JSON value, with dates and numbers as our JSON documents have them.
fn as_json(value: bson::Bson) -> Value {
    use bson::Bson;
    match value {
        Bson::Document(document) => Value::Object(document.into_iter().map(|(key, v)| (key, as_json(v))).collect()),
        Bson::Array(items) => Value::Array(items.into_iter().map(as_json).collect()),
        Bson::DateTime(date) => {
            Value::String(String::from_utf8(date::write_iso(date.timestamp_millis()).to_vec()).unwrap())
        }
        Bson::Int64(value) => value.into(),
        // serde_json reads floats with an error of up to one unit in the last place, so both sides go through it.
        Bson::Double(value) => serde_json::from_str(&Value::from(value).to_string()).unwrap(),
        Bson::Boolean(value) => value.into(),
        Bson::String(text) => text.into(),
        Bson::Null => Value::Null,
        other => panic!("a type that is never written: {other:?}"),
    }
}

/// Returns the JSON document and the BSON document that `write` makes. `_id` must come first; it is checked and
/// removed.
fn each(id: &RecordId, mut write: impl FnMut(Encoding, &mut Vec<u8>) -> bool) -> Option<[Map<String, Value>; 2]> {
    let mut json = b"before".to_vec();
    let mut bytes = b"before".to_vec();
    let accepted = write(Encoding::Json, &mut json);
    assert_eq!(accepted, write(Encoding::Bson, &mut bytes));
    assert!(json.starts_with(b"before") && bytes.starts_with(b"before"), "earlier content of the buffer stays");
    if !accepted {
        assert_eq!((json.len(), bytes.len()), (6, 6), "a refused line writes nothing");
        return None;
    }
    let text = std::str::from_utf8(&json[6..]).expect("JSON is UTF-8");
    assert!(!text.contains('\n'), "a document is one line");
    assert!(text.starts_with(&format!("{{\"_id\":\"{id}\"")), "{text}");
    let mut document: Map<String, Value> = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let other = bson::Document::from_reader(&bytes[6..]).expect("a whole BSON document");
    assert_eq!(other.keys().next().map(String::as_str), Some("_id"));
    let Value::Object(mut other) = as_json(other.into()) else { panic!("a document is an object") };
    assert_eq!(document.remove("_id"), Some(Value::String(id.to_string())));
    assert_eq!(other.remove("_id"), Some(Value::String(id.to_string())));
    Some([document, other])
}

/// Returns the document, which must be the same in both encodings.
fn both(id: &RecordId, write: impl FnMut(Encoding, &mut Vec<u8>) -> bool) -> Option<Map<String, Value>> {
    let [json, bson] = each(id, write)?;
    assert_eq!(json, bson, "JSON and BSON agree");
    Some(json)
}

fn encode<T: AsRef<[u8]>>(fields: &[Field], date: Option<&DateRule>, texts: &[T]) -> Value {
    let (line, spans) = line_of(texts);
    let mut fields = CapturedFields::new(fields, date).unwrap();
    both(&id_of(&line), |encoding, out| captured(&mut fields, &line, &spans, encoding, out)).unwrap().into()
}

fn captured(fields: &mut CapturedFields, line: &[u8], spans: &[Span], encoding: Encoding, out: &mut Vec<u8>) -> bool {
    let mut changes = Changes::default();
    let mut event = Event::decoded(line, Fields::captured(fields, spans), None, &mut changes, NOW);
    event.encode(encoding, &id_of(line), out);
    true
}

/// Returns what writes the documents of a JSON line in one encoding after the other. The line is read once.
fn object_writer<'a>(
    decoder: &'a mut JsonDecoder,
    line: &'a [u8],
    changes: &'a mut Changes,
) -> impl FnMut(Encoding, &mut Vec<u8>) -> bool + 'a {
    let mut event = decoder.decode(line).map(|fields| Event::decoded(line, fields, None, changes, NOW));
    move |encoding, out| match &mut event {
        Some(event) => {
            event.encode(encoding, &id_of(line), out);
            true
        }
        None => false,
    }
}

fn encode_object(date: Option<&DateRule>, line: impl AsRef<[u8]>) -> Option<Value> {
    let mut decoder = JsonDecoder::new(date).unwrap();
    let line = line.as_ref();
    both(&id_of(line), object_writer(&mut decoder, line, &mut Changes::default())).map(Value::Object)
}

/// Returns the JSON document and the BSON document of a line that is a JSON object.
fn encode_each(date: Option<&DateRule>, line: &str) -> [Value; 2] {
    let mut decoder = JsonDecoder::new(date).unwrap();
    let line = line.as_bytes();
    each(&id_of(line), object_writer(&mut decoder, line, &mut Changes::default())).unwrap().map(Value::Object)
}

use FieldType::*;

#[test]
fn an_access_log_line_becomes_a_typed_document_in_the_order_of_its_fields() {
    let fields = [
        field("clientip", Ip, &[0]),
        field("timestamp", Text, &[1]),
        field("response", Int, &[2]),
        field("seconds", Float, &[3]),
        field("cached", Bool, &[4]),
        field("at", Date, &[5]),
    ];
    let date = rule("timestamp", "%d/%b/%Y:%H:%M:%S %z");
    let texts = ["10.0.0.1", "17/May/2015:10:05:03 +0200", "200", "2", "TRUE", "2015-05-17T10:05:03Z"];
    let mut plan = CapturedFields::new(&fields, Some(&date)).unwrap();
    let (line, spans) = line_of(&texts);
    let mut out = Vec::new();
    captured(&mut plan, &line, &spans, Encoding::Json, &mut out);
    let expected = format!(
        "{{\"_id\":\"{}\",\"@timestamp\":\"2015-05-17T08:05:03.000Z\",\"clientip\":\"10.0.0.1\",\
         \"timestamp\":\"17/May/2015:10:05:03 +0200\",\"response\":200,\"seconds\":2.0,\"cached\":true,\
         \"at\":\"2015-05-17T10:05:03.000Z\"}}",
        id_of(&line)
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);

    let mut out = Vec::new();
    captured(&mut plan, &line, &spans, Encoding::Bson, &mut out);
    let document = bson::Document::from_reader(&out[..]).unwrap();
    assert_eq!(document.get_i64("response").unwrap(), 200);
    assert_eq!(document.get_f64("seconds").unwrap(), 2.0);
    assert!(document.get_bool("cached").unwrap());
    assert_eq!(document.get_datetime("@timestamp").unwrap().timestamp_millis(), 1_431_849_903_000);
    assert_eq!(document.get_datetime("at").unwrap().timestamp_millis(), 1_431_857_103_000);
    encode(&fields, Some(&date), &texts);
}

#[test]
fn empty_captures_and_empty_objects_are_left_out() {
    let fields = [field("a", Text, &[0]), field("b/c/d", Text, &[1]), field("b/e", Text, &[2]), field("f", Text, &[9])];
    assert_eq!(encode(&fields, None, &["", "", ""]), json!({}));
    assert_eq!(encode(&fields, None, &["", "x", ""]), json!({"b": {"c": {"d": "x"}}}));
    assert_eq!(encode(&fields, None, &["1", "", "y"]), json!({"a": "1", "b": {"e": "y"}}));
}

#[test]
fn a_repeated_name_is_an_array_when_more_than_one_of_its_captures_has_a_text() {
    let fields = [field("n", Ip, &[0, 1, 2]), field("last", Text, &[3])];
    assert_eq!(encode(&fields, None, &["", "", "", ""]), json!({}));
    assert_eq!(encode(&fields, None, &["", "5", "", "z"]), json!({"n": "5", "last": "z"}));
    assert_eq!(encode(&fields, None, &["1", "", "3", "z"]), json!({"n": ["1", "3"], "last": "z"}));
}

#[test]
fn a_date_that_does_not_read_leaves_no_timestamp_and_is_tagged() {
    let fields = [field("when", Text, &[0])];
    let date = rule("when", "ISO8601");
    assert_eq!(encode(&fields, Some(&date), &["noon"]), json!({"when": "noon", "tags": ["_dateparsefailure:when"]}));
    assert_eq!(encode(&fields, Some(&date), &[""]), json!({}), "no date at all is no failure");
}

#[test]
fn a_date_is_read_from_a_field_with_any_name() {
    let fields = [field("@timestamp", Text, &[0]), field("log/time", Text, &[1])];
    let date = DateRule {
        paths: vec![vec!["@timestamp".into()], vec!["log".into(), "time".into()]],
        formats: vec!["ISO8601".into()],
    };
    assert_eq!(
        encode(&fields, Some(&date), &["bad", "2015-05-17 10:05:03"]),
        json!({"@timestamp": "2015-05-17T10:05:03.000Z", "@timestamp_": "bad", "log": {"time": "2015-05-17 10:05:03"}})
    );
}

#[test]
fn names_are_kept_except_our_own_and_those_that_mongodb_refuses() {
    let fields = [
        field("$a.b", Text, &[0]),
        field("_id", Text, &[1]),
        field("tags", Text, &[2]),
        field("x/_id", Text, &[3]),
        field("q\"\\\u{1}", Text, &[4]),
    ];
    let mut plan = CapturedFields::new(&fields, None).unwrap();
    let (line, spans) = line_of(&["0", "1", "2", "3", "4"]);
    let write = |encoding, out: &mut Vec<u8>| captured(&mut plan, &line, &spans, encoding, out);
    let [json, bson] = each(&id_of(&line), write).unwrap().map(Value::Object);
    assert_eq!(json, json!({"$a.b": "0", "_id_": "1", "tags_": "2", "x": {"_id": "3"}, "q\"\\\u{1}": "4"}));
    assert_eq!(bson, json!({"_a_b": "0", "_id_": "1", "tags_": "2", "x": {"_id": "3"}, "q\"\\\u{1}": "4"}));
}

#[test]
fn fields_that_exclude_each_other_are_a_usage_error_that_names_both() {
    for (a, b, words) in [
        ("a", "a/b", "fields a and [a][b] exclude each other"),
        ("a/b", "a", "fields [a][b] and a exclude each other"),
        ("x/a", "x/a/b/c", "fields [x][a] and [x][a][b][c] exclude each other"),
        ("a.b", "a_b", "fields a.b and a_b would both be stored as a_b in MongoDB"),
        ("x/$a", "x/_a", "fields [x][$a] and [x][_a] would both be stored as _a in MongoDB"),
        ("a.b/c", "a_b/d", "fields [a.b][c] and [a_b][d] would both be stored as a_b in MongoDB"),
        ("_id", "_id_", "fields _id and _id_ would both be stored as _id_"),
    ] {
        let error = CapturedFields::new(&[field(a, Text, &[0]), field(b, Text, &[1])], None).unwrap_err();
        assert_eq!(error.kind(), crate::core::error::Kind::Usage);
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = CapturedFields::new(&[field("a", Text, &[0])], Some(&rule("b/c", "ISO8601"))).unwrap_err();
    assert!(error.to_string().contains("[b][c], which the pattern does not capture; it captures a"), "{error}");
}

#[test]
fn wrong_utf8_is_replaced_and_tagged_only_where_it_is_in_a_field() {
    let fields = [field("a", Text, &[0]), field("b", Int, &[1])];
    assert_eq!(
        encode(&fields, None, &[b"x\xffy\xc3".as_slice(), b"1"]),
        json!({"a": "x\u{FFFD}y\u{FFFD}", "b": 1, "tags": ["_invalid_utf8"]})
    );
    assert_eq!(encode(&fields, None, &["é".as_bytes(), b"1", b"\xff"]), json!({"a": "é", "b": 1}));
    // A capture may cut a character in two.
    let mut plan = CapturedFields::new(&fields, None).unwrap();
    let spans = [Span { start: 0, end: 1 }, Span { start: 1, end: 2 }];
    let write = |encoding, out: &mut Vec<u8>| captured(&mut plan, "é".as_bytes(), &spans, encoding, out);
    let document = both(&id_of("é".as_bytes()), write).unwrap();
    assert_eq!(
        Value::Object(document),
        json!({"a": "\u{FFFD}", "b": "\u{FFFD}", "tags": ["_typefailure:b", "_invalid_utf8"]})
    );
}

#[test]
fn an_unmatched_line_keeps_its_whole_text() {
    for (line, expected) in [
        (b"".as_slice(), json!({"message": "", "tags": ["_grokparsefailure"]})),
        (b"a\0\"b\\\t", json!({"message": "a\0\"b\\\t", "tags": ["_grokparsefailure"]})),
        (b"\xfe!", json!({"message": "\u{FFFD}!", "tags": ["_grokparsefailure", "_invalid_utf8"]})),
    ] {
        let id = id_of(line);
        let write = |encoding, out: &mut Vec<u8>| {
            Event::undecoded(line, true, None, &mut Changes::default()).encode(encoding, &id, out);
            true
        };
        assert_eq!(Value::Object(both(&id, write).unwrap()), expected);
    }
}

#[test]
fn a_json_object_passes_through_with_its_names_and_its_date_read() {
    let line = r#"{"_id":1,"@timestamp":"2015-05-17T10:05:03+01:00","$n":{"a.b":[{"c.d":null},[],{}],"_id":2},"tags":[],"x":1.50}"#;
    let [json, bson] = encode_each(Some(&rule("@timestamp", "ISO8601")), line);
    assert_eq!(
        json,
        json!({"_id_": 1, "@timestamp": "2015-05-17T09:05:03.000Z", "$n": {"a.b": [{"c.d": null}, [], {}], "_id": 2},
               "tags_": [], "x": 1.5})
    );
    assert_eq!(
        bson,
        json!({"_id_": 1, "@timestamp": "2015-05-17T09:05:03.000Z", "_n": {"a_b": [{"c_d": null}, [], {}], "_id": 2},
               "tags_": [], "x": 1.5})
    );
    assert_eq!(
        encode_object(None, r#"{"@timestamp":"2015-05-17T10:05:03Z"}"#).unwrap(),
        json!({"@timestamp_": "2015-05-17T10:05:03Z"})
    );
    assert_eq!(
        encode_object(Some(&rule("log/ts", "%s")), r#"{"log":{"ts":1431857103.5}}"#).unwrap(),
        json!({"@timestamp": "2015-05-17T10:05:03.500Z", "log": {"ts": 1431857103.5}})
    );
    assert_eq!(
        encode_object(Some(&rule("t", "%s")), r#"{"t":[1]}"#).unwrap(),
        json!({"t": [1], "tags": ["_dateparsefailure:t"]})
    );
    assert_eq!(encode_object(Some(&rule("t", "%s")), r#"{"u":null}"#).unwrap(), json!({"u": null}));
}

#[test]
fn a_line_that_is_no_json_object_is_unmatched() {
    for line in ["", "[1]", "plain", "{\"a\":1} x", "{\"a\":"] {
        assert_eq!(encode_object(None, line), None, "{line}");
    }
    assert_eq!(encode_object(None, b"{\"a\":\"\xff\"}").unwrap(), json!({"a": "\u{FFFD}", "tags": ["_invalid_utf8"]}));
}

/// Generates JSON values whose keys need no renaming at the top level.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[a-z\"\\\\é]{0,3}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_give_the_document_of_the_model_in_both_encodings(
        texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 4),
        number in any::<i64>(),
    ) {
        let fields = [
            field("a", Text, &[0]),
            field("n/b", Text, &[1]),
            field("n/c", Text, &[2, 3]),
            field("number", Int, &[4]),
        ];
        let mut texts = texts;
        texts.push(number.to_string().into_bytes());
        let document = encode(&fields, None, &texts);
        let text = |index: usize| {
            let text = String::from_utf8_lossy(&texts[index]).into_owned();
            (!text.is_empty()).then_some(Value::String(text))
        };
        let mut model = Map::new();
        let mut nested = Map::new();
        model.extend(text(0).map(|value| ("a".to_string(), value)));
        nested.extend(text(1).map(|value| ("b".to_string(), value)));
        match (text(2), text(3)) {
            (Some(x), Some(y)) => nested.extend([("c".to_string(), json!([x, y]))]),
            (x, y) => nested.extend(x.or(y).map(|value| ("c".to_string(), value))),
        }
        if !nested.is_empty() {
            model.insert("n".into(), nested.into());
        }
        model.insert("number".into(), number.into());
        if texts.iter().any(|text| std::str::from_utf8(text).is_err()) {
            model.insert("tags".into(), json!(["_invalid_utf8"]));
        }
        prop_assert_eq!(document, Value::Object(model));
    }

    #[test]
    fn any_json_object_passes_through_unchanged(value in any_json()) {
        let value = json!({"value": value});
        let expected: Value = serde_json::from_str(&value.to_string()).unwrap();
        prop_assert_eq!(encode_object(None, value.to_string()), Some(expected));
    }

    #[test]
    fn any_bytes_are_a_whole_document_or_unmatched(line in proptest::collection::vec(any::<u8>(), 0..60), json in any::<bool>()) {
        let line = if json { [b"{\"a\":\"".as_slice(), &line, b"\"}"].concat() } else { line };
        encode_object(Some(&rule("a", "ISO8601")), &line);
    }
}
