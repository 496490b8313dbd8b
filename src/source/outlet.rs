//! The place where readers put their batches: [`Outlet`], and [`Waiting`] for readers that may wait.

use super::receiver::{BatchReceiver, LongLine, wait_until_readable};
use crate::core::batch::{Batch, Ticket};
use crate::core::error::Result;
use crate::core::offered::Offered;
use crate::core::stop::Stop;

/// Takes the batches of a reader in their order. It gives no batch back: it waits until the receiver has room, or keeps
/// the batch meanwhile.
pub trait Outlet: Sync {
    /// Takes a batch. Returns `false` if no more batches are wanted.
    fn batch(&self, batch: Batch) -> bool;

    /// Whether more batches are wanted. Readers ask after each read, because a reader may deliver nothing for a long
    /// time: for instance while it reads lines that an earlier run settled, or one line that is too long.
    fn is_open(&self) -> bool {
        true
    }

    /// Takes a line that is too long for a batch.
    ///
    /// # Errors
    /// Fails when the line cannot be set aside durably.
    fn long_line(&self, line: LongLine) -> Result<()>;

    /// See [`BatchReceiver::leave_out_nuls`].
    fn leave_out_nuls(&self, _bytes: u64) {}

    /// See [`BatchReceiver::settle`].
    fn settle(&self, _ticket: Ticket, _records: u64) {}

    /// Whether the receiver has taken all batches. If not, a reader that has other work does not read more.
    fn has_room(&self) -> bool {
        true
    }
}

/// An outlet that waits for room, for readers that have nothing else to do.
pub struct Waiting<'a> {
    receiver: &'a dyn BatchReceiver,
    stop: Option<&'a Stop>,
}

impl<'a> Waiting<'a> {
    /// Passes batches on to `receiver`.
    pub fn new(receiver: &'a dyn BatchReceiver) -> Self {
        Waiting { receiver, stop: None }
    }

    /// Wants no more batches after `stop` was requested.
    pub fn until(self, stop: &'a Stop) -> Self {
        Waiting { stop: Some(stop), ..self }
    }
}

impl Outlet for Waiting<'_> {
    fn batch(&self, batch: Batch) -> bool {
        offer_waiting(self.receiver, batch, self.stop)
    }

    fn is_open(&self) -> bool {
        !self.stop.is_some_and(Stop::is_requested) && self.receiver.is_open()
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        self.receiver.long_line(line)
    }

    fn leave_out_nuls(&self, bytes: u64) {
        self.receiver.leave_out_nuls(bytes);
    }

    fn settle(&self, ticket: Ticket, records: u64) {
        self.receiver.settle(ticket, records);
    }
}

/// Offers a batch to `receiver`, and waits for room if necessary. Returns `false` if the batch was not taken, because
/// the receiver wants no more, or because `stop` was requested.
pub fn offer_waiting(receiver: &dyn BatchReceiver, mut batch: Batch, stop: Option<&Stop>) -> bool {
    while !stop.is_some_and(Stop::is_requested) {
        match receiver.offer(batch) {
            Offered::Taken => return true,
            Offered::Full(refused) => batch = refused,
            Offered::Stopped => return false,
        }
        wait_for_room(receiver, stop);
    }
    false
}

/// Waits until `receiver` has room or wants no more, or until `stop` is requested. The wait may end too early.
pub fn wait_for_room(receiver: &dyn BatchReceiver, stop: Option<&Stop>) {
    let Some(room) = receiver.room() else { return };
    // A signal may interrupt the wait.
    let _ = wait_until_readable(room, stop);
}

#[cfg(test)]
mod tests {
    use std::os::fd::BorrowedFd;
    use std::sync::Arc;

    use super::*;
    use crate::core::batch::Origin;
    use crate::queue::shared::SharedQueue;
    use crate::queue::{Limits, Reserved};

    struct Receiver(SharedQueue);

    impl BatchReceiver for Receiver {
        fn offer(&self, batch: Batch) -> Offered {
            self.0.offer(batch)
        }

        fn room(&self) -> Option<BorrowedFd<'_>> {
            Some(self.0.room())
        }

        fn long_line(&self, _: LongLine) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_waits_goes_on_when_there_is_room_and_ends_when_nothing_more_is_wanted() {
        let limits = Limits { lease: None, ready_bytes: 2, ..Limits::default() };
        let receiver = Receiver(SharedQueue::new(limits, None).unwrap());
        let batch = |offset| Batch::new(Arc::new(Origin::new(1, "x")), offset, 1, "x\n".into());
        let stop = Stop::new().unwrap();
        let wait = |offset| offer_waiting(&receiver, batch(offset), Some(&stop));
        let offset = |reserved| match reserved {
            Reserved::Batch(_, batch) => Some(batch.offset),
            _ => None,
        };
        std::thread::scope(|scope| {
            assert!(wait(0));
            let second = scope.spawn(|| wait(2));
            assert_eq!(offset(receiver.0.reserve(1)), Some(0));
            assert!(second.join().unwrap(), "there is room");
            let third = scope.spawn(|| wait(4));
            stop.request();
            assert!(!third.join().unwrap(), "it is stopped");
            let fourth = scope.spawn(|| offer_waiting(&receiver, batch(6), None));
            receiver.0.stop();
            assert!(!fourth.join().unwrap(), "the queue is stopped");
        });
        assert_eq!(offset(receiver.0.reserve(1)), Some(2));
        assert_eq!(offset(receiver.0.reserve(1)), None, "what was refused is not in the queue");
    }
}
