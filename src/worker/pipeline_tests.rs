//! One worker with a scripted feed and a sink in memory.

use std::sync::Mutex;

use super::*;
use crate::batch::Origin;
use crate::dead_letter::DeadLetters;
use crate::document::{DocumentId, Documents};
use crate::grok::Library;
use crate::sink::memory::MemorySink;
use crate::sink::{Encoding, Outcome, Sink};
use crate::worker::parser::{Formats, Unmatched};

/// Hands out so many batches of one line, then the end; writes down what it is told.
#[derive(Default)]
struct Script {
    batches: u64,
    handed_out: u64,
    acked: Vec<u64>,
    released: Vec<u64>,
    touched: Arc<Mutex<Vec<u64>>>,
    ttr: Duration,
}

fn batch(number: u64) -> Batch {
    let origin = Arc::new(Origin { id: 1, name: "x".into() });
    Batch { origin, offset: number * 2, lines: 1, data: bytes::Bytes::from_static(b"a\n") }
}

fn numbers(tickets: &[Ticket]) -> impl Iterator<Item = u64> {
    tickets.iter().map(|ticket| ticket.lease)
}

impl Feed for Script {
    fn next(&mut self, acks: Vec<(Ticket, Tally)>, _may_wait: bool) -> Result<Next> {
        self.bye(acks);
        if self.handed_out == self.batches {
            return Ok(Next::End);
        }
        self.handed_out += 1;
        let lease = self.handed_out - 1;
        Ok(Next::Batch { ticket: Ticket { queue: 0, lease }, ttr: self.ttr, batch: batch(lease) })
    }

    fn touch(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.touched.lock().unwrap().extend(numbers(tickets));
        Ok(())
    }

    fn release(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.released.extend(numbers(tickets));
        Ok(())
    }

    fn bye(&mut self, acks: Vec<(Ticket, Tally)>) {
        self.acked.extend(acks.iter().map(|(ticket, _)| ticket.lease));
    }
}

/// Stores only when both leases that a worker holds were touched.
struct Slow(MemorySink, Arc<Mutex<Vec<u64>>>);

impl Sink for Slow {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn encoding(&self) -> Encoding {
        self.0.encoding()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        while !(self.1.lock().unwrap().contains(&0) && self.1.lock().unwrap().contains(&1)) {
            thread::yield_now();
        }
        self.0.store(documents, outcomes)
    }
}

fn work_with(feed: &mut Script, sink: Arc<dyn Sink>) -> Result<u64> {
    let folder = tempfile::tempdir().unwrap();
    let letters = Arc::new(DeadLetters::new(folder.path().join("letters")));
    let formats = Arc::new(Formats::new(Vec::new(), Library::stock(), Unmatched::Keep, |_| {}));
    let mut parser = formats.parser(&[Encoding::Json])?;
    let counts = WorkerCounts::default();
    work(feed, &mut parser, Arc::new(Storer::new(vec![sink], letters)), &counts)?;
    Ok(counts.get().0)
}

#[test]
fn what_is_in_flight_at_the_end_is_stored_and_acknowledged() {
    let sink = Arc::new(MemorySink::new(Encoding::Json));
    let mut feed = Script { batches: 5, ttr: Duration::MAX, ..Script::default() };
    assert_eq!(work_with(&mut feed, sink.clone()).unwrap(), 5);
    assert_eq!(feed.acked, [0, 1, 2, 3, 4]);
    assert!(feed.released.is_empty());
    assert_eq!(sink.len(), 5);
}

#[test]
fn leases_are_touched_while_a_slow_sink_stores() {
    let mut feed = Script { batches: 3, ttr: Duration::from_millis(3), ..Script::default() };
    let slow = Slow(MemorySink::new(Encoding::Json), Arc::clone(&feed.touched));
    assert_eq!(work_with(&mut feed, Arc::new(slow)).unwrap(), 3);
    assert_eq!(feed.acked, [0, 1, 2]);
}

#[test]
fn a_batch_that_cannot_be_stored_is_given_back_and_the_earlier_ones_are_acknowledged() {
    let sink = Arc::new(MemorySink::new(Encoding::Json));
    let failing = batch(2);
    sink.fail(DocumentId::new(&failing.origin, failing.offset, b"a"), u32::MAX, "the store is gone");
    let mut feed = Script { batches: 5, ttr: Duration::MAX, ..Script::default() };
    let error = work_with(&mut feed, sink).expect_err("it cannot be stored");
    assert!(error.to_string().contains("the store is gone"), "{error}");
    assert!(feed.acked.starts_with(&[0, 1]) && !feed.acked.contains(&2), "{:?}", feed.acked);
    assert!(feed.released.contains(&2), "{:?}", feed.released);
    let mut all = [feed.acked, feed.released].concat();
    all.sort_unstable();
    assert_eq!(all, (0..feed.handed_out).collect::<Vec<_>>(), "each lease is acknowledged or given back, once");
}
