//! The limit against simulated servers: time is a number, and nothing waits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

/// Records of each batch.
const RECORDS: u32 = 1000;

/// A server, and the pool that sends to it.
struct Simulation {
    limiter: Adaptive,
    now: f64,
    /// When the requests in flight end, and how long each takes.
    ends: BinaryHeap<Reverse<(u64, u64)>>,
    /// How many batches a second the parsers make.
    supply: f64,
    /// The batches that were made and not sent yet. There is room for a few.
    ready: f64,
    /// How long batches waited since the last call.
    waited: f64,
    /// The batches that were stored.
    stored: u64,
    limits: Vec<(f64, usize, String)>,
}

/// What a server does with a request: how long it takes in seconds, and whether it refuses it first.
type Server<'a> = &'a dyn Fn(f64, usize) -> (f64, bool);

const NANOS: f64 = 1e9;

impl Simulation {
    fn new(least: usize, most: usize, supply: f64) -> Simulation {
        let limiter = Adaptive::new(least, most);
        Simulation {
            limiter,
            now: 0.0,
            ends: BinaryHeap::new(),
            supply,
            ready: 0.0,
            waited: 0.0,
            stored: 0,
            limits: Vec::new(),
        }
    }

    /// Goes on for `seconds` with this server. Returns the batches that it stored in each of them.
    fn run(&mut self, seconds: f64, server: Server<'_>) -> f64 {
        let (until, before) = (self.now + seconds, self.stored);
        while self.now < until {
            while self.ready >= 1.0 && self.ends.len() < self.limiter.limit() {
                self.ready -= 1.0;
                let (took, _) = server(self.now, self.ends.len() + 1);
                self.ends.push(Reverse((((self.now + took) * NANOS) as u64, (took * NANOS) as u64)));
            }
            // The next event: a request ends, or the parsers have made a batch.
            let made = self.now + (1.0 - self.ready.fract()).max(1e-6) / self.supply;
            let ends = self.ends.peek().map_or(f64::MAX, |Reverse((end, _))| *end as f64 / NANOS);
            let next = made.min(ends);
            if self.ready >= 1.0 {
                self.waited += next - self.now;
            }
            self.ready = (self.ready + (next - self.now) * self.supply).min(4.0);
            self.now = next;
            if ends <= made
                && let Some(Reverse((_, took))) = self.ends.pop()
            {
                let (_, refused) = server(self.now, self.ends.len() + 1);
                self.stored += 1;
                let call = StoreCall {
                    at: Duration::from_secs_f64(self.now),
                    took: Duration::from_nanos(took),
                    storing: self.ends.len() + 1,
                    waited: Duration::from_secs_f64(std::mem::take(&mut self.waited)),
                    records: RECORDS,
                    refused: u32::from(refused),
                    retried: 0,
                    stored: true,
                };
                if let Some(reason) = self.limiter.observe(&call) {
                    self.limits.push((self.now, self.limiter.limit(), reason));
                }
            }
        }
        (self.stored - before) as f64 / seconds
    }

    fn trace(&self) -> String {
        self.limits.iter().map(|(at, limit, why)| format!("{at:.2} s: {limit}, {why}\n")).collect()
    }
}

/// A server that answers after a time, whatever else it does.
fn answers_in(seconds: f64) -> impl Fn(f64, usize) -> (f64, bool) {
    move |_, _| (seconds, false)
}

/// A server that works on `capacity` requests at a time. More requests wait for each other.
fn of_capacity(seconds: f64, capacity: usize) -> impl Fn(f64, usize) -> (f64, bool) {
    move |_, in_flight| (seconds * (in_flight as f64 / capacity as f64).max(1.0), false)
}

