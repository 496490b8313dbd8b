//! One worker: one thread asks for batches, parses and acknowledges, another thread stores. While one batch is being
//! stored, the next is being parsed.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use super::lease_client::{LeaseClient, Next, Ticket};
use super::parser::{Parsed, Parser};
use super::storer::{Stored, Storer};
use super::worker_counts::WorkerCounts;
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::observe::receipt::Tally;

/// The number of batches that a worker holds at a time: one is being stored, and one is parsed and waits.
const IN_FLIGHT: usize = 2;

/// A parsed batch on its way to the storing thread.
struct Job {
    ticket: Ticket,
    batch: Batch,
    parsed: Parsed,
}

/// The answer of the storing thread for one batch.
struct Done {
    ticket: Ticket,
    lines: u32,
    bytes: usize,
    stored: Result<Stored>,
    /// The buffers, for reuse.
    parsed: Parsed,
}

/// The reason why a worker ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The lease client reported the end of the work: every line is accounted for.
    End,
    /// A stop was requested before that.
    Stopped,
}

/// Works until the lease client reports the end, a stop is requested, or an error occurs.
///
/// In every case, durable batches are acknowledged and the others given back before this returns.
///
/// # Errors
/// The lease client or a sink fails permanently.
pub fn work(
    leases: &mut dyn LeaseClient,
    parser: &mut Parser,
    storer: Arc<Storer>,
    counts: &WorkerCounts,
) -> Result<Finish> {
    let (to_storer, jobs) = sync_channel::<Job>(1);
    let (results, done) = channel::<Done>();
    thread::scope(|scope| {
        let storing = thread::Builder::new()
            .name("store".into())
            .spawn_scoped(scope, move || store(&storer, &jobs, &results))
            .map_err(|error| Error::system("cannot start the thread that stores batches").because(error))?;
        let mut worker = Worker { leases, counts, in_flight: Vec::new(), finished: Vec::new(), spare: Vec::new() };
        let mut result = worker.run(parser, &to_storer, &done);
        // The storing thread ends when it has no more work. Batches that it finished meanwhile are still acknowledged.
        drop(to_storer);
        while let Ok(message) = done.recv() {
            let taken = worker.finish_batch(message);
            result = result.and_then(|finish| taken.map(|()| finish));
        }
        worker.release_and_say_bye();
        match storing.join() {
            Ok(()) => result,
            Err(_) => Err(Error::internal("the storing thread panicked; its batch goes to another worker")),
        }
    })
}

/// Runs the storing thread.
fn store(storer: &Storer, jobs: &Receiver<Job>, results: &Sender<Done>) {
    let mut outcomes = Vec::new();
    for Job { ticket, batch, parsed } in jobs {
        let stored = storer.store(&batch, &parsed, &mut outcomes);
        let done = Done { ticket, lines: batch.records, bytes: batch.data.len(), stored, parsed };
        if results.send(done).is_err() {
            return;
        }
    }
}

struct Worker<'a> {
    leases: &'a mut dyn LeaseClient,
    counts: &'a WorkerCounts,
    /// The leases that the worker holds, with their time to run. Their batches are not durable yet.
    in_flight: Vec<(Ticket, Duration)>,
    /// Durable batches that are not acknowledged yet.
    finished: Vec<(Ticket, Tally)>,
    spare: Vec<Parsed>,
}

impl Worker<'_> {
    fn run(&mut self, parser: &mut Parser, to_storer: &SyncSender<Job>, done: &Receiver<Done>) -> Result<Finish> {
        loop {
            while let Ok(message) = done.try_recv() {
                self.finish_batch(message)?;
            }
            if self.in_flight.len() >= IN_FLIGHT {
                self.wait_for_storer(done)?;
                continue;
            }
            let acks = std::mem::take(&mut self.finished);
            match self.leases.next(acks, self.in_flight.is_empty())? {
                Next::Batch { ticket, ttr, batch } => {
                    self.in_flight.push((ticket, ttr));
                    let mut parsed = self.spare.pop().unwrap_or_else(|| parser.buffer());
                    parser.parse(&batch, &mut parsed)?;
                    if to_storer.send(Job { ticket, batch, parsed }).is_err() {
                        return Err(Error::internal("the storing thread is gone"));
                    }
                }
                Next::Wait(_) if !self.in_flight.is_empty() => self.wait_for_storer(done)?,
                Next::Wait(pause) => thread::sleep(pause),
                // Batches in flight are finished and acknowledged before the worker leaves.
                Next::End => return Ok(Finish::End),
                Next::Stopped => return Ok(Finish::Stopped),
            }
        }
    }

    /// Waits until a batch is durable and extends the leases meanwhile.
    fn wait_for_storer(&mut self, done: &Receiver<Done>) -> Result<()> {
        let shortest = self.in_flight.iter().map(|(_, ttr)| *ttr).min().unwrap_or(Duration::MAX);
        loop {
            match done.recv_timeout(shortest / 3) {
                Ok(message) => return self.finish_batch(message),
                Err(RecvTimeoutError::Timeout) => {
                    let tickets: Vec<Ticket> = self.in_flight.iter().map(|(ticket, _)| *ticket).collect();
                    self.leases.touch(&tickets)?;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("the storing thread is gone")),
            }
        }
    }

    fn finish_batch(&mut self, done: Done) -> Result<()> {
        let Done { ticket, lines, bytes, stored, parsed } = done;
        self.spare.push(parsed);
        match stored {
            Ok(stored) => {
                self.in_flight.retain(|(held, _)| *held != ticket);
                self.counts.add(u64::from(lines), bytes as u64, stored.tally);
                self.finished.push((ticket, stored.tally));
                Ok(())
            }
            // The lease stays among those in flight, and the worker gives it back when it leaves.
            Err(error) => Err(error),
        }
    }

    fn release_and_say_bye(&mut self) {
        let held: Vec<Ticket> = self.in_flight.iter().map(|(ticket, _)| *ticket).collect();
        if !held.is_empty() {
            // If the queue cannot be reached, the leases run out by themselves.
            let _ = self.leases.release(&held);
        }
        self.leases.bye(std::mem::take(&mut self.finished));
    }
}
