//! The answers to rsyslog's omprog: `OK` when lines may come, then one answer for each line.

use super::flow::{pull, sent, stop_after};
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, wait_for};

/// Waits for the answer with this number. The first `OK` has the number 0.
fn answer(push: &Running, number: usize) -> String {
    wait_for(&format!("answer {number}"), PATIENCE, || {
        let answers = push.stdout();
        let whole = answers.bytes().filter(|&byte| byte == b'\n').count();
        (whole > number).then(|| answers.lines().nth(number).unwrap().to_owned())
    })
}

#[test]
fn a_line_is_confirmed_when_it_is_queued_though_nobody_is_there() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let mut push = place.start("logator-push", &["--raw", "--confirm", "--connect", &endpoint]);
    assert_eq!(answer(&push, 0), "OK");
    for number in 1..=20 {
        push.feed(format!("line {number}\n").as_bytes());
        assert_eq!(answer(&push, number), "OK");
    }
    let puller = pull(&place, &["--bind", &endpoint]);
    let pushed = push.end();
    assert_eq!((pushed.code, pushed.stdout.as_str()), (Some(0), "OK\n".repeat(21).as_str()), "{}", pushed.stderr);
    let expected: String = (1..=20).map(|number| format!("line {number}\n")).collect();
    assert_eq!(stop_after(puller, 20).stdout, expected);
}

#[test]
fn a_line_is_confirmed_as_delivered_when_a_peer_has_it_and_not_before() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let arguments =
        ["--raw", "--confirm=delivered", "--connect", &endpoint, "--linger", "500", "--receipt", "sent.json"];
    let mut push = place.start("logator-push", &arguments);
    assert_eq!(answer(&push, 0), "OK");
    push.feed(b"refused\n");
    assert!(answer(&push, 1).starts_with("nobody took the line in time"));
    let mut puller = pull(&place, &["--bind", &endpoint]);
    puller.wait_ready();
    // On a busy machine, connecting may take longer than the time that a line has.
    let mut next = 2;
    let confirmed = |push: &mut Running, next: &mut usize, line: &str| {
        wait_for("a line to be confirmed", PATIENCE, || {
            push.feed(line.as_bytes());
            *next += 1;
            (answer(push, *next - 1) == "OK").then_some(())
        });
    };
    confirmed(&mut push, &mut next, "first\n");
    for number in 0..500 {
        confirmed(&mut push, &mut next, &format!("line {number}\n"));
    }
    let got = stop_after(puller, 501).stdout;
    let expected: String = (0..500).map(|number| format!("line {number}\n")).collect();
    assert_eq!(got, format!("first\n{expected}"));
    push.says("the peer is gone");

    push.feed(b"refused\n");
    next += 1;
    assert!(answer(&push, next - 1).starts_with("nobody took the line in time"));
    let puller = pull(&place, &["--bind", &endpoint]);
    confirmed(&mut push, &mut next, "again\n");
    assert_eq!(stop_after(puller, 1).stdout, "again\n");
    let pushed = push.end();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    assert!(sent(&place)["refused"].as_u64().unwrap() >= 2);
}

#[test]
fn delivered_lines_go_to_all_peers_in_turn_and_past_those_that_are_away() {
    let place = Workspace::new();
    let names = ["one", "two", "away"];
    let endpoints = names.map(|name| place.at("ipc://", name));
    let pullers = [0, 1].map(|index| pull(&place, &["--bind", &endpoints[index]]));
    let connect = endpoints.iter().flat_map(|endpoint| ["--connect", endpoint]);
    let arguments: Vec<&str> = ["--raw", "--confirm=delivered"].into_iter().chain(connect).collect();
    let mut push = place.start("logator-push", &arguments);
    let mut fed = 0;
    wait_for("both to be served", PATIENCE, || {
        fed += 1;
        push.feed(format!("{fed}\n").as_bytes());
        assert_eq!(answer(&push, fed), "OK");
        pullers.iter().all(|puller| !puller.stdout().is_empty()).then_some(())
    });
    for number in fed + 1..=fed + 100 {
        push.feed(format!("{number}\n").as_bytes());
        assert_eq!(answer(&push, number), "OK");
    }
    assert_eq!(push.end().code, Some(0));
    wait_for("all lines", PATIENCE, || {
        let lines: usize = pullers.iter().map(|puller| puller.stdout().lines().count()).sum();
        (lines == fed + 100).then_some(())
    });
    let outputs = pullers.map(|puller| stop_after(puller, 0).stdout);
    assert!(outputs.iter().all(|output| output.lines().count() >= 50), "{outputs:?}");
    let mut numbers: Vec<usize> =
        outputs.iter().flat_map(|output| output.lines()).map(|n| n.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=fed + 100).collect::<Vec<_>>());
}
