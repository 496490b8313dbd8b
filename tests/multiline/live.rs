//! Records of files that are followed: the quiet time, and rotation in the middle of a record.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{PATTERN, by_id, log};
use crate::kit::workspace::{Running, Workspace, objects};
use crate::kit::{PATIENCE, wait_for};

fn follow(place: &Workspace, arguments: &[&str]) -> Running {
    place.start("logator", &[&["run", "--follow", "-p", PATTERN, "--to", "ndjson:out"], arguments].concat())
}

fn append(place: &Workspace, name: &str, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(place.path(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// The documents that were stored, when there are as many as wanted.
fn documents(place: &Workspace, wanted: usize) -> Vec<Value> {
    wait_for("documents", PATIENCE, || {
        let text = fs::read_to_string(place.path("out")).unwrap_or_default();
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        (whole.lines().count() >= wanted).then(|| objects(whole))
    })
}

fn stop(running: Running) {
    running.signal(Signal::SIGTERM);
    running.end();
}

fn is_cut(document: &Value) -> bool {
    document["tags"].as_array().is_some_and(|tags| tags.contains(&"_multilinecut".into()))
}

#[test]
fn a_followed_file_gives_the_documents_of_a_run() {
    let place = Workspace::new();
    place.write("app.log", log(300));
    let (ran, _) = place.logator(&["app.log", "-p", PATTERN, "--to", "ndjson:once"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let running = follow(&place, &["app.log", "--batch-lines", "7", "-j", "4"]);
    documents(&place, 300);
    stop(running);
    assert_eq!(by_id(&place.text("out")), by_id(&place.text("once")));
}

#[test]
fn a_record_of_several_lines_that_the_quiet_time_ends_is_tagged_and_the_rest_is_the_next_record() {
    let place = Workspace::new();
    place.write("app.log", "2024-02-03 04:05:06 ERROR boom\n\tat a\n");
    let running = follow(&place, &["app.log"]);
    let first = documents(&place, 1).remove(0);
    assert_eq!(first["message"], "2024-02-03 04:05:06 ERROR boom\n\tat a");
    assert!(is_cut(&first));
    append(&place, "app.log", "\tat b\n\tat c\n2024-02-03 04:05:07 ERROR one line\n");
    let all = documents(&place, 3);
    assert_eq!(all[1]["message"], "\tat b\n\tat c");
    // A record of one line is whole as far as anybody knows. What continues it later is tagged instead.
    assert!(!is_cut(&all[2]) && all[2]["text"] == "one line", "{all:?}");
    append(&place, "app.log", "\tat d\n2024-02-03 04:05:08 ERROR next\n");
    let all = documents(&place, 4);
    assert!(is_cut(&all[3]) && all[3]["message"] == "\tat d", "{all:?}");
    stop(running);
}

#[test]
fn a_record_is_whole_although_its_file_is_renamed_in_the_middle_of_it() {
    let place = Workspace::new();
    let start = "2024-02-03 04:05:05 ERROR start\n";
    place.write("app.log", start);
    let running = follow(&place, &["app.log*"]);
    documents(&place, 1);
    append(&place, "app.log", "2024-02-03 04:05:06 ERROR boom\n\tat a\n");
    fs::rename(place.path("app.log"), place.path("app.log.1")).unwrap();
    append(&place, "app.log.1", "\tat b\n2024-02-03 04:05:07 ERROR last of the old file\n");
    append(&place, "app.log", "2024-02-03 04:05:08 ERROR new\n");
    let all = documents(&place, 4);
    stop(running);
    let mut messages: Vec<&str> = all.iter().filter_map(|document| document["message"].as_str()).collect();
    messages.sort_unstable();
    assert_eq!(messages, ["2024-02-03 04:05:06 ERROR boom\n\tat a\n\tat b"], "{all:?}");
    assert!(!all.iter().any(is_cut), "{all:?}");
}
