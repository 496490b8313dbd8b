//! The thread that reads: its start, the queue that it fills, and its outcome.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::open_files::raise_limit;
use crate::core::batch::{Batch, Ticket};
use crate::core::error::{Error, Result};
use crate::core::offered::Offered;
use crate::dead_letter::{DeadLetters, Letter, Reason};
use crate::observe::counters::Row;
use crate::observe::receipt::StoppedInput;
use crate::queue::shared::SharedQueue;
use crate::source::api::{Opened, RunContext, Source};
use crate::source::kind::Found;
use crate::source::live::Live;
use crate::source::receiver::{BadRecord, BatchReceiver, LongLine};
use crate::source::settlement::Settlement;
use crate::source::{OpenSource, Progress, ReadOptions, ReadOutcome, read_all};
use crate::state::Memory;
use crate::state::store::Store;

/// Puts batches into a queue, and writes lines that are too long to the dead letters.
pub(super) struct QueueReceiver {
    queue: Arc<SharedQueue>,
    dead_letters: Arc<DeadLetters>,
    max_line: usize,
    state: Option<Arc<Store>>,
    settlement: Arc<Settlement>,
}

impl BatchReceiver for QueueReceiver {
    fn offer(&self, batch: Batch) -> Offered {
        self.queue.offer(batch)
    }

    fn room(&self) -> Option<BorrowedFd<'_>> {
        Some(self.queue.room())
    }

    fn is_open(&self) -> bool {
        self.queue.is_open()
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        let (origin, key) = (&line.context.origin, line.key);
        let detail = match line.length > self.max_line as u64 {
            true => format!("the line has {} bytes, --max-line allows {}", line.length, self.max_line),
            false => format!("the line is a piece of a line with more bytes than --max-line allows, {}", self.max_line),
        };
        self.dead_letters.write(&[Letter {
            id: key.id(origin.id, line.hash),
            context: &line.context,
            offset: line.offset,
            line: line.line,
            key,
            reason: Reason::TooLong,
            detail: &detail,
            pattern: None,
            explain: None,
            raw: &line.beginning,
            length: line.length,
            partial: line.partial,
            multiline_cut: false,
        }])?;
        self.queue.count_dead_letter(line.length_with_end);
        if let Some(state) = &self.state {
            state.settle_line(origin.content, line.extent());
        }
        line.ticket.iter().for_each(|ticket| self.settle(*ticket, 1));
        Ok(())
    }

    fn bad_record(&self, record: BadRecord) -> Result<()> {
        let BadRecord { context, offset, key, raw, length, hash, why, ticket } = record;
        self.dead_letters.write(&[Letter {
            id: key.id(context.origin.id, hash),
            context: &context,
            offset,
            line: None,
            key,
            reason: Reason::Undecodable,
            detail: &why,
            pattern: None,
            explain: None,
            raw: &raw,
            length,
            partial: false,
            multiline_cut: false,
        }])?;
        self.queue.count_dead_letter(length + 1);
        ticket.iter().for_each(|ticket| self.settle(*ticket, 1));
        Ok(())
    }

    fn filter(&self, bytes: u64) {
        self.queue.count_filtered(bytes);
    }

    fn leave_out_nuls(&self, bytes: u64) {
        self.queue.count_nuls(bytes);
    }

    fn settle(&self, ticket: Ticket, records: u64) {
        self.settlement.settle_records(ticket, records);
    }

    fn recall(&self, source: u16, stream: u32) -> Vec<Batch> {
        self.queue.recall(source, stream)
    }
}

/// The longest time until a reader of regular files notices that its queue is closed.
const NOTICE: Duration = Duration::from_secs(2);

/// The time to wait for a reader of other inputs. Such a reader may itself wait for the writer of a pipe.
const NOTICE_OF_PIPES: Duration = Duration::from_millis(100);

