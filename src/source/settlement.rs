//! Tells sources what is settled: [`Settlement`] for all sources of a job, [`Streams`] for one of them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::acks::{Acks, Drained};
use super::receiver::BatchReceiver;
use crate::core::batch::{Batch, Ticket};
use crate::core::error::{Error, Result};
use crate::state::Memory;
use crate::state::journal::{CURSOR_BYTES, STREAM_BYTES};

/// Records of one hand-out that are settled: they are stored, filtered or buried, or are dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled<'a> {
    /// The hand-out.
    pub ticket: Ticket,
    /// The records; `None` if they were never in a batch that was handed on, because a line is too long, or because an
    /// earlier run settled them.
    pub batch: Option<&'a Batch>,
    /// The cursor up to which every record of the stream is settled now, if that has changed.
    pub prefix_end: Option<Bytes>,
}

/// Gets what is settled of one source. It is called under a lock of the source's [`Streams`], so it must not wait and must
/// not use them.
pub type Tell = Box<dyn Fn(&Settled<'_>) + Send + Sync>;

/// All sources of a job that want to know what is settled.
#[derive(Debug, Default)]
pub struct Settlement {
    memory: Option<Arc<dyn Memory>>,
    sources: Mutex<Vec<Arc<Streams>>>,
}

impl Settlement {
    /// Creates a settlement without sources. `memory` keeps the cursors of their streams.
    pub fn new(memory: Option<Arc<dyn Memory>>) -> Self {
        Settlement { memory, sources: Mutex::default() }
    }

    /// Whether there is a memory for cursors.
    pub fn has_memory(&self) -> bool {
        self.memory.is_some()
    }

    fn sources(&self) -> MutexGuard<'_, Vec<Arc<Streams>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a source. `name` is the name under which its cursors are kept, and `tell` gets what is settled.
    ///
    /// # Errors
    /// There are 65,536 sources already.
    pub fn add(&self, name: &str, tell: Tell) -> Result<Arc<Streams>> {
        let mut sources = self.sources();
        let number = u16::try_from(sources.len()).map_err(|_| Error::usage(format!("{name}: too many sources")))?;
        let streams = Arc::new(Streams {
            number,
            name: name.to_owned(),
            memory: self.memory.clone(),
            tell,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        sources.push(Arc::clone(&streams));
        Ok(streams)
    }

    /// Tells the sources of `batches` that these are settled. Batches without a ticket cost nothing.
    pub fn settle(&self, batches: &[Batch]) {
        for batch in batches {
            if let Some(ticket) = batch.ticket {
                self.tell(ticket, u64::from(batch.records), Some(batch));
            }
        }
    }

    /// Tells the source of a hand-out that records are settled that were never in a batch of the queue.
    pub fn settle_records(&self, ticket: Ticket, records: u64) {
        self.tell(ticket, records, None);
    }

    fn tell(&self, ticket: Ticket, records: u64, batch: Option<&Batch>) {
        let source = self.sources().get(usize::from(ticket.source)).cloned();
        if let Some(source) = source {
            source.settle(ticket, records, batch);
        }
    }
}

/// The streams of one source, and what was handed on of each.
pub struct Streams {
    /// The number of the source in its job.
    number: u16,
    name: String,
    memory: Option<Arc<dyn Memory>>,
    tell: Tell,
    state: Mutex<State>,
    /// Signals that records were settled, if somebody waits for that.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    acks: Acks,
    /// The name of each stream, by its number.
    names: std::collections::HashMap<u32, Bytes>,
    /// The number of threads that wait in [`Streams::drain`].
    waiting: usize,
}

impl Streams {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of the source's cursors.
    fn key(&self) -> u64 {
        xxh3_64(self.name.as_bytes())
    }

    /// Begins a stream. Returns its number, and the cursor up to which an earlier run has settled it.
    ///
    /// # Errors
    /// The name has more than 64 bytes.
    pub fn begin(&self, stream: &[u8]) -> Result<(u32, Option<Bytes>)> {
        if stream.len() > STREAM_BYTES {
            let shown = String::from_utf8_lossy(stream);
            return Err(Error::input(format!("{}: the stream name {shown} is longer than 64 bytes", self.name)));
        }
        let cursor = self.memory.as_ref().and_then(|memory| memory.cursor(self.key(), stream));
        let mut state = self.lock();
        let number = state.acks.begin(cursor.clone());
        state.names.insert(number, Bytes::copy_from_slice(stream));
        Ok((number, cursor))
    }

    /// Forgets a stream. Its cursor stays.
    pub fn end(&self, stream: u32) {
        let mut state = self.lock();
        state.acks.end(stream);
        state.names.remove(&stream);
    }

    /// Records that a batch of `records` records is going to be offered. `end` is the cursor after its last record. Returns
    /// the ticket of the batch.
    ///
    /// # Errors
    /// The cursor has more than 128 bytes.
    pub fn hand_on(&self, stream: u32, records: u32, end: Bytes) -> Result<Ticket> {
        if end.len() > CURSOR_BYTES {
            return Err(Error::internal(format!("{}: a cursor has {} bytes", self.name, end.len())));
        }
        let sequence = self.lock().acks.hand_on(stream, u64::from(records), end);
        Ok(Ticket { source: self.number, stream, sequence })
    }

    fn settle(&self, ticket: Ticket, records: u64, batch: Option<&Batch>) {
        let mut state = self.lock();
        let prefix_end = state.acks.settle(ticket.stream, ticket.sequence, records);
        if let (Some(memory), Some(place), Some(name)) = (&self.memory, &prefix_end, state.names.get(&ticket.stream)) {
            memory.keep_cursor(self.key(), name, place);
        }
        // The lock makes sure that a source learns of its cursors in their order.
        (self.tell)(&Settled { ticket, batch, prefix_end });
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until every record of a stream is settled or taken back, but not beyond `deadline`. Returns how far the stream
    /// is settled.
    pub fn drain(&self, stream: u32, deadline: Instant) -> Drained {
        let mut state = self.lock();
        state.waiting += 1;
        loop {
            let drained = state.acks.drained(stream);
            let left = deadline.saturating_duration_since(Instant::now());
            if drained.open_records == 0 || left.is_zero() {
                state.waiting -= 1;
                return drained;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes back the batches of a stream that no worker has. Their records do not settle any more, and the stream is
    /// never settled beyond them.
    pub fn recall(&self, stream: u32, receiver: &dyn BatchReceiver) -> Vec<Batch> {
        let batches = receiver.recall(self.number, stream);
        let mut state = self.lock();
        for batch in &batches {
            if let Some(Ticket { stream, sequence, .. }) = batch.ticket {
                state.acks.take_back(stream, sequence, u64::from(batch.records));
            }
        }
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        batches
    }
}

impl Streams {
    /// Takes back records of a hand-out that the queue never took. The stream is never settled beyond them.
    pub fn take_back(&self, ticket: Ticket, records: u64) {
        self.lock().acks.take_back(ticket.stream, ticket.sequence, records);
    }

    /// Returns how far a stream is settled.
    pub fn drained(&self, stream: u32) -> Drained {
        self.lock().acks.drained(stream)
    }
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
