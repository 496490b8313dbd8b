//! One record: its headers, its value, and its place among the others.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::message::{BorrowedMessage, Headers as _, Message};

use super::counters::{BAD_IDS, GONE, TOMBSTONES, UNDECODABLE};
use super::gathering::{Arrived, Gathered, bare};
use super::outbox::{Item, What};
use super::partition::Arrival;
use super::payload::Refusal;
use super::reading::Reading;
use super::stuck::Stuck;
use crate::avro::VALUE_SCHEMA_HEADER;
use crate::core::caught;
use crate::core::error::Result;
use crate::core::numbers::grouped;
use crate::core::record::{self, RecordId};
use crate::kafka::headers;
use crate::source::receiver::{BadRecord, LongLine};
use crate::state::checksum;

/// The number of bytes of all batches that wait for more records, at which all of them are handed on.
const MOST_GATHERED: usize = 4 << 20;

/// The time between two questions whether offsets of a partition are gone. Gaps between offsets are usual.
const GONE_AGAIN: Duration = Duration::from_secs(10);

/// The time before a schema registry is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How long the answer to such a question is waited for.
const QUESTION: Duration = Duration::from_secs(1);

/// What the headers of a record say.
#[derive(Default)]
struct Read {
    /// The id that came with it.
    id: Option<RecordId>,
    /// Whether there is a header for the id that holds none.
    is_bad: bool,
    /// The header that names the schema of the value.
    schema: Option<Vec<u8>>,
}

