//! Stands between the follower of log files and the receiver of the job: records the places up to which containers are settled,
//! and leaves out records before `--since`.

use std::collections::HashSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::files::LogFiles;
use crate::core::batch::{Batch, Ticket};
use crate::core::error::Result;
use crate::core::offered::Offered;
use crate::core::stop::Stop;
use crate::envelope::container::glance;
use crate::source::receiver::{BatchReceiver, LongLine};
use crate::source::settlement::Streams;

/// See the [module](self).
pub struct FileReceiver<'a> {
    receiver: &'a dyn BatchReceiver,
    files: &'a LogFiles,
    streams: &'a Streams,
    /// The time of the first record, in nanoseconds since 1970.
    since: Option<u64>,
    /// The numbers of the containers that have reached this time. Times are not monotone, so all later records are wanted.
    begun: Mutex<HashSet<u64>>,
}

impl<'a> FileReceiver<'a> {
    /// Passes the batches of `files` on to `receiver`.
    pub fn new(
        receiver: &'a dyn BatchReceiver,
        files: &'a LogFiles,
        streams: &'a Streams,
        since: Option<u64>,
    ) -> FileReceiver<'a> {
        FileReceiver { receiver, files, streams, since, begun: Mutex::default() }
    }

    /// Leaves out the records before the first one that is wanted. Returns `None` if none is left.
    fn without_earlier(&self, batch: Batch) -> Option<Batch> {
        let Some(since) = self.since else { return Some(batch) };
        let origin = batch.context.origin.id;
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.contains(&origin) {
            return Some(batch);
        }
        let envelope = batch.context.origin.envelope;
        let is_wanted = |record: &[u8]| glance(envelope, record).is_none_or(|seen| seen.time_ns >= since);
        let (index, start) = batch
            .records()
            .enumerate()
            .find_map(|(index, record)| is_wanted(record.bytes).then_some((index, record.start)))?;
        begun.insert(origin);
        Some(batch.part(index, start, batch.records - index as u32, batch.data.slice(start..)))
    }

    /// Stamps a batch with the time of its last record.
    fn stamp(&self, batch: Batch) -> Batch {
        let envelope = batch.context.origin.envelope;
        let stream = self.files.stream(batch.context.origin.id);
        let last = batch.records().last().and_then(|record| glance(envelope, record.bytes));
        let ticket = stream.zip(last).and_then(|(stream, last)| {
            let cursor = Bytes::copy_from_slice(&last.time_ns.to_be_bytes());
            self.streams.hand_on(stream, batch.records, cursor).ok()
        });
        Batch { ticket, ..batch }
    }
}

impl BatchReceiver for FileReceiver<'_> {
    fn offer(&self, batch: Batch) -> Offered {
        if batch.ticket.is_some() {
            return self.receiver.offer(batch);
        }
        match self.without_earlier(batch) {
            Some(batch) => self.receiver.offer(self.stamp(batch)),
            None => Offered::Taken,
        }
    }

    fn room(&self) -> Option<BorrowedFd<'_>> {
        self.receiver.room()
    }

    fn wait_for_input(&self, input: BorrowedFd<'_>, stop: Option<&Stop>) -> io::Result<()> {
        self.receiver.wait_for_input(input, stop)
    }

    fn is_open(&self) -> bool {
        self.receiver.is_open()
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        self.receiver.long_line(line)
    }

    fn settle(&self, ticket: Ticket, records: u64) {
        self.receiver.settle(ticket, records);
    }

    fn recall(&self, source: u16, stream: u32) -> Vec<Batch> {
        self.receiver.recall(source, stream)
    }
}
