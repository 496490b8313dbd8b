//! Makes batches of the records of one container that came through the API, and hands them on.
//!
//! Each record becomes a line in the form of Kubernetes' container runtimes (`TIME stream F text`), which workers open. The lines
//! are divided like those of a file ([`Grouping`]): a batch is not cut between adjacent records with the same time, because their
//! ids need their number, nor between lines that the worker joins to one record.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::position::Position;
use super::record_reader::Record;
use super::time;
use crate::core::batch::{Batch, Ids, Ticket};
use crate::core::context::{Context, Origin};
use crate::core::error::Result;
use crate::core::record::Key;
use crate::source::api::RunContext;
use crate::source::dividing::{Closing, Dividing as _};
use crate::source::grouping::Grouping;
use crate::source::outlet::offer_waiting;
use crate::source::receiver::LongLine;
use crate::source::settlement::Streams;
use crate::source::split::split;
use crate::state::checksum;

/// How long the connection may be silent before the records that have ended are handed on.
const QUIET: Duration = Duration::from_millis(20);

/// The most bytes that a line has before its text.
const HEAD: usize = 64;

/// The longest time that records wait for others while more come.
const GATHER: Duration = Duration::from_millis(200);

/// See the [module](self).
pub struct Handing<'a> {
    context: &'a RunContext<'a>,
    origin: Arc<Origin>,
    streams: &'a Streams,
    /// The number of the container among the streams.
    stream: u32,
    /// The place up to which records were handed on.
    pub position: Position,
    /// Records before this time are left out, in nanoseconds since 1970.
    since: u64,
    /// The lines that were not handed on, and how they are divided.
    data: Vec<u8>,
    dividing: Grouping,
    /// For each of these lines: its time, and whether it is the next one of the log.
    waiting: VecDeque<(u64, bool)>,
    /// The cursor after the last record that was handed on.
    cursor: Bytes,
    offset: u64,
    /// When the first of the lines came, and the last one.
    began: Instant,
    came: Instant,
    /// The number of bytes of all texts that came.
    pub bytes: u64,
    /// The records that came and were handed on before.
    pub repeated: u64,
    is_wanted: bool,
}

