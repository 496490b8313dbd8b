//! When URLs are requested: rhythm, missed requests, signals, a new file.

use nix::sys::signal::Signal;

use super::{documents_of, number, receipt, start, time};
use crate::kit::web_server::WebServer;
use crate::kit::workspace::{Workspace, objects};

#[test]
fn requests_keep_their_rhythm_and_a_signal_ends_the_program() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let file = format!("0.05,{}\n0.02,{}\n", server.url("/a"), server.url("/b"));
    let running = start(&place, &file, &[]);
    server.wait_for("/a", 15);
    running.signal(Signal::SIGTERM);
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for (path, interval) in [("/a", 50), ("/b", 20)] {
        let documents = documents_of(&ran.stdout, &server.url(path));
        let mut times: Vec<i64> = documents.iter().map(|document| time(document, "scheduled_at")).collect();
        times.sort_unstable();
        // Times are cut to milliseconds. Without drift, each is at its place counted from the first.
        for at in &times {
            let off = (at - times[0] + interval / 2).rem_euclid(interval) - interval / 2;
            assert!(off.abs() <= 1, "{path}: {off} of {interval}: {times:?}");
        }
        let missed: i64 = documents.iter().map(|document| number(document, "missed")).sum();
        let span = (times.last().unwrap() - times[0] + interval / 2) / interval;
        assert_eq!(span + 1, documents.len() as i64 + missed, "each one is requested or missed");
    }
    let receipt = receipt(&place);
    assert_eq!(number(&receipt, "documents"), objects(&ran.stdout).len() as i64);
    assert_eq!(receipt["sinks"][0]["stored"], receipt["documents"], "{receipt}");
    assert!(ran.stderr.contains("ms from when it was due"), "{}", ran.stderr);
}

#[test]
fn one_occurrence_waits_and_the_others_are_missed_and_counted() {
    let (place, server) = (Workspace::new(), WebServer::start());
    // One request at a time: while /held is in the air, /a waits.
    let file = format!("3600,{}\n0.02,{}\n", server.url("/held"), server.url("/a"));
    // The first request of an hour comes somewhen within the hour. So the list begins with a short delay, and changes.
    let running = start(&place, &file.replace("3600", "0.01"), &["-W", "1", "-Q", "5"]);
    server.wait_for("/held", 1);
    let before = server.heads("/a").len();
    place.write("urls.csv", &file);
    running.signal(Signal::SIGHUP);
    crate::kit::wait_for("a second of waiting", crate::kit::PATIENCE, {
        let begun = std::time::Instant::now();
        move || (begun.elapsed().as_millis() > 1000).then_some(())
    });
    server.release();
    server.wait_for("/a", before + 3);
    running.signal(Signal::SIGINT);
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let late = documents_of(&ran.stdout, &server.url("/a"))
        .into_iter()
        .max_by_key(|document| number(document, "lateness_us"))
        .unwrap();
    let (lateness, missed) = (number(&late, "lateness_us"), number(&late, "missed"));
    assert!(lateness > 800_000, "{late}");
    assert!((missed - lateness / 20_000).abs() <= 1, "{late}");
    let receipt = receipt(&place);
    let of_a = receipt["urls"].as_array().unwrap().iter().find(|url| url["url"] == server.url("/a")).unwrap().clone();
    assert!(number(&of_a, "missed") >= missed && number(&receipt, "missed") >= missed, "{receipt}");
    let [plain, with_lateness] = ["latency_us", "with_lateness_us"].map(|view| number(&of_a[view], "max"));
    assert!(with_lateness > 800_000 && plain < 800_000, "{of_a}");
}

#[test]
fn what_is_in_the_air_comes_to_its_end_and_a_second_signal_does_not_wait() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let file = format!("0.5,{}\n", server.url("/held"));
    let mut running = start(&place, &file, &[]);
    server.wait_for("/held", 1);
    running.signal(Signal::SIGTERM);
    running.wait_stopping();
    server.release();
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let count = server.heads("/held").len();
    assert_eq!(objects(&ran.stdout).iter().filter(|document| document["ok"] == true).count(), count);

    let server = WebServer::start();
    let mut running = start(&place, &format!("0.5,{}\n", server.url("/held")), &["--timeout", "600"]);
    server.wait_for("/held", 1);
    running.signal(Signal::SIGTERM);
    running.wait_stopping();
    crate::kit::wait_for("the second signal to end it", crate::kit::PATIENCE, || {
        // Signals that come within a moment count as one.
        running.signal(Signal::SIGTERM);
        running.has_ended().then_some(())
    });
    assert_eq!(running.end().code, Some(3));
}

#[test]
fn once_is_not_finished_when_a_signal_ends_it_before_each_url_was_requested() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let file = format!("1,{}\n1,{}\n1,{}\n", server.url("/held"), server.url("/b"), server.url("/c"));
    let mut running = start(&place, &file, &["--once", "-W", "1"]);
    server.wait_for("/held", 1);
    running.signal(Signal::SIGTERM);
    running.wait_stopping();
    server.release();
    let ran = running.end();
    assert_eq!((ran.code, objects(&ran.stdout).len()), (Some(3), 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("stopped before 2 URLs were requested"), "{}", ran.stderr);
    let receipt = receipt(&place);
    assert_eq!((number(&receipt, "missed"), receipt["finished"].as_bool()), (2, Some(false)), "{receipt}");
}

#[test]
fn a_new_file_counts_from_sighup_on_and_lines_that_stay_keep_their_times() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let line = |delay: &str, path: &str| format!("{delay},{}\n", server.url(path));
    let mut running = start(&place, &[line("0.05", "/stays"), line("0.05", "/goes")].concat(), &[]);
    server.wait_for("/stays", 4);
    server.wait_for("/goes", 2);
    place.write("urls.csv", "0.05,http://127.0.0.1:1/\nnonsense\n");
    running.signal(Signal::SIGHUP);
    running.says("SIGHUP: the URLs stay as they were: urls.csv: line 2: ");
    std::fs::remove_file(place.path("urls.csv")).unwrap();
    running.signal(Signal::SIGHUP);
    running.says("urls.csv: the list of URLs cannot be read: No such file");
    let seen = server.heads("/goes").len();
    server.wait_for("/goes", seen + 2);
    place.write("urls.csv", [line("0.05", "/stays"), line("0.05", "/comes")].concat());
    running.signal(Signal::SIGHUP);
    running.says("1 are new, 1 are removed, 0 have another delay, 1 stay as they were");
    server.wait_for("/comes", 3);
    let (stays, goes) = (server.heads("/stays").len(), server.heads("/goes").len());
    server.wait_for("/stays", stays + 3);
    assert!(server.heads("/goes").len() <= goes + 1, "one may have been in the air");
    running.signal(Signal::SIGTERM);
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let documents = documents_of(&ran.stdout, &server.url("/stays"));
    let mut times: Vec<i64> = documents.iter().map(|document| time(document, "scheduled_at")).collect();
    times.sort_unstable();
    for at in &times {
        let off = (at - times[0] + 25).rem_euclid(50) - 25;
        assert!(off.abs() <= 1, "{off}: {times:?}");
    }
    let receipt = receipt(&place);
    let removed: Vec<bool> =
        receipt["urls"].as_array().unwrap().iter().map(|url| url["removed"].as_bool() == Some(true)).collect();
    assert_eq!(removed, [false, false, true], "{receipt}");
}
