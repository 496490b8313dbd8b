//! A source, a queue and workers: what settles is told to the source, whatever happens to its batches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::core::batch::Origin;
use crate::core::offered::Offered;
use crate::observe::counters::{READ, Tally};
use crate::queue::shared::SharedQueue;
use crate::queue::{Ack, Limits, Reserved};
use crate::source::receiver::LongLine;
use crate::state::store::Store;

/// A queue as the receiver of a source.
struct Receiver(SharedQueue);

impl BatchReceiver for Receiver {
    fn offer(&self, batch: Batch) -> Offered {
        self.0.offer(batch)
    }

    fn long_line(&self, _: LongLine) -> Result<()> {
        Ok(())
    }

    fn recall(&self, source: u16, stream: u32) -> Vec<Batch> {
        self.0.recall(source, stream)
    }
}

type Told = Arc<Mutex<Vec<(Ticket, u64, Option<Bytes>)>>>;

/// A settlement with one source, and a queue that tells it what is settled.
fn job(memory: Option<Arc<dyn Memory>>) -> (Arc<Streams>, Receiver, Told, Arc<Settlement>) {
    let settlement = Arc::new(Settlement::new(memory));
    let told = Told::default();
    let note = Arc::clone(&told);
    let tell = move |settled: &Settled<'_>| {
        let records = settled.batch.map_or(1, |batch| u64::from(batch.records));
        note.lock().unwrap().push((settled.ticket, records, settled.prefix_end.clone()));
    };
    settlement.add("another", Box::new(|_| panic!("nothing of this source was handed on"))).unwrap();
    let streams = settlement.add("test:", Box::new(tell)).unwrap();
    let of_queue = Arc::clone(&settlement);
    let limits = Limits { lease: None, ready_bytes: 1 << 20, ..Limits::default() };
    let queue = SharedQueue::new(limits, None).unwrap();
    let queue = queue.settling(false, Box::new(move |batches| of_queue.settle(batches)));
    (streams, Receiver(queue), told, settlement)
}

/// A batch of lines. Each line is the number of a record and ends with a newline; an empty line is filtered.
fn batch(numbers: &[u64], ticket: Ticket) -> Batch {
    let data: String = numbers.iter().map(|n| if n % 5 == 0 { "\n".to_owned() } else { format!("{n}\n") }).collect();
    let batch = Batch::new(Arc::new(Origin::new(1, "test")), numbers[0], numbers.len() as u32, data.into());
    Batch { ticket: Some(ticket), ..batch }
}

fn cursor(number: u64) -> Bytes {
    number.to_string().into()
}

#[derive(Debug, Clone)]
enum Operation {
    /// Hands on records of a stream. Their numbers have gaps of this size.
    HandOn {
        stream: usize,
        records: u64,
        gap: u64,
    },
    LongLine(usize),
    Reserve,
    ReserveLine,
    /// Acknowledges one of the leases.
    Ack(usize),
    Release(usize),
    Recall(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        5 => (0_usize..2, 1_u64..6, 1_u64..9).prop_map(|(stream, records, gap)| HandOn { stream, records, gap }),
        1 => (0_usize..2).prop_map(LongLine),
        4 => Just(Reserve),
        4 => Just(ReserveLine),
        6 => any::<usize>().prop_map(Ack),
        2 => any::<usize>().prop_map(Release),
        1 => (0_usize..2).prop_map(Recall),
    ]
}

/// What the test knows of a stream.
#[derive(Default)]
struct Known {
    number: u32,
    /// The number after the last record.
    next: u64,
    /// Each record, and the cursor after its hand-out.
    open: BTreeMap<u64, (Ticket, Bytes)>,
    /// The cursor after each hand-out, in their order.
    ends: Vec<(Ticket, Bytes)>,
    recalled: BTreeSet<Ticket>,
}

