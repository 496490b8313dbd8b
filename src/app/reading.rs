//! The thread that reads: its start, the queue that it fills, and its outcome.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::time::Duration;

use super::messages::say_on;
use super::open_files::raise_limit;
use crate::core::batch::{Batch, Ticket};
use crate::core::error::{Error, Result};
use crate::core::offered::Offered;
use crate::core::stop::Stop;
use crate::dead_letter::{DeadLetters, Letter, Reason};
use crate::observe::console::Console;
use crate::observe::counters::Row;
use crate::observe::receipt::StoppedInput;
use crate::queue::shared::SharedQueue;
use crate::source::inputs::{Input, Inputs};
use crate::source::live::Live;
use crate::source::receiver::{BatchReceiver, LongLine};
use crate::source::settlement::Settlement;
use crate::source::syslog::{self, Listening};
use crate::source::{Progress, ReadOptions, ReadOutcome, read_all};
use crate::state::Memory;
use crate::state::store::Store;

/// Puts batches into a queue, and writes lines that are too long to the dead letters.
struct QueueReceiver {
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
        let detail = format!("the line has {} bytes, --max-line allows {}", line.length, self.max_line);
        self.dead_letters.write(&[Letter {
            id: key.id(origin.id, line.hash),
            context: &line.context,
            offset: line.offset,
            key,
            reason: Reason::TooLong,
            detail: &detail,
            pattern: None,
            explain: None,
            raw: &line.beginning,
            length: line.length,
            partial: line.partial,
        }])?;
        self.queue.count_dead_letter(line.length_with_end);
        if let Some(state) = &self.state {
            state.settle_line(origin.content, line.extent());
        }
        line.ticket.iter().for_each(|ticket| self.settle(*ticket, 1));
        Ok(())
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

/// A thread that reads.
pub(super) struct Reading {
    /// The number of bytes that are read until now, and the total number of bytes.
    pub(super) position: Arc<Progress>,
    /// Whether all inputs are regular files. Then the thread ends soon after its queue.
    ends: bool,
    /// The names of the inputs that have an end.
    names: Vec<String>,
    listening: Listening,
    /// The addresses at which it listens, with actual ports.
    pub(super) addresses: Vec<String>,
    /// A sentence on what is read, for a service manager.
    pub(super) status: String,
    /// Gets a message when all followed files are watched; `None` where no files are followed.
    watching: Option<Receiver<()>>,
    outcome: Receiver<ReadOutcome>,
}

impl Reading {
    /// Starts a thread that reads `inputs` into `queue` and then ends the input of the queue.
    pub(super) fn start(
        inputs: Inputs,
        options: ReadOptions,
        queue: Arc<SharedQueue>,
        dead_letters: Arc<DeadLetters>,
        state: Option<Arc<Store>>,
        console: &Console,
    ) -> Result<Reading> {
        let position = Arc::new(Progress::of(&inputs.inputs));
        let memory = state.clone().map(|state| state as Arc<dyn Memory>);
        let syslog = syslog::Options { say: say_on(console), ..options.syslog.clone() };
        let live = options.live.map_or_else(|| Stop::new().map(Live::new), Ok)?;
        // The addresses are opened before anything is read, so that an address in use ends the program at once.
        let listening = Listening::open(&inputs.inputs, &syslog, &live)?;
        if listening.connects() || options.follow.is_some() {
            // Each connection and each followed file is an open file. If the limit is too low, a message names each file
            // that cannot be opened.
            raise_limit();
        }
        let live = Some(live);
        let mut options = ReadOptions { memory, live, syslog, listening: listening.clone(), ..options };
        let watching = options.follow.as_mut().map(|follow| {
            let (watches, watching) = sync_channel(1);
            follow.watching = Some(watches);
            watching
        });
        let receiver = QueueReceiver {
            queue: Arc::clone(&queue),
            dead_letters,
            max_line: options.size.max_line,
            state,
            settlement: Arc::clone(&options.settlement),
        };
        let reading = Reading::of(Arc::clone(&position), &inputs.inputs.clone(), queue, move || {
            let mut outcome = ReadOutcome { errors: inputs.errors, ..ReadOutcome::default() };
            outcome.add(read_all(&inputs.inputs, &options, &receiver, &position));
            outcome
        })?;
        let addresses = listening.addresses();
        let status = match (&addresses[..], &watching) {
            ([], None) => reading.status,
            ([], Some(_)) => "files are followed".to_owned(),
            (addresses, None) => format!("messages are received at {}", addresses.join(" and ")),
            (addresses, Some(_)) => format!("files are followed, messages are received at {}", addresses.join(" and ")),
        };
        Ok(Reading { listening, addresses, status, watching, ..reading })
    }

    /// Reads an input without an end into `queue`. `read` hands its lines to a receiver until it is told to leave, and
    /// returns the errors it met. `addresses` and `status` are those of [`Reading`].
    pub(super) fn live(
        queue: Arc<SharedQueue>,
        dead_letters: Arc<DeadLetters>,
        max_line: usize,
        (addresses, status): (Vec<String>, String),
        read: impl FnOnce(&dyn BatchReceiver) -> ReadOutcome + Send + 'static,
    ) -> Result<Reading> {
        let receiver = QueueReceiver {
            queue: Arc::clone(&queue),
            dead_letters,
            max_line,
            state: None,
            settlement: Arc::default(),
        };
        let reading = Reading::of(Arc::default(), &[], queue, move || read(&receiver))?;
        Ok(Reading { addresses, status, ..reading })
    }

    /// Starts a thread that calls `read` and then ends the input of `queue`.
    pub(super) fn of(
        position: Arc<Progress>,
        inputs: &[Input],
        queue: Arc<SharedQueue>,
        read: impl FnOnce() -> ReadOutcome + Send + 'static,
    ) -> Result<Reading> {
        let (send, outcome) = channel();
        let with_end: Vec<&Input> = inputs.iter().filter(|input| input.has_end()).collect();
        let ends = with_end.iter().all(|input| input.is_regular_file());
        let names = with_end.into_iter().map(Input::name).collect();
        let reading = Reading {
            position,
            ends,
            names,
            listening: Listening::default(),
            addresses: Vec::new(),
            status: "lines are read".to_owned(),
            watching: None,
            outcome,
        };
        let read = move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
            let outcome = result.unwrap_or_else(|_| Error::internal("a reader panicked").into());
            // The outcome is sent before the input ends, so that a thread that sees the end also finds the outcome.
            let _ = send.send(outcome);
            queue.end_input();
        };
        std::thread::Builder::new()
            .name("reader".into())
            .spawn(read)
            .map_err(|error| Error::system("the reading thread cannot be started").because(error))?;
        Ok(reading)
    }

    /// Waits until all followed files are watched, or until their reader has ended.
    pub(super) fn wait_until_watching(&self) {
        if let Some(watching) = &self.watching {
            // An error means that the reader has ended; its outcome says why.
            let _ = watching.recv();
        }
    }

    /// Returns the counts of the inputs without an end.
    pub(super) fn sources(&self) -> Vec<Row> {
        self.listening.counts()
    }

    /// Returns the outcome of the reading. A reader that does not end in time, for example because it waits for a pipe, has not
    /// reached the end of its inputs.
    pub(super) fn outcome(&self) -> ReadOutcome {
        let most = if self.ends { NOTICE } else { NOTICE_OF_PIPES };
        self.outcome.recv_timeout(most).unwrap_or_else(|_| ReadOutcome {
            stopped: self.names.iter().map(|name| StoppedInput { name: name.clone(), offset: None }).collect(),
            ..ReadOutcome::default()
        })
    }
}