/// Ends the input of `queue` after a signal. It returns at once; a thread does the rest. `live` readers first hand over the
/// lines that they have received, because these lines cannot be read again. They have at most the time `most` for this. They
/// need more than a moment only while the queue is full.
pub(super) fn stop_input(live: &Live, queue: &Arc<SharedQueue>, most: Duration) {
    let (live, ended) = (live.clone(), Arc::clone(queue));
    live.stop.request();
    let stop = move || {
        live.wait(most);
        ended.stop();
    };
    if std::thread::Builder::new().name("stop".into()).spawn(stop).is_err() {
        queue.stop();
    }
}

/// The sources of a job, open.
pub(super) struct OpenSources {
    sources: Vec<OpenSource>,
    opened: Vec<Opened>,
    /// What was found and is not read: errors, and files that are left out.
    not_read: ReadOutcome,
}

impl OpenSources {
    /// Opens the sources that were found. Nothing is read yet, so that an address in use ends the program at once.
    pub(super) fn open(mut found: Found, options: &ReadOptions) -> Result<OpenSources> {
        let left_out = std::mem::take(&mut found.left_out);
        let (sources, errors) = found.into_parts();
        if sources.iter().any(|source| !source.has_end()) {
            // Each connection and each followed file is an open file. If the limit is too low, a message names each file
            // that cannot be opened.
            raise_limit();
        }
        let opened = sources.into_iter().map(|source| OpenSource::open(source, options)).collect::<Result<Vec<_>>>()?;
        let (sources, opened) = opened.into_iter().unzip();
        Ok(OpenSources { sources, opened, not_read: ReadOutcome { errors, left_out, ..ReadOutcome::default() } })
    }

    /// Reads the sources into `receiver`, and returns when all of them have ended.
    pub(super) fn read(self, options: &ReadOptions, receiver: &dyn BatchReceiver) -> ReadOutcome {
        let progress = Progress::of(self.sources.iter().map(|open| open.source.size()));
        read_open(self.sources, self.not_read, options, receiver, &progress)
    }

    /// Returns the names of the sources whose records do not come again.
    pub(super) fn names_of_passing(&self) -> Vec<String> {
        let passing = self.sources.iter().filter(|open| !open.source.comes_again());
        passing.map(|open| open.source.name()).collect()
    }
}

/// Reads `sources` into `receiver`. `outcome` has what was found and is not read.
fn read_open(
    sources: Vec<OpenSource>,
    mut outcome: ReadOutcome,
    options: &ReadOptions,
    receiver: &dyn BatchReceiver,
    progress: &Progress,
) -> ReadOutcome {
    let context = RunContext { options, pool: &Arc::default(), receiver, progress };
    outcome.add(read_all(sources, context));
    outcome
}

/// A thread that reads.
pub(super) struct Reading {
    /// The number of bytes that are read until now, and the total number of bytes.
    pub(super) position: Arc<Progress>,
    /// How long the thread may go on after its queue was closed.
    notice: Duration,
    /// The names of the inputs that have an end.
    names: Vec<String>,
    /// The sources that count: those without an end, or with a farewell.
    counted: Vec<Arc<dyn Source>>,
    /// The addresses at which it listens, with actual ports.
    pub(super) addresses: Vec<String>,
    /// A sentence on what is read, for a service manager.
    pub(super) status: String,
    /// Each of them ends when a source is ready.
    ready: Vec<Receiver<()>>,
    outcome: Receiver<ReadOutcome>,
}

impl Reading {
    /// Starts a thread that reads `sources` into `queue` and then ends the input of the queue.
    pub(super) fn start(
        sources: OpenSources,
        options: ReadOptions,
        queue: Arc<SharedQueue>,
        dead_letters: Arc<DeadLetters>,
        state: Option<Arc<Store>>,
    ) -> Result<Reading> {
        Reading::through(sources, options, queue, dead_letters, state, |receiver| receiver)
    }

