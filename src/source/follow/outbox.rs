//! The batches between the loop that follows files and the receiver. The loop does not wait for room, so it goes on
//! watching while a sink is blocked. A batch that finds no room is kept here, and no file is read until it is taken.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::batch::{Batch, Ticket};
use crate::core::error::Result;
use crate::core::offered::Offered;
use crate::source::outlet::{Outlet, offer_waiting};
use crate::source::receiver::{BatchReceiver, LongLine};

/// See the [module](self).
pub(super) struct Outbox<'a> {
    receiver: &'a dyn BatchReceiver,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The batches that found no room, in their order. A reader asks for room before it reads a block. Therefore these
    /// are at most the lines of one block, and lines that were held back.
    refused: VecDeque<Batch>,
    /// Whether the receiver wants no more.
    unwanted: bool,
    /// The bytes that the receiver did not take, by the names of their files.
    not_taken: BTreeMap<String, u64>,
}

impl State {
    fn note_not_taken(&mut self, name: &str, bytes: u64) {
        *self.not_taken.entry(name.to_owned()).or_default() += bytes;
    }

    /// Gives a batch to `take`, and records what became of it.
    fn pass(&mut self, batch: Batch, take: impl FnOnce(Batch) -> Offered) {
        let (origin, bytes) = (Arc::clone(&batch.context.origin), batch.data.len() as u64);
        match if self.unwanted { Offered::Stopped } else { take(batch) } {
            Offered::Taken => {}
            Offered::Full(batch) => self.refused.push_front(batch),
            Offered::Stopped => {
                self.unwanted = true;
                self.note_not_taken(&origin.name, bytes);
            }
        }
    }
}

impl<'a> Outbox<'a> {
    /// Creates an outbox without batches.
    pub(super) fn new(receiver: &'a dyn BatchReceiver) -> Self {
        Outbox { receiver, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A descriptor that is readable when the refused batches should be offered again. `None` if there are none.
    pub(super) fn room(&self) -> Option<BorrowedFd<'_>> {
        if self.has_room() { None } else { self.receiver.room() }
    }

    /// Whether the receiver wants no more.
    pub(super) fn is_unwanted(&self) -> bool {
        self.lock().unwanted
    }

    /// Waits until the receiver has taken the refused batches, or wants no more.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        while let Some(batch) = state.refused.pop_front() {
            state.pass(batch, |batch| match offer_waiting(self.receiver, batch, None) {
                true => Offered::Taken,
                false => Offered::Stopped,
            });
        }
    }

    /// The bytes that the receiver did not take, by the names of their files.
    pub(super) fn into_not_taken(self) -> BTreeMap<String, u64> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).not_taken
    }
}

impl Outlet for Outbox<'_> {
    fn batch(&self, batch: Batch) -> bool {
        let mut state = self.lock();
        match state.refused.is_empty() {
            true => state.pass(batch, |batch| self.receiver.offer(batch)),
            false => state.refused.push_back(batch),
        }
        !state.unwanted
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        let mut state = self.lock();
        if state.unwanted {
            state.note_not_taken(&line.context.origin.name, line.length_with_end);
            return Ok(());
        }
        let (origin, bytes) = (Arc::clone(&line.context.origin), line.length_with_end);
        self.receiver.long_line(line).inspect_err(|_| {
            state.unwanted = true;
            state.note_not_taken(&origin.name, bytes);
        })
    }

    fn leave_out_nuls(&self, bytes: u64) {
        self.receiver.leave_out_nuls(bytes);
    }

    fn settle(&self, ticket: Ticket, records: u64) {
        self.receiver.settle(ticket, records);
    }

    /// Offers the refused batches again. Returns whether none is left.
    fn has_room(&self) -> bool {
        let mut state = self.lock();
        while let Some(batch) = state.refused.pop_front() {
            let before = state.refused.len();
            state.pass(batch, |batch| self.receiver.offer(batch));
            if state.refused.len() > before {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use bytes::Bytes;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;
    use crate::core::batch::Origin;
    use crate::core::stop::Waker;

    /// Has room for as many batches as the test says. If `ends` is set, it wants no more after them.
    struct Narrow {
        state: Mutex<(usize, Vec<u64>)>,
        ends: AtomicBool,
        room: Waker,
    }

    impl Narrow {
        fn make_room(&self, batches: usize) {
            self.state.lock().unwrap().0 += batches;
            self.room.wake();
        }

        fn taken(&self) -> Vec<u64> {
            self.state.lock().unwrap().1.clone()
        }
    }

    impl BatchReceiver for Narrow {
        fn offer(&self, batch: Batch) -> Offered {
            let (room, taken) = &mut *self.state.lock().unwrap();
            match room.checked_sub(1) {
                Some(left) => {
                    *room = left;
                    taken.push(batch.offset);
                    Offered::Taken
                }
                None if self.ends.load(Ordering::Relaxed) => Offered::Stopped,
                None => {
                    self.room.clear();
                    Offered::Full(batch)
                }
            }
        }

        fn room(&self) -> Option<BorrowedFd<'_>> {
            Some(self.room.as_fd())
        }

        fn long_line(&self, _: LongLine) -> Result<()> {
            Ok(())
        }
    }

    fn narrow(room: usize) -> Narrow {
        let waker = Waker::new().unwrap();
        waker.wake();
        Narrow { state: Mutex::new((room, Vec::new())), ends: AtomicBool::new(false), room: waker }
    }

    fn batch(number: u64) -> Batch {
        Batch::new(Arc::new(Origin::new(1, "x.log")), number, 1, Bytes::from_static(b"line\n"))
    }

    #[test]
    fn a_full_receiver_is_waited_for_with_a_descriptor_and_gets_the_batches_in_their_order() {
        let receiver = narrow(1);
        let outbox = Outbox::new(&receiver);
        let is_readable = |descriptor| poll(&mut [PollFd::new(descriptor, PollFlags::POLLIN)], PollTimeout::ZERO);
        assert!(outbox.room().is_none(), "nothing waits for room");
        (0..4).for_each(|number| assert!(outbox.batch(batch(number))));
        assert_eq!(receiver.taken(), [0]);
        assert!(!outbox.has_room());
        assert_eq!(outbox.room().map(is_readable), Some(Ok(0)));
        receiver.make_room(2);
        assert!(!outbox.has_room() && outbox.batch(batch(4)));
        assert_eq!(receiver.taken(), [0, 1, 2]);
        receiver.make_room(5);
        assert!(outbox.has_room() && outbox.room().is_none());
        assert!(outbox.batch(batch(5)));
        assert_eq!(receiver.taken(), [0, 1, 2, 3, 4, 5]);
        assert!(outbox.into_not_taken().is_empty());
    }

    #[test]
    fn what_the_receiver_does_not_take_is_counted() {
        let receiver = narrow(0);
        let outbox = Outbox::new(&receiver);
        assert!(outbox.batch(batch(0)) && outbox.batch(batch(1)));
        receiver.ends.store(true, Ordering::Relaxed);
        receiver.make_room(1);
        outbox.finish();
        assert!(outbox.is_unwanted() && !outbox.batch(batch(2)));
        assert_eq!(receiver.taken(), [0]);
        assert_eq!(outbox.into_not_taken().into_iter().collect::<Vec<_>>(), [("x.log".to_owned(), 10)]);
    }
}
