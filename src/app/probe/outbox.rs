//! [`Outbox`]: the documents that wait for one sink, within a limit of memory.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::core::context::Context;
use crate::core::record::RecordId;
use crate::document::{Documents, Encoding};
use crate::event::{Event, LayoutWriter};

/// The bytes of documents that are stored together.
const PARCEL: usize = 256 << 10;

/// How long a document waits for others, so that they are stored together.
const LINGER: Duration = Duration::from_millis(50);

/// Documents that are stored together.
pub(super) struct Parcel {
    /// The documents in the layout of the sink; none if the sink takes records.
    pub documents: Documents,
    /// The JSON texts of the documents, one after the other.
    texts: Vec<u8>,
    ends: Vec<usize>,
    pub ids: Vec<RecordId>,
    pub contexts: Vec<Context>,
}

impl Parcel {
    fn new(encoding: Option<Encoding>) -> Parcel {
        let documents = Documents::new(encoding);
        Parcel { documents, texts: Vec::new(), ends: Vec::new(), ids: Vec::new(), contexts: Vec::new() }
    }

    /// Returns the number of documents.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Returns the JSON text of a document, without `_id`.
    pub fn text(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.texts[start..self.ends[index]]
    }

    /// Returns the bytes of memory that it takes.
    fn memory(&self) -> usize {
        let each = size_of::<usize>() + size_of::<RecordId>() + size_of::<Context>();
        self.documents.memory() + self.texts.capacity() + self.ids.capacity() * each
    }

    fn is_full(&self) -> bool {
        self.documents.bytes().len() + self.texts.len() >= PARCEL
    }
}

/// The documents that wait for one sink.
pub(super) struct Outbox {
    /// The maximum number of bytes.
    most: usize,
    encoding: Option<Encoding>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    parcels: VecDeque<Parcel>,
    /// The bytes of all parcels, and of the one that is being stored.
    bytes: usize,
    /// The number of documents that are being stored.
    in_hand: usize,
    dropped: u64,
    /// Whether the last document was dropped.
    is_dropping: bool,
    is_ending: bool,
}

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It waits.
    Waits,
    /// It is dropped, and the one before it was not.
    FirstDropped,
    /// It is dropped like the one before it.
    Dropped,
}

