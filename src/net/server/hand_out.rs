//! [`hand_out`]: a queue in one call.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::burials::Burials;
use super::{Server, Workers};
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::core::offered::Offered;
use crate::core::stop::{Stop, Waker};
use crate::net::endpoint::Endpoint;
use crate::queue::Limits;
use crate::queue::shared::SharedQueue;
use crate::source::encodings::EncodingRule;
use crate::source::messages::{self, Messages};
use crate::source::receiver::{BatchReceiver, BatchSize, LongLine};

/// The maximum number of bytes of lines that wait for workers. Each line is a batch of its own, which needs more memory.
const READY_BYTES: usize = 256 << 10;

/// What became of the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandedOut {
    /// The number of lines that workers have acknowledged.
    pub delivered: u64,
    /// The number of lines that were dropped: empty lines, which mean the end in the line dialogue, and those that workers report
    /// as filtered.
    pub filtered: u64,
    /// The lines on which workers died again and again. Nobody gets them any more.
    pub poison: Vec<Vec<u8>>,
}

/// Listens on an endpoint of this machine, hands out `lines` to the workers that ask, and returns when every line is
/// acknowledged and the workers know it. A line whose worker dies goes to another worker after 30 seconds. While no worker asks,
/// few lines are taken from `lines`.
///
/// Any worker may ask: [`Lines`](crate::net::client::Lines), `logator-worker`, and each REQ socket that speaks the line dialogue of
/// `doc/protocol.md`. The program `logator-queue` does more: it reads files, gives its lines ids, and hands out whole batches.
///
/// ```
/// use logator::net::client::Lines;
/// use logator::net::server;
///
/// # fn main() -> logator::core::error::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let endpoint = format!("ipc://{}/queue", folder.path().display());
/// let worker = {
///     let lines = Lines::connect(&endpoint)?;
///     std::thread::spawn(move || lines.map(|line| line.unwrap().len()).sum::<usize>())
/// };
/// let done = server::hand_out(&endpoint, ["one", "", "three"])?;
/// assert_eq!((done.delivered, done.filtered), (2, 1));
/// assert_eq!(worker.join().unwrap(), 8);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The endpoint is wrong, in use, or open to other machines; or the socket fails.
pub fn hand_out<L: AsRef<[u8]>>(endpoint: &str, lines: impl IntoIterator<Item = L>) -> Result<HandedOut> {
    let endpoint = Endpoint::parse(endpoint)?;
    endpoint.check_reach(false)?;
    let server = Server::bind(&[endpoint], None)?;
    let waker = Arc::new(Waker::new()?);
    let notify = Arc::clone(&waker);
    let limits = Limits { ready_bytes: READY_BYTES, ..Limits::default() };
    let queue = Arc::new(SharedQueue::new(limits, Some(Box::new(move || notify.wake())))?);
    let poison = Arc::new(Mutex::new(Vec::new()));
    let (kept, wake) = (Arc::clone(&poison), Arc::clone(&waker));
    let keep = move |line: &crate::queue::poison::TrackedBatch| {
        let records = line.batch.records().map(|record| record.bytes.to_vec());
        kept.lock().unwrap_or_else(PoisonError::into_inner).extend(records);
        Ok(())
    };
    let burials = Burials::start(Arc::clone(&queue), Box::new(keep), Box::new(move || wake.wake()))?;
    let abort = Stop::new()?;
    std::thread::scope(|scope| {
        let (served, workers) = (Arc::clone(&queue), Workers::default());
        let identity = fastrand::u64(..);
        let serve = move || {
            let on_event = &mut |_| {};
            let served_all =
                server.serve(&served, &waker, &abort, Duration::ZERO, on_event, &burials, identity, &workers);
            // Without a server, nobody makes room.
            served.stop();
            served_all
        };
        let serving = std::thread::Builder::new().name("serve".into()).spawn_scoped(scope, serve);
        let serving = serving.map_err(|error| Error::system("the serving thread cannot be started").because(error))?;
        let read = put_in(&queue, lines);
        queue.end_input();
        serving.join().unwrap_or_else(|_| Err(Error::internal("the serving thread panicked")))?;
        read
    })?;
    let tally = queue.counts().tally();
    let poison = std::mem::take(&mut *poison.lock().unwrap_or_else(PoisonError::into_inner));
    let delivered = tally.total() - tally.filtered - tally.dead_lettered;
    Ok(HandedOut { delivered, filtered: tally.filtered, poison })
}

/// Puts each of `lines` into `queue` at once, and waits for room.
fn put_in<L: AsRef<[u8]>>(queue: &SharedQueue, lines: impl IntoIterator<Item = L>) -> Result<()> {
    let size = BatchSize { lines: 1, max_line: usize::MAX, ..BatchSize::default() };
    let receiver = Receiver(queue);
    let mut messages = Messages::new(&receiver, &size, messages::origin("lines", EncodingRule::Told));
    for line in lines {
        if !messages.add(line.as_ref())? || !messages.flush() {
            break;
        }
    }
    Ok(())
}

struct Receiver<'a>(&'a SharedQueue);

impl BatchReceiver for Receiver<'_> {
    fn offer(&self, batch: Batch) -> Offered {
        self.0.offer(batch)
    }

    fn room(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.room())
    }

    fn is_open(&self) -> bool {
        self.0.is_open()
    }

    fn long_line(&self, _: LongLine) -> Result<()> {
        Err(Error::internal("a line of any length is taken"))
    }
}
