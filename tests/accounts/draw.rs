//! Draws the plan of a round.

use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;

use super::plan::{Fault, File, Kill, Manner, Mode, Plan, Shape, SinkKind, Step, Trouble, UNWELCOME, Unmatched};

/// Returns a random item of `all`.
fn one<T: Clone>(random: &mut Rng, all: &[T]) -> T {
    all[random.usize(..all.len())].clone()
}

fn chance(random: &mut Rng, percent: u32) -> bool {
    random.u32(..100) < percent
}

pub fn plan(random: &mut Rng, seed: u64) -> Plan {
    let mode = match random.u32(..100) {
        0..30 => Mode::Run,
        30..38 => Mode::Input { file: random.bool() },
        38..58 => Mode::Queue,
        58..66 => Mode::Spawn,
        66..86 => Mode::Follow { poll: chance(random, 20) },
        86..93 => Mode::Pull,
        _ => Mode::Syslog,
    };
    let fault = draw_fault(random, mode);
    let sinks = draw_sinks(random, fault);
    let max_line = if chance(random, 30) { 300 } else { 1 << 20 };
    let mut draft = Draft { random, mode, max_line, number: 0 };
    let (files, steps) = match mode {
        Mode::Follow { .. } => (Vec::new(), draft.steps()),
        Mode::Pull | Mode::Syslog => (draft.senders(), Vec::new()),
        _ => (draft.files(), Vec::new()),
    };
    let lines = draft.number;
    let stateful = !matches!(mode, Mode::Pull | Mode::Syslog | Mode::Input { .. });
    let restarts = steps.iter().any(|step| matches!(step, Step::Restart | Step::Kill));
    let needs_state = restarts || matches!(fault, Some(Fault::StateFull | Fault::Killed | Fault::DiskFull));
    let state = needs_state || (stateful && chance(random, 50));
    let trouble = fault.map(|fault| Trouble {
        fault,
        after: random.u64(0..=lines / 2),
        hold: Duration::from_millis(random.u64(0..1500)),
        to_the_end: fault == Fault::LettersLocked && chance(random, 25),
    });
    let databases = sinks.iter().all(|sink| *sink == SinkKind::Sqlite);
    let signal = draw_signal(random, mode, lines);
    let harmless = chance(random, 15).then(|| {
        (
            one(random, &[Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGALRM]),
            random.u64(1..=lines / 2 + 1),
        )
    });
    // A batch is synced before it is acknowledged, so thousands of batches would take long.
    let least = (lines / 150).max(1) as usize;
    let mut plan = Plan {
        seed,
        mode,
        files,
        steps,
        sinks,
        state,
        jobs: random.usize(1..=3),
        // Only one process may write a file.
        workers: if databases { random.usize(1..=2) } else { 1 },
        batch_lines: if chance(random, 80) {
            random.usize(least..=least * 4)
        } else {
            random.usize(least..=2000.max(least))
        },
        max_memory: chance(random, 30).then(|| one(random, &["64KiB", "100KiB", "1MiB"])),
        max_line,
        unmatched: one(random, &[Unmatched::Keep, Unmatched::DeadLetter, Unmatched::Drop]),
        by_path: matches!(mode, Mode::Run | Mode::Queue | Mode::Spawn) && chance(random, 25),
        own_inside: false,
        trouble,
        signal,
        harmless,
    };
    // These are drawn last, so that the other choices of a seed stay the same.
    let lies_among = matches!(mode, Mode::Run | Mode::Queue | Mode::Spawn | Mode::Follow { .. });
    plan.own_inside = lies_among && chance(random, 30);
    vary(random, &mut plan.steps, lines);
    plan
}

/// Compresses some of the rotated files, and takes the last newline from some files.
fn vary(random: &mut Rng, steps: &mut Vec<Step>, lines: u64) {
    for step in steps.iter_mut() {
        if let Step::Rename(file) = *step
            && chance(random, 30)
        {
            *step = Step::Compress(file);
        }
    }
    if !steps.is_empty() && chance(random, 30) {
        let file = random.usize(..3);
        let length = random.usize(..30);
        let line = format!("row {} of f{file}.log, not ended {}", lines + 1, "u".repeat(length));
        steps.push(Step::Unended(file, line.into_bytes()));
    }
}

