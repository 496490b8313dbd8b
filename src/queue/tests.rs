//! The queue by scripts (`tests/scripts/queue`) and by random walks beside an oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::batch::Origin;

fn batch(offset: u64, content: &str) -> Batch {
    let data = Bytes::copy_from_slice(content.as_bytes());
    let lines = crate::lines::count(&data) as u32;
    Batch { origin: Arc::new(Origin { id: 1, name: "x".into() }), offset, lines, data }
}

/// Runs one script: commands, each followed by what it must answer, indented. Leases are numbered from 1.
fn run_script(name: &str, script: &str) -> usize {
    let mut limits = Limits { lease: Some(Duration::from_secs(30)), ..Limits::default() };
    let mut queue = Queue::new(limits.clone(), 1);
    let (mut offset, mut commands, mut expected, mut actual) = (0, 0, String::new(), String::new());
    for line in script.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let _ = writeln!(expected, "{line}");
        if line.starts_with(' ') {
            continue;
        }
        commands += 1;
        let _ = writeln!(actual, "{line}");
        let words: Vec<&str> = line.split(' ').collect();
        let number = |index: usize| words[index].parse::<u64>().unwrap_or_else(|_| panic!("{name}: {line}"));
        // Times are seconds since the start, as @31.
        let now = words.last().and_then(|word| word.strip_prefix('@')).map_or(Duration::ZERO, |seconds| {
            Duration::from_secs_f64(seconds.parse().unwrap_or_else(|_| panic!("{name}: {line}")))
        });
        let answer = match words[0] {
            "limits" => {
                for word in &words[1..] {
                    match word.split_once('=').expect("name=value") {
                        ("leases_per_peer", value) => limits.leases_per_peer = value.parse().expect("a number"),
                        ("leased_bytes", value) => limits.leased_bytes = value.parse().expect("a number"),
                        ("ready_bytes", value) => limits.ready_bytes = value.parse().expect("a number"),
                        (other, _) => panic!("{name}: no limit {other}"),
                    }
                }
                queue = Queue::new(limits.clone(), 1);
                String::new()
            }
            "offer" => {
                let content = words[1..].join(" ").replace("\\n", "\n").replace("\\r", "\r");
                let batch = batch(offset, &content);
                offset += content.len() as u64;
                queue.offer(batch);
                if queue.wants_input() { String::new() } else { "full".into() }
            }
            "end" => {
                queue.end_input();
                String::new()
            }
            "reserve" | "line" => {
                let reserved = match words[0] {
                    "line" => queue.reserve_line(number(1), now),
                    _ => queue.reserve(number(1), now),
                };
                match reserved {
                    Reserved::Wait => "wait".into(),
                    Reserved::End => "end".into(),
                    Reserved::Batch(lease, batch) => {
                        let text = String::from_utf8_lossy(&batch.data).replace('\n', "\\n").replace('\r', "\\r");
                        format!("lease {lease} offset {} lines {}: {text}", batch.offset, batch.lines)
                    }
                }
            }
            "ack" => {
                let mut tally = Tally::default();
                for word in &words[2..] {
                    let (name, value) = word.split_once('=').expect("name=value");
                    let value = value.parse().expect("a number");
                    match name {
                        "stored" => tally.stored = value,
                        "duplicate" => tally.duplicate = value,
                        "unmatched" => tally.unmatched = value,
                        "dead" => tally.dead_lettered = value,
                        other => panic!("no count {other}"),
                    }
                }
                if queue.ack(&Ack { lease: number(1), tally }) { "ok".into() } else { "gone".into() }
            }
            "touch" => if queue.touch(number(1), now) { "ok" } else { "gone" }.into(),
            "release" => if queue.release(number(1)) { "ok" } else { "gone" }.into(),
            "leave" => format!("{} given back", queue.release_all(number(1))),
            "expire" => format!("{} expired", queue.expire(now)),
            "deadline" => queue.next_deadline().map_or("none".into(), |at| format!("{} s", at.as_secs_f64())),
            "counts" => {
                let (counts, (ready, leased)) = (queue.counts(), queue.held_bytes());
                let Tally { stored, duplicate, unmatched, dead_lettered, filtered } = counts.tally;
                format!(
                    "read {} stored {stored} duplicate {duplicate} unmatched {unmatched} dead {dead_lettered} \
                     filtered {filtered} again {} late {} outstanding {} bytes {ready} {leased}",
                    counts.read,
                    counts.redelivered,
                    counts.late_acks,
                    queue.outstanding_lines()
                )
            }
            other => panic!("{name}: no command {other}"),
        };
        if !answer.is_empty() {
            let _ = writeln!(actual, "  {answer}");
        }
    }
    assert_eq!(actual, expected, "script {name}");
    commands
}

