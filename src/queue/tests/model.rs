//! Random operations, compared with an oracle that knows of every line where it is.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Operation {
    /// Lines by their lengths; 0 is an empty line.
    Offer(Vec<usize>),
    LongLine(u64),
    Reserve(PeerId),
    ReserveLine(PeerId),
    /// The n-th of all leases ever given, and how its lines are spread over the buckets.
    Ack(usize, u32),
    Touch(usize),
    Release(usize),
    ReleaseAll(PeerId),
    Advance(u64),
    Bury,
    EndInput,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        4 => prop::collection::vec(0usize..4, 1..5).prop_map(Offer),
        1 => (10u64..20).prop_map(LongLine),
        5 => (0u64..3).prop_map(Reserve),
        3 => (0u64..3).prop_map(ReserveLine),
        6 => (0usize..40, any::<u32>()).prop_map(|(nth, spread)| Ack(nth, spread)),
        2 => (0usize..40).prop_map(Touch),
        2 => (0usize..40).prop_map(Release),
        1 => (0u64..3).prop_map(ReleaseAll),
        3 => (0u64..25).prop_map(Advance),
        2 => Just(Advance(30)),
        1 => Just(Bury),
        1 => Just(EndInput),
    ]
}

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineState {
    Ready,
    Leased(LeaseId),
    Done(usize),
}

/// A lease as the oracle knows it.
struct Known {
    peer: PeerId,
    deadline: Duration,
    lines: Vec<u64>,
    bytes: usize,
    candidate: bool,
}

const LEASE: Duration = Duration::from_secs(30);
const PER_PEER: usize = 3;
const LEASED_BYTES: usize = 12;

struct Oracle {
    queue: Queue,
    now: Duration,
    offset: u64,
    open: bool,
    /// Every line by its offset: its bytes with its end, and where it is.
    lines: BTreeMap<u64, (Vec<u8>, LineState)>,
    long: u64,
    leases: BTreeMap<LeaseId, Known>,
    given: Vec<LeaseId>,
    /// Where the lines stand that the queue said are settled.
    settled: HashSet<u64>,
    /// Leases that ran out, by line.
    expired: BTreeMap<u64, u32>,
    /// Lines whose last lease was that of a poison candidate of one line, and ran out.
    last_alone: HashSet<u64>,
}

