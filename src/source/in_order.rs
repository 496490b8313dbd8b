//! [`InOrder`]: sources are read at the same time, and put their batches in one source after the other.
//!
//! A source whose turn has not come finds the receiver full. It has then read what fits into a block, so that small files and
//! slow disks do not make the others wait. Nothing is held back here.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::receiver::{BadRecord, BatchReceiver, LongLine};
use crate::core::batch::{Batch, Ticket};
use crate::core::error::Result;
use crate::core::offered::Offered;
use crate::core::stop::{Stop, Waker};

/// Gives several sources their turns, in the order of their numbers from 0 on. A source that waits needs the sources before it to
/// be read by other threads, or to be over.
pub(super) struct InOrder<'a> {
    receiver: &'a dyn BatchReceiver,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The source that may put in batches.
    current: usize,
    /// Later sources that are over already.
    over: BTreeSet<usize>,
    /// The sources that wait.
    waiting: Vec<(usize, Arc<Waker>)>,
}

/// The receiver of one source. When it is dropped, the source is over.
pub(super) struct InTurn<'a> {
    order: &'a InOrder<'a>,
    number: usize,
    /// Readable from the time on at which the turn of the source comes.
    turn: Arc<Waker>,
}

impl<'a> InOrder<'a> {
    /// Passes batches on to `receiver`.
    pub fn new(receiver: &'a dyn BatchReceiver) -> InOrder<'a> {
        InOrder { receiver, state: Mutex::default() }
    }

    /// Returns the receiver of the source with this number.
    ///
    /// # Errors
    /// The system gives no pipe. The source is then over.
    pub fn turn(&'a self, number: usize) -> Result<InTurn<'a>> {
        let turn = Waker::new().map(Arc::new).inspect_err(|_| self.end(number))?;
        let mut state = self.state();
        match state.current >= number {
            true => turn.wake(),
            false => state.waiting.push((number, Arc::clone(&turn))),
        }
        Ok(InTurn { order: self, number, turn })
    }

    /// Notes that a source is over.
    pub fn end(&self, number: usize) {
        let mut state = self.state();
        state.over.insert(number);
        while let current = state.current
            && state.over.remove(&current)
        {
            state.current += 1;
        }
        let current = state.current;
        state.waiting.retain(|(number, turn)| {
            if *number == current {
                turn.wake();
            }
            *number > current
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InTurn<'_> {
    fn has_come(&self) -> bool {
        self.turn.is_awake()
    }
}

impl Drop for InTurn<'_> {
    fn drop(&mut self) {
        self.order.end(self.number);
    }
}

impl BatchReceiver for InTurn<'_> {
    fn offer(&self, batch: Batch) -> Offered {
        match self.has_come() || !self.order.receiver.is_open() {
            true => self.order.receiver.offer(batch),
            false => Offered::Full(batch),
        }
    }

    fn room(&self) -> Option<BorrowedFd<'_>> {
        if self.has_come() { self.order.receiver.room() } else { Some(self.turn.as_fd()) }
    }

    fn wait_for_input(&self, input: BorrowedFd<'_>, stop: Option<&Stop>) -> io::Result<()> {
        if !self.has_come() {
            super::receiver::wait_until_readable(self.turn.as_fd(), stop)?;
        }
        self.order.receiver.wait_for_input(input, stop)
    }

    fn is_open(&self) -> bool {
        self.order.receiver.is_open()
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        self.order.receiver.long_line(line)
    }

    fn bad_record(&self, record: BadRecord) -> Result<()> {
        self.order.receiver.bad_record(record)
    }

    fn filter(&self, bytes: u64) {
        self.order.receiver.filter(bytes);
    }

    fn settle(&self, ticket: Ticket, records: u64) {
        self.order.receiver.settle(ticket, records);
    }

    fn recall(&self, source: u16, stream: u32) -> Vec<Batch> {
        self.order.receiver.recall(source, stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::batch::Origin;
    use crate::source::outlet::offer_waiting;

    #[derive(Default)]
    struct Kept(Mutex<Vec<(String, u64)>>);

    impl BatchReceiver for Kept {
        fn offer(&self, batch: Batch) -> Offered {
            self.0.lock().unwrap().push((batch.context.origin.name.clone(), batch.offset));
            Offered::Taken
        }

        fn long_line(&self, _: LongLine) -> Result<()> {
            Ok(())
        }
    }

    fn batch(number: usize, offset: u64) -> Batch {
        Batch::new(Arc::new(Origin::new(1, number.to_string())), offset, 1, "x\n".into())
    }

    #[test]
    fn sources_that_begin_and_end_in_any_order_put_in_their_batches_one_after_the_other() {
        const SOURCES: usize = 6;
        for rounds in 0..20 {
            let kept = Kept::default();
            let order = InOrder::new(&kept);
            std::thread::scope(|scope| {
                let mut numbers: Vec<usize> = (0..SOURCES).collect();
                fastrand::Rng::with_seed(rounds).shuffle(&mut numbers);
                for number in numbers {
                    let order = &order;
                    scope.spawn(move || {
                        let turn = order.turn(number).unwrap();
                        // One source has no batches.
                        for offset in 0..[3, 0, 2][number % 3] {
                            assert!(offer_waiting(&turn, batch(number, offset), None));
                        }
                    });
                }
            });
            let kept = kept.0.into_inner().unwrap();
            let expected = (0..SOURCES).flat_map(|n| (0..[3, 0, 2][n % 3]).map(move |offset| (n.to_string(), offset)));
            assert_eq!(kept, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_source_that_waits_finds_the_receiver_full_and_is_woken_by_the_end_of_the_one_before() {
        let kept = Kept::default();
        let order = InOrder::new(&kept);
        let (first, second, third) = (order.turn(0).unwrap(), order.turn(1).unwrap(), order.turn(2).unwrap());
        assert!(matches!(second.offer(batch(1, 0)), Offered::Full(_)));
        assert!(matches!(first.offer(batch(0, 0)), Offered::Taken));
        drop(second);
        assert!(!third.has_come(), "the first one is not over");
        drop(first);
        assert!(third.has_come() && third.room().is_none());
        assert!(matches!(third.offer(batch(2, 0)), Offered::Taken));
    }
}
