//! With `--state`, a run continues where the previous run ended. It does not matter how that run ended, or which files
//! were rotated meanwhile.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{append, delivered, expect, expect_all, follow, numbered, stop, wait_until};
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

fn text(range: std::ops::Range<usize>) -> String {
    range.map(|number| numbered(number) + "\n").collect()
}

fn log(place: &Workspace, number: usize) -> PathBuf {
    place.path(&if number == 0 { "logs/app.log".to_owned() } else { format!("logs/app.log.{number}") })
}

fn rotate(place: &Workspace, most: usize) {
    for number in (0..most).rev() {
        let _ = fs::rename(log(place, number), log(place, number + 1));
    }
}

#[test]
fn killed_again_and_again_under_load_and_rotation_nothing_is_lost_and_nothing_stored_twice() {
    let place = Workspace::new();
    fs::create_dir(place.path("logs")).unwrap();
    let (rounds, kills) = (60, 6);
    let written = AtomicUsize::new(0);
    let start = || {
        let arguments =
            ["--to", "sqlite:logs.db", "--state", "state", "--follow", "logs/app.log*", "--batch-lines", "50"];
        let fixed = ["run", "-p", "%{GREEDYDATA:line}", "-j", "2"];
        place.start("logator", &[&fixed[..], &arguments].concat())
    };
    let rows = || -> usize {
        let Ok(database) = rusqlite::Connection::open(place.path("logs.db")) else { return 0 };
        let _ = database.busy_timeout(PATIENCE);
        database.query_row("select count(*) from logs", [], |row| row.get::<_, i64>(0)).unwrap_or(0) as usize
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..rounds {
                append(&log(&place, 0), text(round * 200..round * 200 + 150));
                // The read position is not much further than the slower sink.
                wait_for("the reader to follow", PATIENCE, || (rows() + 3000 > round * 200).then_some(()));
                if round % 5 == 4 {
                    rotate(&place, rounds);
                }
                append(&log(&place, 0), text(round * 200 + 150..round * 200 + 200));
                written.store(round * 200 + 200, Ordering::SeqCst);
            }
        });
        for kill in 1..=kills {
            let mut running = start();
            let enough = kill * rounds * 200 / (kills + 1);
            wait_for("some rows", PATIENCE, || (rows() >= enough).then_some(()));
            running.kill();
        }
    });
    let running = start();
    let all = rounds * 200;
    wait_for("all rows", PATIENCE, || (rows() >= all).then_some(()));
    stop(running);
    let database = rusqlite::Connection::open(place.path("logs.db")).unwrap();
    let mut statement = database.prepare("select doc ->> 'line' from logs").unwrap();
    let lines: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let distinct: HashSet<&String> = lines.iter().collect();
    assert_eq!((lines.len(), distinct.len()), (all, all));
    assert!((0..all).all(|number| distinct.contains(&numbered(number))));
}

#[test]
fn stopped_and_started_again_it_goes_on_exactly_there_also_after_rotation_and_compression() {
    let place = Workspace::new();
    fs::create_dir(place.path("logs")).unwrap();
    let arguments = ["--follow", "logs/app.log*", "--state", "state"];
    let mut written = 0;
    let mut add = |count: usize| {
        append(&log(&place, 0), text(written..written + count));
        written += count;
        written
    };
    for round in 0..6 {
        let running = follow(&place, &arguments);
        let all = add(700);
        wait_until(&place, all);
        stop(running);
        add(100);
        rotate(&place, 10);
        add(50);
        if round == 3 {
            let path = log(&place, 2);
            let content = fs::read(&path).unwrap();
            place.write("logs/app.log.2.gz", crate::kit::logs::gzip(&content));
            fs::remove_file(path).unwrap();
            rotate(&place, 10);
        }
    }
    let running = follow(&place, &arguments);
    wait_until(&place, 6 * 850);
    stop(running);
    expect_all(&place, 6 * 850);
}

#[test]
fn an_unfinished_line_is_left_to_the_next_run_and_one_that_was_cut_is_not_delivered_again() {
    let place = Workspace::new();
    let path = place.write("app.log", "one\npart");
    let arguments = ["--follow", "app.log", "--state", "state"];
    let running = follow(&place, &arguments);
    expect(&place, &["one"]);
    stop(running);
    append(&path, "ial\nx");
    let quick = [&arguments[..], &["--follow-timeout", "0.2"]].concat();
    let running = follow(&place, &quick);
    expect(&place, &["one", "partial", "x"]);
    append(&path, "y\nnext\n");
    expect(&place, &["one", "partial", "x", "y", "next"]);
    stop(running);
    append(&path, "last\n");
    let running = follow(&place, &arguments);
    wait_until(&place, 6);
    stop(running);
    assert_eq!(delivered(&place), ["one", "partial", "x", "y", "next", "last"]);
}
