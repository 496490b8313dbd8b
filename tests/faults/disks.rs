//! Full disks.

use std::process::Command;

use crate::kit::logs::access;
use crate::kit::workspace::{Running, Workspace, account};

#[test]
fn a_full_disk_under_ndjson_ends_the_run_and_nothing_counts_as_stored() {
    let place = Workspace::new();
    let (ran, receipt) = place.logator(&["-f", "combined", "--to", "ndjson:/dev/full"], &access(0..5000));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(account(&receipt), [0; 6]);
    assert!(receipt.agrees && !receipt.finished && receipt.left > 0, "{receipt:?}");
    assert!(!receipt.errors.is_empty());
    for error in &receipt.errors {
        assert!(error.starts_with("ndjson:/dev/full: "), "{error}");
        assert!(error.contains("make room and run it again, nothing acknowledged is lost"), "{error}");
        assert!(error.ends_with("No space left on device (os error 28)"), "{error}");
    }
}

/// Starts `logator run` so that it may write no file larger than `blocks` of 512 bytes: for the program, the disk is full there.
fn limited(place: &Workspace, blocks: u32, arguments: &[&str]) -> Running {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), "limited"]);
    command.arg(crate::kit::program("logator")).args(["run", "--receipt", "receipt", "-f", "combined"]);
    command.args(arguments).current_dir(place.path("."));
    Running::start(command)
}

#[test]
fn a_file_that_cannot_grow_holds_whole_batches_only() {
    let place = Workspace::new();
    place.write("access.log", access(0..5000));
    let ran = limited(&place, 800, &["access.log", "--batch-lines", "500", "-j", "1", "--to", "ndjson:out"]).end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let receipt = place.receipt("receipt");
    let stored = receipt.tally.stored;
    assert_eq!(account(&receipt), [stored, stored, 0, 0, 0, 0]);
    assert!(receipt.agrees && stored > 0 && stored < 5000 && receipt.left > 0, "{receipt:?}");
    assert_eq!(place.objects("out").len() as u64, stored, "what is in the file is what the receipt says");
    assert!(receipt.errors[0].contains("and the file was cut back to there"), "{receipt:?}");
}

#[test]
#[cfg(feature = "sqlite")]
fn a_full_disk_under_sqlite_ends_the_run_and_a_second_run_completes_it() {
    let place = Workspace::new();
    place.write("access.log", access(0..5000));
    let to = ["access.log", "--batch-lines", "500", "-j", "1", "--to", "sqlite:logs.db"];
    let ran = limited(&place, 800, &to).end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let receipt = place.receipt("receipt");
    let stored = receipt.tally.stored;
    assert_eq!(account(&receipt), [stored, stored, 0, 0, 0, 0]);
    assert!(receipt.agrees && stored < 5000 && receipt.left > 0, "{receipt:?}");
    assert!(receipt.errors[0].starts_with("sqlite:logs.db: a batch could not be stored"), "{receipt:?}");
    let (ran, receipt) = place.logator(&[&to[..], &["-f", "combined"]].concat(), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&receipt), [5000, 5000 - stored, stored, 0, 0, 0]);
}

#[test]
fn a_full_disk_under_the_dead_letters_loses_none_of_them() {
    let place = Workspace::new();
    let arguments = ["-f", "combined", "--unmatched", "dead-letter", "--dead-letters", "/dev/full", "--to", "null:"];
    let (ran, receipt) = place.logator(&arguments, b"no access line\n");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!((account(&receipt), receipt.left), ([0; 6], 1));
    assert!(receipt.errors[0].contains("No space left on device"), "{receipt:?}");
}

