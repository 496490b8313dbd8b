//! Lines on which workers die. The worker of these tests is the real one, on a machine where no file can be larger than 1 MiB:
//! a line whose document does not fit ends the process that stores it (SIGXFSZ), in the middle of its work.

use std::collections::BTreeSet;

use logator::dead_letter;

use crate::kit::peer::Peer;
#[cfg(feature = "sqlite")]
use crate::kit::workspace::{Running, account};
use crate::kit::workspace::{Workspace, line_account};

/// Captures the line three times, so the document of a line of 400 kB is too large, and its dead letter is not.
#[cfg(feature = "sqlite")]
const PATTERN: &str = "^(?<a>(?<b>(?<c>.*)))$";

/// 300 lines, one of which is deadly.
fn content() -> Vec<u8> {
    let lines = (0..300).map(|index| match index {
        217 => format!("deadly {}\n", "x".repeat(400_000)),
        _ => format!("line {index}\n"),
    });
    lines.collect::<String>().into_bytes()
}

/// Returns a command of `program` that may write no file larger than 1 MiB.
#[cfg(feature = "sqlite")]
fn limited(place: &Workspace, program: &str, arguments: &[&str]) -> Running {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -c 0; ulimit -f 2048; exec \"$@\"", "limited"]);
    command.arg(crate::kit::program(program)).args(arguments).current_dir(place.path("."));
    Running::start(command)
}

/// Starts a worker again whenever a signal ends it. Returns how often that happened.
#[cfg(feature = "sqlite")]
fn keep_working(place: &Workspace) -> usize {
    let endpoint = place.endpoint();
    let arguments = ["--from", &endpoint, "-j", "1", "-p", PATTERN, "--to", "sqlite:logs.db"];
    let mut deaths = 0;
    for _ in 0..40 {
        let ran = limited(place, "logator-worker", &arguments).end();
        match ran.code {
            Some(0) => return deaths,
            None => deaths += 1,
            code => panic!("{code:?}: {}", ran.stderr),
        }
    }
    panic!("no end after {deaths} deaths")
}

