//! `kill -9` at random moments, again and again, until the job is done: nothing is lost, and a sink that knows `_id`s
//! holds nothing twice.

use std::collections::HashSet;

use crate::kit::logs::{access, bzip2, gzip};
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, wait_for};

const LINES: usize = 20_000;
const BATCH: usize = 100;

/// The most lines that are out when a process is killed: workers hold two batches each, and one batch of acks may be
/// lost.
const IN_FLIGHT: usize = 2 * 3 * BATCH;

fn journal_length(place: &Workspace) -> u64 {
    std::fs::metadata(place.path("state/journal")).map_or(0, |data| data.len())
}

/// How often a job is killed, and the size and number of the records that its journal gets in all.
pub(super) struct Kills {
    pub(super) most: usize,
    pub(super) record: u64,
    pub(super) records: usize,
}

/// Six kills of a job whose batches are settled as extents.
const SIX: Kills = Kills { most: 6, record: 43, records: LINES / BATCH };

/// Starts a job again and again, and kills it when its journal has grown by some number of records; then lets the job
/// come to its end. Returns how often it was killed in the middle, and the results of the last run.
pub(super) fn until_done(
    place: &Workspace,
    seed: u64,
    kills: &Kills,
    mut start: impl FnMut(&mut fastrand::Rng) -> Running,
) -> (usize, crate::kit::Ran) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut killed = 0;
    loop {
        let mut running = start(&mut random);
        if killed == kills.most {
            return (killed, running.end());
        }
        let from = journal_length(place);
        let growth = kills.record * random.u64(1..(kills.records / kills.most) as u64);
        let ended = wait_for("the journal to grow", PATIENCE, || {
            let ended = running.has_ended();
            // A journal that was compacted is shorter than before.
            let length = journal_length(place);
            (ended || length > from + growth || (length < from && length > growth)).then_some(ended)
        });
        if ended {
            return (killed, running.end());
        }
        running.kill();
        killed += 1;
    }
}

fn rows(place: &Workspace) -> (usize, usize) {
    let database = rusqlite::Connection::open(place.path("logs.db")).unwrap();
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as usize;
    (count("select count(*) from logs"), count("select count(distinct doc ->> 'request') from logs"))
}

fn run_is_killed(name: &str, content: Vec<u8>, seed: u64) {
    let place = Workspace::new();
    place.write(name, content);
    let lines = BATCH.to_string();
    let common = ["run", name, "--state", "state", "-f", "combined", "-j", "2", "--batch-lines", &lines];
    let arguments = [&common[..], &["--receipt", "receipt", "--to", "sqlite:logs.db"]].concat();
    let (killed, ran) = until_done(&place, seed, &SIX, |_| place.start("logator", &arguments));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(killed > 2, "killed {killed} times in the middle");
    assert_eq!(rows(&place), (LINES, LINES));
    let receipt = place.receipt("receipt");
    assert_eq!((receipt.read + receipt.resumed_lines) as usize, LINES);
    assert!(receipt.tally.duplicate as usize <= IN_FLIGHT, "only what was in flight is delivered again: {receipt:?}");
    assert!(receipt.resumed_lines > 0);
}

#[test]
fn a_run_that_is_killed_again_and_again_in_the_middle_of_a_gzip_file() {
    run_is_killed("access.log.gz", gzip(&access(0..LINES)), 1);
}

#[test]
fn a_run_that_is_killed_again_and_again_in_the_middle_of_several_gzip_members() {
    let members: Vec<u8> = (0..LINES / 1000).flat_map(|nth| gzip(&access(nth * 1000..(nth + 1) * 1000))).collect();
    run_is_killed("access.log.gz", members, 2);
}

#[test]
fn a_run_that_is_killed_again_and_again_in_the_middle_of_other_files() {
    run_is_killed("access.log", access(0..LINES), 3);
    run_is_killed("access.log.bz2", bzip2(&access(0..LINES)), 4);
}

#[test]
fn a_queue_that_is_killed_again_and_again_while_its_workers_store_in_sqlite() {
    let place = Workspace::new();
    place.write("access.log.gz", gzip(&access(0..LINES)));
    let to = ["-f", "combined", "--to", "sqlite:logs.db"];
    let mut workers = vec![place.worker(&to), place.worker(&to)];
    let lines = BATCH.to_string();
    let arguments = ["access.log.gz", "--state", "state", "--batch-lines", &lines, "--lease", "2", "--linger", "3"];
    let (killed, ran) = until_done(&place, 5, &SIX, |random| {
        // Some of the job's workers are killed as well.
        if random.bool() {
            let nth = random.usize(..workers.len());
            workers[nth].kill();
            workers[nth] = place.worker(&to);
        }
        place.queue(&arguments)
    });
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(killed > 2, "killed {killed} times in the middle");
    for worker in workers {
        assert_eq!(worker.end().code, Some(0));
    }
    assert_eq!(rows(&place), (LINES, LINES));
    let receipt = place.receipt("queue.json");
    assert_eq!((receipt.read + receipt.resumed_lines) as usize, LINES);
    assert!(receipt.resumed_lines > 0 && receipt.tally.duplicate as usize <= 2 * IN_FLIGHT, "{receipt:?}");
}