#[test]
fn the_scripts_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/queue");
    let (mut scripts, mut commands) = (0, 0);
    for entry in std::fs::read_dir(folder).expect("the folder of scripts") {
        let path = entry.expect("an entry").path();
        let script = std::fs::read_to_string(&path).expect("a script");
        commands += run_script(&path.display().to_string(), &script);
        scripts += 1;
    }
    println!("{scripts} scripts, {commands} commands");
    assert!(scripts > 4 && commands > 50, "{scripts} scripts, {commands} commands");
}

#[derive(Debug, Clone)]
enum Step {
    Offer(Vec<u8>),
    Reserve(u64),
    Line(u64),
    Ack(usize, bool),
    Touch(usize),
    Release(usize),
    Leave(u64),
    Expire,
    Later(u64),
    EndInput,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        // Each number is the length of a line; 0 is an empty line.
        4 => prop::collection::vec(0_u8..4, 1..5).prop_map(Step::Offer),
        5 => (0_u64..4).prop_map(Step::Reserve),
        3 => (0_u64..4).prop_map(Step::Line),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(lease, late)| Step::Ack(lease, late)),
        1 => any::<usize>().prop_map(Step::Touch),
        2 => any::<usize>().prop_map(Step::Release),
        1 => (0_u64..4).prop_map(Step::Leave),
        2 => Just(Step::Expire),
        3 => (1_u64..20).prop_map(Step::Later),
        1 => Just(Step::EndInput),
    ];
    prop::collection::vec(step, 1..120)
}

/// What the oracle knows of a line, by its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ready,
    Leased(LeaseId),
    Done,
}