fn draw_fault(random: &mut Rng, mode: Mode) -> Option<Fault> {
    use Fault::*;
    if chance(random, 40) {
        return None;
    }
    let all: &[Fault] = match mode {
        Mode::Run => &[Locked, Refusing, Colliding, Slow, Slow, DiskFull, StateFull, LettersLocked, Killed, Killed],
        Mode::Input { .. } => &[Locked, Refusing, Slow, LettersLocked],
        Mode::Queue => {
            &[Locked, Slow, StateFull, LettersLocked, WorkerKilled, WorkerKilled, Killed, Killed, Refusing, Colliding]
        }
        Mode::Spawn => &[Locked, Refusing, Colliding, LettersLocked, Killed],
        Mode::Follow { .. } => &[Locked, Slow, Slow, LettersLocked, Refusing, Colliding],
        Mode::Pull | Mode::Syslog => &[Locked, Slow, Refusing, Colliding, LettersLocked],
    };
    Some(one(random, all))
}

/// The first sink must allow counting its documents while the job runs.
fn draw_sinks(random: &mut Rng, fault: Option<Fault>) -> Vec<SinkKind> {
    let mut sinks = match fault {
        Some(Fault::Locked | Fault::Refusing | Fault::Colliding) if random.bool() => vec![SinkKind::Sqlite],
        Some(Fault::Locked | Fault::Refusing | Fault::Colliding) => vec![SinkKind::Ndjson, SinkKind::Sqlite],
        Some(Fault::Slow) => vec![SinkKind::Pipe],
        _ => vec![one(random, &[SinkKind::Ndjson, SinkKind::Ndjson, SinkKind::Sqlite])],
    };
    while sinks.len() < 3 && chance(random, 25) {
        sinks.push(one(random, &[SinkKind::Ndjson, SinkKind::Gzip, SinkKind::Sqlite]));
    }
    sinks
}

fn draw_signal(random: &mut Rng, mode: Mode, lines: u64) -> Option<Kill> {
    // Only a signal ends an input without an end. It usually comes when everything has arrived.
    if mode.ends() && chance(random, 45) {
        return None;
    }
    let manner = match random.u32(..100) {
        0..60 => Manner::Once,
        60..82 => Manner::Twice,
        82..92 => Manner::TwiceApart,
        _ if mode.ends() => Manner::Early,
        _ => Manner::Once,
    };
    let in_the_middle = mode.ends() || chance(random, 30);
    Some(Kill {
        signal: one(random, &[Signal::SIGTERM, Signal::SIGINT]),
        manner,
        after: if in_the_middle { random.u64(0..=lines * 3 / 4) } else { u64::MAX },
        in_trouble: random.bool(),
    })
}

struct Draft<'a> {
    random: &'a mut Rng,
    mode: Mode,
    max_line: usize,
    /// The number of lines drawn so far. Each line has its own number.
    number: u64,
}