impl<'a> Handing<'a> {
    /// Hands on the records of `origin`, after those that the cursor of the stream `stream` names.
    pub fn new(
        context: &'a RunContext<'a>,
        origin: Origin,
        streams: &'a Streams,
        (stream, cursor): (u32, Option<Bytes>),
        since: Option<u64>,
    ) -> Handing<'a> {
        let options = context.options;
        Handing {
            context,
            dividing: Grouping::new(origin.envelope, &[], options.records.join.as_ref()),
            origin: Arc::new(origin),
            streams,
            stream,
            cursor: cursor.clone().unwrap_or_default(),
            position: cursor.map(|cursor| Position::of_cursor(&cursor)).unwrap_or_default(),
            since: since.unwrap_or_default(),
            data: Vec::new(),
            waiting: VecDeque::new(),
            offset: 0,
            began: Instant::now(),
            came: Instant::now(),
            bytes: 0,
            repeated: 0,
            is_wanted: true,
        }
    }

    /// Whether more records are wanted.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted && self.context.receiver.is_open()
    }

    /// Returns the time at which [`pause`](Handing::pause) is to be called if no byte comes before. `None` if no record waits.
    pub fn until(&self) -> Option<Instant> {
        match self.dividing.ended_bytes() {
            0 => (!self.waiting.is_empty()).then(|| self.came + self.dividing.quiet()),
            _ => Some(Instant::now() + QUIET),
        }
    }

    /// The longest line.
    pub fn max_line(&self) -> usize {
        self.context.options.size.max_line
    }

    /// Takes a record that came. Returns whether it is new.
    ///
    /// # Errors
    /// A line that is too long cannot be set aside.
    pub fn take(&mut self, record: &Record<'_>) -> Result<bool> {
        self.add(record, true)
    }

    /// Takes a record that the Engine had skipped. The place in the log does not change.
    ///
    /// # Errors
    /// A line that is too long cannot be set aside.
    pub fn recover(&mut self, record: &Record<'_>) -> Result<()> {
        self.add(record, false).map(drop)
    }

    fn add(&mut self, record: &Record<'_>, is_next: bool) -> Result<bool> {
        let Record { mark, text, length, .. } = *record;
        self.bytes += length;
        if mark.ns < self.since {
            return Ok(false);
        }
        // Times are not monotone: what comes after the first record is wanted, whatever its time is.
        self.since = 0;
        let size = &self.context.options.size;
        let is_long = length > size.max_line as u64;
        if is_long {
            self.dividing.end_open(Closing::LongLine);
        }
        if is_long || self.data.len() + text.len() + HEAD > size.bytes {
            self.flush_ended()?;
        }
        if is_next && !self.position.take(mark) {
            self.repeated += 1;
            return Ok(false);
        }
        if is_long {
            self.set_aside(record)?;
            return Ok(true);
        }
        self.came = Instant::now();
        if self.waiting.is_empty() {
            self.began = self.came;
        }
        self.line(record);
        self.waiting.push_back((mark.ns, is_next));
        self.dividing.scan(&self.data, size.max_line + HEAD, &mut false);
        if self.waiting.len() >= size.lines {
            self.flush_ended()?;
        }
        Ok(true)
    }

    fn line(&mut self, record: &Record<'_>) {
        self.data.extend_from_slice(&time::write(record.mark.ns));
        self.data.push(b' ');
        self.data.extend_from_slice(record.stream.name().as_bytes());
        self.data.extend_from_slice(b" F ");
        self.data.extend_from_slice(record.text);
        // A carriage return before a newline belongs to the line end.
        self.data.extend_from_slice(if record.text.ends_with(b"\r") { b"\r\n" } else { b"\n" });
    }

    /// Hands on the records that have ended, if some of them wait for too long.
    ///
    /// # Errors
    /// The cursor cannot be recorded.
    pub fn flush_overdue(&mut self) -> Result<()> {
        if self.began.elapsed() >= GATHER { self.flush_ended() } else { Ok(()) }
    }

    /// Takes note that no byte came before the time that [`until`](Handing::until) returned: hands on the records that have ended.
    /// If the time without a line was long enough, the open records end as well.
    ///
    /// # Errors
    /// The cursor cannot be recorded.
    pub fn pause(&mut self) -> Result<()> {
        if self.came.elapsed() >= self.dividing.quiet() {
            self.dividing.end_open(Closing::Quiet);
        }
        self.flush_ended()
    }

    /// Hands on all records: the log has ended.
    ///
    /// # Errors
    /// The cursor cannot be recorded.
    pub fn flush(&mut self) -> Result<()> {
        self.dividing.end(&self.data, self.context.options.size.max_line + HEAD, &mut false);
        self.flush_ended()
    }

    /// Hands on the records that have ended.
    ///
    /// # Errors
    /// The cursor cannot be recorded.
    pub fn flush_ended(&mut self) -> Result<()> {
        if self.dividing.ended_bytes() == 0 || !self.is_wanted {
            return Ok(());
        }
        let parts = self.dividing.take_ended();
        let length = parts.iter().map(|part| part.length as usize).sum();
        let rest = self.data.split_off(length);
        let data = Bytes::from(std::mem::replace(&mut self.data, rest));
        self.began = Instant::now();
        let (first, _) = self.waiting.front().copied().unwrap_or_default();
        let whole = Batch::of(self.context_at(first), self.offset, 0, data).identified(Ids::Times);
        for batch in split(&self.context.options.size, &whole, Some(&parts), 0) {
            let last = self.waiting.drain(..batch.records as usize).next_back();
            let context = self.context_at(last.map_or(first, |(ns, _)| ns));
            let ticket = Some(self.ticket(batch.records)?);
            // What was read before a stop is delivered as well.
            self.is_wanted &= offer_waiting(self.context.receiver, Batch { context, ticket, ..batch }, None);
        }
        self.offset += length as u64;
        Ok(())
    }

    /// The ticket of a batch of `records` records, which stand before those that wait.
    fn ticket(&mut self, records: u32) -> Result<Ticket> {
        let waiting = self.waiting.iter().filter(|(_, is_next)| *is_next).count();
        if let Some(cursor) = self.position.cursor(waiting) {
            self.cursor = cursor;
        }
        self.streams.hand_on(self.stream, records, self.cursor.clone())
    }

    /// The context of a record with this time, in nanoseconds since 1970.
    fn context_at(&self, ns: u64) -> Context {
        let time_ms = i64::try_from(ns / 1_000_000).unwrap_or_default();
        Context::new(Arc::clone(&self.origin)).at(time_ms)
    }

    /// Passes on a record that is too long for a batch.
    fn set_aside(&mut self, record: &Record<'_>) -> Result<()> {
        let Record { stream, mark, length, text } = *record;
        let most = self.context.options.size.max_line.min(text.len());
        let before = self.data.len();
        self.line(&Record { text: &text[..most], ..*record });
        let line = self.data.split_off(before);
        let head = (time::LENGTH + stream.name().len() + 4) as u64;
        let ticket = Some(self.ticket(1)?);
        self.context.receiver.long_line(LongLine {
            context: self.context_at(mark.ns),
            offset: self.offset,
            checksum: checksum::of(&line),
            beginning: line.strip_suffix(b"\n").unwrap_or(&line).to_vec(),
            length: head + length,
            length_with_end: head + length + 1,
            hash: mark.hash,
            closed: true,
            partial: false,
            key: Key::Time { ns: mark.ns, ordinal: 0 },
            ticket,
            line: None,
        })?;
        self.offset += head + length + 1;
        Ok(())
    }
}
