//! Pushed lines are parsed and stored.

use std::collections::HashSet;

use nix::sys::signal::Signal;

use crate::kit::logs::{access, access_line};
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, wait_for};

/// Waits until `out` has as many documents, then stops the program.
fn stop_at(place: &Workspace, running: Running, documents: usize) -> crate::kit::Ran {
    wait_for(&format!("{documents} documents"), PATIENCE, || {
        std::fs::read_to_string(place.path("out")).is_ok_and(|text| text.lines().count() >= documents).then_some(())
    });
    running.signal(Signal::SIGTERM);
    running.end_with_input_open()
}

#[test]
fn pushed_lines_become_documents_in_pull_and_in_worker() {
    for (program, flag, prefix) in [("logator-pull", "--connect", ""), ("logator-worker", "--from", "pull+")] {
        for envelope in ["none", "json"] {
            let place = Workspace::new();
            let endpoint = place.endpoint();
            let from = format!("{prefix}{endpoint}");
            let arguments = [flag, &from, "-f", "combined", "--to", "ndjson:out", "--receipt", "receipt", "--envelope"];
            let storing = place.start(program, &[&arguments[..], &[envelope]].concat());
            let how = if envelope == "json" { "--json" } else { "--raw" };
            let pushed = place.run("logator-push", &["web", how, "--bind", &endpoint], &access(0..20_000));
            assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
            let stored = stop_at(&place, storing, 20_000);
            assert_eq!(stored.code, Some(0), "{}", stored.stderr);
            assert_eq!(account(&place.receipt("receipt")), [20_000, 20_000, 0, 0, 0, 0]);
            let documents = place.objects("out");
            let requests: HashSet<String> =
                documents.iter().map(|document| document["request"].as_str().unwrap().to_owned()).collect();
            assert_eq!(requests, (0..20_000).map(|index| format!("/page/{index}")).collect());
            let ids: HashSet<&str> = documents.iter().map(|document| document["_id"].as_str().unwrap()).collect();
            assert_eq!(ids.len(), 20_000);
            let types = documents.iter().filter(|document| document["type"] == "web").count();
            assert_eq!(types, if envelope == "json" { 20_000 } else { 0 });
        }
    }
}

#[test]
fn several_upstreams_and_an_endpoint_of_its_own_are_one_input() {
    let place = Workspace::new();
    let [one, two, own] = ["one", "two", "own"].map(|name| place.at("ipc://", name));
    let puller = place.start(
        "logator-pull",
        &["--connect", &one, "--connect", &two, "--bind", &own, "--to", "ndjson:out", "-f", "combined"],
    );
    for (index, (flag, endpoint)) in [("--bind", &one), ("--bind", &two), ("--connect", &own)].into_iter().enumerate() {
        let lines = access(index * 1_000..(index + 1) * 1_000);
        let pushed = place.run("logator-push", &["--raw", flag, endpoint], &lines);
        assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    }
    assert_eq!(stop_at(&place, puller, 3_000).code, Some(0));
    let requests: HashSet<String> =
        place.objects("out").iter().map(|document| document["request"].as_str().unwrap().to_owned()).collect();
    assert_eq!(requests, (0..3_000).map(|index| format!("/page/{index}")).collect());
}

#[test]
fn what_came_before_a_signal_is_stored_and_long_lines_are_set_aside() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let arguments = ["--bind", &endpoint, "--max-line", "1000", "-p", "%{GREEDYDATA:all}", "--to", "ndjson:out"];
    let puller = place.start("logator-pull", &[&arguments[..], &["--receipt", "receipt"]].concat());
    let long = "x".repeat(1_001);
    let pushed = place.run(
        "logator-push",
        &["--raw", "--connect", &endpoint],
        format!("a\n{long}\n{}", access_line(1)).as_bytes(),
    );
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    let stored = stop_at(&place, puller, 2);
    assert_eq!(stored.code, Some(1), "{}", stored.stderr);
    assert_eq!(account(&place.receipt("receipt")), [3, 2, 0, 0, 1, 0]);
    let letters = place.objects("dead-letters.ndjson");
    assert_eq!((letters.len(), &letters[0]["reason"]), (1, &"too_long".into()), "{letters:?}");
}

#[test]
fn a_newline_within_a_message_does_not_make_two_lines() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let puller = place.start("logator-pull", &["--bind", &endpoint]);
    let push = zmq::Context::new().socket(zmq::PUSH).unwrap();
    push.connect(&endpoint).unwrap();
    for message in [&b"one\ntwo"[..], b"three\n", b"", b"\n\n"] {
        push.send(message, 0).unwrap();
    }
    let ran = crate::push::stop_after(puller, 4);
    assert_eq!(ran.stdout, "one\\ntwo\nthree\n\n\\n\n");
}

#[test]
fn it_ends_quietly_when_the_reader_of_its_output_leaves() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let command = place.command("logator-pull", &["--bind", &endpoint]);
    let pipeline = format!("{} --bind {endpoint} | head -n 1", command.get_program().to_string_lossy());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &pipeline]);
    let shell = Running::start(shell);
    let mut push = place.start("logator-push", &["--raw", "--connect", &endpoint, "--linger", "0"]);
    wait_for("the first line", PATIENCE, || {
        push.feed(b"a line\n");
        (shell.stdout() == "a line\n").then_some(())
    });
    wait_for("the end", PATIENCE, || {
        push.feed(b"more\n");
        (!place.path("q").exists()).then_some(())
    });
    let shell = shell.end();
    assert!(!shell.stderr.contains("cannot be written"), "{}", shell.stderr);
}
