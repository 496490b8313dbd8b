//! Workers and storing threads: leases, acknowledgements, bounds and panics. A scripted lease client records all calls.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Condvar, mpsc};
use std::thread;
use std::time::Duration;

use super::*;
use crate::worker::idle_clock::IdleClock;
use crate::worker::lease_client::{LeaseClient, Next, Ticket};
use crate::worker::limiter::{Fixed, Limiter, StoreCall};
use crate::worker::store_pool::Job;
use crate::worker::{Requests, StorePool, Storing, WorkerCounts, pipeline};

/// A lease client that hands out batches and records all calls.
struct Script {
    batches: VecDeque<Batch>,
    ttr: Duration,
    next_lease: u64,
    told: mpsc::Sender<String>,
}

impl Script {
    fn say(&self, what: &str, tickets: &[Ticket]) {
        for ticket in tickets {
            let _ = self.told.send(format!("{what} {}", ticket.lease));
        }
    }

    fn acks(&self, acks: &[(Ticket, Tally)]) {
        for (ticket, tally) in acks {
            let _ = self.told.send(format!("ack {} of {}", ticket.lease, tally.total()));
        }
    }
}

impl LeaseClient for Script {
    fn next(&mut self, acks: Vec<(Ticket, Tally)>, may_wait: bool) -> Result<Next> {
        self.acks(&acks);
        let Some(batch) = self.batches.pop_front() else {
            // A queue reports the end only when everything is acknowledged.
            return Ok(if may_wait { Next::End } else { Next::Wait(Duration::ZERO) });
        };
        self.next_lease += 1;
        Ok(Next::Batch { ticket: Ticket { queue: 0, lease: self.next_lease }, ttr: self.ttr, batch })
    }

    fn touch(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.say("touch", tickets);
        Ok(())
    }

    fn release(&mut self, tickets: &[Ticket]) -> Result<()> {
        self.say("release", tickets);
        Ok(())
    }

    fn bye(&mut self, acks: Vec<(Ticket, Tally)>) {
        self.acks(&acks);
        let _ = self.told.send("bye".into());
    }
}

/// Returns batches number 0, 1 and so on, each with [`LINES`].
fn batches(count: u64) -> Vec<Batch> {
    (0..count).map(|index| batch(index * 100, LINES)).collect()
}

/// Runs one worker with the storing threads of `pool`.
fn work(pool: &StorePool, batches: &[Batch], ttr: Duration, told: mpsc::Sender<String>) -> Result<()> {
    let mut script = Script { batches: batches.iter().cloned().collect(), ttr, next_lease: 0, told };
    let mut parser = parser(Unmatched::Keep, &[Encoding::Json, Encoding::Bson]);
    pipeline::work(&mut script, &mut parser, pool, &WorkerCounts::default(), &IdleClock::default()).map(drop)
}

