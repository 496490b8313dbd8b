//! Tests that a document has the whole record where a part of it would be lost, and the fields of its source.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::core::batch::{Batch, Origin};
use crate::core::context::Context;
use crate::core::envelope::Envelope;
use crate::document::Encoding;
use crate::event::{Layout, MessageRule};
use crate::grok::{Format, Library};
use crate::observe::counters::{Scope, TAGGED};
use crate::worker::parser::{Formats, Unmatched};

fn origin() -> Origin {
    Origin { path: Some("/var/log/a.log".into()), host: Some("web1".into()), ..Origin::new(1, "a.log") }
}

fn format(library: &Library, rule: &str) -> Format {
    if rule.contains('%') || rule.contains('(') { library.pattern(rule) } else { library.format(rule) }.unwrap()
}

/// Returns the documents of the lines, without ids, and the counts of tags. The BSON documents must hold the same.
fn made(
    rule: &str,
    ecs: bool,
    message: MessageRule,
    origin: Origin,
    lines: &[&str],
) -> (Vec<Value>, Vec<(String, u64)>) {
    let library = if ecs { Library::builtin_ecs() } else { Library::builtin() };
    let format = format(&library, rule);
    let formats = Arc::new(Formats::new(vec![format], library, Unmatched::Keep, drop).with_message(message));
    let layouts = [Encoding::Json, Encoding::Bson].map(Layout::from);
    let mut parser = formats.parser(layouts.clone()).unwrap();
    let mut parsed = parser.buffer();
    let data = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect::<Vec<u8>>();
    let batch = Batch::of(Context::new(Arc::new(origin)), 0, lines.len() as u32, data.into());
    parser.parse(&batch, &mut parsed).unwrap();
    let [json, bson] = [&layouts[0], &layouts[1]].map(|layout| parsed.encoded(layout));
    let documents: Vec<Value> = json
        .iter()
        .map(|document| {
            let mut value: Value = serde_json::from_slice(document.bytes).unwrap();
            value.as_object_mut().unwrap().remove("_id");
            value
        })
        .collect();
    #[cfg(feature = "mongodb")]
    for (document, value) in bson.iter().zip(&documents) {
        let document = mongodb::bson::Document::from_reader(document.bytes).unwrap();
        let mut names: Vec<&str> = document.keys().map(String::as_str).filter(|name| *name != "_id").collect();
        let mut expected: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected, "{value}");
    }
    let _ = bson;
    let tags = formats.counts().into_iter().filter(|row| row.scope() == Some(Scope::Tag));
    (documents, tags.map(|row| (row.label.clone(), row.get(&TAGGED))).collect())
}

fn one(rule: &str, message: MessageRule, line: &str) -> Value {
    made(rule, false, message, Origin::new(1, "x"), &[line]).0.remove(0)
}

