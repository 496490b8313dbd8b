//! Restarts: of containers, of the Engine, and of logator itself after `kill -9`.

use std::collections::BTreeSet;

#[cfg(feature = "elasticsearch")]
use super::{PADDING, printer_of, read_into};
use super::{documents, expect_printed, lines, printer, read, stop, wait_until};
use crate::kit::docker::Dockerd;
#[cfg(feature = "elasticsearch")]
use crate::kit::opensearch::AnyCluster;
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

const WAYS: [&str; 2] = ["auto", "api"];

#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn containers_are_read_on_after_their_restart_and_anew_after_they_were_made_again() {
    let engine = Dockerd::start();
    for way in WAYS {
        let place = Workspace::new();
        let mut running = read(&place, engine.host(), &["docker:web", "--container-logs", way]);
        running.wait_ready();
        let cli = engine.cli();
        let id = cli.start(&["--name", "web"], "echo from $HOSTNAME; sleep 1000");
        wait_until(&place, 1);
        for restart in 1..4 {
            cli.run(&["restart", "--time", "0", &id]);
            wait_until(&place, 1 + restart);
        }
        cli.run(&["rm", "--force", &id]);
        let other = cli.start(&["--name", "web"], "echo from $HOSTNAME; echo end");
        cli.wait(&other);
        wait_until(&place, 6);
        let ran = stop(running);
        let documents = documents(&place);
        let mut expected = vec![format!("from {}", &id[..12]); 4];
        expected.extend([format!("from {}", &other[..12]), "end".to_owned()]);
        assert_eq!(lines(&documents), expected, "{way}: {}", ran.stderr);
        let ids: BTreeSet<String> = documents.iter().map(|document| document["_id"].to_string()).collect();
        assert_eq!(ids.len(), 6, "{way}");
        cli.run(&["rm", &other]);
    }
}

#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn a_restart_of_the_engine_loses_and_doubles_nothing() {
    for way in WAYS {
        let mut engine = Dockerd::start_with(&["--live-restore"]);
        let place = Workspace::new();
        let mut running = read(&place, engine.host(), &["docker:*", "--container-logs", way]);
        running.wait_ready();
        let script =
            "i=0; while [ $i -lt 400 ]; do echo $i; i=$((i+1)); [ $((i % 20)) = 0 ] && sleep 0.2; done; sleep 1000";
        let id = engine.cli().start(&["--name", "web"], script);
        wait_until(&place, 100);
        engine.stop();
        engine.restart();
        wait_until(&place, 200);
        engine.kill();
        engine.restart();
        wait_until(&place, 400);
        // New containers are found as well.
        let new = engine.cli().start(&["--name", "new"], "echo new");
        engine.cli().wait(&new);
        wait_until(&place, 401);
        let ran = stop(running);
        let mut got = lines(&documents(&place));
        got.retain(|line| line != "new");
        let expected: Vec<String> = (0..400).map(|number| number.to_string()).collect();
        assert_eq!(got, expected, "{way} {id}: {}", ran.stderr);
    }
}

/// With `--state`, a killed run is continued. Documents may come twice with the same id, because a killed process cannot record
/// what it wrote last.
#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn after_kill_9_each_line_is_stored_once() {
    let engine = Dockerd::start();
    for way in WAYS {
        let place = Workspace::new();
        let large = ["--name", "big", "--log-opt", "max-size=2m", "--log-opt", "max-file=50"];
        let id = engine.cli().start(&large, &format!("{}; sleep 1000", printer(40_000)));
        for share in [1, 8_000, 16_000, 24_000, 32_000] {
            let arguments = ["docker:big", "--container-logs", way, "--state", "state"];
            let mut running = read(&place, engine.host(), &arguments);
            let came = || {
                assert!(!running.has_ended(), "logator ended");
                (unique(&place).len() >= share).then_some(())
            };
            wait_for("documents", PATIENCE, came);
            running.kill();
        }
        let running = read(&place, engine.host(), &["docker:big", "--container-logs", way, "--state", "state"]);
        wait_for("all documents", PATIENCE, || (unique(&place).len() >= 40_000).then_some(()));
        stop(running);
        expect_printed(unique(&place), 40_000);
        let all = documents(&place).len();
        assert!(all < 60_000, "{way}: {all} documents for 40,000 lines: what was settled is read again");
        engine.cli().run(&["rm", "--force", &id]);
    }
}

/// Without `--state`, each run reads everything again. The index recognises the documents by their ids. The container writes
/// more than one file holds.
#[cfg(feature = "elasticsearch")]
#[test]
#[ignore = "needs a dockerd of its own and an Elasticsearch: run ./test"]
fn after_kill_9_each_line_is_once_in_the_index() {
    const LINES: usize = 60_000;
    const LONG: usize = 1000;
    let (engine, cluster) = (Dockerd::start(), AnyCluster::get());
    let large = ["--name", "index", "--log-opt", "max-size=50m", "--log-opt", "max-file=10"];
    engine.cli().start(&large, &format!("{}; sleep 1000", printer_of(LINES, LONG)));
    let index = cluster.name("killed");
    let (place, sink) = (Workspace::new(), cluster.sink(&index));
    for share in [1, 12_000, 24_000, 36_000, 48_000] {
        let mut running = read_into(&place, engine.host(), &sink, &["docker:index"]);
        wait_for("documents", PATIENCE, || {
            assert!(!running.has_ended(), "logator ended");
            (cluster.api().count(&index) >= share).then_some(())
        });
        running.kill();
    }
    let running = read_into(&place, engine.host(), &sink, &["docker:index"]);
    wait_for("all documents", PATIENCE, || (cluster.api().count(&index) >= LINES as u64).then_some(()));
    stop(running);
    let documents: Vec<serde_json::Value> =
        cluster.api().documents(&index).into_values().map(serde_json::Value::Object).collect();
    let short = |line: String| line.replace(&"x".repeat(LONG), &"x".repeat(PADDING));
    expect_printed(lines(&documents).into_iter().map(short).collect(), LINES);
}

/// The lines of documents with different ids.
fn unique(place: &Workspace) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let documents = documents(place);
    let unique: Vec<serde_json::Value> =
        documents.into_iter().filter(|document| seen.insert(document["_id"].to_string())).collect();
    lines(&unique)
}

#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn what_was_rotated_away_between_two_runs_is_told_as_a_gap() {
    let engine = Dockerd::start();
    let place = Workspace::new();
    let small = ["--name", "small", "--log-opt", "max-size=100k", "--log-opt", "max-file=2"];
    let script = format!("echo first; read x < /fifo; {}; sleep 1000", printer(20_000));
    let id = engine.cli().start(&small, &format!("mkfifo /fifo; {script}"));
    let arguments = ["docker:small", "--state", "state"];
    let running = read(&place, engine.host(), &arguments);
    wait_until(&place, 1);
    stop(running);
    engine.cli().run(&["exec", &id, "sh", "-c", "echo go > /fifo"]);
    let last = || engine.cli().run(&["logs", "--tail", "1", &id]).starts_with("line 19999 ").then_some(());
    wait_for("the last line", PATIENCE, last);
    let running = read(&place, engine.host(), &arguments);
    let is_last = || {
        documents(&place).iter().any(|it| lines(std::slice::from_ref(it))[0].starts_with("line 19999 ")).then_some(())
    };
    wait_for("the last document", PATIENCE, is_last);
    let ran = stop(running);
    assert!(
        ran.stderr.contains("docker:small: the records after") && ran.stderr.contains("are gone"),
        "{}",
        ran.stderr
    );
    assert_eq!(super::accounts(&place)["small"], super::account("files", "detected"));
}
