//! [`Delivery`]: gives each document to each sink. Each sink has a thread and an outbox of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::outbox::{Outbox, Put};
use super::storing::{Ended, Storing};
use crate::core::context::Context;
use crate::core::error::{Error, Result};
use crate::core::record::RecordId;
use crate::core::stop::Stop;
use crate::dead_letter::DeadLetters;
use crate::document::Encoding;
use crate::event::{Changes, Event, Layout, LayoutWriter};
use crate::observe::console::Console;
use crate::observe::counters::Row;
use crate::sink::AnySink;
use crate::worker::Destination;

/// How long a sink may go on after a signal. Every wait of a sink ends five seconds after it.
const AFTER_SIGNAL: Duration = Duration::from_secs(15);

/// How often the program looks whether a signal came, while it waits for its sinks.
const LOOK: Duration = Duration::from_millis(200);

/// The sinks, each with its thread.
pub(super) struct Delivery {
    lanes: Vec<Lane>,
    ended: Receiver<(usize, Ended)>,
    changes: Changes,
    text: Vec<u8>,
    console: Console,
}

/// The way to one sink.
struct Lane {
    /// The writer of its documents; `None` if the sink takes records.
    writer: Option<LayoutWriter>,
    outbox: Arc<Outbox>,
    destination: Arc<Destination>,
}

/// What became of all documents.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    pub dropped: u64,
    pub unstored: u64,
    pub dead_lettered: u64,
    pub errors: Vec<Error>,
    pub sinks: Vec<Row>,
}

impl Delivery {
    /// Starts a thread for each of `sinks`. `memory` is the maximum number of bytes that wait for all of them. `failed` is
    /// called when a thread ends early.
    ///
    /// # Errors
    /// The system gives no thread, or an encoder cannot be made.
    pub fn start(
        sinks: Vec<AnySink>,
        memory: usize,
        dead_letters: &Arc<DeadLetters>,
        console: &Console,
        failed: impl Fn() + Clone + Send + 'static,
    ) -> Result<Delivery> {
        let (sender, ended) = channel();
        let share = memory / sinks.len().max(1);
        let mut lanes = Vec::new();
        for (index, sink) in sinks.into_iter().enumerate() {
            let layout = sink.layout();
            let encoding = layout.as_ref().and_then(Layout::encoding);
            let writer = layout.map(LayoutWriter::new).transpose()?;
            let outbox = Arc::new(Outbox::new(encoding, share));
            let destination = Arc::new(Destination::new(sink));
            let storing = Storing {
                destination: Arc::clone(&destination),
                outbox: Arc::clone(&outbox),
                dead_letters: Arc::clone(dead_letters),
                console: console.clone(),
            };
            let (sender, failed) = (sender.clone(), failed.clone());
            let run = move || {
                let ended = catch_unwind(AssertUnwindSafe(|| storing.run())).unwrap_or_else(|_| Ended {
                    unstored: storing.outbox.give_up(),
                    error: Some(Error::internal(format!("the thread of {} panicked", storing.destination.sink.name()))),
                    is_early: true,
                    ..Ended::default()
                });
                let is_early = ended.is_early;
                let _ = sender.send((index, ended));
                if is_early {
                    failed();
                }
            };
            let thread = std::thread::Builder::new().name(format!("store {index}")).spawn(run);
            thread.map_err(|error| Error::system("the system gives no thread for a sink").because(error))?;
            lanes.push(Lane { writer, outbox, destination });
        }
        Ok(Delivery { lanes, ended, changes: Changes::default(), text: Vec::new(), console: console.clone() })
    }

    /// Gives a document to each sink. It does not wait. `fill` sets the fields.
    pub fn deliver(&mut self, id: RecordId, context: &Context, fill: impl FnOnce(&mut Event<'_>)) {
        let mut event = Event::without_text(&mut self.changes);
        fill(&mut event);
        self.text.clear();
        event.encode_bare(Encoding::Json, &mut self.text);
        for Lane { writer, outbox, destination } in &mut self.lanes {
            if outbox.put(writer.as_mut(), &mut event, &self.text, id, context) == Put::FirstDropped {
                let name = destination.sink.name();
                self.console.error(format!(
                    "{name}: documents are dropped, because those that wait for the sink fill the memory (--max-memory)"
                ));
            }
        }
    }

    /// Waits until the sinks have stored what waits. After a signal it waits for a short time only.
    pub fn finish(self, stop: &Stop) -> Delivered {
        self.lanes.iter().for_each(|lane| lane.outbox.end());
        let mut delivered = Delivered::default();
        let mut open: Vec<usize> = (0..self.lanes.len()).collect();
        let mut until: Option<Instant> = None;
        while !open.is_empty() {
            match self.ended.recv_timeout(LOOK) {
                Ok((index, ended)) => {
                    open.retain(|lane| *lane != index);
                    delivered.add(ended, self.lanes[index].destination.sink.name());
                }
                Err(RecvTimeoutError::Timeout) => {
                    if stop.is_requested() && Instant::now() >= *until.get_or_insert_with(|| Instant::now() + AFTER_SIGNAL) {
                        break;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        for index in open {
            let Lane { outbox, destination, .. } = &self.lanes[index];
            let left = outbox.give_up();
            delivered.unstored += left;
            let name = destination.sink.name();
            delivered.errors.push(Error::sink(format!("{name}: it did not answer; {left} documents and those in its hands are not stored")));
        }
        for Lane { outbox, destination, .. } in &self.lanes {
            let dropped = outbox.dropped();
            delivered.dropped += dropped;
            if dropped > 0 {
                let name = destination.sink.name();
                delivered.errors.push(Error::sink(format!("{name}: {dropped} documents were dropped (--max-memory)")));
            }
            delivered.sinks.push(destination.account());
        }
        delivered
    }
}

impl Delivered {
    fn add(&mut self, ended: Ended, name: &str) {
        self.unstored += ended.unstored;
        self.dead_lettered += ended.dead_lettered;
        if ended.unstored > 0 {
            self.errors.push(Error::sink(format!("{name}: {} documents are not stored", ended.unstored)));
        }
        self.errors.extend(ended.error);
    }
}
