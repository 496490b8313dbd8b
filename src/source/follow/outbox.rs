//! A buffer between the loop that follows files and the receiver. A thread of its own waits for room at the receiver.
//! The loop never waits, so it goes on watching while a sink is blocked.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::source::receiver::{BatchReceiver, LongLine};

/// The maximum number of bytes in the buffer before it counts as full. A reader asks for room before it reads a block.
/// The buffer may therefore exceed this number by one block and by the lines that were held back.
const MAX_BYTES: u64 = 2 << 20;

/// See the [module](self).
pub(super) struct Outbox<'a> {
    receiver: &'a dyn BatchReceiver,
    state: Mutex<State>,
    /// Signals that the buffer has an item, or that no more items will come.
    changed: Condvar,
    /// An event descriptor. It is readable when there is room again after the buffer was full.
    room: EventFd,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Item>,
    /// The bytes in the buffer, and those that are being delivered.
    bytes: u64,
    ended: bool,
    /// Whether the loop found the buffer full.
    is_waited_for: bool,
    /// Whether `room` was made readable.
    is_signalled: bool,
    /// Whether the receiver wants no more.
    unwanted: bool,
    failure: Option<Error>,
    /// The bytes that the receiver did not take, by the names of their files.
    not_taken: BTreeMap<String, u64>,
}

enum Item {
    Batch(Batch),
    Long(LongLine),
}

impl Item {
    fn bytes(&self) -> u64 {
        match self {
            Item::Batch(batch) => batch.data.len() as u64,
            Item::Long(line) => line.beginning.len() as u64,
        }
    }

    /// The name of the item's file, and the number of bytes in the file.
    fn position(&self) -> (String, u64) {
        match self {
            Item::Batch(batch) => (batch.context.origin.name.clone(), batch.data.len() as u64),
            Item::Long(line) => (line.context.origin.name.clone(), line.length_with_end),
        }
    }
}

impl State {
    fn note_not_taken(&mut self, (name, bytes): (String, u64)) {
        *self.not_taken.entry(name).or_default() += bytes;
    }
}

impl<'a> Outbox<'a> {
    /// Creates an empty buffer.
    ///
    /// # Errors
    /// Fails when there is no file descriptor left.
    pub(super) fn new(receiver: &'a dyn BatchReceiver) -> Result<Self> {
        let room = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|error| Error::system("no file descriptor is left for following files").because(error))?;
        Ok(Outbox { receiver, state: Mutex::default(), changed: Condvar::new(), room })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A descriptor that is readable in two cases: the receiver wants no more, or there is room again after
    /// [`has_room`](BatchReceiver::has_room) returned `false`.
    pub(super) fn room(&self) -> BorrowedFd<'_> {
        self.room.as_fd()
    }

    /// Whether the receiver wants no more.
    pub(super) fn is_unwanted(&self) -> bool {
        self.lock().unwanted
    }

    /// Records that no more items will come.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// The error of the receiver, and the bytes that it did not take, by the names of their files.
    pub(super) fn into_rest(self) -> (Option<Error>, BTreeMap<String, u64>) {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        (state.failure, state.not_taken)
    }

    /// Delivers the items until no more will come.
    pub(super) fn hand_on(&self) {
        let mut state = self.lock();
        loop {
            let Some(item) = state.waiting.pop_front() else {
                if state.ended {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if state.unwanted {
                state.note_not_taken(item.position());
                continue;
            }
            drop(state);
            let (bytes, position) = (item.bytes(), item.position());
            let (wanted, failure) = match item {
                Item::Batch(batch) => (self.receiver.batch(batch), None),
                Item::Long(line) => match self.receiver.long_line(line) {
                    Ok(()) => (true, None),
                    Err(error) => (false, Some(error)),
                },
            };
            state = self.lock();
            state.bytes -= bytes;
            if !wanted {
                state.unwanted = true;
                state.failure = failure;
                state.note_not_taken(position);
            }
            // The signal comes when half of the buffer is free, because readers read whole blocks.
            if !wanted || (state.bytes < MAX_BYTES / 2 && std::mem::take(&mut state.is_waited_for)) {
                state.is_signalled = self.room.write(1).is_ok();
            }
        }
    }
}

/// Ends an outbox when it is dropped, also by a panic. Without it, the thread of the outbox would wait for ever.
pub(super) struct EndOnDrop<'a>(pub(super) &'a Outbox<'a>);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl BatchReceiver for Outbox<'_> {
    fn batch(&self, batch: Batch) -> bool {
        let item = Item::Batch(batch);
        let mut state = self.lock();
        if state.unwanted {
            state.note_not_taken(item.position());
            return false;
        }
        state.bytes += item.bytes();
        state.waiting.push_back(item);
        self.changed.notify_one();
        true
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        let item = Item::Long(line);
        let mut state = self.lock();
        if state.unwanted {
            state.note_not_taken(item.position());
            return state.failure.take().map_or(Ok(()), Err);
        }
        state.bytes += item.bytes();
        state.waiting.push_back(item);
        self.changed.notify_one();
        Ok(())
    }

    fn has_room(&self) -> bool {
        let mut state = self.lock();
        let room = state.bytes < MAX_BYTES || state.unwanted;
        state.is_waited_for |= !room;
        if std::mem::take(&mut state.is_signalled) {
            // The read cannot fail: the descriptor was written to, and nobody else reads it.
            let _ = self.room.read();
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};

    use bytes::Bytes;

    use super::*;
    use crate::core::batch::Origin;

    /// Takes a batch when the test tells it whether to want it.
    struct Slow(Mutex<Receiver<bool>>);

    impl BatchReceiver for Slow {
        fn batch(&self, _: Batch) -> bool {
            self.0.lock().unwrap().recv().unwrap_or(false)
        }

        fn long_line(&self, _: LongLine) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn while_the_receiver_waits_nobody_else_does_and_what_it_does_not_take_is_counted() {
        let (tell, told) = channel();
        let slow = Slow(Mutex::new(told));
        let outbox = Outbox::new(&slow).unwrap();
        let line = [vec![b'x'; (MAX_BYTES / 4) as usize - 1], b"\n".to_vec()].concat();
        let batch = || Batch::new(Arc::new(Origin::new(1, "x.log")), 0, 1, Bytes::copy_from_slice(&line));
        std::thread::scope(|scope| {
            scope.spawn(|| outbox.hand_on());
            for _ in 0..4 {
                assert!(outbox.has_room() && outbox.batch(batch()));
            }
            assert!(!outbox.has_room(), "none of them was taken");
            (0..3).for_each(|_| tell.send(true).unwrap());
            let mut room = [nix::poll::PollFd::new(outbox.room(), nix::poll::PollFlags::POLLIN)];
            assert_eq!(nix::poll::poll(&mut room, nix::poll::PollTimeout::NONE), Ok(1));
            assert!(outbox.has_room());
            assert_eq!(nix::poll::poll(&mut room, nix::poll::PollTimeout::ZERO), Ok(0), "told once");
            assert!(outbox.batch(batch()));
            tell.send(false).unwrap();
            outbox.end();
        });
        let (failure, not_taken) = outbox.into_rest();
        assert!(failure.is_none());
        assert_eq!(not_taken.into_iter().collect::<Vec<_>>(), [("x.log".to_owned(), 2 * line.len() as u64)]);
    }
}
