//! A wall clock that jumps only for the tested programs: libfaketime replaces the time of CLOCK_REALTIME in them.

use std::time::Duration;

use logator::net::wire::{Answer, Ask};
use logator::observe::receipt::Tally;
use logator::queue::Ack;
use nix::sys::signal::Signal;

use super::{APART, ROUND, Trial};
use crate::kit::logs::access;
use crate::kit::needs::given;
use crate::kit::peer::Peer;
use crate::kit::table::times;
use crate::kit::workspace::{Running, Workspace};

const HOUR: i64 = 3600;

/// Returns the environment of a program whose clock is off by the seconds in the file `clock`.
pub fn environment(place: &Workspace) -> Vec<(&'static str, String)> {
    const LIBRARY: &str = "LOGATOR_TEST_FAKETIME";
    let library = given(LIBRARY, "libfaketime").into_string().expect("a path in UTF-8");
    assert!(std::path::Path::new(&library).is_file(), "{LIBRARY}={library} is no file");
    set(place, 0);
    vec![
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", place.path("clock").display().to_string()),
        ("FAKETIME_NO_CACHE", "1".into()),
        // Only CLOCK_REALTIME jumps; the other clocks of the kernel stay correct.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ]
}

/// Sets the clock of these programs.
pub fn set(place: &Workspace, seconds: i64) {
    place.write("clock.new", format!("{seconds:+}\n"));
    std::fs::rename(place.path("clock.new"), place.path("clock")).unwrap();
}

/// Starts a queue with such a clock.
fn queue(place: &Workspace, lease: &str) -> Running {
    let endpoint = place.endpoint();
    let mut command = place.command(
        "logator-queue",
        &["--bind", &endpoint, "--lease", lease, "--linger", "0", "--log-format", "json", "--drain", "0"],
    );
    // A last line that waits for lines that continue it would be a batch of its own.
    command.args(["--multiline", "none"]);
    command.envs(environment(place));
    let mut queue = Running::start(command);
    queue.wait_ready();
    queue
}

/// Returns the seconds by which the clock of `queue` is off, as its log says.
fn off_by(mut queue: Running) -> i64 {
    queue.signal(Signal::SIGTERM);
    queue.wait_stopping();
    let said = queue.end_with_input_open().stderr;
    let line = said.lines().find(|line| line.contains("reading stops")).unwrap();
    let said: serde_json::Value = serde_json::from_str(line).unwrap();
    let time = said["time"].as_str().unwrap();
    // The difference is far less than a day, so the time of day is enough. The clock of the machine is read the same
    // way.
    let seconds = |text: &str| -> i64 {
        let mut parts = text.split(':').map(|part| part.parse::<f64>().unwrap() as i64);
        let mut next = || parts.next().unwrap();
        next() * 3600 + next() * 60 + next()
    };
    let theirs = seconds(time.split('T').nth(1).unwrap().trim_end_matches('Z'));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64 % 86_400;
    (theirs - now + 86_400 + 43_200) % 86_400 - 43_200
}

fn is_about(off: i64, expected: i64) {
    assert!((off - expected).abs() < 60, "{off}");
}

#[test]
#[ignore = "needs libfaketime: run ./test"]
fn a_clock_that_is_set_forward_an_hour_ends_no_lease() {
    let place = Workspace::new();
    let mut queue = queue(&place, "60");
    queue.feed(&access(0..10));
    let holder = Peer::connect(&place.endpoint());
    let Answer::Batch { lease, batch, .. } = holder.reserve() else { panic!("no batch") };
    set(&place, HOUR);
    let other = Peer::connect(&place.endpoint());
    let wait = Duration::from_millis(1500);
    let reply = other.ask(Ask::Reserve { wait, acks: Vec::new() });
    assert!(matches!(reply, Answer::Wait(_)), "{reply:?}");
    let tally = Tally { stored: batch.records.into(), ..Tally::default() };
    assert_eq!(holder.ask(Ask::Touch(vec![lease])), Answer::Ok(1), "it is still held");
    assert_eq!(holder.ask(Ask::Bye(vec![Ack { lease, tally }])), Answer::Ok(1), "its ack counts");
    is_about(off_by(queue), HOUR);
}

#[test]
#[ignore = "needs libfaketime: run ./test"]
fn a_clock_that_is_set_back_an_hour_keeps_no_lease_alive() {
    let place = Workspace::new();
    let mut queue = queue(&place, "0.5");
    queue.feed(&access(0..10));
    let holder = Peer::connect(&place.endpoint());
    let Answer::Batch { lease, .. } = holder.reserve() else { panic!("no batch") };
    set(&place, -HOUR);
    let other = Peer::connect(&place.endpoint());
    let start = std::time::Instant::now();
    assert!(matches!(other.reserve(), Answer::Batch { .. }), "it runs out as if nothing had been");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(holder.ask(Ask::Touch(vec![lease])), Answer::Ok(0), "it is not held any more");
    is_about(off_by(queue), -HOUR);
}

#[test]
#[ignore = "needs a mongod of its own and libfaketime: run ./test"]
fn a_clock_that_jumps_by_an_hour_both_ways_in_mid_job_loses_and_doubles_nothing() {
    let mut trial = Trial::new("the clock jumps by an hour, both ways", ROUND);
    trial.queue_arguments = ["--lease", "30"].map(String::from).to_vec();
    trial.environment = environment(&trial.place);
    let mut off = 0;
    trial.disturb(times(10), APART, 2, |trial| {
        off += if off > 0 || (off == 0 && trial.random.bool()) { -HOUR } else { HOUR };
        trial.breaks();
        set(&trial.place, off);
    });
    assert_eq!(trial.redelivered, 0, "no lease of 30 s ran out");
    trial.close();
}
