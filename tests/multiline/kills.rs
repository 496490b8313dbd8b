//! `kill -9` in the middle of records: each record is stored once and whole.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use super::{log, record};
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

const KILLS: usize = 50;

const RECORDS: usize = 3000;

fn arguments<'a>(input: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["run", "--state", "state", "-p", "%{GREEDYDATA:first}", "--batch-lines", "7", "-j", "2"];
    [&fixed[..], &["--to", "sqlite:logs.db"], input].concat()
}

/// The number of documents.
fn rows(place: &Workspace) -> usize {
    let Ok(database) = rusqlite::Connection::open(place.path("logs.db")) else { return 0 };
    let _ = database.busy_timeout(PATIENCE);
    database.query_row("select count(*) from logs", [], |row| row.get::<_, i64>(0)).unwrap_or(0) as usize
}

/// Each record was stored once, and whole.
fn check(place: &Workspace) {
    let database = rusqlite::Connection::open(place.path("logs.db")).unwrap();
    let mut statement = database.prepare("select coalesce(doc ->> 'message', doc ->> 'first') from logs").unwrap();
    let mut found: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let without_end =
        |text: String| text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text).to_owned());
    let mut due: Vec<String> = (0..RECORDS).map(|at| without_end(record(at)).unwrap()).collect();
    found.sort_unstable();
    due.sort_unstable();
    assert_eq!(found.len(), due.len());
    assert!(found == due, "{:?}", found.iter().zip(&due).find(|(found, due)| found != due));
}

#[test]
fn a_run_is_killed_fifty_times_in_the_middle_of_records() {
    let place = Workspace::new();
    place.write("app.log", log(RECORDS));
    for kill in 1..=KILLS {
        let mut running = place.start("logator", &arguments(&["app.log"]));
        let enough = kill * RECORDS / (KILLS + 2);
        wait_for("some rows", PATIENCE, || (rows(&place) >= enough || running.has_ended()).then_some(()));
        running.kill();
    }
    let ran = place.run("logator", &arguments(&["app.log"]), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    check(&place);
}

#[test]
fn a_follower_is_killed_fifty_times_in_the_middle_of_records_that_are_being_written() {
    let place = Workspace::new();
    let content = log(RECORDS);
    place.write("app.log", "");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new().append(true).open(place.path("app.log")).unwrap();
            // Pieces that end anywhere, also in the middle of lines.
            for (at, piece) in content.as_bytes().chunks(997).enumerate() {
                file.write_all(piece).unwrap();
                // The writer is never far ahead of the killed readers, and never pauses for the quiet time.
                let due = at * RECORDS / content.len().div_ceil(997);
                let pace = || (rows(&place) + RECORDS / 10 > due).then_some(());
                let _ = pace().or_else(|| {
                    let until = std::time::Instant::now() + Duration::from_millis(200);
                    wait_for("the readers", PATIENCE, || pace().or((std::time::Instant::now() > until).then_some(())));
                    Some(())
                });
            }
        });
        for kill in 1..=KILLS {
            let mut running = place.start("logator", &arguments(&["--follow", "app.log"]));
            let enough = kill * RECORDS / (KILLS + 2);
            wait_for("some rows", PATIENCE, || (rows(&place) >= enough).then_some(()));
            running.kill();
        }
    });
    let running = place.start("logator", &arguments(&["--follow", "app.log"]));
    wait_for("all rows", PATIENCE, || (rows(&place) >= RECORDS).then_some(()));
    running.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(running.end().code, Some(0));
    check(&place);
}