/// The offsets of a batch's lines, and whether each is empty.
fn lines_of(batch: &Batch) -> Vec<(u64, bool)> {
    let lines = crate::lines::lines(&batch.data);
    lines.map(|line| (batch.offset + line.start as u64, line.bytes.is_empty())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_happens_each_line_ends_in_one_place(steps in steps()) {
        let limits = Limits {
            lease: Some(Duration::from_secs(30)),
            leased_bytes: 40,
            leases_per_peer: 3,
            ..Limits::default()
        };
        let mut queue = Queue::new(limits, 1);
        let mut places: BTreeMap<u64, Place> = BTreeMap::new();
        let (mut filtered, mut open, mut now, mut offset) = (0, true, Duration::ZERO, 0);
        // Leases ever given: their lines, and their deadline while they are good.
        let mut leases: BTreeMap<LeaseId, (Vec<u64>, u64, Option<Duration>)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Offer(lengths) if open => {
                    let content: String = lengths.iter().map(|&length| "x".repeat(length.into()) + "\n").collect();
                    let batch = batch(offset, &content);
                    offset += content.len() as u64;
                    places.extend(lines_of(&batch).into_iter().map(|(line, _)| (line, Place::Ready)));
                    queue.offer(batch);
                }
                Step::Offer(_) => {}
                Step::Reserve(peer) | Step::Line(peer) => {
                    let by_line = matches!(step, Step::Line(_));
                    let before = queue.counts().tally.filtered;
                    let reserved = if by_line { queue.reserve_line(peer, now) } else { queue.reserve(peer, now) };
                    let newly_filtered = queue.counts().tally.filtered - before;
                    filtered += newly_filtered;
                    match reserved {
                        Reserved::Batch(lease, batch) => {
                            prop_assert!(!leases.contains_key(&lease), "lease {lease} twice");
                            prop_assert!(!by_line || batch.lines == 1);
                            let lines = lines_of(&batch);
                            prop_assert_eq!(lines.len(), batch.lines as usize);
                            for &(line, empty) in &lines {
                                prop_assert!(!by_line || !empty, "an empty line would mean the end");
                                prop_assert_eq!(places.insert(line, Place::Leased(lease)), Some(Place::Ready));
                            }
                            let held = leases.values().filter(|(_, owner, good)| *owner == peer && good.is_some()).count();
                            prop_assert!(held < 3, "a fourth lease for one peer");
                            let lines = lines.into_iter().map(|(line, _)| line).collect();
                            leases.insert(lease, (lines, peer, Some(now + Duration::from_secs(30))));
                        }
                        Reserved::End => {
                            let outstanding = places.values().filter(|place| **place != Place::Done).count() as u64;
                            prop_assert!(!open && outstanding == filtered, "the end while {outstanding} are out");
                        }
                        Reserved::Wait => {}
                    }
                }
                Step::Ack(pick, late) => {
                    let good: Vec<LeaseId> =
                        leases.iter().filter(|(_, lease)| lease.2.is_some() != late).map(|(&id, _)| id).collect();
                    if good.is_empty() { continue; }
                    let id = good[pick % good.len()];
                    let (lines, _, deadline) = leases.get_mut(&id).expect("it is known");
                    let tally = Tally { stored: lines.len() as u64, ..Tally::default() };
                    prop_assert_eq!(queue.ack(&Ack { lease: id, tally }), deadline.take().is_some());
                    for line in lines.iter().filter(|line| places[line] == Place::Leased(id)).collect::<Vec<_>>() {
                        places.insert(*line, Place::Done);
                    }
                }
                Step::Touch(pick) => {
                    let ids: Vec<LeaseId> = leases.keys().copied().collect();
                    if ids.is_empty() { continue; }
                    let lease = leases.get_mut(&ids[pick % ids.len()]).expect("it is known");
                    prop_assert_eq!(queue.touch(ids[pick % ids.len()], now), lease.2.is_some());
                    lease.2 = lease.2.map(|_| now + Duration::from_secs(30));
                }
                Step::Release(pick) => {
                    let ids: Vec<LeaseId> = leases.keys().copied().collect();
                    if ids.is_empty() { continue; }
                    let id = ids[pick % ids.len()];
                    prop_assert_eq!(queue.release(id), leases[&id].2.is_some());
                    give_back(&mut leases, &mut places, |other, _| other == id);
                }
                Step::Leave(peer) => {
                    let given = queue.release_all(peer);
                    let expected = give_back(&mut leases, &mut places, |_, lease| lease.1 == peer);
                    prop_assert_eq!(given, expected);
                }
                Step::Expire => {
                    let expired = queue.expire(now);
                    let expected =
                        give_back(&mut leases, &mut places, |_, lease| lease.2.is_some_and(|deadline| deadline <= now));
                    prop_assert_eq!(expired, expected);
                }
                Step::Later(seconds) => now += Duration::from_secs(seconds),
                Step::EndInput => {
                    open = false;
                    queue.end_input();
                }
            }
            let out = places.values().filter(|place| **place != Place::Done).count() as u64 - filtered;
            let counts = queue.counts();
            prop_assert_eq!(queue.outstanding_lines(), out);
            prop_assert_eq!(counts.read, counts.tally.total() + out);
            prop_assert_eq!(counts.read, places.len() as u64);
            let good = leases.values().filter(|lease| lease.2.is_some()).count();
            prop_assert_eq!(queue.leased(), good);
            let next = leases.values().filter_map(|lease| lease.2).min();
            prop_assert_eq!(queue.next_deadline(), next);
        }
        // Everything that is left can still be had, once.
        queue.end_input();
        give_back(&mut leases, &mut places, |_, _| true);
        (0..4).for_each(|peer| assert!(queue.release_all(peer) <= 3));
        let mut seen = BTreeSet::new();
        while let Reserved::Batch(lease, batch) = queue.reserve(9, now) {
            for (line, _) in lines_of(&batch) {
                prop_assert_eq!(places[&line], Place::Ready);
                prop_assert!(seen.insert(line), "a line twice");
            }
            let tally = Tally { stored: batch.lines.into(), ..Tally::default() };
            queue.ack(&Ack { lease, tally });
        }
        prop_assert!(queue.is_finished());
        prop_assert_eq!(queue.held_bytes(), (0, 0));
        prop_assert_eq!(queue.counts().read, queue.counts().tally.total());
    }
}

/// Marks the good leases that `which` picks as given back; how many.
fn give_back(
    leases: &mut BTreeMap<LeaseId, (Vec<u64>, u64, Option<Duration>)>,
    places: &mut BTreeMap<u64, Place>,
    which: impl Fn(LeaseId, &(Vec<u64>, u64, Option<Duration>)) -> bool,
) -> usize {
    let mut count = 0;
    for (&id, lease) in leases.iter_mut() {
        if lease.2.is_some() && which(id, lease) {
            lease.2 = None;
            count += 1;
            for line in &lease.0 {
                places.insert(*line, Place::Ready);
            }
        }
    }
    count
}
