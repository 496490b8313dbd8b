//! The interface of sinks: the trait [`Sink`], and the [`Outcome`] of each document.

use crate::core::error::Result;
use crate::document::{Documents, Encoding};

/// The outcome for one document.
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

    /// Returns the encoding that [`store`](Sink::store) expects.
    fn encoding(&self) -> Encoding;

    /// Stores `documents` durably and reports an outcome for each. `outcomes` is cleared and then gets exactly one
    /// entry per document, in their order. Transient errors are retried inside, up to the deadline of the job: a sink
    /// waits with the [`Waits`](crate::core::wait::Waits) that it was opened with.
    ///
    /// # Errors
    /// An error means that nothing is known about single documents, for example because the disk is full or the login
    /// is refused. In that case no document counts as stored, the batch goes back to the queue, and the worker stops.
    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()>;

    /// Finishes open files, for example the trailer of a compressed one. No call of `store` follows.
    fn close(&self) -> Result<()> {
        Ok(())
    }
}