impl Oracle {
    fn new() -> Oracle {
        let limits = Limits {
            lease: Some(LEASE),
            ready_bytes: 20,
            leased_bytes: LEASED_BYTES,
            leases_per_peer: PER_PEER,
            ..Limits::default()
        };
        let mut queue = Queue::new(limits, u64::MAX - 5);
        queue.keep_settled();
        Oracle {
            queue,
            now: Duration::ZERO,
            offset: 0,
            open: true,
            lines: BTreeMap::new(),
            long: 0,
            leases: BTreeMap::new(),
            given: Vec::new(),
            settled: HashSet::new(),
            expired: BTreeMap::new(),
            last_alone: HashSet::new(),
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Offer(lengths) if self.open => {
                let mut data = Vec::new();
                for &length in lengths {
                    let line = [&vec![b'x'; length][..], b"\n"].concat();
                    self.lines.insert(self.offset + data.len() as u64, (line.clone(), LineState::Ready));
                    data.extend(line);
                }
                self.queue.offer(batch(self.offset, &data));
                self.offset += data.len() as u64;
            }
            Operation::LongLine(bytes) if self.open => {
                self.queue.count_dead_letter(*bytes);
                self.long += 1;
            }
            Operation::Offer(_) | Operation::LongLine(_) => {}
            Operation::Reserve(peer) => {
                let answer = self.queue.reserve(*peer, self.now);
                self.check_answer(*peer, answer, false);
            }
            Operation::ReserveLine(peer) => {
                let answer = self.queue.reserve_line(*peer, self.now);
                self.check_answer(*peer, answer, true);
            }
            Operation::Ack(nth, spread) => {
                let Some(&lease) = self.given.get(*nth) else { return };
                let known = self.leases.remove(&lease);
                let mut counts = [0u64; 5];
                for (index, line) in known.iter().flat_map(|known| &known.lines).enumerate() {
                    let bucket = (spread >> (index * 3)) as usize % 5;
                    counts[bucket] += 1;
                    self.lines.get_mut(line).unwrap().1 = LineState::Done(bucket);
                }
                let [stored, duplicate, unmatched, dead_lettered, filtered] = counts;
                let tally = Tally { stored, duplicate, unmatched, dead_lettered, filtered, delivered: 0 };
                assert_eq!(self.queue.ack(&Ack { lease, tally }), known.is_some(), "an ack counts once, while held");
            }
            Operation::Touch(nth) => {
                let Some(&lease) = self.given.get(*nth) else { return };
                let known = self.leases.get_mut(&lease);
                assert_eq!(self.queue.touch(lease, self.now), known.is_some());
                if let Some(known) = known {
                    known.deadline = self.now + LEASE;
                }
            }
            Operation::Release(nth) => {
                let Some(&lease) = self.given.get(*nth) else { return };
                assert_eq!(self.queue.release(lease), self.leases.contains_key(&lease));
                self.take_back(|id, _| id == lease);
            }
            Operation::ReleaseAll(peer) => {
                let released = self.queue.release_all(*peer);
                assert_eq!(released, self.take_back(|_, known| known.peer == *peer));
            }
            Operation::Advance(seconds) => {
                self.now += Duration::from_secs(*seconds);
                let now = self.now;
                let run_out: Vec<LeaseId> =
                    self.leases.iter().filter(|(_, known)| known.deadline <= now).map(|(&id, _)| id).collect();
                for id in &run_out {
                    for &line in &self.leases[id].lines {
                        *self.expired.entry(line).or_default() += 1;
                        self.last_alone.remove(&line);
                    }
                    if let Known { candidate: true, lines, .. } = &self.leases[id]
                        && let [line] = lines[..]
                    {
                        assert!(self.expired[&line] >= 3, "a line is poison after three expiries at the earliest");
                        self.last_alone.insert(line);
                    }
                }
                self.take_back(|_, known| known.deadline <= now);
                assert_eq!(self.queue.expire(now), run_out.len());
            }
            Operation::Bury => {
                let poison = self.queue.poison().cloned();
                if let Some(line) = &poison {
                    assert!(
                        self.last_alone.contains(&line.batch.offset),
                        "its last lease was a candidate's, and ran out"
                    );
                }
                let buried = self.queue.bury();
                assert_eq!(poison.as_ref().map(|line| &line.batch), buried.as_ref());
                let Some((line, record)) = buried.zip(poison.map(|line| line.record)) else { return };
                let (bytes, state) = self.lines.get_mut(&line.offset).expect("a line that was offered");
                assert_eq!((&bytes[..], *state, line.lines), (&line.data[..], LineState::Ready, 1));
                assert!((3..=self.expired[&line.offset]).contains(&record.expired), "{record:?}");
                assert!(record.held >= LEASE * record.expired, "{record:?}");
                *state = LineState::Done(3);
            }
            Operation::EndInput => {
                self.queue.end_input();
                self.open = false;
            }
        }
        self.take_settled();
        self.check();
    }

    fn take_settled(&mut self) {
        for batch in self.queue.take_settled() {
            for line in crate::core::lines::lines(&batch.data) {
                let offset = batch.offset + line.start as u64;
                assert!(
                    matches!(self.lines[&offset].1, LineState::Done(_)),
                    "settled is what was acked or passed over"
                );
                assert!(self.settled.insert(offset), "and that once");
            }
        }
        let done = self.lines.values().filter(|(_, state)| matches!(state, LineState::Done(_))).count();
        assert_eq!(self.settled.len(), done, "all of it");
    }

    fn take_back(&mut self, which: impl Fn(LeaseId, &Known) -> bool) -> usize {
        let ids: Vec<LeaseId> =
            self.leases.iter().filter(|(id, known)| which(**id, known)).map(|(&id, _)| id).collect();
        for id in &ids {
            for line in self.leases.remove(id).unwrap().lines {
                self.lines.get_mut(&line).unwrap().1 = LineState::Ready;
            }
        }
        ids.len()
    }

