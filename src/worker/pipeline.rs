//! One worker: it asks for batches, parses them, hands them to the storing threads, and acknowledges those that are durable.
//! While some batches are being stored, the next is being parsed.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::idle_clock::IdleClock;
use super::lease_client::{LeaseClient, Next, Ticket};
use super::parser::{Parsed, Parser};
use super::store_pool::{Done, Job, StorePool};
use super::worker_counts::WorkerCounts;
use crate::core::error::Result;
use crate::core::turns;
use crate::observe::counters::Tally;

/// The reason why a worker ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The lease client reported the end of the work: every line is accounted for.
    End,
    /// A stop was requested before that.
    Stopped,
}

/// Works until the lease client reports the end, a stop is requested, or an error occurs. The threads of `pool` store.
///
/// In every case, durable batches are acknowledged and the others given back before this returns.
///
/// # Errors
/// The lease client or a sink fails permanently.
pub fn work(
    leases: &mut dyn LeaseClient,
    parser: &mut Parser,
    pool: &StorePool,
    counts: &WorkerCounts,
    idle: &IdleClock,
) -> Result<Finish> {
    let (answer, done) = channel();
    let mut worker = Worker {
        leases,
        pool,
        counts,
        idle,
        answer,
        done,
        held: Vec::new(),
        touch_at: None,
        in_pool: 0,
        missed: false,
        finished: Vec::new(),
        spare: Vec::new(),
    };
    let mut result = worker.run(parser);
    // Batches that are still being stored are acknowledged too. If the queue cannot be reached to extend the leases, they
    // are waited for all the same.
    while worker.in_pool > 0 {
        if let Ok(done) = worker.wait() {
            let taken = worker.finish_batch(done);
            result = result.and_then(|finish| taken.map(|()| finish));
        }
    }
    worker.release_and_say_bye();
    result
}

struct Worker<'a> {
    leases: &'a mut dyn LeaseClient,
    pool: &'a StorePool,
    counts: &'a WorkerCounts,
    idle: &'a IdleClock,
    /// For the storing threads.
    answer: Sender<Done>,
    done: Receiver<Done>,
    /// The leases that the worker holds, with their time to run. Their batches are not durable yet.
    held: Vec<(Ticket, Duration)>,
    /// When the leases must be extended; `None` while no lease can run out.
    touch_at: Option<Instant>,
    /// The number of batches in the pool.
    in_pool: usize,
    /// Whether a batch was not stored because an earlier one, perhaps of another worker, was not.
    missed: bool,
    /// Durable batches that are not acknowledged yet.
    finished: Vec<(Ticket, Tally)>,
    spare: Vec<Parsed>,
}

impl Worker<'_> {
    fn run(&mut self, parser: &mut Parser) -> Result<Finish> {
        loop {
            while let Ok(done) = self.done.try_recv() {
                self.finish_batch(done)?;
            }
            if self.missed {
                // The worker of the earlier batch has the error, and stops the others.
                return Ok(Finish::Stopped);
            }
            self.touch_if_due()?;
            if self.held.len() >= self.leases.most_leases() || !self.pool.may_take(self.held.len()) {
                let done = self.wait()?;
                self.finish_batch(done)?;
                continue;
            }
            let acks = std::mem::take(&mut self.finished);
            let next = match self.held.is_empty() {
                true => self.idle.during(|| self.leases.next(acks, true)),
                false => self.leases.next(acks, false),
            };
            match next? {
                Next::Batch { ticket, ttr, batch } => {
                    self.hold(ticket, ttr);
                    let place = self.pool.place(self.leases.number(&ticket));
                    let mut parsed = self.spare.pop().unwrap_or_else(|| parser.buffer());
                    parser.parse(&batch, &mut parsed)?;
                    self.in_pool += 1;
                    self.pool.submit(place, Job { ticket, batch, parsed, answer: self.answer.clone() });
                }
                Next::Wait(_) if !self.held.is_empty() => {
                    let done = self.wait()?;
                    self.finish_batch(done)?;
                }
                Next::Wait(pause) => self.idle.during(|| thread::sleep(pause)),
                // Batches in the pool are finished and acknowledged before the worker leaves.
                Next::End => return Ok(Finish::End),
                Next::Stopped => return Ok(Finish::Stopped),
            }
        }
    }

    /// Notes a new lease. It is extended after a third of its time to run.
    fn hold(&mut self, ticket: Ticket, ttr: Duration) {
        self.held.push((ticket, ttr));
        let due = Instant::now().checked_add(ttr / 3);
        self.touch_at = self.touch_at.into_iter().chain(due).min();
    }

    /// Extends the leases if it is time.
    fn touch_if_due(&mut self) -> Result<()> {
        if self.touch_at.is_none_or(|at| Instant::now() < at) {
            return Ok(());
        }
        let shortest = self.held.iter().map(|(_, ttr)| *ttr).min();
        self.touch_at = shortest.and_then(|shortest| Instant::now().checked_add(shortest / 3));
        let tickets: Vec<Ticket> = self.held.iter().map(|(ticket, _)| *ticket).collect();
        if tickets.is_empty() { Ok(()) } else { self.leases.touch(&tickets) }
    }

    /// Waits until a storing thread answers, and extends the leases meanwhile.
    fn wait(&mut self) -> Result<Done> {
        loop {
            self.touch_if_due()?;
            let done = self.idle.during(|| match self.touch_at {
                Some(at) => self.done.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => self.done.recv().map_err(RecvTimeoutError::from),
            });
            match done {
                Ok(done) => return Ok(done),
                // The worker has a sender of its own, so the channel cannot be disconnected.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    fn finish_batch(&mut self, done: Done) -> Result<()> {
        let Done { ticket, counted, stored, parsed } = done;
        self.in_pool -= 1;
        self.spare.push(parsed);
        // If the batch was not stored, its lease stays with those that the worker holds. The worker gives it back when it
        // leaves.
        let tally = match stored {
            Err(error) if turns::is_missed(&error) => {
                self.missed = true;
                return Ok(());
            }
            stored => stored?.tally,
        };
        self.held.retain(|(held, _)| *held != ticket);
        self.counts.add(&counted, tally);
        self.finished.push((ticket, tally));
        Ok(())
    }

    fn release_and_say_bye(&mut self) {
        let held: Vec<Ticket> = self.held.iter().map(|(ticket, _)| *ticket).collect();
        if !held.is_empty() {
            // If the queue cannot be reached, the leases run out by themselves.
            let _ = self.leases.release(&held);
        }
        self.leases.bye(std::mem::take(&mut self.finished));
    }
}
