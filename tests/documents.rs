//! Tests that no value of a line is lost on its way through the whole program.

use serde_json::json;

use crate::kit::workspace::{Workspace, account, objects};

/// Returns the documents of `input` without their ids.
fn documents(place: &Workspace, arguments: &[&str], input: &[u8]) -> Vec<serde_json::Value> {
    let (ran, receipt) = place.logator(arguments, input);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&receipt)[0], account(&receipt)[1] + account(&receipt)[3]);
    let mut documents = objects(&ran.stdout);
    documents.iter_mut().for_each(|document| {
        document.as_object_mut().unwrap().remove("_id");
    });
    documents
}

#[test]
fn no_value_of_a_json_line_vanishes() {
    let lines = "{\"a.b\":1,\"a_b\":2}\n{\"n\":18446744073709551615}\n{\"a\":1,\"a\":2}\n{\"$x\":{\"y.z\":1.5}}\n";
    let place = Workspace::new();
    assert_eq!(
        documents(&place, &["-f", "ndjson"], lines.as_bytes()),
        [
            json!({"a.b": 1, "a_b": 2}),
            json!({"n": "18446744073709551615", "message": "{\"n\":18446744073709551615}", "tags": ["_typefailure:n"]}),
            json!({"a": [1, 2], "tags": ["_duplicate_field:a"]}),
            json!({"$x": {"y.z": 1.5}}),
        ]
    );
}

/// The byte order mark that UTF-8 text may begin with.
const MARK: &str = "\u{FEFF}";

#[test]
fn a_byte_order_mark_is_left_out_of_the_document_and_of_nothing_else() {
    let place = Workspace::new();
    let lines = "one two\nthree four\n";
    let arguments = ["-p", "^%{WORD:a} %{WORD:b}$"];
    let plain = json!([{"a": "one", "b": "two"}, {"a": "three", "b": "four"}]);
    assert_eq!(json!(documents(&place, &arguments, format!("{MARK}{lines}").as_bytes())), plain);
    // In the middle of a line, the mark is a usual character.
    let inside = documents(&place, &arguments, format!("one two\n{MARK}three four\n").as_bytes());
    assert_eq!(inside[1]["message"], format!("{MARK}three four"));
    // The format is detected in spite of the mark.
    let told = documents(&place, &[], format!("{MARK}{{\"a\":1}}\n{{\"a\":2}}\n").as_bytes());
    assert_eq!(json!(told), json!([{"a": 1}, {"a": 2}]));
    let ran = place.run("logator", &["grok", arguments[1]], format!("{MARK}{lines}").as_bytes());
    let mut tried = objects(&ran.stdout);
    tried.iter_mut().for_each(|document| drop(document.as_object_mut().unwrap().remove("_id")));
    assert_eq!(json!(tried), plain);
}

#[test]
fn a_letter_keeps_the_byte_order_mark_and_its_id_and_its_replay_does_not() {
    let place = Workspace::new();
    let line = format!("{MARK}one two");
    place.write("a.log", format!("{line}\n"));
    let id = |text: &str| objects(text)[0]["_id"].as_str().unwrap().to_owned();
    let (ran, _) = place.logator(&["a.log", "-p", "^%{WORD:a} %{WORD:b}$"], b"");
    let direct = ran.stdout;
    let (ran, _) = place.logator(&["a.log", "-p", "^nothing$", "--unmatched", "dead-letter"], b"");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let letter = &place.objects("dead-letters.ndjson")[0];
    assert_eq!((&letter["raw"], &letter["offset"], &letter["length"]), (&json!(line), &json!(0), &json!(line.len())));
    let ran = place.run("logator", &["replay", "dead-letters.ndjson", "-p", "^%{WORD:a} %{WORD:b}$"], b"");
    assert_eq!((ran.code, &ran.stdout), (Some(0), &direct), "{}", ran.stderr);
    // The id is that of the raw bytes, as a program without this rule would make it.
    assert_eq!(json!(id(&direct)), letter["_id"]);
}