    fn outstanding(&self) -> usize {
        self.lines.values().filter(|(_, state)| !matches!(state, LineState::Done(_))).count()
    }

    fn check_answer(&mut self, peer: PeerId, answer: Reserved, one_line: bool) {
        if one_line {
            // What was passed over is empty and was ready; the queue's own counts are compared below.
            let kept = self.queue.outstanding_lines() as usize;
            self.find_filtered(self.outstanding() - kept);
        }
        match answer {
            Reserved::End => assert!(!self.open && self.outstanding() == 0, "the end while something is outstanding"),
            Reserved::Wait => {
                let held = self.leases.values().filter(|known| known.peer == peer).count();
                let leased: usize = self.leases.values().map(|known| known.bytes).sum();
                let nothing_ready = self.queue.ready.is_empty() && !self.queue.has_candidates();
                let candidates: Vec<&Known> = self.leases.values().filter(|known| known.candidate).collect();
                // What it holds may be a poison candidate; or one waits that goes to nobody who holds something.
                let alone =
                    held > 0 && (candidates.iter().any(|known| known.peer == peer) || self.queue.has_candidates());
                // All that is ready is poison candidate, and no more may be out.
                let bounded = !candidates.is_empty() && self.queue.only_candidates_are_ready();
                let full = held >= PER_PEER || leased >= LEASED_BYTES;
                assert!(nothing_ready || full || alone || bounded, "told to wait beside ready work");
                assert!(self.open || self.outstanding() > 0, "told to wait when all is done");
            }
            Reserved::Batch(id, batch) => {
                assert!(!self.given.contains(&id), "lease {id} twice");
                self.given.push(id);
                let mut lines = Vec::new();
                let mut offset = batch.offset;
                for line in batch.data.split_inclusive(|&byte| byte == b'\n') {
                    let (bytes, state) = self.lines.get_mut(&offset).expect("a line that was offered");
                    assert_eq!((&bytes[..], *state), (line, LineState::Ready), "each line is where it was, and free");
                    *state = LineState::Leased(id);
                    lines.push(offset);
                    offset += line.len() as u64;
                }
                assert_eq!(lines.len(), batch.lines as usize);
                assert!(!one_line || (lines.len() == 1 && batch.data.len() > 1), "one line that is not empty");
                let deadline = self.now + LEASE;
                let candidate = self.queue.is_candidate(id);
                let held: Vec<&Known> = self.leases.values().filter(|known| known.peer == peer).collect();
                assert!(!candidate || held.is_empty(), "a candidate goes to who holds nothing else");
                assert!(held.iter().all(|known| !known.candidate), "nothing is given to who holds a candidate");
                let out: Vec<&Known> = self.leases.values().filter(|known| known.candidate).collect();
                if candidate {
                    assert!(out.len() < 4, "four candidates are out at a time");
                    assert!(out.is_empty() || (lines.len() > 1 && out.iter().all(|known| known.lines.len() > 1)));
                    assert!(lines.iter().all(|line| self.expired.get(line).is_some_and(|&expired| expired >= 2)));
                }
                self.leases.insert(id, Known { peer, deadline, lines, bytes: batch.data.len(), candidate });
            }
        }
    }

    /// Marks the empty lines that the line dialogue passed over. They are told by what is left: the queue must still
    /// hold every other line.
    fn find_filtered(&mut self, count: usize) {
        let held: HashSet<u64> = self.queue.lines_held().into_iter().collect();
        let mut filtered = 0;
        for (offset, (bytes, state)) in &mut self.lines {
            if *state == LineState::Ready && !held.contains(offset) {
                assert_eq!(&bytes[..], b"\n", "only empty lines are passed over");
                *state = LineState::Done(4);
                filtered += 1;
            }
        }
        assert_eq!(filtered, count);
    }