/// Calls `job` while the storing threads of `pool` run.
fn with_threads<T>(pool: &StorePool, job: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        (0..pool.threads()).for_each(|_| drop(scope.spawn(|| pool.run())));
        // The threads end even if the job panics, so that the test fails and does not hang.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        pool.close();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs one worker with storing threads of its own.
fn run(sink: AnySink, batches: &[Batch], ttr: Duration, told: mpsc::Sender<String>) -> Result<()> {
    let letters = LetterFolder::new();
    let pool = StorePool::new(Arc::new(letters.storer(vec![sink])), 1, Storing::default());
    with_threads(&pool, || work(&pool, batches, ttr, told))
}

#[test]
fn every_batch_is_acknowledged_once_and_in_full() {
    let (told, said) = mpsc::channel();
    run(Arc::new(MemorySink::new(Encoding::Bson)).into(), &batches(9), Duration::MAX, told).unwrap();
    let said: Vec<String> = said.iter().collect();
    let expected = (1..=9).map(|lease| format!("ack {lease} of 4")).chain(["bye".to_owned()]);
    assert_eq!(said, expected.collect::<Vec<_>>());
}

#[test]
fn a_batch_that_cannot_be_stored_is_given_back_and_the_earlier_ones_are_acknowledged() {
    let batches = batches(3);
    let sink = MemorySink::new(Encoding::Json);
    sink.fail(ids(&batches[1])[0], 9, "away");
    let (told, said) = mpsc::channel();
    let error = run(Arc::new(sink).into(), &batches, Duration::MAX, told).unwrap_err();
    assert!(error.to_string().contains("away"), "{error}");
    let said: Vec<String> = said.iter().collect();
    assert!(said.contains(&"ack 1 of 4".to_owned()) && said.contains(&"release 2".to_owned()), "{said:?}");
    assert!(!said.iter().any(|what| what.starts_with("ack 2")), "{said:?}");
    assert_eq!(said.last().unwrap(), "bye");
}

/// A sink that stores a batch only when the test allows it.
struct GatedSink {
    inner: MemorySink,
    /// The numbers of the batches, by the id of their first documents.
    numbers: HashMap<RecordId, usize>,
    entered: Mutex<mpsc::Sender<usize>>,
    gates: Mutex<Gates>,
    changed: Condvar,
}

#[derive(Default)]
struct Gates {
    open: HashSet<usize>,
    all_open: bool,
    storing: usize,
    most: usize,
}

impl GatedSink {
    /// Returns the sink, and where the numbers of batches arrive that it is asked to store.
    fn new(batches: &[Batch]) -> (Arc<GatedSink>, mpsc::Receiver<usize>) {
        let (entered, arrivals) = mpsc::channel();
        let numbers = batches.iter().enumerate().map(|(number, batch)| (ids(batch)[0], number)).collect();
        let (inner, entered) = (MemorySink::new(Encoding::Json), Mutex::new(entered));
        let sink = GatedSink { inner, numbers, entered, gates: Mutex::default(), changed: Condvar::new() };
        (Arc::new(sink), arrivals)
    }

    fn open(&self, number: usize) {
        self.gates.lock().unwrap().open.insert(number);
        self.changed.notify_all();
    }

    fn open_all(&self) {
        self.gates.lock().unwrap().all_open = true;
        self.changed.notify_all();
    }

    /// Returns the largest number of batches that were stored at the same time.
    fn most(&self) -> usize {
        self.gates.lock().unwrap().most
    }
}

impl Sink for GatedSink {
    fn name(&self) -> &str {
        "gated"
    }

    fn layout(&self) -> Layout {
        self.inner.layout()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let number = self.numbers[&documents.get(0).id];
        let mut gates = self.gates.lock().unwrap();
        gates.storing += 1;
        gates.most = gates.most.max(gates.storing);
        let _ = self.entered.lock().unwrap().send(number);
        let mut gates =
            self.changed.wait_while(gates, |gates| !gates.all_open && !gates.open.contains(&number)).unwrap();
        gates.storing -= 1;
        drop(gates);
        Sink::store(&self.inner, documents, outcomes)
    }
}

/// Receives until each of `wanted` was said.
fn wait_for_all(said: &mpsc::Receiver<String>, wanted: &[&str]) {
    let mut missing: BTreeSet<&str> = wanted.iter().copied().collect();
    while !missing.is_empty() {
        let what = said.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("not said: {missing:?}"));
        missing.remove(what.as_str());
    }
}

#[test]
fn while_one_batch_is_stored_the_next_is_fetched_and_both_leases_are_kept_alive() {
    let batches = batches(2);
    let (sink, _entered) = GatedSink::new(&batches);
    let (told, said) = mpsc::channel();
    thread::scope(|scope| {
        let working = scope.spawn(|| run(sink.clone().into(), &batches, Duration::from_millis(30), told));
        wait_for_all(&said, &["touch 1", "touch 2"]);
        sink.open_all();
        working.join().unwrap().unwrap();
    });
    let said: Vec<String> = said.iter().filter(|what| !what.starts_with("touch")).collect();
    assert_eq!(said, ["ack 1 of 4", "ack 2 of 4", "bye"]);
    assert_eq!(sink.most(), 1, "one storing thread for one worker");
}

/// Leases that end one after the other, each soon, must not keep a lease that lasts from being extended.
#[test]
fn batches_end_in_any_order_and_a_lease_that_lasts_is_extended_again_and_again() {
    const COUNT: usize = 3000;
    let batches = batches(COUNT as u64);
    let (sink, entered) = GatedSink::new(&batches);
    let letters = LetterFolder::new();
    let storing = Storing { requests: Requests::Fixed(3), ..Storing::default() };
    let pool = StorePool::new(Arc::new(letters.storer(vec![sink.clone().into()])), 1, storing);
    let (told, said) = mpsc::channel();
    with_threads(&pool, || {
        thread::scope(|scope| {
            let working = scope.spawn(|| work(&pool, &batches, Duration::from_millis(9), told));
            let mut seen: Vec<usize> = (0..3).map(|_| entered.recv().unwrap()).collect();
            seen.sort_unstable();
            assert_eq!(seen, [0, 1, 2], "three batches are stored at the same time");
            wait_for_all(&said, &["touch 1", "touch 2", "touch 3", "touch 4"]);
            (1..COUNT).for_each(|number| sink.open(number));
            let until_last = said.iter().take_while(|what| *what != format!("ack {COUNT} of 4"));
            let touches = until_last.filter(|what| what == "touch 1").count();
            assert!(touches >= 3, "{touches} times extended while {COUNT} batches were stored");
            sink.open_all();
            working.join().unwrap().unwrap();
        });
    });
    assert_eq!(said.iter().filter(|what| what.starts_with("ack 1 ")).count(), 1);
    assert_eq!((sink.inner.len(), sink.most()), (COUNT * 4, 3));
}

