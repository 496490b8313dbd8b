//! Jobs whose disk is blocked or full. The program says that it waits, and continues when the disk works again.

use std::path::PathBuf;
use std::process::Command;
#[cfg(feature = "sqlite")]
use std::time::{Duration, Instant};

#[cfg(feature = "sqlite")]
use crate::kit::disk::Disk;
use crate::kit::logs::access;
use crate::kit::needs::requires_root;
#[cfg(feature = "sqlite")]
use crate::kit::program;
#[cfg(feature = "sqlite")]
use crate::kit::workspace::Running;
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, wait_for};

/// A disk on which nothing can be written for a while: a separate file system that is frozen.
struct Frozen {
    at: PathBuf,
    frozen: bool,
}

impl Frozen {
    fn new(place: &Workspace) -> Frozen {
        requires_root();
        let (image, at) = (place.path("image"), place.path("disk"));
        std::fs::create_dir_all(&at).unwrap();
        let script = "truncate -s 16M \"$0\" && mkfs.ext4 -q \"$0\" && mount -o loop \"$0\" \"$1\"";
        let made = Command::new("sh").arg("-c").arg(script).arg(image).arg(&at).output().unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "this test needs loop devices: run ./test\n{said}");
        Frozen { at, frozen: false }
    }

    fn set(&mut self, frozen: bool) {
        let flag = if frozen { "-f" } else { "-u" };
        assert!(Command::new("fsfreeze").arg(flag).arg(&self.at).status().unwrap().success());
        self.frozen = frozen;
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if self.frozen {
            let _ = Command::new("fsfreeze").arg("-u").arg(&self.at).status();
        }
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

#[test]
#[ignore = "needs root and loop devices: run ./test"]
fn a_disk_that_stands_still_under_the_state_of_a_queue_stops_no_worker() {
    let place = Workspace::new();
    let mut disk = Frozen::new(&place);
    let mut queue =
        place.queue(&["--linger", "0", "--batch-lines", "10", "--state", "disk/state", "--sink-deadline", "none"]);
    let mut worker = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    queue.feed(&access(0..100));
    let stored = |count| {
        wait_for("the documents", PATIENCE, || {
            (std::fs::read_to_string(place.path("out")).unwrap_or_default().lines().count() == count).then_some(())
        });
    };
    stored(100);
    disk.set(true);
    queue.feed(&access(100..5000));
    queue.close_input();
    stored(5000);
    // Every line is acknowledged, though nothing is recorded. The worker has been told the end, or the queue waits for
    // the worker.
    queue.says("--state disk/state: the disk accepts no data; trying again until it is over");
    disk.set(false);
    let queue = queue.end();
    assert_eq!((queue.code, worker.has_ended() || worker.end().code == Some(0)), (Some(0), true), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [5000, 5000, 0, 0, 0, 0]);
    let (_, receipt) = place.logator(&["-f", "combined", "--state", "disk/state", "--to", "null:"], &access(0..5000));
    assert_eq!((receipt.read, receipt.resumed_lines), (0, 5000));
}

#[test]
#[ignore = "needs root and loop devices: run ./test"]
fn a_disk_that_stands_still_under_the_documents_is_said() {
    let place = Workspace::new();
    let mut disk = Frozen::new(&place);
    let mut run = place.start("logator", &["run", "-fcombined", "--to", "ndjson:disk/out"]);
    run.feed(&access(0..10));
    wait_for("the documents", PATIENCE, || {
        (place.path("disk/out").exists() && place.objects("disk/out").len() == 10).then_some(())
    });
    disk.set(true);
    run.feed(&access(10..20));
    run.says("ndjson:disk/out: the disk takes long to");
    disk.set(false);
    let ran = run.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("ndjson:disk/out: stores again"), "{}", ran.stderr);
    assert_eq!(place.objects("disk/out").len(), 20);
}

#[test]
#[ignore = "needs root and mount namespaces: run ./test"]
#[cfg(feature = "sqlite")]
fn a_full_disk_under_state_and_database_is_named_with_how_to_go_on() {
    let place = Workspace::new();
    place.write("log", access(0..20_000));
    let at = place.path("disk");
    requires_root();
    let disk = Disk::new(&at, 1000).expect("this test needs mount namespaces: run ./test");
    let run = || {
        let enter = disk.enter(&place.path("."));
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).arg(program("logator")).args(["run", "log", "-f", "combined", "-j", "2"]);
        command.args(["--state", "disk/state", "--to", "sqlite:disk/o.db", "--sink-deadline", "5"]);
        Running::start(command).end()
    };
    let start = Instant::now();
    let ran = run();
    assert!(ran.code == Some(3) && start.elapsed() < Duration::from_secs(30), "{}", ran.stderr);
    let words = format!("make room on the disk of {} and run it again", at.canonicalize().unwrap().display());
    assert!(ran.stderr.contains(&words), "{}", ran.stderr);
    disk.resize(64 << 10);
    let ran = run();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // SQLite would resolve the path of the disk to its target, which is another folder in this process.
    std::fs::copy(disk.path("o.db"), place.path("copy.db")).unwrap();
    let database = rusqlite::Connection::open(place.path("copy.db")).unwrap();
    let rows: u64 = database.query_row("SELECT count(*) FROM logs", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 20_000);
}