#[test]
fn a_queue_that_is_killed_again_and_again_loses_nothing_of_ndjson_and_doubles_only_what_was_in_flight() {
    let place = Workspace::new();
    place.write("access.log.gz", gzip(&access(0..LINES)));
    let worker = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    let lines = BATCH.to_string();
    let arguments = ["access.log.gz", "--state", "state", "--batch-lines", &lines, "--linger", "3"];
    let (killed, ran) = until_done(&place, 6, &SIX, |_| place.queue(&arguments));
    assert_eq!((ran.code, worker.end().code), (Some(0), Some(0)), "{}", ran.stderr);
    let out = place.objects("out");
    let ids: HashSet<String> = out.iter().map(|object| object["_id"].to_string()).collect();
    let requests: HashSet<String> = out.iter().map(|object| object["request"].to_string()).collect();
    assert_eq!((ids.len(), requests.len()), (LINES, LINES), "nothing is lost");
    let doubled = out.len() - LINES;
    assert!(doubled <= killed * IN_FLIGHT, "{doubled} lines twice after {killed} kills");
}

/// In the line dialogue, each peer gets a line of its own, and its next request acknowledges that line.
#[test]
fn a_queue_that_is_killed_gives_a_line_peer_the_line_it_had_not_acknowledged_and_those_behind_it() {
    let place = Workspace::new();
    place.write("access.log", [b"\n\n".to_vec(), access(0..50), b"\r\n".to_vec(), access(50..100)].concat());
    let arguments = ["access.log", "--state", "state", "--linger", "0.5", "--multiline", "none"];
    let mut got = Vec::new();
    // The count includes the empty lines in between, which are settled as well.
    for (stop, empty) in [(1, 2), (30, 0), (70, 1)] {
        let mut queue = place.queue(&arguments);
        let (from, before) = (journal_length(&place), got.len());
        let peer = crate::kit::peer::Peer::connect(&place.endpoint());
        while got.len() < stop {
            got.push(peer.line().expect("a line"));
        }
        // A separate thread writes each acknowledgement at once.
        let settled = (stop - before - 1 + empty) as u64;
        wait_for("the journal", PATIENCE, || (journal_length(&place) >= from + 43 * settled).then_some(()));
        queue.kill();
        // The last line was not acknowledged.
        got.pop();
    }
    let queue = place.queue(&arguments);
    let peer = crate::kit::peer::Peer::connect(&place.endpoint());
    got.extend(std::iter::from_fn(|| peer.line()));
    assert_eq!(queue.end().code, Some(0));
    assert_eq!(got, super::contents::lines(0..100));
    let receipt = place.receipt("queue.json");
    assert_eq!((receipt.read + receipt.resumed_lines, receipt.tally.delivered), (103, 100 - 69));
}

#[test]
fn a_run_that_is_stopped_by_a_signal_goes_on_where_it_stopped() {
    let place = Workspace::new();
    let arguments = ["run", "--state", "state", "-f", "combined", "--receipt", "receipt", "--to", "ndjson:out"];
    let mut run = place.start("logator", &arguments);
    run.feed(&access(0..100));
    wait_for("the documents", PATIENCE, || {
        (std::fs::read_to_string(place.path("out")).unwrap_or_default().lines().count() == 100).then_some(())
    });
    run.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(run.end_with_input_open().code, Some(3));
    let (ran, receipt) = place.logator(&[&arguments[1..5], &arguments[7..]].concat(), &access(0..300));
    assert_eq!((ran.code, receipt.read, receipt.resumed_lines), (Some(0), 200, 100));
    assert_eq!(place.objects("out").len(), 300);
}

#[cfg(feature = "mongodb")]
#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_queue_that_is_killed_again_and_again_while_its_workers_store_in_mongodb() {
    use mongodb::bson::doc;
    let server = crate::kit::mongod::AnyServer::get();
    let place = Workspace::new();
    place.write("access.log.gz", gzip(&access(0..LINES)));
    let uri = server.uri("access");
    let worker = |place: &Workspace| place.worker(&["-f", "combined", "--to", &uri]);
    let mut workers = vec![worker(&place), worker(&place)];
    let lines = BATCH.to_string();
    let arguments = ["access.log.gz", "--state", "state", "--batch-lines", &lines, "--lease", "2", "--linger", "3"];
    let (killed, ran) = until_done(&place, 7, &Kills { most: 8, ..SIX }, |random| {
        if random.bool() {
            let nth = random.usize(..workers.len());
            workers[nth].kill();
            workers[nth] = worker(&place);
        }
        place.queue(&arguments)
    });
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(killed > 2, "killed {killed} times in the middle");
    for worker in workers {
        assert_eq!(worker.end().code, Some(0));
    }
    let admin = server.admin();
    assert_eq!(admin.count(server.database(), "access") as usize, LINES, "none is lost, none is there twice");
    let distinct = admin.run(
        server.database(),
        doc! { "aggregate": "access", "cursor": {}, "pipeline": [
            { "$group": { "_id": "$request" } }, { "$count": "requests" },
        ] },
    );
    let found = distinct.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    assert_eq!(found[0].as_document().unwrap().get_i32("requests").unwrap() as usize, LINES);
    let receipt = place.receipt("queue.json");
    assert!(receipt.resumed_lines > 0 && receipt.tally.duplicate as usize <= 2 * IN_FLIGHT, "{receipt:?}");
}
