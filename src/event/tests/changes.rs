//! Tests of what stages read, set and remove.

use super::*;
use crate::document::date::Formats;
use crate::event::Value as Field;

fn path(name: &str) -> FieldPath {
    FieldPath::new(name).unwrap()
}

const PATHS: [&str; 12] =
    ["s", "a", "[a][x]", "[a][y]", "[a][new]", "[n][m]", "[n][m][k]", "[o][x]", "o", "only", "new", "[new][deep][er]"];

/// The ways to have the same fields: as captures, as a JSON object, and with an envelope around either.
const KINDS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

const OUTER: &str = r#"{"s":"hidden","only":true,"a":{"x":"hidden","z":null},"o":{"x":1},"message":"inner"}"#;

/// Calls `with` with an event of one kind.
fn with_event<T>((is_json, is_enveloped): (bool, bool), with: impl FnOnce(&mut Event<'_>) -> T) -> T {
    let fields =
        [field("s", Text, &[0]), field("a/x", Int, &[1]), field("a/y", Text, &[2]), field("n/m/k", Bool, &[3])];
    let (captured_line, spans) = line_of(&["text", "7", "y", "true"]);
    let json_line = br#"{"s":"text", "a":{"x":7,"y":"y"},"n":{"m":{"k":true}}}"#;
    let (mut changes, mut outer) = (Changes::default(), OuterFields::default());
    assert!(outer.read_json(OUTER.as_bytes(), &mut Formats::new(&["ISO8601"]).unwrap(), NOW));
    let outer = is_enveloped.then_some(&outer);
    let mut plan = CapturedFields::new(&fields, None).unwrap();
    let mut decoder = JsonDecoder::new(None).unwrap();
    let mut event = match is_json {
        true => Event::decoded(json_line, decoder.decode(json_line).unwrap(), outer, &mut changes, NOW),
        false => Event::decoded(&captured_line, Fields::captured(&mut plan, &spans), outer, &mut changes, NOW),
    };
    with(&mut event)
}

fn documents(event: &mut Event<'_>) -> [Map<String, Value>; 2] {
    let id = id_of(b"");
    let write = |encoding, out: &mut Vec<u8>| {
        event.encode(encoding, &id, out);
        true
    };
    each(&id, write).unwrap()
}

fn document(event: &mut Event<'_>) -> Value {
    let [json, bson] = documents(event);
    assert_eq!(json, bson, "JSON and BSON agree");
    json.into()
}

/// Returns `value` without objects that have no member.
fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().map(|(name, value)| (name.clone(), pruned(value)));
            Value::Object(kept.filter(|(_, value)| *value != json!({})).collect())
        }
        value => value.clone(),
    }
}

/// Makes a change of a document.
fn change(document: &mut Value, parts: &[&str], value: Option<i64>) {
    let (part, rest) = parts.split_first().unwrap();
    if !document.is_object() {
        *document = json!({});
    }
    let members = document.as_object_mut().unwrap();
    match (rest, value) {
        ([], Some(value)) => drop(members.insert((*part).into(), value.into())),
        ([], None) => drop(members.remove(*part)),
        (rest, Some(_)) => change(members.entry(*part).or_insert(Value::Null), rest, value),
        (rest, None) => {
            if let Some(inner) = members.get_mut(*part).filter(|inner| inner.is_object()) {
                change(inner, rest, value);
            }
        }
    }
}

fn parts(name: &str) -> Vec<&str> {
    name.split(['[', ']']).filter(|part| !part.is_empty()).collect()
}

/// Returns what an event says of a field, as a document has it; `None` for an object.
fn got(event: &Event<'_>, name: &str) -> Option<Value> {
    Some(match event.get(&path(name))? {
        Field::Null => Value::Null,
        Field::Bool(value) => value.into(),
        Field::Int(value) => value.into(),
        Field::Float(value) => value.into(),
        Field::Date(date) => date.to_text().into(),
        Field::Text(text) => String::from_utf8_lossy(text).into(),
    })
}

