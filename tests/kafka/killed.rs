//! `kill -9` of consumers in mid-run.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{ANY, numbered, stored};
use crate::kit::kafka::AnyKafka;
use crate::kit::table::{Row, seed, times};
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, wait_for};

const PARTITIONS: usize = 6;
const LINES: usize = 30_000;

/// Returns the number of rows so far.
fn rows(place: &Workspace) -> u64 {
    let Ok(database) = rusqlite::Connection::open(place.path("logs.db")) else { return 0 };
    database.query_row("select count(*) from logs", [], |row| row.get::<_, i64>(0)).map_or(0, |rows| rows as u64)
}

/// Three consumers share a topic. One of them is killed at a random moment, and another takes its place. The group gives its
/// partitions away when it has not been heard of for 6 seconds.
#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn one_of_three_consumers_is_killed_in_mid_run_and_each_line_is_stored_once() {
    let kafka = AnyKafka::get();
    let mut random = seed("kill -9 one of three consumers");
    let mut row = Row::new("kill -9 one of three consumers");
    for round in 0..times(2) {
        let topic = kafka.topic(&format!("killed-{round}"), PARTITIONS, &[]);
        kafka.kcat().produce(&topic, &[], &numbered(0..LINES));
        let place = Workspace::new();
        let from = kafka.address(&format!("{topic}?group={}&until=end&session.timeout.ms=6000", kafka.name(&topic)));
        // The second sink makes each of them slow, so that a kill is in mid-run.
        let slow = ["--to", "delay:20", "--in-flight", "1", "-j", "1", "--batch-lines", "50"];
        let start = |name: &str| -> Running {
            let usual = ["run", &from, "-p", ANY, "--receipt", name, "--to", "sqlite:logs.db"];
            place.start("logator", &[&usual[..], &slow].concat())
        };
        let names = ["first", "second", "third"];
        let mut consumers: Vec<Running> = names.iter().map(|name| start(name)).collect();
        consumers.iter_mut().for_each(|consumer| consumer.says("reads partition"));
        let when = random.u64(1..LINES as u64 * 3 / 4);
        wait_for("rows", PATIENCE, || (rows(&place) >= when).then_some(()));
        let victim = random.usize(..3);
        assert!(!consumers[victim].has_ended(), "it is in mid-run");
        consumers[victim].kill();
        let (killed, before) = (Instant::now(), rows(&place));
        row.times += 1;
        consumers[victim] = start("other");
        wait_for("rows of the others", PATIENCE, || (rows(&place) > before).then_some(()));
        row.recovered(killed.elapsed());
        for consumer in consumers {
            let ran = consumer.end();
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        }
        let documents = stored(&place.path("logs.db"));
        let texts: BTreeSet<&str> =
            documents.values().map(|document| document["text"].as_str().expect("text")).collect();
        row.lines += LINES;
        row.lost += LINES - texts.len();
        row.doubled += documents.len() - texts.len();
    }
    row.close();
}
