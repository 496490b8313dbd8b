//! Random operations, compared with a model that knows the state of every line.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Operation {
    /// Lines of a stream, given by their lengths. A length of 0 is an empty line.
    Offer(u32, Vec<usize>),
    LongLine(u64),
    Reserve(PeerId),
    ReserveLine(PeerId),
    /// Acknowledges the n-th of all leases ever given. The second number decides how the lines of the lease are divided
    /// among the counts.
    Ack(usize, u32),
    Touch(usize),
    Release(usize),
    ReleaseAll(PeerId),
    Advance(u64),
    Bury,
    /// Takes back what is not leased of a stream.
    Recall(u32),
    EndInput,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        4 => (0u32..2, prop::collection::vec(0usize..4, 1..5)).prop_map(|(stream, lengths)| Offer(stream, lengths)),
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
        1 => (0u32..2).prop_map(Recall),
        1 => Just(EndInput),
    ]
}

/// The state of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineState {
    Ready,
    Leased(LeaseId),
    Done(usize),
}

/// A lease as the model knows it.
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
    /// Every line by its offset: its bytes with its end, and its state.
    lines: BTreeMap<u64, (Vec<u8>, LineState)>,
    long: u64,
    leases: BTreeMap<LeaseId, Known>,
    given: Vec<LeaseId>,
    /// The offsets of the lines that the queue reported as settled.
    settled: HashSet<u64>,
    /// The number of expired leases by line.
    expired: BTreeMap<u64, u32>,
    /// Lines whose last lease was that of a poison candidate of one line, and expired.
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
            Operation::Offer(stream, lengths) if self.open => {
                let mut data = Vec::new();
                for &length in lengths {
                    let line = [&vec![b'x'; length][..], b"\n"].concat();
                    self.lines.insert(self.offset + data.len() as u64, (line.clone(), LineState::Ready));
                    data.extend(line);
                }
                let ticket = Ticket { source: 3, stream: *stream, sequence: self.offset };
                self.queue.offer(Batch { ticket: Some(ticket), ..batch(self.offset, &data) });
                self.offset += data.len() as u64;
            }
            Operation::LongLine(bytes) if self.open => {
                self.queue.count_dead_letter(*bytes);
                self.long += 1;
            }
            Operation::Offer(..) | Operation::LongLine(_) => {}
            Operation::Reserve(peer) => {
                let answer = self.queue.reserve(*peer, self.now);
                self.check_answer(*peer, answer, false);
            }
            Operation::ReserveLine(peer) => {
                let answer = self.queue.reserve_line(*peer, self.now, is_not_empty);
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
                let tally = Tally { stored, duplicate, unmatched, dead_lettered, filtered, ..Tally::default() };
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
                        "its last lease was a candidate's, and expired"
                    );
                }
                let buried = self.queue.bury();
                assert_eq!(poison.as_ref().map(|line| &line.batch), buried.as_ref());
                let Some((line, history)) = buried.zip(poison.map(|line| line.history)) else { return };
                let (bytes, state) = self.lines.get_mut(&line.offset).expect("a line that was offered");
                assert_eq!((&bytes[..], *state, line.records), (&line.data[..], LineState::Ready, 1));
                assert!((3..=self.expired[&line.offset]).contains(&history.expired), "{history:?}");
                assert!(history.held >= LEASE * history.expired, "{history:?}");
                *state = LineState::Done(3);
            }
            Operation::Recall(stream) => {
                assert!(self.queue.recall(2, *stream).is_empty(), "another source has no batches");
                let recalled = self.queue.recall(3, *stream);
                assert!(recalled.is_sorted_by_key(|batch| batch.offset), "in the order in which they were offered");
                for batch in recalled {
                    assert_eq!(batch.ticket.map(|ticket| ticket.stream), Some(*stream));
                    for line in crate::core::lines::lines(&batch.data) {
                        let line = self.lines.remove(&(batch.offset + line.start as u64));
                        assert!(line.is_some_and(|(_, state)| state == LineState::Ready), "what is leased stays");
                    }
                }
                let waiting = self.queue.ready.iter().chain(&self.queue.candidates.waiting);
                assert!(waiting.flat_map(|waiting| waiting.batch.ticket).all(|ticket| ticket.stream != *stream));
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
                    "a settled line was acknowledged, filtered or buried"
                );
                assert!(self.settled.insert(offset), "a line is settled once");
            }
        }
        let done = self.lines.values().filter(|(_, state)| matches!(state, LineState::Done(_))).count();
        assert_eq!(self.settled.len(), done, "every finished line is settled");
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
            // The queue filters only lines that are empty and ready. Its counts are compared below.
            let kept = self.queue.outstanding_lines() as usize;
            self.find_filtered(self.outstanding() - kept);
        }
        match answer {
            Reserved::Ended => {
                assert!(!self.open && self.outstanding() == 0, "the queue has ended although lines are outstanding")
            }
            Reserved::Wait => {
                let held = self.leases.values().filter(|known| known.peer == peer).count();
                let leased: usize = self.leases.values().map(|known| known.bytes).sum();
                let nothing_ready = self.queue.ready.is_empty() && !self.queue.has_candidates();
                let candidates: Vec<&Known> = self.leases.values().filter(|known| known.candidate).collect();
                // Either the peer holds a poison candidate, or a candidate waits and goes only to a peer that holds
                // nothing.
                let alone =
                    held > 0 && (candidates.iter().any(|known| known.peer == peer) || self.queue.has_candidates());
                // Only poison candidates are ready, and no more of them may be leased.
                let bounded = !candidates.is_empty() && self.queue.only_candidates_are_ready();
                let full = held >= PER_PEER || leased >= LEASED_BYTES;
                assert!(
                    nothing_ready || full || alone || bounded,
                    "a peer was told to wait although it could have got work"
                );
                assert!(self.open || self.outstanding() > 0, "a peer was told to wait although the queue has ended");
            }
            Reserved::Batch(id, batch) => {
                assert!(!self.given.contains(&id), "lease {id} twice");
                self.given.push(id);
                let mut lines = Vec::new();
                let mut offset = batch.offset;
                for line in batch.data.split_inclusive(|&byte| byte == b'\n') {
                    let (bytes, state) = self.lines.get_mut(&offset).expect("a line that was offered");
                    assert_eq!(
                        (&bytes[..], *state),
                        (line, LineState::Ready),
                        "each line has its offset, and was ready"
                    );
                    *state = LineState::Leased(id);
                    lines.push(offset);
                    offset += line.len() as u64;
                }
                assert_eq!(lines.len(), batch.records as usize);
                assert!(!one_line || (lines.len() == 1 && batch.data.len() > 1), "one line that is not empty");
                let deadline = self.now + LEASE;
                let candidate = self.queue.is_candidate(id);
                let held: Vec<&Known> = self.leases.values().filter(|known| known.peer == peer).collect();
                assert!(!candidate || held.is_empty(), "a candidate goes to a peer that holds nothing else");
                assert!(held.iter().all(|known| !known.candidate), "a peer that holds a candidate gets nothing else");
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

    /// Marks the empty lines that the queue filtered for a peer of the line dialogue. They are the lines that the queue
    /// no longer holds. It must still hold every other line.
    fn find_filtered(&mut self, count: usize) {
        let held: HashSet<u64> = self.queue.lines_held().into_iter().collect();
        let mut filtered = 0;
        for (offset, (bytes, state)) in &mut self.lines {
            if *state == LineState::Ready && !held.contains(offset) {
                assert_eq!(&bytes[..], b"\n", "only empty lines are filtered");
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
        let t = counts.tally();
        assert_eq!([t.stored, t.duplicate, t.unmatched, t.dead_lettered, t.filtered], buckets);
        assert_eq!(counts.get(&READ), self.lines.len() as u64 + self.long);
        assert_eq!(counts.get(&READ), t.total() + self.queue.outstanding_lines(), "read = accounted for + outstanding");
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

    /// Finishes all work. The queue must reach its end.
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
        assert_eq!(self.queue.reserve(99, self.now), Reserved::Ended, "a late peer is told the end");
        assert_eq!(self.queue.reserve_line(99, self.now, is_not_empty), Reserved::Ended);
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