proptest! {
    #[test]
    fn changes_of_any_kind_of_event_are_those_of_its_document(
        ops in proptest::collection::vec((proptest::sample::select(&PATHS[..]), any::<Option<i64>>()), 0..8)
    ) {
        for kind in KINDS {
            with_event(kind, |event| {
                let mut expected = document(event);
                for (name, value) in &ops {
                    match value {
                        Some(value) => event.set(&path(name), Field::Int(*value)),
                        None => event.remove(&path(name)),
                    }
                    change(&mut expected, &parts(name), *value);
                    for name in PATHS {
                        let pointer = format!("/{}", parts(name).join("/"));
                        let value = expected.pointer(&pointer).filter(|value| !value.is_object());
                        assert_eq!(got(event, name).as_ref(), value, "{kind:?} {ops:?} {name}");
                    }
                }
                assert_eq!(pruned(&document(event)), pruned(&expected), "{kind:?} {ops:?}");
            });
        }
    }
}

#[test]
fn an_event_without_changes_says_what_its_document_holds() {
    let merged =
        json!({"s": "text", "a": {"x": 7, "y": "y", "z": null}, "n": {"m": {"k": true}}, "only": true, "o": {"x": 1}});
    for kind in KINDS {
        with_event(kind, |event| {
            if kind.1 {
                assert_eq!(document(event), merged);
                assert_eq!(got(event, "[a][z]"), Some(Value::Null));
                assert_eq!(got(event, "only"), Some(true.into()));
            }
            assert_eq!([got(event, "s"), got(event, "[a][x]")], [Some("text".into()), Some(7.into())]);
            assert_eq!([got(event, "a"), got(event, "[s][t]"), got(event, "no")], [None, None, None]);
        });
    }
}

#[test]
fn a_value_in_the_place_of_an_object_gives_way_to_what_is_set_within_it() {
    for kind in KINDS {
        with_event(kind, |event| {
            event.set(&path("[s][t]"), Field::Text(b"new \xff"));
            let document = document(event);
            assert_eq!(document["s"], json!({"t": "new \u{FFFD}"}));
            assert_eq!(document["tags"], json!(["_invalid_utf8"]));
        });
    }
}

#[test]
fn names_of_changes_follow_the_rules_for_names_and_the_time_can_be_changed() {
    with_event((true, false), |event| {
        event.set(&path("[a.b][$c]"), Field::Null);
        event.set(&path("tags"), Field::Float(0.5));
        event.set(&path("@timestamp"), Field::Date(0.into()));
        assert_eq!(got(event, "@timestamp"), Some("1970-01-01T00:00:00.000Z".into()));
        let [json, bson] = documents(event);
        assert_eq!(json["a.b"], json!({"$c": null}));
        assert_eq!(bson["a_b"], json!({"_c": null}));
        assert_eq!([&json["tags_"], &bson["tags_"]], [&json!(0.5), &json!(0.5)]);
        event.remove(&path("@timestamp"));
        assert!(documents(event).iter().all(|document| !document.contains_key("@timestamp")));
    });
    assert!(["", "[a", "a]b"].iter().all(|name| FieldPath::new(name).is_err()));
}

#[test]
fn an_event_without_a_text_has_what_is_set_and_its_json_stands_for_the_text() {
    let mut changes = Changes::default();
    let mut event = Event::without_text(&mut changes);
    assert_eq!(document(&mut event), json!({}));
    event.set(&path("[probe][ms]"), Field::Int(12));
    event.set(&path("url"), Field::Text(b"http://h/"));
    event.set(&path("@timestamp"), Field::Date(1_431_857_103_000.into()));
    let expected = json!({"@timestamp": "2015-05-17T10:05:03.000Z", "probe": {"ms": 12}, "url": "http://h/"});
    assert_eq!(document(&mut event), expected);
    let mut line = Vec::new();
    event.encode_bare(Encoding::Json, &mut line);
    // Read again as a JSON line, it gives the same document.
    assert_eq!(encode_object(Some(&rule("@timestamp", "ISO8601")), &line), Some(expected));
}

#[test]
fn the_message_of_an_undecoded_event_is_a_field() {
    let mut changes = Changes::default();
    let mut event = Event::undecoded(b"whole line", true, None, &mut changes);
    assert_eq!(got(&event, "message"), Some("whole line".into()));
    event.set(&path("message"), Field::Bool(true));
    event.set(&path("more"), Field::Int(1));
    assert_eq!(document(&mut event), json!({"message": true, "more": 1, "tags": ["_grokparsefailure"]}));
}
