//! Names and lines from elsewhere do not act on the terminal of a person who reads the program's messages.

use crate::kit::logs::access;
use crate::kit::workspace::{Running, Workspace};

/// A name that clears the screen, looks like one of our sentences, and changes the direction of writing.
const NAME: &str = "x\x1b[2J\u{9b}31m\nlogator: all is well\r\u{202e}\x7f.log";

/// Checks that nothing in the messages acts on a terminal, and that only our own sentences begin a line.
fn is_harmless(what: &str, said: &str) {
    let acts =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!said.is_empty() && !said.chars().any(acts), "{what}: {said:?}");
    assert!(!said.lines().any(|line| line.starts_with("logator: all is well")), "{what}: {said}");
}

#[test]
fn names_and_values_are_shown_with_their_escapes() {
    let place = Workspace::new();
    place.write("a.log", access(0..5));
    place.write(NAME, access(0..5));
    place.write("damaged.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff");
    std::fs::copy(place.path("damaged.gz"), place.path(&format!("{NAME}.gz"))).unwrap();
    place.write("c.toml", format!("\"{}\" = 1\n", NAME.escape_default()));
    place.write("letters", "no letter\n");
    std::fs::rename(place.path("letters"), place.path(&format!("{NAME}.letters"))).unwrap();
    let missing = format!("{NAME}-missing");
    let damaged = format!("{NAME}.gz");
    let letters = format!("{NAME}.letters");
    let folder = format!("{NAME}/folder/letters");
    let pattern = format!("%{{NOPE}}{NAME}");
    let sink = format!("sqlite:{NAME}?x=1");
    for (program, arguments) in [
        // The program reports a format with the file's name.
        ("logator", vec!["run", NAME, "--to", "null:"]),
        ("logator", vec!["run", &missing, "--to", "null:"]),
        ("logator", vec!["run", &damaged, "--to", "null:"]),
        ("logator", vec!["run", "a.log", "--to", NAME]),
        ("logator", vec!["run", "a.log", "--to", &sink]),
        ("logator", vec!["run", "a.log", "--format", NAME]),
        ("logator", vec!["run", "a.log", "--pattern", &pattern]),
        ("logator", vec!["run", "a.log", "--dead-letters", &folder, "--to", "null:"]),
        ("logator", vec!["run", "a.log", "--jobs", NAME]),
        ("logator", vec!["run", "a.log", NAME, "--format", "combined", "--pattern", "%{WORD:x}\x1b", "--to", "null:"]),
        ("logator", vec!["run", "a.log", "--config", &missing]),
        ("logator", vec!["run", "a.log", "--config", "c.toml"]),
        ("logator", vec!["run", &format!("--{NAME}")]),
        ("logator", vec![NAME]),
        ("logator", vec!["replay", &letters, "--to", "null:"]),
        ("logator", vec!["replay", &missing, "--to", "null:"]),
        ("logator", vec!["grok", &pattern, "a.log"]),
        ("logator", vec!["grok", "%{WORD:a}", &damaged]),
        ("logator", vec!["bench", &missing]),
        ("logator-queue", vec!["--bind", NAME]),
        ("logator-queue", vec!["a.log", "--curve-key", NAME, "--authorized-keys", NAME]),
        ("logator-worker", vec!["--from", NAME]),
        ("logator-worker", vec!["--queue-key", NAME, "--curve-key", NAME]),
        ("logator-push", vec!["--connect", NAME]),
        ("logator-pull", vec!["--connect", NAME]),
    ] {
        for format in [&[][..], &["--log-format", "json"]] {
            // Some commands have no such flag; then they report that.
            let arguments = [&arguments[..], format].concat();
            let ran = place.run(program, &arguments, b"");
            is_harmless(&format!("{program} {arguments:?}"), &ran.stderr);
        }
    }
}

#[test]
fn an_error_about_a_pattern_keeps_its_caret() {
    let place = Workspace::new();
    let ran = place.run("logator", &["run", "-p", "%{WORD:a} %{NOPE}"], b"");
    assert_eq!(ran.code, Some(2));
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines.len() >= 3 && lines.iter().any(|line| line.trim() == "^"), "{}", ran.stderr);
}

#[test]
fn a_line_of_a_log_that_is_quoted_does_nothing() {
    let place = Workspace::new();
    let raw = format!("{}{}", "a".repeat(30), "\x1b]0;title\x07\x1b[31m");
    let ran = place.run("logator", &["grok", r"(a|aa)+(\1)+$"], raw.as_bytes());
    assert!(!ran.stderr.contains('\x1b'), "{:?}", ran.stderr);
    let mut command = place.command("logator", &["run", "--log-level", "debug", "--to", "null:"]);
    command.env("LOGATOR_FORMAT", NAME.replace('\0', ""));
    let mut running = Running::start(command);
    running.feed(raw.as_bytes());
    is_harmless("the environment", &running.end().stderr);
}
