//! Debian's logrotate, as people use it.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::{WAYS, expect_all, follow, numbered, stop, wait_until};
use crate::kit::place::Place;
use crate::kit::{PATIENCE, wait_for};

const PROGRAM: &str = "LOGATOR_TEST_LOGROTATE";

/// Runs it on `logs/app.log` with `directives`.
fn logrotate(place: &Place, directives: &str) {
    let program = std::env::var(PROGRAM)
        .unwrap_or_else(|_| panic!("this test runs logrotate: run ./test, or set {PROGRAM} to the program"));
    let log = place.path("logs/app.log");
    let configuration = place.write("logrotate.conf", format!("{} {{\n{directives}\n}}\n", log.display()));
    let state = place.path("logrotate.state");
    let ran = Command::new(program).arg("-f").arg("-s").arg(state).arg(configuration).output().expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// Writes numbered lines until told to end, through a file that it opens again when it is told to. Gives how many.
fn write(place: &Place, reopen: &AtomicBool, end: &AtomicBool, count: &AtomicUsize, gate: &Mutex<()>) {
    let open = || fs::OpenOptions::new().append(true).create(true).open(place.path("logs/app.log")).unwrap();
    let mut file = open();
    while !end.load(Ordering::SeqCst) {
        let _gate = gate.lock().unwrap();
        if reopen.swap(false, Ordering::SeqCst) {
            file = open();
        }
        let number = count.load(Ordering::SeqCst);
        writeln!(file, "{}", numbered(number)).unwrap();
        count.store(number + 1, Ordering::SeqCst);
    }
}

fn rotates(how: &str, names: &str, directives: &str, copies: bool) {
    let place = Arc::new(Place::new());
    fs::create_dir(place.path("logs")).unwrap();
    fs::write(place.path("logs/app.log"), "").unwrap();
    let (reopen, end, count, gate) =
        (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(()));
    let running = follow(&place, &[how, names]);
    std::thread::scope(|scope| {
        scope.spawn(|| write(&place, &reopen, &end, &count, &gate));
        for _ in 0..6 {
            let before = count.load(Ordering::SeqCst);
            wait_for("some lines", PATIENCE, || (count.load(Ordering::SeqCst) > before + 300).then_some(()));
            wait_until(&place, before);
            // What is written between the copy and the truncation is lost to everybody.
            let held = copies.then(|| gate.lock().unwrap());
            logrotate(&place, directives);
            drop(held);
            reopen.store(!copies, Ordering::SeqCst);
        }
        let before = count.load(Ordering::SeqCst);
        wait_for("some lines", PATIENCE, || (count.load(Ordering::SeqCst) > before + 300).then_some(()));
        end.store(true, Ordering::SeqCst);
    });
    let all = count.load(Ordering::SeqCst);
    wait_until(&place, all);
    stop(running);
    expect_all(&place, all);
}

#[test]
#[ignore = "needs logrotate: run ./test, or set LOGATOR_TEST_LOGROTATE"]
fn logrotate_renames_and_makes_a_new_file() {
    for how in WAYS {
        rotates(how, "logs/app.log*", "rotate 9\ncreate\nmissingok", false);
    }
    rotates("--follow", "logs/app.log", "rotate 9\ncreate", false);
}

#[test]
#[ignore = "needs logrotate: run ./test, or set LOGATOR_TEST_LOGROTATE"]
fn logrotate_renames_and_compresses_later() {
    rotates("--follow", "logs/app.log*", "rotate 9\ncreate\ncompress\ndelaycompress", false);
}

#[test]
#[ignore = "needs logrotate: run ./test, or set LOGATOR_TEST_LOGROTATE"]
fn logrotate_copies_and_truncates() {
    for how in WAYS {
        rotates(how, "logs/app.log*", "rotate 9\ncopytruncate", true);
    }
}
