//! What waits for room in the queue, in its order.
//!
//! A batch gets its ticket when it is offered. So what was never offered can be dropped, and nobody has to be told.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::core::batch::{Batch, Ticket};
use crate::core::error::Result;
use crate::core::offered::Offered;
use crate::source::receiver::{BadRecord, BatchReceiver, LongLine};
use crate::source::settlement::Streams;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Outbox {
    items: VecDeque<Item>,
}

/// Records of one partition.
#[derive(Debug)]
pub struct Item {
    /// The partition.
    pub partition: i32,
    /// Its number among the streams of the source.
    pub stream: u32,
    /// The offset after the last record.
    pub end: i64,
    /// The records.
    pub what: What,
}

/// Records, and what becomes of them.
#[derive(Debug)]
pub enum What {
    /// Workers get them.
    Batch(Batch),
    /// The record is too long for a batch.
    Long(LongLine),
    /// The record is no line.
    Bad(BadRecord),
}

/// The end of an attempt to hand on everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Nothing waits.
    All,
    /// There is no room for more.
    Full,
    /// Nothing more is wanted.
    Unwanted,
}

impl Item {
    fn records(&self) -> u32 {
        match &self.what {
            What::Batch(batch) => batch.records,
            What::Long(_) | What::Bad(_) => 1,
        }
    }

    fn ticket(&self) -> Option<Ticket> {
        match &self.what {
            What::Batch(batch) => batch.ticket,
            What::Long(_) | What::Bad(_) => None,
        }
    }
}

impl Outbox {
    /// Adds records.
    pub fn push(&mut self, item: Item) {
        self.items.push_back(item);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Hands on what waits, as far as there is room. `sent` learns of the records of a partition that have got their ticket.
    ///
    /// # Errors
    /// A record cannot be set aside.
    pub fn send(
        &mut self,
        receiver: &dyn BatchReceiver,
        streams: &Streams,
        mut sent: impl FnMut(i32, u32),
    ) -> Result<Sent> {
        while let Some(item) = self.items.pop_front() {
            let (partition, records) = (item.partition, item.records());
            let ticket = match item.ticket() {
                Some(ticket) => ticket,
                None => {
                    let cursor = Bytes::copy_from_slice(&item.end.to_be_bytes());
                    let ticket = streams.hand_on(item.stream, records, cursor)?;
                    sent(partition, records);
                    ticket
                }
            };
            match item.what {
                What::Batch(batch) => match receiver.offer(Batch { ticket: Some(ticket), ..batch }) {
                    Offered::Taken => {}
                    Offered::Full(batch) => {
                        self.items.push_front(Item { what: What::Batch(batch), ..item });
                        return Ok(Sent::Full);
                    }
                    Offered::Stopped => {
                        streams.take_back(ticket, u64::from(records));
                        return Ok(Sent::Unwanted);
                    }
                },
                What::Long(line) => receiver.long_line(LongLine { ticket: Some(ticket), ..line })?,
                What::Bad(record) => receiver.bad_record(BadRecord { ticket: Some(ticket), ..record })?,
            }
        }
        Ok(Sent::All)
    }

    /// Drops what waits of the partitions that `is_meant` names. Returns whether there was something.
    pub fn drop_of(&mut self, streams: &Streams, is_meant: impl Fn(i32) -> bool) -> bool {
        let before = self.items.len();
        self.items.retain(|item| {
            let is_dropped = is_meant(item.partition);
            if let (true, Some(ticket)) = (is_dropped, item.ticket()) {
                streams.take_back(ticket, u64::from(item.records()));
            }
            !is_dropped
        });
        self.items.len() < before
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    use super::*;
    use crate::core::context::Origin;
    use crate::source::acks::Drained;
    use crate::source::settlement::Settlement;

    /// Takes a number of batches, and no more.
    struct Narrow {
        room: Mutex<usize>,
        taken: Mutex<Vec<Batch>>,
    }

    impl BatchReceiver for Narrow {
        fn offer(&self, batch: Batch) -> Offered {
            let mut room = self.room.lock().unwrap();
            if *room == 0 {
                return Offered::Full(batch);
            }
            *room -= 1;
            self.taken.lock().unwrap().push(batch);
            Offered::Taken
        }

        fn long_line(&self, _: LongLine) -> Result<()> {
            Ok(())
        }
    }

    fn item(partition: i32, stream: u32, end: i64) -> Item {
        let batch = Batch::new(Arc::new(Origin::new(1, "t")), 0, 1, "x\n".into());
        Item { partition, stream, end, what: What::Batch(batch) }
    }

    #[test]
    fn batches_keep_their_order_and_what_was_never_offered_leaves_no_trace() {
        let settlement = Settlement::default();
        let streams = settlement.add("t", Box::new(|_| ())).unwrap();
        let numbers = [0, 1].map(|name: u8| streams.begin(&[name]).unwrap().0);
        let mut outbox = Outbox::default();
        for (partition, end) in [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3)] {
            outbox.push(item(partition, numbers[partition as usize], end));
        }
        let receiver = Narrow { room: Mutex::new(2), taken: Mutex::default() };
        let mut sent = Vec::new();
        let mut send = |outbox: &mut Outbox| {
            outbox.send(&receiver, &streams, |partition, records| sent.push((partition, records)))
        };
        assert_eq!(send(&mut outbox).unwrap(), Sent::Full);
        assert_eq!(send(&mut outbox).unwrap(), Sent::Full, "nothing changes without room");
        // Partition 0 goes. Its batch that was refused has a ticket, and the one after it has none.
        assert!(outbox.drop_of(&streams, |partition| partition == 0));
        assert_eq!(streams.drain(numbers[0], Instant::now()), Drained { settled_to: None, open_records: 1 });
        *receiver.room.lock().unwrap() = 9;
        assert_eq!(send(&mut outbox).unwrap(), Sent::All);
        assert!(!outbox.drop_of(&streams, |_| true) && outbox.is_empty());
        assert_eq!(sent, [(0, 1), (1, 1), (0, 1), (1, 1)], "each of them once");
        let taken = receiver.taken.lock().unwrap();
        settlement.settle(&taken);
        let cursor = |number| streams.drained(number).settled_to.map(|to| to.last().copied());
        assert_eq!(numbers.map(cursor), [Some(Some(1)), Some(Some(2))], "nothing after what was dropped counts");
    }
}