impl Reading<'_> {
    /// Takes a record.
    ///
    /// # Errors
    /// A record cannot be set aside.
    pub(super) fn take(&mut self, message: &BorrowedMessage<'_>) -> Result<()> {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(held) = self.partitions.get_mut(&partition) else { return Ok(()) };
        match held.state.arrive(offset) {
            Arrival::Beyond => {
                self.group.pause([partition]);
                return Ok(());
            }
            Arrival::Wanted { after: None } => {}
            Arrival::Wanted { after: Some(expected) } => self.look_for_gone(partition, expected, offset),
        }
        let Some(value) = message.payload() else {
            self.counts.add(&TOMBSTONES, 1);
            self.context.receiver.filter(1);
            return Ok(());
        };
        self.context.progress.read.fetch_add(value.len() as u64, Ordering::Relaxed);
        let Read { id, is_bad, schema } = Read::of(message, self.payloads.wants_schema());
        if is_bad {
            self.counts.add(&BAD_IDS, 1);
        }
        let time_ms = message.timestamp().to_millis().unwrap_or_default();
        self.decode(partition, &Arrived { offset, time_ms, id, line: value }, schema.as_deref());
        Ok(())
    }

    /// Makes a line of the value of a record, and lets it wait for others. A value whose schema cannot be had now is kept.
    fn decode(&mut self, partition: i32, arrived: &Arrived<'_>, schema: Option<&[u8]>) {
        match self.payloads.line(arrived.line, schema) {
            Ok(line) => {
                let read = Arrived { line: &line, ..*arrived };
                match bare(&line).len() > self.context.options.size.max_line {
                    true => self.set_aside_long(partition, &read),
                    false => self.gather(partition, &read),
                }
                self.payloads.give_back(line);
            }
            Err(Refusal::Undecodable(why)) => {
                self.counts.add(&UNDECODABLE, 1);
                self.set_aside_bad(partition, arrived, why);
            }
            Err(Refusal::Unavailable(why)) => {
                let Some(held) = self.partitions.get_mut(&partition) else { return };
                held.state.waiting += 1;
                self.warn(&format!("no records are read until the schema of one is there: {why}"));
                let &Arrived { offset, time_ms, id, line } = arrived;
                let (value, schema) = (line.to_vec(), schema.map(<[u8]>::to_vec));
                self.stuck =
                    Some(Stuck { partition, offset, time_ms, id, value, schema, again: Instant::now() + ASK_AGAIN });
            }
        }
    }

    /// Tries again what could not be read before.
    pub(super) fn retry(&mut self) {
        let Some(stuck) = self.stuck.take_if(|stuck| Instant::now() >= stuck.again) else { return };
        let Stuck { partition, offset, time_ms, id, value, schema, .. } = &stuck;
        let arrived = Arrived { offset: *offset, time_ms: *time_ms, id: *id, line: value };
        if let Err(Refusal::Unavailable(_)) = self.payloads.line(value, schema.as_deref()) {
            self.stuck = Some(Stuck { again: Instant::now() + ASK_AGAIN, ..stuck });
            return;
        }
        self.say("the schema is there, and records are read again");
        if let Some(held) = self.partitions.get_mut(partition) {
            held.state.waiting = held.state.waiting.saturating_sub(1);
        }
        self.decode(*partition, &arrived, schema.as_deref());
    }

    fn gather(&mut self, partition: i32, arrived: &Arrived<'_>) {
        let size = &self.context.options.size;
        let Some(held) = self.partitions.get_mut(&partition) else { return };
        if held.gathering.is_full_for(arrived, size) {
            let stream = held.state.stream;
            if let Some(Gathered { batch, end }) = held.gathering.take() {
                self.gathered -= batch.data.len();
                self.outbox.push(Item { partition, stream, end, what: What::Batch(batch) });
            }
        }
        let before = held.gathering.bytes();
        held.gathering.add(arrived, size);
        held.state.waiting += 1;
        self.gathered += held.gathering.bytes() - before;
        self.delay.begin();
        if self.gathered > MOST_GATHERED {
            self.gather_all();
        }
    }

    /// Lets everything that waits for more records wait for room only.
    pub(super) fn gather_all(&mut self) {
        self.delay.reset();
        self.gathered = 0;
        for (partition, held) in &mut self.partitions {
            if let Some(Gathered { batch, end }) = held.gathering.take() {
                let (partition, stream) = (*partition, held.state.stream);
                self.outbox.push(Item { partition, stream, end, what: What::Batch(batch) });
            }
        }
    }

    /// Puts a record that is no part of a batch after the records before it.
    fn set_aside(&mut self, partition: i32, end: i64, what: What) {
        let Some(held) = self.partitions.get_mut(&partition) else { return };
        let stream = held.state.stream;
        if let Some(Gathered { batch, end }) = held.gathering.take() {
            self.gathered -= batch.data.len();
            self.outbox.push(Item { partition, stream, end, what: What::Batch(batch) });
        }
        held.state.waiting += 1;
        self.outbox.push(Item { partition, stream, end, what });
    }

    fn set_aside_long(&mut self, partition: i32, arrived: &Arrived<'_>) {
        let Some(held) = self.partitions.get(&partition) else { return };
        let (context, key) = held.gathering.single(arrived);
        let line = bare(arrived.line);
        let long = LongLine {
            context,
            offset: arrived.offset.unsigned_abs(),
            beginning: line[..self.context.options.size.max_line].to_vec(),
            length: line.len() as u64,
            length_with_end: line.len() as u64 + 1,
            hash: record::hash(line),
            checksum: checksum::of(line),
            closed: true,
            partial: false,
            key,
            ticket: None,
            line: None,
        };
        self.set_aside(partition, arrived.offset.saturating_add(1), What::Long(long));
    }

    fn set_aside_bad(&mut self, partition: i32, arrived: &Arrived<'_>, why: String) {
        let Some(held) = self.partitions.get(&partition) else { return };
        let (context, key) = held.gathering.single(arrived);
        let value = arrived.line;
        let bad = BadRecord {
            context,
            offset: arrived.offset.unsigned_abs(),
            key,
            raw: value[..value.len().min(self.context.options.size.max_line)].to_vec(),
            length: value.len() as u64,
            hash: record::hash(value),
            why,
            ticket: None,
        };
        self.set_aside(partition, arrived.offset.saturating_add(1), What::Bad(bad));
    }

    /// Finds out whether the broker has removed records before they were read. A gap alone does not say so.
    fn look_for_gone(&mut self, partition: i32, expected: i64, offset: i64) {
        let Some(held) = self.partitions.get_mut(&partition) else { return };
        let now = Instant::now();
        if held.asked_for_gone.is_some_and(|asked| now < asked + GONE_AGAIN) {
            return;
        }
        held.asked_for_gone = Some(now);
        let first = self.group.bounds(partition, QUESTION).map_or(0, |(first, _)| first.min(offset));
        if first > expected {
            self.counts.add(&GONE, first.abs_diff(expected));
            self.warn(&format!(
                "partition {partition}: the broker had removed the records from offset {} to {} before they were read; a longer \
                 retention (retention.ms, retention.bytes) holds more",
                grouped(expected.unsigned_abs()),
                grouped(first.unsigned_abs().saturating_sub(1))
            ));
        }
    }
}

impl Read {
    /// Reads the headers of a record. Of several headers with one name, the last counts.
    fn of(message: &BorrowedMessage<'_>, wants_schema: bool) -> Read {
        let Some(all) = message.headers() else { return Read::default() };
        // The crate panics at a name that is not UTF-8.
        let read = caught::quietly(|| {
            let mut read = Read::default();
            for header in all.iter() {
                if header.key == headers::ID {
                    read.id = header.value.and_then(headers::parse_id);
                    read.is_bad = read.id.is_none();
                } else if wants_schema && header.key == VALUE_SCHEMA_HEADER {
                    read.schema = header.value.map(<[u8]>::to_vec);
                }
            }
            read
        });
        read.unwrap_or(Read { is_bad: true, ..Read::default() })
    }
}
