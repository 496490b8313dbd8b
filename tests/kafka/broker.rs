//! A broker that is killed, and one that is away.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{ANY, numbered, stored, twice};
use crate::kit::kafka::Kafka;
use crate::kit::table::{Row, tell, times};
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, wait_for};

const PARTITIONS: usize = 3;

/// The time that a broker stays away: two minutes in a long run.
fn absence(kills: usize) -> Duration {
    Duration::from_secs(if kills >= 5 { 120 } else { 3 })
}

/// From a followed file through `logator-push`, a topic and `logator run` into SQLite, while lines are appended.
#[test]
#[ignore = "needs a Kafka of its own and kcat: run ./test"]
fn a_broker_that_is_killed_again_and_again_loses_nothing_on_the_way_from_a_file_to_a_store() {
    const FAULT: &str = "kill -9 the broker";
    let kills = times(1);
    let mut kafka = Kafka::start(&[]);
    kafka.api().create("logs", PARTITIONS, &[]);
    let place = Workspace::new();
    place.write("a.log", "");
    let mut file = std::fs::OpenOptions::new().append(true).open(place.path("a.log")).expect("a file");
    let mut written = 0;
    let mut append = |lines: usize| {
        file.write_all(&numbered(written..written + lines)).expect("it is written");
        written += lines;
        written
    };
    let mut row = Row::new(FAULT);
    let to = kafka.address("logs");
    // The usual deadline is a minute. A push that ends then goes on when it is started again.
    let patient = ["--sink-deadline", "none"];
    let arguments = ["lines", "a.log", "--follow", "--state", "state", "--connect", &to];
    let mut push = place.start("logator-push", &[&arguments[..], &patient].concat());
    push.wait_ready();
    let from = kafka.address("logs?group=g&session.timeout.ms=6000");
    let mut run = place.start("logator", &["run", &from, "-p", ANY, "--receipt", "receipt", "--to", "sqlite:logs.db"]);
    run.wait_ready();
    let rows = || if place.path("logs.db").exists() { stored(&place.path("logs.db")).len() } else { 0 };
    let arrive = |all: usize, push: &mut Running, run: &mut Running| {
        wait_for("all rows", 3 * PATIENCE, || {
            assert!(!push.has_ended(), "push has ended: {}", push.stderr());
            assert!(!run.has_ended(), "run has ended: {}", run.stderr());
            (rows() == all).then_some(())
        });
    };
    let all = append(1000);
    arrive(all, &mut push, &mut run);
    for kill in 0..kills {
        append(5000);
        kafka.kill();
        row.times += 1;
        let all = append(5000);
        // One of them is a long absence.
        if kill == 0 {
            let gone = Instant::now();
            wait_for("the end of the absence", 4 * PATIENCE, || (gone.elapsed() >= absence(kills)).then_some(()));
        }
        kafka.start_again();
        kafka.wait_until_ready();
        let back = Instant::now();
        arrive(all, &mut push, &mut run);
        row.recovered(back.elapsed());
    }
    push.signal(Signal::SIGTERM);
    let push = push.end_with_input_open();
    assert_eq!(push.code, Some(0), "{}", push.stderr);
    run.signal(Signal::SIGTERM);
    let run = run.end_with_input_open();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let documents = stored(&place.path("logs.db"));
    let texts: BTreeSet<&str> = documents.values().map(|document| document["text"].as_str().expect("text")).collect();
    row.lines = written;
    row.lost = written - texts.len();
    row.doubled = documents.len() - texts.len();
    let records = kafka.kcat().consume("logs");
    tell(&format!("{FAULT}: {} of {written} lines stand twice in the topic", twice(&records)));
    assert_eq!(
        kafka.api().committed("g", "logs", PARTITIONS).into_iter().flatten().sum::<i64>() as usize,
        records.len()
    );
    row.close();
}
