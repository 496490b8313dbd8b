//! Reads several sources at the same time.

use std::sync::{Arc, Mutex, PoisonError};

use super::api::{Opened, RunContext, Source};
use super::in_order::InOrder;
use super::live::ReaderGuard;
use super::options::ReadOptions;
use super::outcome::ReadOutcome;
use crate::core::error::{Error, Result};

/// A source that is open.
pub struct OpenSource {
    /// The source.
    pub source: Arc<dyn Source>,
    /// Counts a source without an end, or with a farewell, as a reader from the moment it is open.
    entered: Option<ReaderGuard>,
}

impl OpenSource {
    /// Opens a source.
    ///
    /// # Errors
    /// The source cannot be used.
    pub fn open(mut source: Box<dyn Source>, options: &ReadOptions) -> Result<(OpenSource, Opened)> {
        let opened = source.open(options)?;
        let is_live = !source.has_end() || !source.farewell().is_zero();
        let entered = options.live.as_ref().filter(|_| is_live).map(|live| live.enter());
        Ok((OpenSource { source: source.into(), entered }, opened))
    }

    /// Reads the source to its end, and closes it.
    fn read(self, context: &RunContext) -> ReadOutcome {
        let outcome = self.source.run(context);
        self.source.close();
        drop(self.entered);
        outcome
    }
}

/// Reads `sources`. Sources with an end are read by as many threads as there are processors, each source in its own order, and
/// with [`ReadOptions::in_order`] one put in after the other. Each source without an end has a thread of its own.
///
/// If a source cannot be read, the result holds an error. The other sources are read all the same.
pub fn read_all(mut sources: Vec<OpenSource>, context: RunContext) -> ReadOutcome {
    if sources.len() == 1
        && let Some(only) = sources.pop()
    {
        return only.read(&context);
    }
    let outcome = Mutex::new(ReadOutcome::default());
    let note = |other: ReadOutcome| outcome.lock().unwrap_or_else(PoisonError::into_inner).add(other);
    let (finite, live): (Vec<OpenSource>, Vec<OpenSource>) =
        sources.into_iter().partition(|open| open.source.has_end());
    let (order, in_order) = (InOrder::new(context.receiver), context.options.in_order && finite.len() > 1);
    std::thread::scope(|scope| {
        // A live source needs its own thread, because it would block a thread of the pool for ever.
        for open in live {
            let (source, note) = (Arc::clone(&open.source), &note);
            let builder = std::thread::Builder::new().name("reader".into());
            if let Err(error) = builder.spawn_scoped(scope, move || note(open.read(&context))) {
                source.close();
                let sentence = format!("{}: the reading thread cannot be started", source.name());
                note(Error::system(sentence).because(error).into());
            }
        }
        if !finite.is_empty() {
            let threads = std::thread::available_parallelism().map_or(1, usize::from).min(finite.len());
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            match pool.thread_name(|index| format!("reader {index}")).build() {
                Ok(workers) => workers.scope_fifo(|scope| {
                    // The threads take the sources in their order, so the one whose turn it is is always being read.
                    for (number, open) in finite.into_iter().enumerate() {
                        let (note, order) = (&note, &order);
                        scope.spawn_fifo(move |_| {
                            note(if in_order {
                                read_in_turn(open, number, order, context)
                            } else {
                                open.read(&context)
                            });
                        });
                    }
                }),
                Err(error) => note(Error::system("the reading threads cannot be started").because(error).into()),
            }
        }
    });
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a source that has an end, in its turn.
fn read_in_turn(open: OpenSource, number: usize, order: &InOrder<'_>, context: RunContext) -> ReadOutcome {
    match order.turn(number) {
        Ok(receiver) => open.read(&RunContext { receiver: &receiver, ..context }),
        Err(error) => {
            open.source.close();
            let sentence = format!("{}: it cannot be read in its turn", open.source.name());
            Error::system(sentence).because(error).into()
        }
    }
}
