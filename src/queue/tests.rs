//! Tests of the queue: scripts in `tests/scripts/queue`, and random operations that are compared with a model.
//!
//! A script is a list of commands (`> reserve p1 @0s`), each followed by its answer. Leases are numbered from 1. With
//! `LOGATOR_BLESS=1` the test writes the answers that it got into the files. Read the difference before you keep it.

mod deadly;
mod memory;
mod model;
mod room;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::ProptestConfig;

use super::{Ack, LeaseId, Limits, PeerId, Queue, Reserved};
use crate::core::batch::{Batch, Origin, Ticket};
use crate::observe::counters::{BURIED, BYTES, LATE_ACKS, READ, REDELIVERED, Tally};

/// A property's configuration: `count` cases, which are the same in every run.
fn same_cases_each_time(count: u32) -> ProptestConfig {
    let rng_seed = proptest::test_runner::RngSeed::Fixed(1);
    ProptestConfig { cases: count, failure_persistence: None, rng_seed, ..ProptestConfig::default() }
}

fn batch(offset: u64, data: &[u8]) -> Batch {
    let origin = Arc::new(Origin::new(1, "x"));
    let lines = crate::core::lines::count(data) as u32;
    Batch::new(origin, offset, lines, data.to_vec().into())
}

/// Reads a time such as `30s` or `29.999s`.
fn time(text: &str) -> Duration {
    let seconds = text.strip_suffix('s').unwrap_or_else(|| panic!("{text}: a time ends with s"));
    Duration::from_secs_f64(seconds.parse().unwrap_or_else(|_| panic!("{text}: not a time")))
}

fn at(text: Option<&str>) -> Duration {
    time(text.and_then(|text| text.strip_prefix('@')).expect("@ and a time"))
}

fn number(text: Option<&str>, letter: char) -> u64 {
    let digits = text.and_then(|text| text.strip_prefix(letter)).unwrap_or_else(|| panic!("{letter} and a number"));
    digits.parse().unwrap_or_else(|_| panic!("{digits}: not a number"))
}

fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").into_bytes()
}

/// Returns whether a peer of the line dialogue can take the line.
fn is_not_empty(line: &[u8]) -> bool {
    !line.is_empty()
}

struct Script {
    queue: Queue,
    offset: u64,
}

impl Script {
    fn new(limits: Limits) -> Script {
        Script { queue: Queue::new(limits, 1), offset: 0 }
    }

    fn run(&mut self, command: &str) -> String {
        let mut words = command.split(' ');
        let queue = &mut self.queue;
        match words.next().expect("a command") {
            "limits" => {
                let mut limits = Limits::default();
                for word in words {
                    match word.split_once('=').expect("key=value") {
                        ("lease", "none") => limits.lease = None,
                        ("lease", value) => limits.lease = Some(time(value)),
                        ("ready", value) => limits.ready_bytes = value.parse().unwrap(),
                        ("leased", value) => limits.leased_bytes = value.parse().unwrap(),
                        ("peer", value) => limits.leases_per_peer = value.parse().unwrap(),
                        (key, _) => panic!("{key}: no such limit"),
                    }
                }
                *self = Script::new(limits);
                String::new()
            }
            "offer" => {
                let data = unescape(words.next().expect("lines"));
                queue.offer(batch(self.offset, &data));
                self.offset += data.len() as u64;
                if queue.wants_input() { "wants more".into() } else { "full".into() }
            }
            "long-line" => {
                queue.count_dead_letter(number(words.next(), 'b'));
                String::new()
            }
            "end" => {
                queue.end_input();
                String::new()
            }
            "reserve" => reserved(queue.reserve(number(words.next(), 'p'), at(words.next()))),
            "line" => reserved(queue.reserve_line(number(words.next(), 'p'), at(words.next()), is_not_empty)),
            "ack" => {
                let lease = number(words.next(), 'L');
                let mut tally = Tally::default();
                for word in words {
                    let (key, value) = word.split_once('=').expect("key=value");
                    *bucket(&mut tally, key) = value.parse().unwrap();
                }
                (if queue.ack(&Ack { lease, tally }) { "accepted" } else { "late" }).into()
            }
            "touch" => held(queue.touch(number(words.next(), 'L'), at(words.next()))),
            "release" => held(queue.release(number(words.next(), 'L'))),
            "release-all" => format!("{} given back", queue.release_all(number(words.next(), 'p'))),
            "expire" => format!("{} expired", queue.expire(at(words.next()))),
            "deadline" => queue.next_deadline().map_or("none".into(), |at| format!("@{}s", at.as_secs_f64())),
            "poison" => queue.poison().map_or("none".into(), |line| {
                let (expired, held) = (line.history.expired, line.history.held.as_secs_f64());
                format!("offset={} {} expired={expired} held={held}s", line.batch.offset, shown(&line.batch))
            }),
            "bury" => {
                queue.bury().map_or("nothing".into(), |batch| format!("offset={} {}", batch.offset, shown(&batch)))
            }
            "state" => self.state(),
            other => panic!("{other}: no such command"),
        }
    }