/// Returns the lines in the database and their ids.
#[cfg(feature = "sqlite")]
fn stored(place: &Workspace) -> BTreeSet<(String, String)> {
    let database = rusqlite::Connection::open(place.path("logs.db")).unwrap();
    let mut rows = database.prepare("SELECT _id, doc->>'a' FROM logs").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[cfg(feature = "sqlite")]
fn check_stored(place: &Workspace) {
    // The result of a run on a machine without that limit, except for the deadly line.
    place.write("in", content());
    let (ran, _) = place.logator(&["in", "-p", PATTERN, "--to", "ndjson:all"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let expected: BTreeSet<(String, String)> = place
        .objects("all")
        .iter()
        .map(|object| (text(&object["_id"]), text(&object["a"])))
        .filter(|(_, line)| !line.starts_with("deadly"))
        .collect();
    assert_eq!(expected.len(), 299);
    assert_eq!(stored(place), expected);
}

fn check_letter(place: &Workspace, leases: u32) {
    let letters: Vec<_> = dead_letter::read(&place.path("letters")).unwrap().map(Result::unwrap).collect();
    let [letter] = &letters[..] else { panic!("{} letters", letters.len()) };
    assert_eq!((letter.reason, letter.length), (dead_letter::Reason::Poison, 400_007));
    assert!(letter.raw.starts_with(b"deadly x") && !letter.truncated);
    assert_eq!(letter.offset, (0..217).map(|index| format!("line {index}\n").len() as u64).sum::<u64>());
    let words: Vec<&str> = letter.detail.split(' ').collect();
    let counted = words.iter().position(|word| *word == "leases").and_then(|at| words[at - 1].parse().ok());
    // A line is spared once if the lease of another batch of the same dead worker runs out at the same time. A slow
    // machine can cause more leases.
    assert!(counted.is_some_and(|it: u32| (leases..=leases + 3).contains(&it)), "{}", letter.detail);
    assert!(letter.detail.ends_with("on this line alone"), "{}", letter.detail);
}

#[test]
#[cfg(feature = "sqlite")]
fn a_line_that_workers_die_of_is_buried_and_the_rest_of_its_batch_is_stored() {
    let place = Workspace::new();
    let mut queue =
        place.queue(&["--lease", "0.7", "--linger", "0.5", "--batch-bytes", "2MiB", "--dead-letters", "letters"]);
    queue.feed(&content());
    queue.close_input();
    let deaths: usize = std::thread::scope(|scope| {
        let workers = [(); 2].map(|()| scope.spawn(|| keep_working(&place)));
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    let queue = queue.end();
    assert_eq!(queue.code, Some(1), "{}", queue.stderr);
    // Three deaths for the batch, one for the part of five lines, one for the line. Two batches may die together.
    assert!((5..=9).contains(&deaths), "{deaths} deaths: {}", queue.stderr);
    assert!(queue.stderr.contains("it is in letters"), "{}", queue.stderr);
    let [read, stored, duplicate, rest @ ..] = account(&place.receipt("queue.json"));
    assert_eq!((read, stored + duplicate, rest), (300, 299, [0, 1, 0]));
    check_stored(&place);
    check_letter(&place, 5);
}

#[test]
#[cfg(feature = "sqlite")]
fn workers_that_a_queue_starts_are_started_again_until_the_line_is_buried() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let mut queue = limited(
        &place,
        "logator-queue",
        &[
            "--bind",
            &endpoint,
            "--lease",
            "0.7",
            "--batch-lines",
            "40",
            "--batch-bytes",
            "2MiB",
            "--spawn=1",
            "--dead-letters",
            "letters",
            "--receipt",
            "queue.json",
            "--",
            "-p",
            PATTERN,
            "--to",
            "sqlite:logs.db",
        ],
    );
    queue.feed(&content());
    let queue = queue.end();
    assert_eq!(queue.code, Some(1), "{}", queue.stderr);
    let [read, stored, duplicate, rest @ ..] = account(&place.receipt("queue.json"));
    assert_eq!((read, stored + duplicate, rest), (300, 299, [0, 1, 0]), "{}", queue.stderr);
    assert!(queue.stderr.contains("a worker ended with signal"), "{}", queue.stderr);
    check_stored(&place);
    check_letter(&place, 4);
}

#[test]
fn a_line_that_clients_of_the_line_dialogue_die_of_is_buried_after_three_leases() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--lease", "0.3", "--linger", "0", "--dead-letters", "letters"]);
    queue.feed(&content());
    queue.close_input();
    let mut lines = BTreeSet::new();
    let mut deaths = 0;
    'client: loop {
        let peer = Peer::connect(&place.endpoint());
        while let Some(line) = peer.line() {
            if line.starts_with("deadly") {
                deaths += 1;
                continue 'client;
            }
            lines.insert(line);
        }
        break;
    }
    let queue = queue.end();
    assert_eq!((queue.code, deaths), (Some(1), 3), "{}", queue.stderr);
    assert_eq!(line_account(&place.receipt("queue.json")), [300, 299, 1, 0]);
    assert_eq!(lines.len(), 299);
    check_letter(&place, 3);
}

#[test]
fn a_poisonous_line_whose_letter_cannot_be_written_stays_and_is_not_accounted_for() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--lease", "0.3", "--linger", "0", "--dead-letters", "/dev/full"]);
    queue.feed(b"deadly\n");
    queue.feed(b"a\n");
    for _ in 0..3 {
        let peer = Peer::connect(&place.endpoint());
        while peer.line().expect("a line") != "deadly" {}
    }
    queue.says("its dead letter cannot be written: dead letters /dev/full");
    let queue = queue.end();
    assert_eq!(queue.code, Some(3), "{}", queue.stderr);
    assert!(queue.stderr.contains("-: line at byte 0: workers were lost on the line: 3 leases"), "{}", queue.stderr);
    let receipt = place.receipt("queue.json");
    assert!(!receipt.finished && receipt.agrees, "{receipt:?}");
    assert_eq!((line_account(&receipt), receipt.left), ([1, 1, 0, 0], 1));
}
