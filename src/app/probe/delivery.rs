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
                if ended.is_early {
                    failed();
                }
                let _ = sender.send((index, ended));
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
                    if stop.is_requested()
                        && Instant::now() >= *until.get_or_insert_with(|| Instant::now() + AFTER_SIGNAL)
                    {
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
            delivered.errors.push(Error::sink(format!("{name}: it did not answer; {left} documents are not stored")));
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::core::context::Origin;
    use crate::document::Documents;
    use crate::event::{FieldPath, Value};
    use crate::observe::console::LogFormat;
    use crate::sink::{Outcome, Sink};

    /// A sink whose answers are a function of the number of the call.
    struct Scripted<F>(F, AtomicUsize);

    impl<F: Fn(usize, &Documents) -> Result<Vec<Outcome>> + Send + Sync> Sink for Scripted<F> {
        fn name(&self) -> &str {
            "scripted:"
        }

        fn layout(&self) -> Layout {
            Encoding::Json.into()
        }

        fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
            *outcomes = (self.0)(self.1.fetch_add(1, Ordering::Relaxed), documents)?;
            Ok(())
        }
    }

    /// Delivers `count` documents to a sink. Returns what became of them, whether the thread ended early, and the dead letters.
    fn deliver<F>(count: u64, answer: F) -> (Delivered, bool, String)
    where
        F: Fn(usize, &Documents) -> Result<Vec<Outcome>> + Send + Sync + 'static,
    {
        let folder = tempfile::tempdir().unwrap();
        let letters = Arc::new(DeadLetters::new(folder.path().join("letters")));
        let console = Console::new("test", LogFormat::Text, false);
        console.hush();
        let stop = Stop::new().unwrap();
        let is_early = Arc::new(AtomicBool::new(false));
        let failed = {
            let (is_early, stop) = (Arc::clone(&is_early), stop.clone());
            move || {
                is_early.store(true, Ordering::SeqCst);
                stop.request();
            }
        };
        let sink = AnySink::from(Arc::new(Scripted(answer, AtomicUsize::new(0))));
        let mut delivery = Delivery::start(vec![sink], 1 << 20, &letters, &console, failed).unwrap();
        let context = Context::new(Arc::new(Origin::new(1, "http://a/")));
        let path = FieldPath::new("n").unwrap();
        for number in 0..count {
            let id = RecordId::at(1, number, b"");
            delivery.deliver(id, &context, |event| event.set(&path, Value::Int(number as i64)));
        }
        let delivered = delivery.finish(&stop);
        let letters = std::fs::read_to_string(folder.path().join("letters")).unwrap_or_default();
        (delivered, is_early.load(Ordering::SeqCst), letters)
    }

    fn all(documents: &Documents, outcome: &Outcome) -> Vec<Outcome> {
        vec![outcome.clone(); documents.len()]
    }

    #[test]
    fn refused_documents_are_dead_letters_with_their_text_and_the_others_are_stored() {
        let (delivered, is_early, letters) = deliver(3, |_, documents| {
            let refused = |text: &[u8]| text.ends_with(b"\"n\":1}");
            let outcome = |text: &[u8]| if refused(text) { Outcome::Rejected("odd".into()) } else { Outcome::Stored };
            Ok(documents.iter().map(|document| outcome(document.bytes)).collect())
        });
        assert_eq!((delivered.dead_lettered, delivered.unstored, delivered.dropped, is_early), (1, 0, 0, false));
        assert!(delivered.errors.is_empty(), "{delivered:?}");
        assert!(letters.lines().count() == 1 && letters.contains(r#""raw":"{\"n\":1}""#), "{letters}");
        assert!(letters.contains("scripted:: odd") && letters.contains(r#""rule":"given""#), "{letters}");
    }

    #[test]
    fn what_fails_at_the_end_is_not_stored_and_said_so() {
        let (delivered, is_early, _) = deliver(5, |_, _| Err(Error::sink("scripted:: away")));
        assert_eq!((delivered.unstored, is_early), (5, false));
        let said = format!("{:?}", delivered.errors);
        assert!(said.contains("5 documents are not stored") && said.contains("away"), "{said}");
        let (delivered, ..) = deliver(2, |_, documents| Ok(all(documents, &Outcome::Failed("busy".into()))));
        assert_eq!(delivered.unstored, 2, "{delivered:?}");
    }

    #[test]
    fn a_thread_that_dies_ends_the_program_with_an_error() {
        let (delivered, is_early, _) = deliver(1, |_, _| panic!("a fault of the sink"));
        assert!(is_early && delivered.unstored == 1, "{delivered:?}");
        assert!(format!("{:?}", delivered.errors).contains("the thread of scripted: panicked"), "{delivered:?}");
        let (delivered, is_early, _) = deliver(1, |_, _| Err(Error::internal("no way")));
        assert!(is_early && delivered.unstored == 1, "{delivered:?}");
        let (delivered, is_early, _) = deliver(1, |_, _| Ok(Vec::new()));
        assert!(is_early && format!("{:?}", delivered.errors).contains("0 answers for 1 documents"), "{delivered:?}");
    }
}
