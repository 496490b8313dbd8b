//! `kill -9` of `logator-push` while it reads a file.

use std::time::Instant;

use super::{expected, stored, twice};
use crate::kit::kafka::AnyKafka;
use crate::kit::logs::access;
use crate::kit::table::{Row, seed, tell, times};
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

const PARTITIONS: usize = 3;
const LINES: usize = 60_000;

/// Lines that a killed push had sent and not noted stand in the topic twice, with the same id. So a store that knows ids has
/// each of them once: the documents are those of a run that reads the file itself.
#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn a_push_of_a_file_is_killed_again_and_again_and_each_line_is_stored_once() {
    const FAULT: &str = "kill -9 logator-push of a file";
    let kafka = AnyKafka::get();
    let mut random = seed(FAULT);
    let mut row = Row::new(FAULT);
    let (mut of_all, wanted, place) = (0, times(3), Workspace::new());
    place.write("access.log", access(0..LINES));
    // The path and the host of a file do not go into a topic.
    let expected = expected(&place, &["access.log", "--no-source"]);
    for round in 0.. {
        let topic = kafka.topic(&format!("pushed-{round}"), PARTITIONS, &[]);
        let (to, state) = (kafka.address(&topic), format!("state{round}"));
        let sent = || kafka.api().ends(&topic, PARTITIONS).iter().sum::<i64>();
        let pushed = loop {
            let arguments = ["lines", "access.log", "--connect", &to, "--state", &state, "--batch-lines", "200"];
            let mut push = place.start("logator-push", &arguments);
            if row.times == wanted {
                break push.end();
            }
            let goal = sent() + random.i64(1..(LINES / 4) as i64);
            wait_for("messages", PATIENCE, || (push.has_ended() || sent() >= goal).then_some(()));
            if push.has_ended() {
                break push.end();
            }
            push.kill();
            let (killed, before) = (Instant::now(), sent());
            row.times += 1;
            let mut push = place.start("logator-push", &arguments);
            wait_for("more messages", PATIENCE, || (push.has_ended() || sent() > before).then_some(()));
            row.recovered(killed.elapsed());
            if push.has_ended() {
                break push.end();
            }
            push.kill();
        };
        assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
        let records = kafka.kcat().consume(&topic);
        let doubled = twice(&records);
        of_all += doubled;
        let database = format!("sqlite:logs{round}.db");
        let from = kafka.address(&format!("{topic}?group={}&until=end", kafka.name(&topic)));
        let (ran, receipt) = place.logator(&[&from, "-f", "combined", "--to", &database], b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!((receipt.read as usize, receipt.tally.duplicate as usize), (records.len(), doubled), "{receipt:?}");
        let documents = stored(&place.path(&format!("logs{round}.db")));
        row.lines += LINES;
        row.lost += expected.iter().filter(|(id, document)| documents.get(*id) != Some(document)).count();
        row.doubled += documents.keys().filter(|id| !expected.contains_key(*id)).count();
        if row.times >= wanted {
            break;
        }
    }
    tell(&format!("{FAULT}: {of_all} of {} lines stand twice in the topic", row.lines));
    row.close();
}