/// A limiter that allows `limit` batches and keeps what it is told.
struct Recorder(usize, Arc<Mutex<Vec<StoreCall>>>);

impl Limiter for Recorder {
    fn limit(&self) -> usize {
        self.0
    }

    fn observe(&mut self, call: &StoreCall) -> Option<String> {
        self.1.lock().unwrap().push(*call);
        None
    }
}

#[test]
fn the_limiter_bounds_what_is_stored_at_a_time_and_is_told_of_each_batch() {
    for (limit, most) in [(0, 1), (1, 1), (2, 2), (9, 4)] {
        let batches = batches(10);
        let (sink, entered) = GatedSink::new(&batches);
        let letters = LetterFolder::new();
        let storing = Storing { requests: Requests::Fixed(4), ..Storing::default() };
        let calls = Arc::default();
        let storer = Arc::new(letters.storer(vec![sink.clone().into()]));
        let pool = StorePool::new(storer, 1, storing).limited(Box::new(Recorder(limit, Arc::clone(&calls))));
        let (told, _said) = mpsc::channel();
        with_threads(&pool, || {
            thread::scope(|scope| {
                let working = scope.spawn(|| work(&pool, &batches, Duration::MAX, told));
                assert_eq!(entered.iter().take(most).count(), most);
                sink.open_all();
                working.join().unwrap().unwrap();
            });
        });
        assert_eq!(sink.most(), most, "limit {limit}");
        let calls = calls.lock().unwrap();
        assert!(calls.len() == 10 && calls.iter().all(|call| call.stored && (1..=most).contains(&call.storing)));
    }
    assert_eq!(Fixed(3).limit(), 3);
}

#[test]
fn beyond_the_bound_of_bytes_a_worker_holds_one_batch_and_every_worker_gets_on() {
    let all = batches(24);
    let (sink, _entered) = GatedSink::new(&all);
    sink.open_all();
    let letters = LetterFolder::new();
    let storing = Storing { requests: Requests::Fixed(8), bytes: 1 };
    let pool = StorePool::new(Arc::new(letters.storer(vec![sink.clone().into()])), 3, storing);
    with_threads(&pool, || {
        thread::scope(|scope| {
            for own in all.chunks(8) {
                let (told, said) = mpsc::channel();
                let pool = &pool;
                scope.spawn(move || {
                    work(pool, own, Duration::MAX, told).unwrap();
                    assert_eq!(said.iter().filter(|what| what.starts_with("ack")).count(), 8);
                });
            }
        });
    });
    assert_eq!(sink.inner.len(), 24 * 4);
    assert!(sink.most() <= 3, "{} batches at a time for three workers", sink.most());
}

#[test]
fn one_storing_thread_serves_many_workers() {
    let all = batches(40);
    let sink = Arc::new(MemorySink::new(Encoding::Json));
    let letters = LetterFolder::new();
    let storing = Storing { requests: Requests::Fixed(1), ..Storing::default() };
    let pool = StorePool::new(Arc::new(letters.storer(vec![sink.clone().into()])), 8, storing);
    with_threads(&pool, || {
        thread::scope(|scope| {
            for own in all.chunks(5) {
                let pool = &pool;
                scope.spawn(move || work(pool, own, Duration::MAX, mpsc::channel().0).unwrap());
            }
        });
    });
    assert_eq!(sink.len(), 40 * 4);
}

