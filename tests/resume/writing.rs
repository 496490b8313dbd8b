//! A disk under the journal becomes full.

use std::process::Command;

use crate::kit::logs::access;
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, wait_for};

/// Starts a program that may write no file larger than `bytes`: for it, the disk is full there. Pipes have no such limit.
fn limited(place: &Workspace, bytes: usize, name: &str, arguments: &[&str]) -> Running {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", bytes / 512), "limited"]);
    command.arg(crate::kit::program(name)).args(arguments).current_dir(place.path("."));
    Running::start(command)
}

#[test]
fn a_disk_that_is_full_at_the_start_is_said_before_anything_is_read() {
    let place = Workspace::new();
    place.write("log", access(0..5));
    let ran = limited(&place, 0, "logator", &["run", "log", "--state", "state", "-f", "combined"]).end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("logator: --state state: its lock cannot be written; nothing was read: "));
}

#[test]
fn when_the_journal_cannot_grow_the_job_goes_on_and_it_is_written_again_when_there_is_room() {
    let place = Workspace::new();
    // Records of single batches do not find room; joined records do.
    let arguments = ["run", "--state", "state", "-f", "combined", "--batch-lines", "1", "--receipt", "receipt"];
    let mut run = limited(&place, 4096, "logator", &arguments);
    run.feed(&access(0..1000));
    run.says("the journal cannot be written: File too large");
    run.says("the journal is written again, and no record is missing");
    run.feed(&access(1000..1010));
    let ran = run.end();
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 1010), "{}", ran.stderr);
    let (_, receipt) = place.logator(&["--state", "state", "-f", "combined"], &access(0..1010));
    assert_eq!((receipt.read, receipt.resumed_lines), (0, 1010));
}

#[test]
fn a_journal_that_could_not_be_written_to_the_end_is_exit_3_and_what_was_recorded_before_still_counts() {
    let place = Workspace::new();
    // Extents of different contents cannot be joined, so all of them together need more room than there is.
    let names: Vec<String> = (0..200).map(|nth| format!("logs/{nth}")).collect();
    for (nth, name) in names.iter().enumerate() {
        place.write(name, access(nth * 10..nth * 10 + 10));
    }
    let arguments = ["run", "logs", "--state", "state", "-f", "combined", "--receipt", "receipt", "--to", "-"];
    let ran = limited(&place, 4096, "logator", &arguments).end();
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(3), 2000), "all of it was stored: {}", ran.stderr);
    let receipt = place.receipt("receipt");
    assert!(receipt.agrees && receipt.read == 2000, "{receipt:?}");
    assert_eq!(receipt.errors.len(), 1);
    assert!(
        receipt.errors[0].starts_with("--state state: the journal could not be written completely; the settled lines")
    );
    let (ran, receipt) = place.logator(&arguments[1..6], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(receipt.read + receipt.resumed_lines, 2000);
    // 4,096 bytes hold 94 extents of ten lines each.
    assert!((500..=940).contains(&receipt.resumed_lines), "{receipt:?}");
    let (_, receipt) = place.logator(&arguments[1..6], b"");
    assert_eq!((receipt.read, receipt.resumed_lines), (0, 2000));
}

#[test]
fn a_queue_goes_on_as_well_and_says_so() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let arguments = ["--bind", &endpoint, "--state", "state", "--batch-lines", "1", "--receipt", "queue.json"];
    let mut queue = limited(&place, 4096, "logator-queue", &arguments);
    queue.wait_ready();
    let worker = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    queue.feed(&access(0..1000));
    queue.says("the job goes on, and its settled lines are recorded as soon as there is room");
    queue.says("the journal is written again, and no record is missing");
    let queue = queue.end();
    assert_eq!((queue.code, worker.end().code), (Some(0), Some(0)), "{}", queue.stderr);
    assert_eq!(place.objects("out").len(), 1000);
}

#[test]
fn a_journal_in_use_for_long_is_compacted() {
    let place = Workspace::new();
    // Each line is one extent of 43 bytes, and all of them take more than 4 MiB.
    let lines = 110_000;
    place.write("log", "x\n".repeat(lines));
    let arguments = ["run", "log", "--state", "state", "--batch-lines", "1", "--to", "null:", "-p", "%{GREEDYDATA:x}"];
    let mut run = place.start("logator", &arguments);
    let mut longest = 0;
    wait_for("its end", PATIENCE, || {
        longest = longest.max(std::fs::metadata(place.path("state/journal")).map_or(0, |data| data.len()));
        run.has_ended().then_some(())
    });
    assert_eq!(run.end().code, Some(0));
    assert!(longest <= (4 << 20) + 4096, "{longest}");
    let length = std::fs::metadata(place.path("state/journal")).unwrap().len();
    assert!(length < 1 << 20, "{length}");
    let (_, receipt) = place.logator(&arguments[1..], b"");
    assert_eq!((receipt.read, receipt.resumed_lines), (0, lines as u64));
}
