//! Lines that are handed out before their newlines: when that may happen, what their documents say, and that no part is delivered
//! twice.

use std::fs;

use super::{append, delivered, expect, follow, stop, wait_until};
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

/// Returns the lines delivered so far, and whether their documents are tagged as parts of lines.
fn parts(place: &Workspace, file: &str) -> Vec<(String, bool)> {
    let line = |object: &serde_json::Value| {
        let tags = object["tags"].as_array().cloned().unwrap_or_default();
        let text = object["line"].as_str().or(object["message"].as_str()).unwrap_or_default().to_owned();
        (text, tags.iter().any(|tag| tag == "_partial"))
    };
    place.objects(file).iter().map(line).collect()
}

/// Waits until the time-out of the bytes written so far is over. The sign: an unfinished line that was written later,
/// to another file, has been delivered.
fn wait_for_timeout(place: &Workspace) {
    append(&place.path("clock"), "tick\ntock");
    wait_for("the time-out", PATIENCE, || delivered(place).contains(&"tock".to_owned()).then_some(()));
}

fn lines(place: &Workspace) -> Vec<String> {
    delivered(place).into_iter().filter(|line| !line.starts_with('t')).collect()
}

fn more() -> String {
    (0..1000).map(|number| format!("line {number}\n")).collect()
}

fn expected() -> Vec<String> {
    let all = format!("starting up ... done\n{}", more());
    let mut all: Vec<String> = all.lines().map(str::to_owned).collect();
    all.sort();
    all
}

#[test]
fn a_first_line_is_not_cut_by_the_time_out_and_its_content_is_the_same_after_a_restart() {
    let place = Workspace::new();
    let log = place.write("app.log", "starting up ... ");
    let arguments = ["--follow", "app.log", "clock", "--follow-timeout", "0.1", "--state", "state"];
    let running = follow(&place, &arguments);
    wait_for_timeout(&place);
    append(&log, "done\n");
    append(&log, more());
    wait_until(&place, 1003);
    stop(running);
    let running = follow(&place, &arguments);
    append(&log, "last\n");
    wait_for("the last line", PATIENCE, || delivered(&place).contains(&"last".to_owned()).then_some(()));
    stop(running);
    let mut all = lines(&place);
    all.retain(|line| line != "last");
    all.sort();
    assert_eq!(all, expected());
}

#[test]
fn a_first_line_that_had_to_be_waited_for_is_the_same_in_a_copy_plain_or_compressed() {
    for compressed in [false, true] {
        let place = Workspace::new();
        let log = place.write("app.log", "starting up ... ");
        let running = follow(&place, &["--follow", "app.log*", "clock", "--follow-timeout", "0.1"]);
        wait_for_timeout(&place);
        append(&log, "done\n");
        append(&log, more());
        wait_until(&place, 1003);
        if compressed {
            let packed = place.write("packing", crate::kit::logs::gzip(&fs::read(&log).unwrap()));
            let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
            fs::File::open(&packed).unwrap().set_modified(earlier).unwrap();
            fs::rename(packed, place.path("app.log.1.gz")).unwrap();
            fs::remove_file(&log).unwrap();
        } else {
            fs::copy(&log, place.path("app.log.1")).unwrap();
        }
        fs::write(&log, "").unwrap();
        append(&log, "after\n");
        wait_for("what came after", PATIENCE, || delivered(&place).contains(&"after".to_owned()).then_some(()));
        stop(running);
        let mut all = lines(&place);
        all.retain(|line| line != "after");
        all.sort();
        assert_eq!(all, expected(), "compressed: {compressed}");
    }
}

#[test]
fn a_first_line_as_long_as_what_names_a_content_is_cut_and_without_a_state_its_beginning_goes_out_at_the_end() {
    let place = Workspace::new();
    let long = "x".repeat(4096);
    place.write("long.log", &long);
    place.write("short.log", "short");
    let running = follow(&place, &["--follow", "long.log", "short.log", "--follow-timeout", "0.1"]);
    expect(&place, &[&long]);
    stop(running);
    assert_eq!(parts(&place, "out"), [(long, true), ("short".to_owned(), true)]);
}

#[test]
fn parts_of_lines_are_tagged_and_whole_lines_are_not() {
    let place = Workspace::new();
    let log = place.write("app.log", "one\npart");
    let running = follow(&place, &["--follow", "app.log", "--follow-timeout", "0.1"]);
    expect(&place, &["one", "part"]);
    append(&log, "ial\ntwo\n");
    expect(&place, &["one", "part", "ial", "two"]);
    append(&log, "gone");
    expect(&place, &["one", "part", "ial", "two", "gone"]);
    // Only the newline comes.
    append(&log, "\nthree\nfour");
    expect(&place, &["one", "part", "ial", "two", "gone", "three", "four"]);
    stop(running);
    let tagged: Vec<bool> = parts(&place, "out").into_iter().map(|(_, partial)| partial).collect();
    assert_eq!(tagged, [false, true, true, false, true, false, true]);
    // A content that is read once is complete: its last line is whole without a newline.
    place.logator(&["app.log", "-p", "%{GREEDYDATA:line}", "--to", "ndjson:whole"], b"");
    assert!(parts(&place, "whole").iter().all(|(_, partial)| !partial));
}

#[test]
fn of_a_line_that_was_cut_before_a_restart_only_the_rest_is_delivered() {
    let place = Workspace::new();
    let log = place.write("app.log", "one\npart");
    let arguments = ["--follow", "app.log", "--follow-timeout", "0.1", "--state", "state"];
    let running = follow(&place, &arguments);
    expect(&place, &["one", "part"]);
    stop(running);
    append(&log, "ial\ntwo\n");
    let running = follow(&place, &arguments);
    expect(&place, &["one", "part", "ial", "two"]);
    stop(running);
    let tagged: Vec<bool> = parts(&place, "out").into_iter().map(|(_, partial)| partial).collect();
    assert_eq!(tagged, [false, true, true, false]);
    let running = follow(&place, &arguments);
    append(&log, "three\n");
    expect(&place, &["one", "part", "ial", "two", "three"]);
    stop(running);
}

#[test]
fn a_part_of_a_line_says_so_over_the_wire_and_as_a_dead_letter_and_replayed() {
    let place = Workspace::new();
    place.write("app.log", "one 1\nanother 2\npart");
    let queue = place.queue(&["--follow", "app.log", "--follow-timeout", "0.1", "--linger", "0"]);
    let pattern = ["-p", "^%{WORD:line} %{INT}$", "--unmatched", "dead-letter", "--dead-letters", "letters"];
    let worker = place.worker(&[&pattern[..], &["--to", "ndjson:out"]].concat());
    let letters = || fs::read_to_string(place.path("letters")).ok().filter(|text| text.ends_with('\n'));
    let letter = wait_for("a letter", PATIENCE, letters);
    assert!(letter.contains("\"raw\":\"part\"") && letter.contains("\"partial\":true"), "{letter}");
    queue.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(queue.end_with_input_open().code, Some(1));
    worker.end();
    assert_eq!(parts(&place, "out"), [("one".to_owned(), false), ("another".to_owned(), false)]);
    let id = serde_json::from_str::<serde_json::Value>(&letter).unwrap()["_id"].clone();
    let replay = ["replay", "letters", "-p", "%{GREEDYDATA:line}", "--to", "ndjson:replayed"];
    assert_eq!(place.run("logator", &replay, b"").code, Some(0));
    assert_eq!(parts(&place, "replayed"), [("part".to_owned(), true)]);
    assert_eq!(place.objects("replayed")[0]["_id"], id);
}