/// A worker that panics leaves its batches in the pool when the pool is closed.
#[test]
fn a_pool_that_is_closed_stores_what_it_has_and_all_of_its_threads_end() {
    let batches = batches(6);
    let (sink, entered) = GatedSink::new(&batches);
    let letters = LetterFolder::new();
    let storing = Storing { requests: Requests::Fixed(4), ..Storing::default() };
    let storer = Arc::new(letters.storer(vec![sink.clone().into()]));
    let pool = StorePool::new(storer, 1, storing).limited(Box::new(Fixed(1)));
    let (answer, answers) = mpsc::channel();
    let mut parser = parser(Unmatched::Keep, &[Encoding::Json]);
    for (lease, batch) in batches.into_iter().enumerate() {
        let mut parsed = parser.buffer();
        parser.parse(&batch, &mut parsed).unwrap();
        let ticket = Ticket { queue: 0, lease: lease as u64 };
        pool.submit(pool.place(None), Job { ticket, batch, parsed, answer: answer.clone() });
    }
    drop(answer);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..pool.threads()).map(|_| scope.spawn(|| pool.run())).collect();
        entered.recv().unwrap();
        pool.close();
        sink.open_all();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!((answers.iter().filter(|done| done.stored.is_ok()).count(), sink.most()), (6, 1));
}

/// A sink that panics over one document.
struct Panicking(MemorySink, RecordId);

impl Sink for Panicking {
    fn name(&self) -> &str {
        "panicking"
    }

    fn layout(&self) -> Layout {
        self.0.layout()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        assert!(documents.iter().all(|document| document.id != self.1), "a sink that panics");
        Sink::store(&self.0, documents, outcomes)
    }
}

#[test]
fn a_panic_of_a_sink_gives_the_batch_back_and_the_storing_thread_goes_on() {
    let batches = batches(4);
    let sink = Arc::new(Panicking(MemorySink::new(Encoding::Json), ids(&batches[1])[2]));
    let letters = LetterFolder::new();
    let pool = StorePool::new(Arc::new(letters.storer(vec![sink.clone().into()])), 1, Storing::default());
    let (told, said) = mpsc::channel();
    with_threads(&pool, || {
        let error = work(&pool, &batches[..2], Duration::MAX, told).unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
        work(&pool, &batches[2..], Duration::MAX, mpsc::channel().0).unwrap();
    });
    let mut said: Vec<String> = said.iter().collect();
    // The first batch may be acknowledged before the second one is given back, or after it.
    said[..2].sort();
    assert_eq!(said, ["ack 1 of 4", "release 2", "bye"]);
    assert_eq!(sink.0.len(), 3 * 4);
}

/// A sink that wants its batches in order.
struct OrderedSink(MemorySink);

impl Sink for OrderedSink {
    fn name(&self) -> &str {
        "ordered"
    }

    fn layout(&self) -> Layout {
        Encoding::Json.into()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        Sink::store(&self.0, documents, outcomes)
    }

    fn keeps_order(&self) -> bool {
        true
    }
}

#[test]
fn batches_wait_for_earlier_ones_and_are_given_back_when_one_of_these_is_lost() {
    let batches = batches(5);
    let sink = Arc::new(OrderedSink(MemorySink::new(Encoding::Json)));
    let letters = LetterFolder::new();
    let pool = StorePool::new(Arc::new(letters.storer(vec![sink.into()])), 2, Storing::default());
    let (answer, answers) = mpsc::channel();
    let mut parser = parser(Unmatched::Keep, &[Encoding::Json]);
    let mut places: Vec<_> = (0..5).map(|_| Some(pool.place(None))).collect();
    let mut submit = |number: usize, places: &mut Vec<Option<_>>| {
        let mut parsed = parser.buffer();
        parser.parse(&batches[number], &mut parsed).unwrap();
        let ticket = Ticket { queue: 0, lease: number as u64 };
        let job = Job { ticket, batch: batches[number].clone(), parsed, answer: answer.clone() };
        pool.submit(places[number].take().unwrap(), job);
    };
    let next = || {
        let done = answers.recv_timeout(Duration::from_secs(60)).expect("an answer");
        (done.ticket.lease, done.stored.map(drop).map_err(|error| crate::core::turns::is_missed(&error)))
    };
    with_threads(&pool, || {
        submit(3, &mut places);
        submit(1, &mut places);
        assert!(answers.try_recv().is_err(), "nothing is stored before the first batch");
        submit(0, &mut places);
        let mut stored = [next(), next()];
        stored.sort_unstable_by_key(|(lease, _)| *lease);
        assert_eq!(stored, [(0, Ok(())), (1, Ok(()))]);
        // The worker of this batch failed.
        drop(places[2].take());
        assert_eq!(next(), (3, Err(true)));
        submit(4, &mut places);
        assert_eq!(next(), (4, Err(true)));
    });
}