impl Known {
    /// The cursor up to which everything is settled, found by looking at all records.
    fn settled_to(&self) -> Option<Bytes> {
        let is_open =
            |ticket: &Ticket| self.recalled.contains(ticket) || self.open.values().any(|(other, _)| other == ticket);
        self.ends.iter().take_while(|(ticket, _)| !is_open(ticket)).last().map(|(_, end)| end.clone())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn a_source_learns_of_each_record_once_and_how_far_each_stream_is_settled(
        operations in prop::collection::vec(operation(), 1..150)
    ) {
        let (streams, receiver, told, settlement) = job(None);
        let begin = |_| Known { number: streams.begin(b"a stream").unwrap().0, ..Known::default() };
        let mut known: Vec<Known> = (0..2).map(begin).collect();
        let mut leases = Vec::new();
        let is_line: fn(&[u8]) -> bool = |line| !line.is_empty();
        for operation in operations {
            let before: Vec<Option<Bytes>> = known.iter().map(Known::settled_to).collect();
            match operation {
                Operation::HandOn { stream, records, gap } => {
                    let stream = &mut known[stream];
                    let numbers: Vec<u64> = (0..records).map(|index| stream.next + index * gap).collect();
                    stream.next += records * gap;
                    let end = cursor(stream.next);
                    let ticket = streams.hand_on(stream.number, records as u32, end.clone()).unwrap();
                    stream.ends.push((ticket, end.clone()));
                    numbers.iter().for_each(|number| drop(stream.open.insert(*number, (ticket, end.clone()))));
                    prop_assert_eq!(receiver.offer(batch(&numbers, ticket)), Offered::Taken);
                }
                Operation::LongLine(stream) => {
                    let stream = &mut known[stream];
                    stream.next += 1;
                    let ticket = streams.hand_on(stream.number, 1, cursor(stream.next)).unwrap();
                    stream.ends.push((ticket, cursor(stream.next)));
                    settlement.settle_records(ticket, 1);
                }
                Operation::Reserve | Operation::ReserveLine => {
                    let reserved = match operation {
                        Operation::Reserve => receiver.0.reserve(1),
                        _ => receiver.0.reserve_line(1, is_line),
                    };
                    if let Reserved::Batch(lease, batch) = reserved {
                        leases.push((lease, batch));
                    }
                }
                Operation::Ack(nth) => {
                    let Some(nth) = nth.checked_rem(leases.len()) else { continue };
                    let (lease, _) = leases.swap_remove(nth);
                    receiver.0.ack(&[Ack { lease, tally: Tally::default() }]);
                }
                Operation::Release(nth) => {
                    let Some(nth) = nth.checked_rem(leases.len()) else { continue };
                    receiver.0.release(&[leases.swap_remove(nth).0]);
                }
                Operation::Recall(stream) => {
                    let stream = &mut known[stream];
                    let read = receiver.0.counts().get(&READ);
                    let recalled = streams.recall(stream.number, &receiver);
                    let records: u64 = recalled.iter().map(|batch| u64::from(batch.records)).sum();
                    prop_assert_eq!(receiver.0.counts().get(&READ), read - records);
                    for batch in recalled {
                        let ticket = batch.ticket.unwrap();
                        stream.recalled.insert(ticket);
                        let of_it: Vec<u64> =
                            stream.open.iter().filter(|(_, (other, _))| *other == ticket).map(|(number, _)| *number).collect();
                        of_it.iter().take(batch.records as usize).for_each(|number| drop(stream.open.remove(number)));
                    }
                }
            }
            for (ticket, records, _) in told.lock().unwrap().iter() {
                let stream = known.iter_mut().find(|known| known.number == ticket.stream).unwrap();
                let of_it: Vec<u64> =
                    stream.open.iter().filter(|(_, (other, _))| other == ticket).map(|(number, _)| *number).collect();
                // A line that is too long is settled at once.
                of_it.iter().take(*records as usize).for_each(|number| drop(stream.open.remove(number)));
            }
            for (known, before) in known.iter().zip(before) {
                let told = told.lock().unwrap();
                let last = told.iter().filter(|(ticket, ..)| ticket.stream == known.number);
                let last = last.filter_map(|(_, _, end)| end.clone()).last();
                let now = known.settled_to();
                prop_assert_eq!(last, now.clone().filter(|_| now != before), "the source learns of each move");
                let drained = streams.drain(known.number, Instant::now());
                prop_assert_eq!(drained, Drained { settled_to: now, open_records: known.open.len() as u64 });
            }
            told.lock().unwrap().clear();
        }
    }
}

#[test]
fn who_waits_for_a_stream_goes_on_when_its_last_record_is_settled_or_the_time_is_over() {
    let (streams, receiver, ..) = job(None);
    let (stream, cursor_before) = streams.begin(b"p0").unwrap();
    assert_eq!(cursor_before, None);
    let ticket = streams.hand_on(stream, 2, cursor(7)).unwrap();
    assert_eq!(receiver.offer(batch(&[1, 2], ticket)), Offered::Taken);
    let Reserved::Batch(lease, _) = receiver.0.reserve(1) else { panic!("a batch") };
    assert_eq!(streams.drain(stream, Instant::now()), Drained { settled_to: None, open_records: 2 });
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| streams.drain(stream, Instant::now() + Duration::from_secs(60)));
        receiver.0.ack(&[Ack { lease, tally: Tally::default() }]);
        assert_eq!(drained.join().unwrap(), Drained { settled_to: Some(cursor(7)), open_records: 0 });
    });
}

#[test]
fn a_stream_goes_on_at_its_cursor_in_the_next_run_and_in_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let settle = |numbers: &[u64], expected: Option<u64>| {
        let store = Arc::new(Store::open(folder.path(), Box::new(|_| ())).unwrap());
        let (streams, receiver, ..) = job(Some(store));
        for _ in 0..2 {
            let (other, none) = streams.begin(b"p1").unwrap();
            assert_eq!(none, None, "a stream that never got on");
            streams.hand_on(other, 1, cursor(1)).unwrap();
        }
        let mut expected = expected;
        for &number in numbers {
            let (stream, begun) = streams.begin(b"p0").unwrap();
            assert_eq!(begun, expected.map(cursor));
            let ticket = streams.hand_on(stream, 1, cursor(number)).unwrap();
            receiver.offer(batch(&[number], ticket));
            let Reserved::Batch(lease, _) = receiver.0.reserve(1) else { panic!("a batch") };
            receiver.0.ack(&[Ack { lease, tally: Tally::default() }]);
            expected = Some(number);
        }
    };
    settle(&[4, 9], None);
    settle(&[12], Some(9));
    settle(&[13], Some(12));
}

#[test]
fn a_name_or_a_cursor_that_is_too_long_is_refused() {
    let (streams, ..) = job(None);
    assert!(streams.begin(&[b'x'; 65]).is_err());
    let (stream, _) = streams.begin(&[b'x'; 64]).unwrap();
    assert!(streams.hand_on(stream, 1, vec![0; 129].into()).is_err());
    assert!(streams.hand_on(stream, 1, vec![0; 128].into()).is_ok());
}
