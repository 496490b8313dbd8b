//! The interface of sinks: the traits [`Sink`] and [`RecordSink`], and the [`Outcome`] of each document or record.

use std::sync::Arc;

use crate::core::context::Context;
use crate::core::error::Result;
use crate::core::record::RecordId;
use crate::core::turns::Turn;
use crate::document::Documents;
use crate::event::Layout;
use crate::observe::counters::Counters;

/// The outcome for one document, or for one record of a [`RecordSink`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The document is durable now and was not in the store before.
    Stored,
    /// The store already had a document with this `_id`, from an earlier delivery of the same line.
    Duplicate,
    /// The store will never accept the document; the text is the message of the store. The line becomes a dead letter.
    Rejected(String),
    /// The document is larger than the store accepts. The line becomes a dead letter.
    Oversize(String),
    /// The document was not stored within the deadline of the job, but could be stored later; the text is the message
    /// of the store. The batch is given back to the queue.
    Failed(String),
}

/// A destination of documents.
pub trait Sink: Send + Sync {
    /// Returns the name of the sink as a user would recognise it, without any secret
    /// (`mongodb://localhost/logs.access`).
    fn name(&self) -> &str;

    /// Returns the layout of the documents that [`store`](Sink::store) expects. It stays the same as long as the sink is
    /// open.
    fn layout(&self) -> Layout;

    /// Stores `documents` durably and reports an outcome for each. `outcomes` is cleared and then gets exactly one
    /// entry per document, in their order. Transient errors are retried inside, up to the deadline of the job: a sink
    /// waits with the [`Waits`](crate::core::wait::Waits) that it was opened with. Several threads may call at once.
    ///
    /// # Errors
    /// An error means that nothing is known about single documents, for example because the disk is full or the login
    /// is refused. In that case no document counts as stored, the batch goes back to the queue, and the worker stops.
    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()>;

    /// Returns whether the sink wants its batches in the order in which they were read. It then gets all of them through
    /// [`store_in_turn`](Sink::store_in_turn).
    fn keeps_order(&self) -> bool {
        false
    }

    /// Stores `documents` as [`store`](Sink::store) does, after the documents of all earlier turns. A sink that
    /// [keeps the order](Sink::keeps_order) waits for its turn as late as it can, and ends it as soon as it can.
    ///
    /// # Errors
    /// The errors of [`store`](Sink::store); or the turn is [missed](crate::core::turns::is_missed).
    fn store_in_turn(&self, documents: &Documents, turn: Turn<'_>, outcomes: &mut Vec<Outcome>) -> Result<()> {
        turn.wait()?;
        self.store(documents, outcomes)?;
        turn.pass();
        Ok(())
    }

    /// Finishes open files, for example the trailer of a compressed one. No call of `store` follows.
    fn close(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the counters that only sinks of this kind have. The [kind](super::SinkKind::counters) declares them.
    fn counters(&self) -> Option<&Counters> {
        None
    }
}

/// A record for a [`RecordSink`]: the bytes as they were read, and what identifies them.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The bytes of the record, without the newline at its end.
    pub bytes: &'a [u8],
    /// The id, which the document of the record would have as well.
    pub id: RecordId,
    /// Where the record comes from, and what was in force when it was read.
    pub context: &'a Context,
}

/// A destination of records, which are pushed on as they were read. The promises are those of [`Sink`].
pub trait RecordSink: Send + Sync {
    /// Returns the name of the sink as a user would recognise it, without any secret.
    fn name(&self) -> &str;

    /// Stores `records` durably and reports an outcome for each, as [`Sink::store`] does.
    ///
    /// # Errors
    /// The errors of [`Sink::store`].
    fn store(&self, records: &[Record<'_>], outcomes: &mut Vec<Outcome>) -> Result<()>;

    /// Ends the work of the sink. No call of `store` follows.
    ///
    /// # Errors
    /// The sink cannot end its work.
    fn close(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the counters that only sinks of this kind have.
    fn counters(&self) -> Option<&Counters> {
        None
    }
}

/// An open sink of either kind. Cloning shares it.
#[derive(Clone)]
pub enum AnySink {
    /// A sink that takes documents.
    Documents(Arc<dyn Sink>),
    /// A sink that takes records.
    Records(Arc<dyn RecordSink>),
}

impl AnySink {
    /// Returns the name of the sink, without any secret.
    pub fn name(&self) -> &str {
        match self {
            AnySink::Documents(sink) => sink.name(),
            AnySink::Records(sink) => sink.name(),
        }
    }

    /// Returns the layout of the documents that the sink expects; `None` if it takes records.
    pub fn layout(&self) -> Option<Layout> {
        match self {
            AnySink::Documents(sink) => Some(sink.layout()),
            AnySink::Records(_) => None,
        }
    }

    /// Returns whether the sink wants its batches in the order in which they were read.
    pub fn keeps_order(&self) -> bool {
        match self {
            AnySink::Documents(sink) => sink.keeps_order(),
            AnySink::Records(_) => false,
        }
    }

    /// Finishes the work of the sink. Nothing is stored afterwards.
    ///
    /// # Errors
    /// The errors of [`Sink::close`] and [`RecordSink::close`].
    pub fn close(&self) -> Result<()> {
        match self {
            AnySink::Documents(sink) => sink.close(),
            AnySink::Records(sink) => sink.close(),
        }
    }

    /// Returns the counters that only sinks of this kind have.
    pub fn counters(&self) -> Option<&Counters> {
        match self {
            AnySink::Documents(sink) => sink.counters(),
            AnySink::Records(sink) => sink.counters(),
        }
    }
}

impl<S: Sink + 'static> From<Arc<S>> for AnySink {
    fn from(sink: Arc<S>) -> AnySink {
        AnySink::Documents(sink)
    }
}
