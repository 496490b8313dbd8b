//! Debian's logrotate, as people use it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{WAYS, expect_all, follow, numbered, stop, wait_until};
use crate::kit::needs::given;
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

/// Runs logrotate on `logs/app.log` with `directives`.
fn logrotate(place: &Workspace, directives: &str) {
    let program = given("LOGATOR_TEST_LOGROTATE", "logrotate");
    let log = place.path("logs/app.log");
    let configuration = place.write("logrotate.conf", format!("{} {{\n{directives}\n}}\n", log.display()));
    let state = place.path("logrotate.state");
    let ran = Command::new(program).arg("-f").arg("-s").arg(state).arg(configuration).output().expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// A program that writes a log.
#[derive(Default)]
struct Writer {
    /// The number of lines written so far.
    count: AtomicUsize,
    /// The number of lines that it may write.
    most: AtomicUsize,
    /// Whether the program must open its file again.
    reopen: AtomicBool,
    end: AtomicBool,
    gate: Mutex<()>,
}

impl Writer {
    /// Writes numbered lines until it is told to end.
    fn write(&self, log: &Path) {
        let open = || fs::OpenOptions::new().append(true).create(true).open(log).unwrap();
        let mut file = open();
        let ended = || self.end.load(Ordering::SeqCst);
        while !ended() {
            let number = self.count();
            wait_for("leave to write", PATIENCE, || {
                (ended() || number < self.most.load(Ordering::SeqCst)).then_some(())
            });
            let _gate = self.gate.lock().unwrap();
            if self.reopen.swap(false, Ordering::SeqCst) {
                file = open();
            }
            writeln!(file, "{}", numbered(number)).unwrap();
            self.count.store(number + 1, Ordering::SeqCst);
        }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until more lines are written, and returns how many there were.
    fn go_on(&self) -> usize {
        let before = self.count();
        self.most.store(before + 20_000, Ordering::SeqCst);
        wait_for("some lines", PATIENCE, || (self.count() > before + 300).then_some(()));
        before
    }
}

/// Ends the writer, also when the test fails.
struct Ends<'a>(&'a Writer);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end.store(true, Ordering::SeqCst);
    }
}

fn rotates(how: &str, names: &str, directives: &str, copies: bool) {
    let place = Workspace::new();
    let log = place.write("logs/app.log", "");
    let writer = Writer::default();
    let running = follow(&place, &[how, names]);
    std::thread::scope(|scope| {
        let ends = Ends(&writer);
        scope.spawn(|| writer.write(&log));
        for _ in 0..6 {
            let before = writer.go_on();
            // No program can read a file that is rotated before the program has seen it.
            wait_until(&place, before.max(1));
            // No program can read lines that are written between the copy and the truncation.
            let held = copies.then(|| writer.gate.lock().unwrap());
            logrotate(&place, directives);
            drop(held);
            writer.reopen.store(!copies, Ordering::SeqCst);
        }
        writer.go_on();
        drop(ends);
    });
    wait_until(&place, writer.count());
    stop(running);
    expect_all(&place, writer.count());
}

#[test]
#[ignore = "needs logrotate: run ./test"]
fn logrotate_renames_and_makes_a_new_file() {
    for how in WAYS {
        rotates(how, "logs/app.log*", "rotate 9\ncreate\nmissingok", false);
    }
    rotates("--follow", "logs/app.log", "rotate 9\ncreate", false);
}

#[test]
#[ignore = "needs logrotate: run ./test"]
fn logrotate_renames_and_compresses_later() {
    rotates("--follow", "logs/app.log*", "rotate 9\ncreate\ncompress\ndelaycompress", false);
}

#[test]
#[ignore = "needs logrotate: run ./test"]
fn logrotate_copies_and_truncates() {
    for how in WAYS {
        rotates(how, "logs/app.log*", "rotate 9\ncopytruncate", true);
    }
}