    /// Starts a thread that reads `sources` into what `through` makes of the receiver of `queue`.
    pub(super) fn through<R: BatchReceiver + Send + 'static>(
        sources: OpenSources,
        options: ReadOptions,
        queue: Arc<SharedQueue>,
        dead_letters: Arc<DeadLetters>,
        state: Option<Arc<Store>>,
        through: impl FnOnce(QueueReceiver) -> R,
    ) -> Result<Reading> {
        let options = ReadOptions { memory: state.clone().map(|state| state as Arc<dyn Memory>), ..options };
        let receiver = QueueReceiver {
            queue: Arc::clone(&queue),
            dead_letters,
            max_line: options.size.max_line,
            state,
            settlement: Arc::clone(&options.settlement),
        };
        Reading::into(sources, options, through(receiver), move || queue.end_input())
    }

    /// Starts a thread that reads `sources` into `receiver` and then calls `end`.
    pub(super) fn into(
        sources: OpenSources,
        options: ReadOptions,
        receiver: impl BatchReceiver + Send + 'static,
        end: impl FnOnce() + Send + 'static,
    ) -> Result<Reading> {
        let OpenSources { sources, opened, not_read } = sources;
        let all: Vec<_> = sources.iter().map(|open| Arc::clone(&open.source)).collect();
        let position = Arc::new(Progress::of(all.iter().map(|source| source.size())));
        let progress = Arc::clone(&position);
        let read = move || read_open(sources, not_read, &options, &receiver, &progress);
        let reading = Reading::of(position, &all, end, read)?;
        let counted = |source: &Arc<dyn Source>| !source.has_end() || !source.farewell().is_zero();
        let counted = all.into_iter().filter(counted).collect();
        let status = Opened::status_of_all(&opened).unwrap_or(reading.status);
        let addresses = opened.iter().flat_map(|opened| opened.addresses.clone()).collect();
        let ready = opened.into_iter().filter_map(|opened| opened.ready).collect();
        Ok(Reading { counted, addresses, status, ready, ..reading })
    }

    /// Starts a thread that calls `read` and then `end`.
    pub(super) fn of(
        position: Arc<Progress>,
        sources: &[Arc<dyn Source>],
        end: impl FnOnce() + Send + 'static,
        read: impl FnOnce() -> ReadOutcome + Send + 'static,
    ) -> Result<Reading> {
        let (send, outcome) = channel();
        let with_end: Vec<_> = sources.iter().filter(|source| source.has_end()).collect();
        let ends = with_end.iter().all(|source| source.is_regular_file());
        let farewell = sources.iter().map(|source| source.farewell()).max().unwrap_or_default();
        let notice = farewell.max(if ends { NOTICE } else { NOTICE_OF_PIPES });
        let names = with_end.into_iter().map(|source| source.name()).collect();
        let reading = Reading {
            position,
            notice,
            names,
            counted: Vec::new(),
            addresses: Vec::new(),
            status: "lines are read".to_owned(),
            ready: Vec::new(),
            outcome,
        };
        let read = move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
            let outcome = result.unwrap_or_else(|_| Error::internal("a reader panicked").into());
            // The outcome is sent before the input ends, so that a thread that sees the end also finds the outcome.
            let _ = send.send(outcome);
            end();
        };
        std::thread::Builder::new()
            .name("reader".into())
            .spawn(read)
            .map_err(|error| Error::system("the reading thread cannot be started").because(error))?;
        Ok(reading)
    }

    /// Waits until all sources are ready, or until their reader has ended.
    pub(super) fn wait_until_ready(&self) {
        // Nothing is sent: a source that is ready, or has ended, closes its channel.
        for ready in &self.ready {
            let _ = ready.recv();
        }
    }

    /// Returns the counts of the sources that count.
    pub(super) fn sources(&self) -> Vec<Row> {
        self.counted.iter().filter_map(|source| source.count()).collect()
    }

    /// Returns the outcome of the reading. A reader that does not end in time, for example because it waits for a pipe, has not
    /// reached the end of its inputs.
    pub(super) fn outcome(&self) -> ReadOutcome {
        self.outcome.recv_timeout(self.notice).unwrap_or_else(|_| ReadOutcome {
            stopped: self.names.iter().map(|name| StoppedInput { name: name.clone(), offset: None }).collect(),
            ..ReadOutcome::default()
        })
    }
}
