//! Records of several lines in the logs of containers: the text inside the envelope decides, and each stream has its own.

use serde_json::{Value, json};

use crate::kit::workspace::{Workspace, objects};

/// Lines of two streams that are written at the same time. The second part says whether the line comes in pieces.
const LINES: [(&str, &str, &[usize]); 9] = [
    ("stdout", "2024-02-03 04:05:06 ERROR boom \"quoted\"", &[]),
    ("stderr", "2024-02-03 04:05:06 WARN other", &[]),
    ("stdout", "\tat a.B.c(B.java:1)", &[]),
    ("stderr", "  of stderr", &[5]),
    ("stdout", "\tat a.B.d(B.java:2)", &[4, 9]),
    ("stdout", "2024-02-03 04:05:07 INFO next", &[25]),
    ("stderr", "more of stderr", &[]),
    ("stdout", "  of next", &[]),
    ("stdout", "2024-02-03 04:05:08 INFO last", &[]),
];

fn time(at: usize) -> String {
    format!("2026-01-02T03:04:05.{at:09}Z")
}

/// The lines `rounds` times, in the form that `form` writes.
fn content(rounds: usize, form: fn(usize, &str, &str, bool) -> String) -> String {
    let mut content = String::new();
    for round in 0..rounds {
        for (at, (stream, text, cuts)) in LINES.iter().enumerate() {
            let (mut from, time) = (0, round * LINES.len() + at + 1);
            for &cut in *cuts {
                content += &form(time, stream, &text[from..cut], false);
                from = cut;
            }
            content += &form(time, stream, &text[from..], true);
        }
    }
    content
}

fn json_file(at: usize, stream: &str, text: &str, ends: bool) -> String {
    let log = format!("{text}{}", if ends { "\n" } else { "" });
    format!("{}\n", json!({ "log": log, "stream": stream, "time": time(at) }))
}

fn cri(at: usize, stream: &str, text: &str, ends: bool) -> String {
    format!("{} {stream} {} {text}\n", time(at), if ends { "F" } else { "P" })
}

fn essence(text: &str) -> Vec<[String; 3]> {
    let part = |document: &Value, name: &str| document[name].as_str().unwrap_or_default().to_owned();
    let mut all: Vec<[String; 3]> =
        objects(text).iter().map(|document| ["_id", "stream", "message"].map(|name| part(document, name))).collect();
    all.sort();
    all
}

#[test]
fn lines_of_each_stream_are_joined_inside_their_envelope() {
    let place = Workspace::new();
    let rounds = 40;
    place.write("json.log", content(rounds, json_file));
    place.write("cri.log", content(rounds, cri));
    let mut all: Option<Vec<[String; 3]>> = None;
    for (name, batch, workers) in [
        ("json.log", "2000", "1"),
        ("json.log", "1", "4"),
        ("json.log", "7", "2"),
        ("cri.log", "2000", "1"),
        ("cri.log", "3", "4"),
    ] {
        let fixed = ["run", name, "--origin", "x", "-p", "^never$", "--unmatched", "keep", "--to", "ndjson:-"];
        let ran = place.run("logator", &[&fixed[..], &["--batch-lines", batch, "-j", workers]].concat(), b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let found = essence(&ran.stdout);
        let mut texts: Vec<(&str, &str)> = found[..].iter().map(|[_, stream, text]| (&stream[..], &text[..])).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(found.len(), 4 * rounds, "{name} {batch}");
        assert_eq!(
            texts,
            [
                ("stderr", "2024-02-03 04:05:06 WARN other\n  of stderr\nmore of stderr"),
                ("stdout", "2024-02-03 04:05:06 ERROR boom \"quoted\"\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)"),
                ("stdout", "2024-02-03 04:05:07 INFO next\n  of next"),
                ("stdout", "2024-02-03 04:05:08 INFO last"),
            ],
            "{name} {batch}"
        );
        assert_eq!(*all.get_or_insert_with(|| found.clone()), found, "{name} {batch}");
    }
    // Dead letters hold the lines with their envelopes, and a replay joins them again.
    let dead =
        ["run", "json.log", "--origin", "x", "-p", "^never$", "--unmatched", "dead-letter", "--to", "ndjson:none"];
    place.run("logator", &[&dead[..], &["--dead-letters", "letters"]].concat(), b"");
    let replay = ["replay", "letters", "-p", "^never$", "--unmatched", "keep", "--to", "ndjson:-"];
    let ran = place.run("logator", &[&replay[..], &["--dead-letters", "more"]].concat(), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(Some(essence(&ran.stdout)), all);
}