    fn state(&self) -> String {
        let counts = self.queue.counts();
        let t = counts.tally();
        let (ready, leased) = self.queue.held_bytes();
        let mut out = format!("read={} bytes={}", counts.get(&READ), counts.get(&BYTES));
        let all = [
            ("stored", t.stored),
            ("duplicate", t.duplicate),
            ("unmatched", t.unmatched),
            ("dead-lettered", t.dead_lettered),
            ("filtered", t.filtered),
            ("delivered", t.delivered),
            ("redelivered", counts.get(&REDELIVERED)),
            ("buried", counts.get(&BURIED)),
            ("late", counts.get(&LATE_ACKS)),
            ("outstanding", self.queue.outstanding_lines()),
            ("leases", self.queue.leased() as u64),
            ("ready-bytes", ready as u64),
            ("leased-bytes", leased as u64),
        ];
        for (name, value) in all.into_iter().filter(|(_, value)| *value > 0) {
            write!(out, " {name}={value}").unwrap();
        }
        if self.queue.is_finished() {
            out.push_str(" finished");
        }
        out
    }
}

fn bucket<'a>(tally: &'a mut Tally, name: &str) -> &'a mut u64 {
    match name {
        "stored" => &mut tally.stored,
        "duplicate" => &mut tally.duplicate,
        "unmatched" => &mut tally.unmatched,
        "dead-lettered" => &mut tally.dead_lettered,
        "filtered" => &mut tally.filtered,
        "delivered" => &mut tally.delivered,
        other => panic!("{other}: no such count"),
    }
}

fn held(held: bool) -> String {
    (if held { "held" } else { "gone" }).into()
}

fn shown(batch: &Batch) -> String {
    let text = String::from_utf8_lossy(&batch.data).replace('\r', "\\r").replace('\n', "\\n");
    assert_eq!(batch.records as usize, crate::core::lines::count(&batch.data), "the lines of {text}");
    text
}

fn reserved(reserved: Reserved) -> String {
    match reserved {
        Reserved::Batch(lease, batch) => format!("L{lease} offset={} {}", batch.offset, shown(&batch)),
        Reserved::Wait => "wait".into(),
        Reserved::Ended => "end".into(),
    }
}

/// Runs a script. Returns the script with the answers it got, and its number of commands.
fn answers(text: &str) -> (String, usize) {
    let mut script = Script::new(Limits::default());
    let (mut out, mut commands) = (String::new(), 0);
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            commands += 1;
            let answer = script.run(command);
            out += &format!("{line}\n");
            if !answer.is_empty() {
                out += &format!("{answer}\n");
            }
        } else if line.is_empty() || line.starts_with('#') {
            out += &format!("{line}\n");
        }
    }
    (out, commands)
}

#[test]
fn every_script_gets_the_answers_it_has_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/queue");
    let (mut scripts, mut commands) = (0, 0);
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        let (got, count) = answers(&expected);
        assert!(count > 0, "{} has no command", path.display());
        (scripts, commands) = (scripts + 1, commands + count);
        if got == expected {
            continue;
        }
        if std::env::var_os("LOGATOR_BLESS").is_some() {
            std::fs::write(&path, got).unwrap();
            continue;
        }
        let differs = expected.lines().zip(got.lines()).position(|(a, b)| a != b);
        let line = differs.unwrap_or_else(|| expected.lines().count().min(got.lines().count()));
        let (wants, has) = (expected.lines().nth(line), got.lines().nth(line));
        wrong.push(format!("{}:{}: expected {wants:?}, got {has:?}", path.display(), line + 1));
    }
    println!("{scripts} scripts, {commands} commands");
    assert!(scripts >= 10, "only {scripts} scripts were found in {}", folder.display());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Queue {
    /// Returns the offsets of all lines that are not accounted for.
    fn lines_held(&self) -> Vec<u64> {
        let offsets = |batch: &Batch| -> Vec<u64> {
            crate::core::lines::lines(&batch.data).map(|line| batch.offset + line.start as u64).collect()
        };
        self.outstanding().flat_map(|waiting| offsets(&waiting.batch)).collect()
    }
}