#[test]
fn a_record_that_the_match_does_not_span_or_that_failed_in_part_is_kept_whole() {
    use MessageRule::{Always, Auto, Never};
    let upstream = r#"%{WORD:verb} "%{DATA:urt:float}"$"#;
    for (rule, message, line, expected) in [
        ("%{WORD:a} %{WORD:b}", Auto, "one two", json!({"a": "one", "b": "two"})),
        ("%{WORD:a} %{WORD:b}", Auto, "one two!", json!({"a": "one", "b": "two", "message": "one two!"})),
        ("%{INT:n:int}", Auto, "x 5", json!({"n": 5, "message": "x 5"})),
        ("%{WORD:a} %{WORD:b}", Never, "one two!", json!({"a": "one", "b": "two"})),
        ("%{WORD:a}", Always, "one", json!({"a": "one", "message": "one"})),
        (upstream, Auto, r#"GET "1.394""#, json!({"verb": "GET", "urt": 1.394})),
        (
            upstream,
            Auto,
            r#"GET "-, 1.394""#,
            json!({"verb": "GET", "urt": "-, 1.394", "message": "GET \"-, 1.394\"", "tags": ["_typefailure:urt"]}),
        ),
        (
            upstream,
            Never,
            r#"GET "0.004, 0.012""#,
            json!({"verb": "GET", "urt": "0.004, 0.012", "tags": ["_typefailure:urt"]}),
        ),
        (
            "%{DATA:[http][bytes]:int} %{DATA:b:bool}$",
            Auto,
            "12abc yes",
            json!({"http": {"bytes": "12abc"}, "b": "yes", "message": "12abc yes",
                "tags": ["_typefailure:[http][bytes]", "_typefailure:b"]}),
        ),
        ("(?<n>[0-9]*)-(?<m>[0-9]*):%{DATA:x:int};", Auto, "1-:;", json!({"n": "1"})),
        // The name is taken.
        (
            "%{WORD:message} %{NOTSPACE:n:int}",
            Auto,
            "hello -",
            json!({"message": "hello", "n": "-", "event": {"original": "hello -"}, "tags": ["_typefailure:n"]}),
        ),
        (
            "%{WORD:message} %{WORD:[event][code]} %{NOTSPACE:n:int}",
            Auto,
            "hello x -",
            json!({"message": "hello", "n": "-", "event": {"code": "x", "original": "hello x -"}, "tags": ["_typefailure:n"]}),
        ),
        (
            "%{WORD:message} %{WORD:event}",
            Auto,
            "hello x!",
            json!({"message": "hello", "event": "x", "@original": "hello x!"}),
        ),
        ("%{WORD:a} is", Auto, "no match", json!({"message": "no match", "tags": ["_grokparsefailure"]})),
        ("ndjson", Auto, r#"{"a":1}"#, json!({"a": 1})),
        ("ndjson", Always, r#"{"a":1}"#, json!({"a": 1, "message": "{\"a\":1}"})),
    ] {
        assert_eq!(one(rule, message, line), expected, "{rule} {message:?} {line}");
    }
}

#[test]
fn integers_of_json_beyond_64_bits_stay_texts_and_name_their_field() {
    let line = r#"{"a":9007199254740993,"b":9223372036854775807,"c":[{"d":9223372036854775808}],"message":"m","e":18446744073709551615}"#;
    let expected = json!({
        "a": 9_007_199_254_740_993_i64, "b": i64::MAX, "c": [{"d": "9223372036854775808"}], "message": "m",
        "e": "18446744073709551615", "event": {"original": line},
        "tags": ["_typefailure:[c][d]", "_typefailure:e"],
    });
    assert_eq!(one("ndjson", MessageRule::Auto, line), expected);
    let never = one("ndjson", MessageRule::Never, line);
    assert_eq!((never.get("event"), &never["tags"]), (None, &expected["tags"]));
}

#[test]
fn a_date_that_cannot_be_read_names_its_field() {
    let line = r#"{"time":"yesterday","message":"m"}"#;
    let document = one("ndjson", MessageRule::Auto, line);
    assert_eq!(document["tags"], json!(["_dateparsefailure:time"]));
    assert_eq!(document["event"]["original"], line);
}

#[test]
fn documents_have_path_and_host_and_a_field_of_the_record_wins() {
    let source = json!({"path": "/var/log/a.log", "host": "web1"});
    let with = |mut document: Value| {
        document.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        document
    };
    let plain = |rule: &str, line: &str| made(rule, false, MessageRule::Auto, origin(), &[line]).0.remove(0);
    assert_eq!(plain("%{WORD:a}", "one"), with(json!({"a": "one"})));
    assert_eq!(plain("%{WORD:a} x", "one"), with(json!({"message": "one", "tags": ["_grokparsefailure"]})));
    assert_eq!(plain("ndjson", r#"{"a":1}"#), with(json!({"a": 1})));
    assert_eq!(
        plain("%{WORD:host} %{WORD:a}", "db7 one"),
        json!({"host": "db7", "a": "one", "path": "/var/log/a.log", "@source_host": "web1"})
    );
    // The pattern has the field, so the name is taken on every line.
    assert_eq!(
        plain("(?:-|%{WORD:path}) %{WORD:a}", "- one"),
        json!({"a": "one", "@source_path": "/var/log/a.log", "host": "web1"})
    );
    assert_eq!(
        plain("ndjson", r#"{"host":{"name":"x"},"path":"p"}"#),
        json!({"host": {"name": "x"}, "path": "p", "@source_path": "/var/log/a.log", "@source_host": "web1"})
    );
    assert_eq!(
        plain("ndjson", r#"{"host":1,"@source_host":2,"@source_path":3}"#),
        json!({"host": 1, "@source_host": 2, "@source_path": 3, "path": "/var/log/a.log"})
    );
}

#[test]
fn with_ecs_path_and_host_stand_in_the_objects_of_the_record() {
    let ecs = |rule: &str, origin: Origin, line: &str| made(rule, true, MessageRule::Auto, origin, &[line]).0.remove(0);
    let file = json!({"file": {"path": "/var/log/a.log"}});
    assert_eq!(ecs("%{WORD:a}", origin(), "one"), json!({"a": "one", "log": file, "host": {"name": "web1"}}));
    assert_eq!(
        ecs("%{WORD:[host][hostname]} %{WORD:[log][level]}", origin(), "db warn"),
        json!({"host": {"hostname": "db", "name": "web1"}, "log": {"level": "warn", "file": {"path": "/var/log/a.log"}}})
    );
    assert_eq!(
        ecs("%{WORD:[host][name]} %{WORD:log}", origin(), "db warn"),
        json!({"host": {"name": "db"}, "log": "warn", "@source_path": "/var/log/a.log", "@source_host": "web1"})
    );
    assert_eq!(
        ecs("ndjson", origin(), r#"{"host":{"ip":["::1"]},"log":{"file":{"path":"own","line":7}}}"#),
        json!({
            "host": {"ip": ["::1"], "name": "web1"}, "log": {"file": {"path": "own", "line": 7}},
            "@source_path": "/var/log/a.log",
        })
    );
    // The header of the envelope is in the object as well.
    let syslog = ecs("%{GREEDYDATA:message}", origin().wrapped(Envelope::Syslog), "<34>1 - gate app - - - hello");
    assert_eq!(syslog["host"], json!({"hostname": "gate", "name": "web1"}));
    assert_eq!(syslog["log"]["file"]["path"], "/var/log/a.log");
    assert!(syslog["log"]["syslog"]["priority"] == 34, "{syslog}");
}

#[test]
fn fields_of_the_source_are_merged_with_those_of_the_record() {
    let fields = json!({
        "service": {"name": "shop"}, "team": "a", "event": {"dataset": "x"}, "n": 7, "list": [1, {"a": null}],
    });
    let described = || origin().with_fields(fields.as_object().unwrap());
    let made = |rule: &str, line: &str| made(rule, false, MessageRule::Auto, described(), &[line]).0.remove(0);
    let document = made("%{WORD:message}", "one!");
    assert_eq!(document["event"], json!({"dataset": "x", "original": "one!"}));
    assert_eq!((&document["list"], &document["n"]), (&fields["list"], &json!(7)));
    let document = made("ndjson", r#"{"service":{"version":"2"},"team":"own","event":"login"}"#);
    assert_eq!(document["service"], json!({"version": "2", "name": "shop"}));
    assert_eq!(
        (&document["team"], &document["event"], &document["path"]),
        (&json!("own"), &json!("login"), &json!("/var/log/a.log"))
    );
}

#[test]
fn tags_are_counted_once_for_all_sinks() {
    let lines = ["1", "x", "y", "", "99999999999999999999"];
    let (_, counts) = made("^%{NOTSPACE:n:int}$", false, MessageRule::Auto, origin(), &lines);
    assert_eq!(counts, [("_grokparsefailure".to_owned(), 1), ("_typefailure:n".to_owned(), 3)]);
    let (_, counts) = made("ndjson", false, MessageRule::Auto, origin(), &[r#"{"a":1,"a":2}"#]);
    assert_eq!(counts, [("_duplicate_field:a".to_owned(), 1)]);
}