impl Draft<'_> {
    /// Returns a line that equals no other, without its newline.
    fn line(&mut self, name: &str) -> Vec<u8> {
        self.number += 1;
        let number = self.number;
        let filler = "x".repeat(self.random.usize(0..60));
        // A message cannot hold arbitrary bytes, and empty messages cannot be distinguished.
        let plain = matches!(self.mode, Mode::Pull | Mode::Syslog);
        match self.random.u32(..100) {
            0..4 if !plain => Vec::new(),
            4..6 if !plain => [format!("odd {number} of {name} ").as_bytes(), b"\xff\xfe"].concat(),
            6..12 => format!("odd {number} of {name} {filler}").into_bytes(),
            12..13 if self.max_line < 1000 => {
                format!("row {number} of {name} {}", "y".repeat(self.max_line * self.random.usize(2..5))).into_bytes()
            }
            13..16 => format!("row {number} of {name} {UNWELCOME}").into_bytes(),
            _ => format!("row {number} of {name} {filler}").into_bytes(),
        }
    }

    /// Returns a line that matches and that every sink stores.
    fn good_line(&mut self, name: &str) -> Vec<u8> {
        self.number += 1;
        format!("row {} of {name} {}", self.number, "z".repeat(self.random.usize(0..40))).into_bytes()
    }

    /// Returns whole lines.
    fn lines(&mut self, name: &str, count: usize, end: &[u8]) -> Vec<u8> {
        (0..count).flat_map(|_| [&self.line(name)[..], end].concat()).collect()
    }

    fn files(&mut self) -> Vec<File> {
        let single = matches!(self.mode, Mode::Input { .. });
        let count = match self.random.u32(..100) {
            _ if single => 1,
            0..40 => 1,
            40..85 => self.random.usize(2..6),
            _ => self.random.usize(20..60),
        };
        let total = self.random.usize(200..4000);
        let header = (self.random.u32(..100) < 20).then(|| self.good_line("all"));
        (0..count).map(|index| self.file(index, total / count, single, header.as_deref())).collect()
    }

    fn file(&mut self, index: usize, most: usize, single: bool, header: Option<&[u8]>) -> File {
        let folder = one(self.random, &["", "", "a/", "a/b/", "c d/"]);
        let name = format!("{folder}f{index}.log");
        let lines = if chance(self.random, 5) { 0 } else { self.random.usize(most / 2..=most) };
        let end: &[u8] = if chance(self.random, 10) { b"\r\n" } else { b"\n" };
        let mut bytes = header.map_or(Vec::new(), |header| [header, end].concat());
        bytes.extend(self.lines(&name, lines, end));
        if chance(self.random, 20) {
            bytes.extend(self.good_line(&name));
        }
        let shape = match self.random.u32(..100) {
            _ if single => Shape::Plain,
            0..55 => Shape::Plain,
            55..70 => Shape::Gzip { members: 1 },
            70..77 => Shape::Gzip { members: self.random.usize(2..5) },
            77..84 => Shape::Zstd,
            84..92 => Shape::Link,
            _ => {
                let more = self.random.usize(1..100);
                let later: Vec<u8> = (0..more).flat_map(|_| [&self.good_line(&name)[..], b"\n"].concat()).collect();
                if !bytes.ends_with(b"\n") {
                    bytes.push(b'\n');
                }
                Shape::Growing { later }
            }
        };
        File { name, bytes, shape }
    }

    fn senders(&mut self) -> Vec<File> {
        let count = self.random.usize(1..4);
        let total = self.random.usize(200..4000);
        let each = |index: usize, draft: &mut Self| {
            let name = format!("s{index}");
            let bytes = draft.lines(&name, total / count, b"\n");
            File { name, bytes, shape: Shape::Plain }
        };
        (0..count).map(|index| each(index, self)).collect()
    }

    /// Draws the steps that a few followed files go through.
    fn steps(&mut self) -> Vec<Step> {
        let files = self.random.usize(1..4);
        // For each file: whether it exists, has a first line, and was read from.
        let mut there = vec![false; files];
        let mut steps = Vec::new();
        for _ in 0..self.random.usize(4..14) {
            let file = self.random.usize(..files);
            let name = format!("f{file}.log");
            if !there[file] {
                if chance(self.random, 15) && there.iter().any(|there| *there) {
                    let (first, second) = self.halves(&name);
                    steps.push(Step::FirstLineInHalves(file, first, second));
                }
                let count = self.random.usize(1..250);
                let lines = self.followed(&name, count);
                steps.push(Step::Append(file, lines));
                there[file] = true;
                continue;
            }
            match self.random.u32(..100) {
                0..30 => {
                    let count = self.random.usize(1..250);
                    let lines = self.followed(&name, count);
                    steps.push(Step::Append(file, lines));
                }
                30..42 => {
                    let (first, second) = self.halves(&name);
                    steps.push(Step::Settle);
                    steps.push(Step::Halves(file, first, second));
                }
                42..58 => {
                    steps.push(Step::Rename(file));
                    there[file] = false;
                }
                58..70 => {
                    steps.push(Step::CopyTruncate(file));
                    there[file] = false;
                }
                70..76 => {
                    steps.push(Step::Settle);
                    let lines = self.followed(&name, 30);
                    steps.extend([Step::Append(file, lines), Step::Remove(file)]);
                    there[file] = false;
                }
                76..80 => {
                    let lines = self.followed("passing", 200);
                    steps.push(Step::Vanish(lines));
                }
                80..88 => steps.push(Step::Settle),
                88..95 => steps.push(Step::Restart),
                _ => steps.push(Step::Kill),
            }
        }
        steps
    }

    /// Returns whole lines. The first one is like no other line.
    fn followed(&mut self, name: &str, count: usize) -> Vec<u8> {
        [&self.good_line(name)[..], b"\n", &self.lines(name, count, b"\n")].concat()
    }

    /// Returns a whole line in two parts. The line matches, and so does its first part.
    fn halves(&mut self, name: &str) -> (Vec<u8>, Vec<u8>) {
        let mut line = self.good_line(name);
        line.push(b'\n');
        let rest = line.split_off(self.random.usize(6..line.len()));
        (line, rest)
    }
}