#[test]
fn sinks_that_cannot_be_opened_are_said_before_anything_is_read() {
    let place = Workspace::new();
    place.write("text", "no database\n".repeat(1000));
    let missing = place.at("ndjson:", "no/such/folder/out");
    let mut cases = vec![(missing.as_str(), "cannot be opened for writing")];
    if cfg!(feature = "sqlite") {
        cases.push(("sqlite:text", "the file is not a SQLite database, name another"));
        cases.push(("sqlite:no/such/folder/logs.db", "check that its folder is there"));
    }
    for (sink, words) in cases {
        let ran = place.run("logator", &["run", "--to", sink], &access(0..5));
        assert_eq!(ran.code, Some(3), "{sink}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(&format!("logator: {sink}: ")), "{}", ran.stderr);
        assert!(ran.stderr.contains(words) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    }
}

/// A pipe holds 64 KiB. Other bytes wait for its reader, and lines that the reader never got are not stored.
#[test]
fn a_pipe_whose_reader_leaves_ends_the_run_and_what_it_did_not_take_is_not_stored() {
    let place = Workspace::new();
    nix::unistd::mkfifo(&place.path("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    place.write("access.log", access(0..5000));
    let arguments = ["run", "access.log", "-f", "combined", "-j", "1", "--batch-lines", "500", "--to", "ndjson:pipe"];
    let run = place.start("logator", &[&arguments[..], &["--receipt", "receipt"]].concat());
    let mut pipe = std::fs::File::open(place.path("pipe")).unwrap();
    std::io::Read::read_exact(&mut pipe, &mut [0; 1000]).unwrap();
    drop(pipe);
    let ran = run.end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let receipt = place.receipt("receipt");
    assert!(receipt.agrees && !receipt.finished && receipt.left > 0, "{receipt:?}");
    assert!(receipt.tally.stored < 1000 && receipt.errors[0].starts_with("ndjson:pipe: "), "{receipt:?}");
}

/// A folder in which nobody can write, not even root.
#[test]
fn a_folder_that_cannot_be_written_to_is_said_and_nothing_counts_as_stored() {
    let place = Workspace::new();
    for (arguments, words) in [
        (&["--to", "ndjson:/proc/sys/out"][..], "ndjson:/proc/sys/out: "),
        (&["--to", "null:", "--unmatched", "dead-letter", "--dead-letters", "/proc/sys/letters"], "/proc/sys/letters"),
        // The work is done by then. The exit code tells that the receipt is missing.
        (&["--to", "null:", "--receipt", "/proc/sys/receipt"], "/proc/sys/receipt"),
    ] {
        let ran = place.run("logator", &[&["run", "-f", "combined"], arguments].concat(), b"no access line\n");
        assert_eq!(ran.code, Some(3), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("stored                    1"), "{}", ran.stderr);
    }
}

/// `--max-memory` limits the lines that wait and the lines in work, even if no worker takes any.
#[test]
fn max_memory_bounds_what_a_queue_reads_ahead_and_the_work_goes_on() {
    let place = Workspace::new();
    let content = access(0..100_000);
    place.write("access.log", &content);
    let mut most = Vec::new();
    for limit in ["1MiB", "64MiB"] {
        let bound = place.at("ipc://", limit);
        let arguments = ["access.log", "--bind", &bound, "--linger", "0", "--max-memory", limit, "--receipt", "queue"];
        let mut queue = place.start("logator-queue", &arguments);
        queue.wait_ready();
        let worker = place.start("logator-worker", &["--from", &bound, "-f", "combined", "--to", "null:", "-j", "2"]);
        let endpoint = place.path(limit);
        let peak = crate::kit::wait_for("the receipt", crate::kit::PATIENCE, || {
            most.push(queue.most_memory().unwrap_or(0));
            (place.path("queue").exists() || !endpoint.exists()).then(|| most.drain(..).max().unwrap_or(0))
        });
        eprintln!("--max-memory {limit}: {peak} kB");
        let queue = queue.end();
        assert_eq!((queue.code, worker.end().code), (Some(0), Some(0)), "{}", queue.stderr);
        assert_eq!(account(&place.receipt("queue")), [100_000, 100_000, 0, 0, 0, 0]);
        std::fs::remove_file(place.path("queue")).unwrap();
        if limit == "1MiB" {
            assert!(peak < 24 << 10, "{peak} kB");
        }
    }
    let ran = place.run("logator-queue", &["--max-memory", "1KiB"], b"");
    assert!(ran.code == Some(2) && ran.stderr.contains("less than 64KiB is too little"), "{}", ran.stderr);
}