impl Outbox {
    /// Creates an outbox for documents of `encoding`, with at most `most` bytes.
    pub fn new(encoding: Option<Encoding>, most: usize) -> Outbox {
        Outbox { most, encoding, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the document of `event`. `text` is its JSON text. It does not wait: without room, the document is dropped.
    pub fn put(
        &self,
        writer: Option<&mut LayoutWriter>,
        event: &mut Event<'_>,
        text: &[u8],
        id: RecordId,
        context: &Context,
    ) -> Put {
        let state = &mut *self.state();
        if state.bytes >= self.most {
            state.dropped += 1;
            return if std::mem::replace(&mut state.is_dropping, true) { Put::Dropped } else { Put::FirstDropped };
        }
        state.is_dropping = false;
        if state.parcels.back().is_none_or(Parcel::is_full) {
            state.parcels.push_back(Parcel::new(self.encoding));
        }
        let Some(parcel) = state.parcels.back_mut() else { return Put::Dropped };
        let before = parcel.memory();
        if let Some(writer) = writer {
            let index = u32::try_from(parcel.len()).unwrap_or(u32::MAX);
            writer.push(event, index, id, context, &mut parcel.documents);
        }
        parcel.texts.extend_from_slice(text);
        parcel.ends.push(parcel.texts.len());
        parcel.ids.push(id);
        parcel.contexts.push(context.clone());
        let (first, full) = (before == 0, parcel.is_full());
        state.bytes += parcel.memory() - before;
        if first || full {
            self.changed.notify_one();
        }
        Put::Waits
    }

    /// Takes the oldest documents, together with those that come within a moment. Waits for documents; `None` when there are
    /// none and none come any more.
    pub fn take(&self) -> Option<Parcel> {
        let mut state = self.state();
        while state.parcels.is_empty() && !state.is_ending {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + LINGER;
        while !state.is_ending && state.parcels.len() == 1 && !state.parcels[0].is_full() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let parcel = state.parcels.pop_front();
        state.in_hand = parcel.as_ref().map_or(0, Parcel::len);
        parcel
    }

    /// Gives back the memory of a parcel that was [taken](Outbox::take).
    pub fn release(&self, parcel: Parcel) {
        let memory = parcel.memory();
        drop(parcel);
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(memory);
        state.in_hand = 0;
    }

    /// Says that no further document comes.
    pub fn end(&self) {
        self.state().is_ending = true;
        self.changed.notify_all();
    }

    /// Returns whether no further document comes.
    pub fn is_ending(&self) -> bool {
        self.state().is_ending
    }

    /// Waits for `time`, or until no further document comes.
    pub fn pause(&self, time: Duration) {
        let waited = self.changed.wait_timeout_while(self.state(), time, |state| !state.is_ending);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns how many documents were dropped.
    pub fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Removes the documents that wait. Returns their number, together with those that are being stored.
    pub fn give_up(&self) -> u64 {
        let mut state = self.state();
        let waiting: usize = state.parcels.drain(..).map(|parcel| parcel.len()).sum();
        (waiting + std::mem::take(&mut state.in_hand)) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::context::Origin;
    use crate::event::{Changes, FieldPath, Value};

    /// Puts `count` documents with a field of `size` bytes into `outbox`.
    fn put(outbox: &Outbox, writer: &mut LayoutWriter, count: usize, size: usize) -> Vec<Put> {
        let context = Context::new(Arc::new(Origin::new(1, "test")));
        let path = FieldPath::new("x").unwrap();
        let text = vec![b'x'; size];
        let mut one = |number: usize| {
            let mut changes = Changes::default();
            let mut event = Event::without_text(&mut changes);
            event.set(&path, Value::Text(&text));
            outbox.put(Some(writer), &mut event, &text, RecordId::at(1, number as u64, b""), &context)
        };
        (0..count).map(&mut one).collect()
    }

    #[test]
    fn documents_beyond_the_memory_are_dropped_and_counted_until_there_is_room() {
        let outbox = Outbox::new(Some(Encoding::Json), 100_000);
        let mut writer = LayoutWriter::new(Encoding::Json.into()).unwrap();
        let fates = put(&outbox, &mut writer, 200, 1_000);
        let waits = fates.iter().filter(|fate| **fate == Put::Waits).count();
        assert!((20..70).contains(&waits), "{waits}");
        assert_eq!(
            (fates[waits], fates[waits + 1], outbox.dropped()),
            (Put::FirstDropped, Put::Dropped, (200 - waits) as u64)
        );
        outbox.end();
        let parcel = outbox.take().unwrap();
        assert_eq!((parcel.len(), parcel.documents.len(), parcel.text(waits - 1)), (waits, waits, &[b'x'; 1_000][..]));
        assert_eq!(put(&outbox, &mut writer, 1, 1), [Put::Dropped], "it is stored still");
        outbox.release(parcel);
        assert_eq!(put(&outbox, &mut writer, 1, 1), [Put::Waits]);
        {
            let state = outbox.state();
            assert_eq!(state.bytes, state.parcels[0].memory());
        }
        assert_eq!((outbox.give_up(), outbox.take().is_none()), (1, true));
    }

    #[test]
    fn documents_that_come_together_are_taken_together() {
        let outbox = Arc::new(Outbox::new(Some(Encoding::Json), 10 << 20));
        let mut writer = LayoutWriter::new(Encoding::Json.into()).unwrap();
        put(&outbox, &mut writer, 1_000, 500);
        let taking = {
            let outbox = Arc::clone(&outbox);
            std::thread::spawn(move || {
                std::iter::from_fn(|| outbox.take()).map(|parcel| parcel.len()).collect::<Vec<_>>()
            })
        };
        outbox.end();
        let parcels = taking.join().unwrap();
        assert_eq!(parcels.iter().sum::<usize>(), 1_000);
        assert!((3..=6).contains(&parcels.len()), "{parcels:?}");
    }
}
