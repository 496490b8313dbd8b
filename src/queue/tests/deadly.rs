//! Lines that end every process that gets them: the queue buries them, and hands out all other lines.

use std::collections::HashSet;

use super::*;
use crate::core::batch::Framing;

const LEASE: Duration = Duration::from_secs(30);

/// A process that gets a deadly line ends with all its threads. With one thread a process, the queue buries every
/// deadly line and no other. With two threads this holds for one deadly line only: with several deadly lines, an
/// innocent line can lose its worker twice and be buried.
#[test]
fn whatever_lines_are_deadly_they_are_buried_and_all_others_stored() {
    for seed in 0..120 {
        let mut random = fastrand::Rng::with_seed(seed);
        let threads = seed % 2 + 1;
        let most = if threads == 1 { usize::MAX } else { 1 };
        // Batches of lines, or of records of several lines, which are cut only between records.
        let with_table = seed / 2 % 2 == 1;
        let limits = Limits { lease: Some(LEASE), ..Limits::default() };
        let mut queue = Queue::new(limits, 1);
        let (mut offset, mut deadly, mut all) = (0, HashSet::new(), HashSet::new());
        for _ in 0..random.usize(1..6) {
            let (mut data, mut lengths) = (Vec::new(), Vec::new());
            for _ in 0..random.usize(1..400) {
                all.insert(offset + data.len() as u64);
                if random.usize(0..150) == 0 && deadly.len() < most {
                    deadly.insert(offset + data.len() as u64);
                }
                let record = "more\n".repeat(if with_table { random.usize(0..3) } else { 0 });
                let record = format!("{:x}\n{record}", random.u16(..));
                lengths.extend((record.len() as u32).to_be_bytes());
                data.extend(record.into_bytes());
            }
            let batch = batch(offset, &data);
            queue.offer(match with_table {
                true => Batch { records: lengths.len() as u32 / 4, ..batch.framed(Framing::Lengths(lengths.into())) },
                false => batch,
            });
            offset += data.len() as u64;
        }
        queue.end_input();
        let (mut stored, mut buried) = (HashSet::new(), HashSet::new());
        let (mut now, mut peer) = (Duration::ZERO, 0);
        while !queue.is_finished() {
            let mut lost = false;
            let mut acks = Vec::new();
            for thread in 0..threads {
                let reserved = match random.u8(0..4) {
                    0 => queue.reserve_line(peer + thread, now, is_not_empty),
                    _ => queue.reserve(peer + thread, now),
                };
                let Reserved::Batch(lease, batch) = reserved else { continue };
                let lines: Vec<u64> = batch.records().map(|record| batch.offset + record.start as u64).collect();
                lost |= lines.iter().any(|line| deadly.contains(line));
                acks.push((lease, lines));
            }
            if lost {
                peer += threads;
                now += LEASE;
                queue.expire(now);
            } else {
                for (lease, lines) in acks {
                    let tally = Tally { stored: lines.len() as u64, ..Tally::default() };
                    assert!(queue.ack(&Ack { lease, tally }));
                    stored.extend(lines);
                }
            }
            if let Some(batch) = queue.bury() {
                buried.insert(batch.offset);
            }
        }
        assert_eq!(buried, deadly, "seed {seed}");
        assert_eq!(stored, &all - &deadly, "seed {seed}");
    }
}
