//! The state directory: one holder, a damaged journal, a place that cannot be written.

use std::os::unix::fs::PermissionsExt as _;

use crate::kit::logs::{access, access_line};
use crate::kit::workspace::{Running, Workspace};

/// Makes a journal of three extents with a hundred lines each.
fn three_extents(place: &Workspace) -> Vec<u8> {
    place.write("log", access(0..300));
    let arguments = ["log", "--state", "state", "-f", "combined", "--batch-lines", "100", "-j", "1", "--to", "null:"];
    let (_, receipt) = place.logator(&arguments, b"");
    assert_eq!(receipt.read, 300);
    let journal = std::fs::read(place.path("state/journal")).unwrap();
    assert_eq!(journal.len(), 16 + 3 * 43);
    journal
}

#[test]
fn a_second_holder_is_refused_with_the_number_of_the_first_and_a_killed_one_holds_nothing() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--state", "state"]);
    let words = |program: &str| {
        let pid = queue.id();
        format!(
            "{program}: --state state: process {pid} uses this directory; wait for its end, or name another directory\n"
        )
    };
    let ran = place.run("logator", &["run", "--state", "state"], &access(0..5));
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr), (Some(2), "", words("logator")));
    let other = place.at("ipc://", "other");
    let ran = place.run("logator-queue", &["--state", "state", "--bind", &other], &access(0..5));
    assert_eq!((ran.code, ran.stderr), (Some(2), words("logator-queue")));
    queue.kill();
    let ran = place.run("logator", &["run", "--state", "state", "-f", "combined"], &access(0..5));
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 5), "{}", ran.stderr);
}

#[test]
fn a_journal_that_is_damaged_at_any_byte_or_cut_anywhere_keeps_what_stands_before() {
    let place = Workspace::new();
    let journal = three_extents(&place);
    let check = |damaged: &[u8], at: usize, what: &str| {
        std::fs::write(place.path("state/journal"), damaged).unwrap();
        let ran = place.run(
            "logator",
            &["run", "log", "--state", "state", "-f", "combined", "--receipt", "receipt", "-j", "1"],
            b"",
        );
        if at < 16 && !damaged.is_empty() && damaged.len() >= 16 {
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{what}");
            assert!(
                ran.stderr.contains("is not a journal, or its beginning is damaged; move it away to start again"),
                "{what}"
            );
            assert_eq!(std::fs::read(place.path("state/journal")).unwrap(), damaged, "{what}: it is left as it was");
            return;
        }
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.stderr);
        let kept = at.saturating_sub(16) / 43;
        let torn = damaged.len() > 16 + kept * 43;
        assert_eq!(ran.stderr.contains("the journal is torn or damaged"), torn, "{what}: {}", ran.stderr);
        let expected: Vec<String> = (kept * 100..300).map(|index| format!("/page/{index}")).collect();
        let objects = crate::kit::workspace::objects(&ran.stdout);
        let delivered: Vec<&str> = objects.iter().map(|object| object["request"].as_str().unwrap()).collect();
        assert_eq!(delivered, expected, "{what}");
        assert_eq!(place.receipt("receipt").resumed_lines, kept as u64 * 100, "{what}");
    };
    for at in 0..journal.len() {
        let mut damaged = journal.clone();
        damaged[at] ^= 1 << (at % 8);
        check(&damaged, at, &format!("byte {at} damaged"));
    }
    for length in (0..journal.len()).step_by(7) {
        check(&journal[..length], length, &format!("cut to {length}"));
    }
}

#[test]
fn a_later_version_is_refused_and_left_alone() {
    let place = Workspace::new();
    let mut journal = three_extents(&place);
    journal[11] = 2;
    let check = xxhash_rust::xxh3::xxh3_64_with_seed(&journal[..12], 0) as u32;
    journal[12..16].copy_from_slice(&check.to_be_bytes());
    std::fs::write(place.path("state/journal"), &journal).unwrap();
    let ran = place.run("logator", &["run", "log", "--state", "state"], b"");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("its journal has version 2, but this program reads version 1"), "{}", ran.stderr);
    assert_eq!(std::fs::read(place.path("state/journal")).unwrap(), journal);
}

#[test]
fn a_place_that_cannot_be_a_state_directory_is_said_before_anything_is_read() {
    let place = Workspace::new();
    place.write("file", "text\n");
    place.write("log", access(0..5));
    for state in ["file", "file/state", "/proc/state"] {
        let ran = place.run("logator", &["run", "log", "--state", state, "-f", "combined"], b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{state}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(&format!("logator: --state {state}: ")), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
    // Missing parent folders are made.
    let ran = place.run("logator", &["run", "log", "--state", "a/b/c", "-f", "combined"], b"");
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 5));
    let mode = std::fs::metadata(place.path("a/b/c")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "what others may know is for the user to say");
}

#[test]
fn a_state_directory_among_the_logs_is_not_taken_for_one_of_them() {
    let place = Workspace::new();
    place.write("logs/access.log", access(0..5));
    for delivered in [5, 0] {
        let ran = place.run("logator", &["run", "logs", "--state", "logs/state", "-f", "combined"], b"");
        assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), delivered), "{}", ran.stderr);
    }
}

#[test]
fn a_directory_that_may_only_be_read_is_said_before_anything_is_read() {
    let place = Workspace::new();
    let journal = three_extents(&place);
    let read_only = |path: &str, mode: u32| {
        std::fs::set_permissions(place.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (path, mode) in [("state/journal", 0o444), ("state/lock", 0o444), ("state", 0o555)] {
        read_only(path, mode);
    }
    // Root can write everywhere, so the test uses another user.
    let arguments = ["run", "--state", "state", "-f", "combined"];
    let mut running = Running::start(place.command_as_nobody("logator", &arguments));
    running.feed(format!("{}\n", access_line(1)).as_bytes());
    let ran = running.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("logator: --state state: its lock cannot be opened"), "{}", ran.stderr);
    assert!(ran.stderr.contains("name a directory that can be written"), "{}", ran.stderr);
    assert_eq!(std::fs::read(place.path("state/journal")).unwrap(), journal);
    read_only("state", 0o755);
}