#[test]
fn a_server_that_answers_late_gets_as_much_as_one_that_answers_at_once_within_five_seconds() {
    for took in [0.05, 0.2] {
        for supply in [20.0, 100.0, 250.0] {
            let mut simulation = Simulation::new(1, 128, supply);
            simulation.run(5.0, &answers_in(took));
            let rate = simulation.run(5.0, &answers_in(took));
            assert!(rate >= 0.8 * supply, "{rate} of {supply} at {took} s:\n{}", simulation.trace());
        }
    }
}

#[test]
fn no_more_requests_are_in_flight_than_raise_the_throughput() {
    for (capacity, took) in [(8, 0.05), (20, 0.02), (3, 0.2)] {
        let mut simulation = Simulation::new(1, 200, 10_000.0);
        simulation.run(10.0, &of_capacity(took, capacity));
        simulation.limits.clear();
        let rate = simulation.run(60.0, &of_capacity(took, capacity));
        let most = simulation.limits.iter().map(|(_, limit, _)| *limit).max().unwrap_or(simulation.limiter.limit());
        assert!(most <= 2 * capacity + 2, "{most} for a capacity of {capacity}:\n{}", simulation.trace());
        assert!(rate >= 0.85 * capacity as f64 / took, "{rate} at a capacity of {capacity}:\n{}", simulation.trace());
    }
}

#[test]
fn without_batches_that_wait_the_limit_stays() {
    let mut simulation = Simulation::new(1, 64, 10.0);
    simulation.run(30.0, &answers_in(0.05));
    assert_eq!(simulation.limiter.limit(), FIRST, "{}", simulation.trace());
}

#[test]
fn refusals_cut_the_limit_and_it_is_back_soon_after_them() {
    let refuses = |now: f64, _: usize| (0.05, (10.0..20.0).contains(&now));
    let mut simulation = Simulation::new(2, 128, 1000.0);
    simulation.run(9.9, &refuses);
    let before = simulation.limiter.limit();
    assert!(before >= 40, "{}", simulation.trace());
    simulation.run(10.0, &refuses);
    assert_eq!(simulation.limiter.limit(), 2, "{}", simulation.trace());
    simulation.run(5.1, &refuses);
    assert!(simulation.limiter.limit() >= before / 2, "{}", simulation.trace());
}

/// The overload of a server shows in refusals beyond its capacity.
#[test]
fn a_server_that_refuses_beyond_its_capacity_is_kept_busy_without_many_refusals() {
    let capacity = 12;
    let server = |_: f64, in_flight: usize| (0.05, in_flight > capacity);
    let mut simulation = Simulation::new(1, 128, 1000.0);
    simulation.run(5.0, &server);
    simulation.limits.clear();
    let rate = simulation.run(30.0, &server);
    assert!(rate >= 0.7 * capacity as f64 / 0.05, "{rate}:\n{}", simulation.trace());
    let most = simulation.limits.iter().map(|(_, limit, _)| *limit).max().unwrap_or_default();
    assert!(most <= capacity + 4, "{most}:\n{}", simulation.trace());
}

#[test]
fn a_server_that_becomes_slower_gets_more_requests_at_a_time() {
    let mut simulation = Simulation::new(1, 128, 200.0);
    simulation.run(5.0, &answers_in(0.02));
    let before = simulation.limiter.limit();
    simulation.run(15.0, &answers_in(0.2));
    let rate = simulation.run(5.0, &answers_in(0.2));
    assert!(rate >= 160.0 && before < 20, "{before}, {rate}:\n{}", simulation.trace());
}

#[test]
fn the_bounds_hold() {
    for (least, most) in [(1, 1), (3, 3), (0, 0), (5, 2), (8, 64)] {
        let mut simulation = Simulation::new(least, most, 2000.0);
        let (low, high) = (least.max(1), most.max(least).max(1));
        for server in [&answers_in(0.05) as Server<'_>, &|_, _| (0.05, true), &of_capacity(0.05, 4)] {
            simulation.run(5.0, server);
            assert!((low..=high).contains(&simulation.limiter.limit()), "{least}..{most}:\n{}", simulation.trace());
        }
    }
}
