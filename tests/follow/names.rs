//! The set of followed files: files that exist at the start, and files that appear later.

use std::fs;

use super::{WAYS, append, delivered, expect, follow, stop, wait_until};
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

#[test]
fn files_that_appear_later_are_followed_from_their_beginning() {
    for how in WAYS {
        let place = Workspace::new();
        let names = ["logs", "glob-*.log", "deep/*/x*.log", "later.log"];
        let ran = place.run("logator", &[&["run", how], &names[..]].concat(), b"");
        let words = "deep/*/x*.log: no file matches, and no directory in which one could appear";
        assert!(ran.code == Some(2) && ran.stderr.contains(words), "{ran:?}");
        for directory in ["logs", "deep"] {
            fs::create_dir(place.path(directory)).unwrap();
        }
        let mut running = follow(&place, &[&[how], &names[..]].concat());
        running.says("glob-*.log: no file matches yet; it is read when it appears");
        running.says("later.log: not there yet; it is read when it appears");
        append(&place.path("later.log"), "1\n");
        expect(&place, &["1"]);
        append(&place.path("glob-a.log"), "2\n");
        expect(&place, &["1", "2"]);
        append(&place.path("other.log"), "not this\n");
        append(&place.path("logs/a"), "3\n");
        expect(&place, &["1", "2", "3"]);
        // A directory and its files appear at once.
        fs::create_dir_all(place.path("new/below")).unwrap();
        append(&place.path("new/below/b"), "4\n");
        fs::rename(place.path("new"), place.path("logs/new")).unwrap();
        expect(&place, &["1", "2", "3", "4"]);
        fs::create_dir(place.path("deep/d")).unwrap();
        append(&place.path("deep/d/x1.log"), "5\n");
        expect(&place, &["1", "2", "3", "4", "5"]);
        append(&place.path("deep/d/y.log"), "not this\n");
        append(&place.path("deep/d/x1.log"), "6\n");
        append(&place.path("logs/new/below/b"), "7\n");
        wait_until(&place, 7);
        stop(running);
        let mut all = delivered(&place);
        all.sort();
        assert_eq!(all, ["1", "2", "3", "4", "5", "6", "7"], "{how}");
    }
}

#[test]
fn what_the_job_writes_into_a_directory_that_it_follows_is_not_read() {
    let place = Workspace::new();
    place.write("a.log", "one\n");
    let more = ["--to", "sqlite:logs.db", "--state", "state", "--max-line", "10"];
    let running = follow(&place, &[&["--follow", "."], &more[..]].concat());
    wait_until(&place, 1);
    append(&place.path("b.log"), "two\nthis is too long\nthree\n");
    wait_until(&place, 3);
    append(&place.path("a.log"), "four\n");
    wait_until(&place, 4);
    running.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(running.end_with_input_open().code, Some(1), "a line was too long");
    let mut all = delivered(&place);
    all.sort();
    assert_eq!(all, ["four", "one", "three", "two"]);
}

#[test]
fn many_files_side_by_side() {
    let place = Workspace::new();
    fs::create_dir(place.path("logs")).unwrap();
    let running = follow(&place, &["--follow", "logs"]);
    let path = |file: usize| place.path(&format!("logs/{file}"));
    let files = 300;
    // Every thread has its working memory by then.
    for round in 0..10 {
        for file in 0..files {
            append(&path(file), format!("{file} {round}\n"));
        }
    }
    wait_until(&place, 10 * files);
    let before = running.memory().unwrap();
    for round in 10..20 {
        for file in 0..files {
            append(&path(file), format!("{file} {round}\n"));
        }
    }
    wait_until(&place, 20 * files);
    let after = running.memory().unwrap();
    // The allocator takes 4 MiB at a time: one more block can be chance, two blocks cannot.
    assert!(after < before + (8 << 10), "{before} kB before, {after} kB after");
    stop(running);
    let mut all = delivered(&place);
    all.sort();
    let mut expected: Vec<String> =
        (0..files).flat_map(|file| (0..20).map(move |round| format!("{file} {round}"))).collect();
    expected.sort();
    assert_eq!(all, expected);
}

#[test]
fn a_link_that_leads_elsewhere_by_now_is_another_file() {
    let place = Workspace::new();
    place.write("files/1", "one\n");
    place.write("files/2", "two\n");
    std::os::unix::fs::symlink("files/1", place.path("current")).unwrap();
    let running = follow(&place, &["--follow", "current"]);
    expect(&place, &["one"]);
    std::os::unix::fs::symlink("files/2", place.path("next")).unwrap();
    fs::rename(place.path("next"), place.path("current")).unwrap();
    expect(&place, &["one", "two"]);
    append(&place.path("files/2"), "more\n");
    expect(&place, &["one", "two", "more"]);
    stop(running);
}

#[test]
fn a_directory_that_goes_takes_no_other_file_along_and_may_come_back() {
    let place = Workspace::new();
    let (log, other) = (place.write("a.log", "one\n"), place.write("there/b.log", "two\n"));
    let running = follow(&place, &["--follow=poll", "there/*.log", "a.log", "there/b.log"]);
    wait_until(&place, 2);
    let open = running.open_files();
    fs::remove_dir_all(place.path("there")).unwrap();
    append(&log, "three\n");
    wait_until(&place, 3);
    // Only the deleted file is closed.
    wait_for("the deleted file to be closed", PATIENCE, || (running.open_files() < open).then_some(()));
    append(&log, "four\n");
    wait_until(&place, 4);
    fs::create_dir(place.path("there")).unwrap();
    append(&other, "five\n");
    wait_until(&place, 5);
    stop(running);
    let mut all = delivered(&place);
    all.sort();
    assert_eq!(all, ["five", "four", "one", "three", "two"]);
}

/// The environment and a file can ask for it too.
#[test]
fn polling_can_be_asked_for_from_outside() {
    let place = Workspace::new();
    let log = place.write("app.log", "one\n");
    let mut command = place.command("logator", &["run", "app.log", "-p", "%{GREEDYDATA:line}", "--to", "ndjson:out"]);
    command.env("LOGATOR_FOLLOW", "poll");
    let running = crate::kit::workspace::Running::start(command);
    expect(&place, &["one"]);
    append(&log, "two\n");
    expect(&place, &["one", "two"]);
    stop(running);
    place.write("logator.toml", "follow = true\n[run]\nfollow = false\n");
    let (ran, receipt) = place.logator(&["--config", "logator.toml", "app.log", "--to", "null:"], b"");
    assert_eq!((ran.code, receipt.read), (Some(0), 2));
}
