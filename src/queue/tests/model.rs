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
        1 => Just(EndInput),
    ]
}

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
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
    lines: BTreeMap<u64, (Vec<u8>, Place)>,
    long: u64,
    leases: BTreeMap<LeaseId, Known>,
    given: Vec<LeaseId>,
    /// Where the lines stand that the queue said are settled.
    settled: HashSet<u64>,
}

impl Oracle {
    fn new() -> Oracle {
        let limits =
            Limits { lease: Some(LEASE), ready_bytes: 20, leased_bytes: LEASED_BYTES, leases_per_peer: PER_PEER };
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
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Offer(lengths) if self.open => {
                let mut data = Vec::new();
                for &length in lengths {
                    let line = [&vec![b'x'; length][..], b"\n"].concat();
                    self.lines.insert(self.offset + data.len() as u64, (line.clone(), Place::Ready));
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
                    self.lines.get_mut(line).unwrap().1 = Place::Done(bucket);
                }
                let [stored, duplicate, unmatched, dead_lettered, filtered] = counts;
                let tally = Tally { stored, duplicate, unmatched, dead_lettered, filtered };
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
                let (now, expired) = (self.now, self.queue.expire(self.now));
                assert_eq!(expired, self.take_back(|_, known| known.deadline <= now));
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
            for line in crate::lines::lines(&batch.data) {
                let offset = batch.offset + line.start as u64;
                assert!(matches!(self.lines[&offset].1, Place::Done(_)), "settled is what was acked or passed over");
                assert!(self.settled.insert(offset), "and that once");
            }
        }
        let done = self.lines.values().filter(|(_, place)| matches!(place, Place::Done(_))).count();
        assert_eq!(self.settled.len(), done, "all of it");
    }

    fn take_back(&mut self, which: impl Fn(LeaseId, &Known) -> bool) -> usize {
        let ids: Vec<LeaseId> =
            self.leases.iter().filter(|(id, known)| which(**id, known)).map(|(&id, _)| id).collect();
        for id in &ids {
            for line in self.leases.remove(id).unwrap().lines {
                self.lines.get_mut(&line).unwrap().1 = Place::Ready;
            }
        }
        ids.len()
    }

    fn outstanding(&self) -> usize {
        self.lines.values().filter(|(_, place)| !matches!(place, Place::Done(_))).count()
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
                let nothing_ready = self.lines.values().all(|(_, place)| *place != Place::Ready);
                assert!(nothing_ready || held >= PER_PEER || leased >= LEASED_BYTES, "told to wait beside ready work");
                assert!(self.open || self.outstanding() > 0, "told to wait when all is done");
            }
            Reserved::Batch(id, batch) => {
                assert!(!self.given.contains(&id), "lease {id} twice");
                self.given.push(id);
                let mut lines = Vec::new();
                let mut offset = batch.offset;
                for line in batch.data.split_inclusive(|&byte| byte == b'\n') {
                    let (bytes, place) = self.lines.get_mut(&offset).expect("a line that was offered");
                    assert_eq!((&bytes[..], *place), (line, Place::Ready), "each line is where it was, and free");
                    *place = Place::Leased(id);
                    lines.push(offset);
                    offset += line.len() as u64;
                }
                assert_eq!(lines.len(), batch.lines as usize);
                assert!(!one_line || (lines.len() == 1 && batch.data.len() > 1), "one line that is not empty");
                let deadline = self.now + LEASE;
                self.leases.insert(id, Known { peer, deadline, lines, bytes: batch.data.len() });
            }
        }
    }

    /// Marks the empty lines that the line dialogue passed over. They are told by what is left: the queue must still
    /// hold every other line.
    fn find_filtered(&mut self, count: usize) {
        let held: HashSet<u64> = self.queue.lines_held().into_iter().collect();
        let mut filtered = 0;
        for (offset, (bytes, place)) in &mut self.lines {
            if *place == Place::Ready && !held.contains(offset) {
                assert_eq!(&bytes[..], b"\n", "only empty lines are passed over");
                *place = Place::Done(4);
                filtered += 1;
            }
        }
        assert_eq!(filtered, count);
    }

    fn check(&self) {
        let counts = self.queue.counts();
        let mut buckets = [0u64; 5];
        for (_, place) in self.lines.values() {
            if let Place::Done(bucket) = place {
                buckets[*bucket] += 1;
            }
        }
        buckets[3] += self.long;
        let t = counts.tally;
        assert_eq!([t.stored, t.duplicate, t.unmatched, t.dead_lettered, t.filtered], buckets);
        assert_eq!(counts.read, self.lines.len() as u64 + self.long);
        assert_eq!(counts.read, t.total() + self.queue.outstanding_lines(), "read = accounted for + outstanding");
        let bytes = |wanted: fn(&Place) -> bool| -> usize {
            self.lines.values().filter(|(_, place)| wanted(place)).map(|(line, _)| line.len()).sum()
        };
        let ready = bytes(|place| *place == Place::Ready);
        let leased = bytes(|place| matches!(place, Place::Leased(_)));
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
            if self.leases.is_empty() {
                break;
            }
            self.apply(&Operation::Ack(self.given.len() - 1, 0));
        }
        assert!(self.queue.is_finished());
        assert_eq!(self.queue.reserve(99, self.now), Reserved::End, "a late peer is told the end");
        assert_eq!(self.queue.reserve_line(99, self.now), Reserved::End);
        assert_eq!(self.queue.held_bytes(), (0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn each_line_ends_in_exactly_one_place_whatever_happens(operations in prop::collection::vec(operation(), 1..80)) {
        let mut oracle = Oracle::new();
        for operation in &operations {
            oracle.apply(operation);
        }
        oracle.finish();
    }
}