    fn check(&self) {
        let counts = self.queue.counts();
        let mut buckets = [0u64; 5];
        for (_, state) in self.lines.values() {
            if let LineState::Done(bucket) = state {
                buckets[*bucket] += 1;
            }
        }
        buckets[3] += self.long;
        let t = counts.tally;
        assert_eq!([t.stored, t.duplicate, t.unmatched, t.dead_lettered, t.filtered], buckets);
        assert_eq!(counts.read, self.lines.len() as u64 + self.long);
        assert_eq!(counts.read, t.total() + self.queue.outstanding_lines(), "read = accounted for + outstanding");
        let bytes = |wanted: fn(&LineState) -> bool| -> usize {
            self.lines.values().filter(|(_, state)| wanted(state)).map(|(line, _)| line.len()).sum()
        };
        let ready = bytes(|state| *state == LineState::Ready);
        let leased = bytes(|state| matches!(state, LineState::Leased(_)));
        assert_eq!(self.queue.held_bytes(), (ready, leased), "the byte counts do not drift");
        assert_eq!(self.queue.leased(), self.leases.len());
        assert_eq!(self.queue.next_deadline(), self.leases.values().map(|known| known.deadline).min());
        assert_eq!(self.queue.is_finished(), !self.open && self.outstanding() == 0);
        assert_eq!(self.queue.wants_input(), ready < 20);
    }

    /// Brings everything to its end: the queue must get there.
    fn finish(&mut self) {
        self.apply(&Operation::EndInput);
        for _ in 0..10_000 {
            self.apply(&Operation::ReleaseAll(0));
            self.apply(&Operation::ReleaseAll(1));
            self.apply(&Operation::ReleaseAll(2));
            self.apply(&Operation::Reserve(0));
            self.apply(&Operation::Bury);
            if self.leases.is_empty() && self.queue.is_finished() {
                break;
            }
            if !self.leases.is_empty() {
                self.apply(&Operation::Ack(self.given.len() - 1, 0));
            }
        }
        assert!(self.queue.is_finished());
        assert_eq!(self.queue.reserve(99, self.now), Reserved::End, "a late peer is told the end");
        assert_eq!(self.queue.reserve_line(99, self.now), Reserved::End);
        assert_eq!(self.queue.held_bytes(), (0, 0));
    }
}

impl Queue {
    fn is_candidate(&self, lease: LeaseId) -> bool {
        self.leases[&lease].candidate
    }

    fn has_candidates(&self) -> bool {
        !self.candidates.waiting.is_empty()
    }

    fn only_candidates_are_ready(&self) -> bool {
        self.ready.is_empty()
    }
}

/// A process that is given a deadly line is gone, with all its threads. With one thread each, every line that is deadly
/// is buried and no other. With two that is so for one deadly line: several can take an innocent one down twice.
#[test]
fn whatever_lines_are_deadly_they_are_buried_and_all_others_stored() {
    for seed in 0..120 {
        let mut random = fastrand::Rng::with_seed(seed);
        let threads = seed % 2 + 1;
        let most = if threads == 1 { usize::MAX } else { 1 };
        let limits = Limits { lease: Some(LEASE), ..Limits::default() };
        let mut queue = Queue::new(limits, 1);
        let (mut offset, mut deadly, mut all) = (0, HashSet::new(), HashSet::new());
        for _ in 0..random.usize(1..6) {
            let mut data = Vec::new();
            for _ in 0..random.usize(1..400) {
                all.insert(offset + data.len() as u64);
                if random.usize(0..150) == 0 && deadly.len() < most {
                    deadly.insert(offset + data.len() as u64);
                }
                data.extend(format!("{:x}\n", random.u16(..)).into_bytes());
            }
            queue.offer(batch(offset, &data));
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
                    0 => queue.reserve_line(peer + thread, now),
                    _ => queue.reserve(peer + thread, now),
                };
                let Reserved::Batch(lease, batch) = reserved else { continue };
                let lines: Vec<u64> =
                    crate::core::lines::lines(&batch.data).map(|line| batch.offset + line.start as u64).collect();
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

proptest! {
    #![proptest_config(same_cases_each_time(600))]

    #[test]
    fn each_line_ends_in_exactly_one_place_whatever_happens(operations in prop::collection::vec(operation(), 1..80)) {
        let mut oracle = Oracle::new();
        for operation in &operations {
            oracle.apply(operation);
        }
        oracle.finish();
    }
}
