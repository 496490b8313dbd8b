//! The account of what one source has handed on: which hand-outs are settled, and how far each stream is settled.
//!
//! A *stream* is a part of a source that has an order of its own: a file, a partition, a container. Each batch of a stream
//! is a hand-out with a number and with the cursor after its last record. The queue may split a batch, so a hand-out
//! settles in parts: it is settled when all its records are. Hand-outs settle in any order. The stream is settled up to
//! the end of the longest run of settled hand-outs from its beginning. Gaps between the ids of records do not matter.
//!
//! This module is pure.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

/// How far a stream is settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drained {
    /// The cursor up to which every record is settled. `None` if the first hand-out is open.
    pub settled_to: Option<Bytes>,
    /// The number of records that were handed on and are neither settled nor taken back.
    pub open_records: u64,
}

/// The streams of one source. See the [module](self).
#[derive(Debug, Default)]
pub struct Acks {
    streams: HashMap<u32, Stream>,
    next: u32,
}

#[derive(Debug, Default)]
struct Stream {
    /// The hand-outs after the settled ones, in their order.
    open: VecDeque<HandOut>,
    /// The number of the first hand-out in `open`.
    first: u64,
    drained: Drained,
}

#[derive(Debug)]
struct HandOut {
    /// The cursor after its last record.
    end: Bytes,
    /// The number of its records that are neither settled nor taken back.
    open_records: u64,
    /// Whether a record was taken back. Such a hand-out is never settled.
    taken_back: bool,
}

impl Acks {
    /// Begins a stream, which an earlier run has settled up to `settled_to`. Returns its number, which no other stream of
    /// this source gets.
    pub fn begin(&mut self, settled_to: Option<Bytes>) -> u32 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let drained = Drained { settled_to, open_records: 0 };
        self.streams.insert(number, Stream { drained, ..Stream::default() });
        number
    }

    /// Forgets a stream. What settles later changes nothing.
    pub fn end(&mut self, stream: u32) {
        self.streams.remove(&stream);
    }

    /// Records that a batch is handed on. `end` is the cursor after its last record. Returns its number in the stream.
    pub fn hand_on(&mut self, stream: u32, records: u64, end: Bytes) -> u64 {
        let stream = self.streams.entry(stream).or_default();
        stream.drained.open_records += records;
        stream.open.push_back(HandOut { end, open_records: records, taken_back: false });
        stream.first + stream.open.len() as u64 - 1
    }

    /// Records that records of a hand-out are settled. Returns the cursor up to which the stream is settled, if that has
    /// changed.
    pub fn settle(&mut self, stream: u32, sequence: u64, records: u64) -> Option<Bytes> {
        let stream = self.streams.get_mut(&stream)?;
        stream.close(sequence, records, false);
        let mut moved = None;
        while let Some(HandOut { open_records: 0, taken_back: false, .. }) = stream.open.front() {
            moved = stream.open.pop_front().map(|hand_out| hand_out.end);
            stream.first += 1;
        }
        if moved.is_some() {
            stream.drained.settled_to.clone_from(&moved);
        }
        moved
    }

    /// Records that records of a hand-out were taken back. The stream is never settled beyond them.
    pub fn take_back(&mut self, stream: u32, sequence: u64, records: u64) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.close(sequence, records, true);
        }
    }

    /// How far a stream is settled.
    pub fn drained(&self, stream: u32) -> Drained {
        self.streams.get(&stream).map(|stream| stream.drained.clone()).unwrap_or_default()
    }
}

impl Stream {
    fn close(&mut self, sequence: u64, records: u64, taken_back: bool) {
        let index = sequence.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let Some(hand_out) = index.and_then(|index| self.open.get_mut(index)) else { return };
        let records = records.min(hand_out.open_records);
        hand_out.open_records -= records;
        hand_out.taken_back |= taken_back && records > 0;
        self.drained.open_records -= records;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor(number: usize) -> Bytes {
        number.to_string().into()
    }

    /// The state of a record: open, settled or taken back.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Record {
        Open,
        Settled,
        TakenBack,
    }

    /// The records of each hand-out of a stream, one by one. The oracle looks at all of them each time.
    #[derive(Default)]
    struct Naive(Vec<Vec<Record>>);

    impl Naive {
        fn drained(&self) -> Drained {
            let is_settled = |hand_out: &&Vec<Record>| hand_out.iter().all(|record| *record == Record::Settled);
            let settled = self.0.iter().take_while(is_settled).count();
            let open = self.0.iter().flatten().filter(|record| **record == Record::Open).count();
            Drained { settled_to: settled.checked_sub(1).map(cursor), open_records: open as u64 }
        }
    }

    #[derive(Debug, Clone)]
    enum Operation {
        HandOn {
            stream: usize,
            records: usize,
        },
        /// Settles a part of a hand-out, or takes it back: up to this many of its open records.
        Close {
            stream: usize,
            nth: usize,
            records: usize,
            back: bool,
        },
        Forget(usize),
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let stream = 0_usize..3;
        prop_oneof![
            4 => (stream.clone(), 1_usize..5).prop_map(|(stream, records)| Operation::HandOn { stream, records }),
            12 => (stream.clone(), any::<usize>(), 1_usize..5, prop::bool::weighted(0.04))
                .prop_map(|(stream, nth, records, back)| Operation::Close { stream, nth, records, back }),
            1 => stream.prop_map(Operation::Forget),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn a_stream_is_settled_up_to_the_first_record_that_is_not(operations in prop::collection::vec(operation(), 1..200)) {
            let mut acks = Acks::default();
            let mut streams: Vec<(u32, Naive)> = (0..3).map(|_| (acks.begin(None), Naive::default())).collect();
            for operation in operations {
                match operation {
                    Operation::HandOn { stream, records } => {
                        let (number, naive) = &mut streams[stream];
                        let sequence = acks.hand_on(*number, records as u64, cursor(naive.0.len()));
                        prop_assert_eq!(sequence, naive.0.len() as u64);
                        naive.0.push(vec![Record::Open; records]);
                    }
                    Operation::Close { stream, nth, records, back } => {
                        let (number, naive) = &mut streams[stream];
                        let Some(sequence) = nth.checked_rem(naive.0.len()) else { continue };
                        let before = naive.drained().settled_to;
                        let open = naive.0[sequence].iter_mut().filter(|record| **record == Record::Open);
                        let closed: Vec<&mut Record> = open.take(records).collect();
                        let count = closed.len() as u64;
                        closed.into_iter().for_each(|it| *it = if back { Record::TakenBack } else { Record::Settled });
                        let after = naive.drained().settled_to;
                        if back {
                            acks.take_back(*number, sequence as u64, count);
                        } else {
                            let moved = acks.settle(*number, sequence as u64, count);
                            prop_assert_eq!(moved, after.clone().filter(|_| after != before), "told when it changes");
                        }
                    }
                    Operation::Forget(stream) => {
                        let (number, naive) = &mut streams[stream];
                        acks.end(*number);
                        prop_assert_eq!(acks.settle(*number, 0, 1), None, "a late settlement changes nothing");
                        *number = acks.begin(Some(Bytes::from_static(b"from before")));
                        prop_assert_eq!(acks.drained(*number).settled_to, Some(Bytes::from_static(b"from before")));
                        acks.end(*number);
                        *number = acks.begin(None);
                        *naive = Naive::default();
                    }
                }
                for (number, naive) in &streams {
                    prop_assert_eq!(acks.drained(*number), naive.drained());
                }
            }
        }
    }
}
