//! Where documents go.
//!
//! A [`Sink`] takes the encoded [`Documents`] of one batch and answers for each of them. It answers only when the
//! answer is durable: after the write concern is satisfied, the file is synced, the transaction committed. All workers
//! of a process share one sink, so `store` takes `&self` and may be called from several threads at once.

pub(crate) mod append;
pub mod backoff;
mod interpolation;
pub mod memory;
#[cfg(feature = "mongodb")]
pub mod mongodb;
pub mod ndjson;
pub mod null;

pub(crate) use interpolation::encode;
pub(crate) mod repair;
pub mod spec;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(test)]
mod tests;

pub use spec::SinkSpec;

use crate::core::error::Result;
use crate::document::Documents;
pub use crate::document::Encoding;

/// What became of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable now and was not there before.
    Stored,
    /// A document with its `_id` was there already: an earlier delivery of the same line.
    Duplicate,
    /// It will never be accepted; the store's own words. The line becomes a dead letter.
    Rejected(String),
    /// It is larger than the store takes. The line becomes a dead letter.
    Oversize(String),
    /// It was not stored within the job's deadline, but could be later; the store's own words.
    /// The batch is given back to the queue.
    Failed(String),
}

/// A destination of documents.
pub trait Sink: Send + Sync {
    /// The sink as a user would recognise it, with no secret in it (`mongodb://localhost/logs.access`).
    fn name(&self) -> &str;

    /// The encoding `store` expects.
    fn encoding(&self) -> Encoding;

    /// Stores `documents` durably and answers for each, in their order: `outcomes` is cleared and gets exactly
    /// `documents.len()` entries. Transient trouble is retried inside, up to the job's deadline: a sink waits with the
    /// [`Waits`](crate::core::wait::Waits) that it was opened with.
    ///
    /// # Errors
    /// Only when nothing can be said about single documents (the disk is full, the connection's login is refused):
    /// then none of them counts as stored, the batch goes back to the queue and the worker stops.
    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()>;

    /// Finishes what is open (a compressed file's trailer). No `store` follows.
    fn close(&self) -> Result<()> {
        Ok(())
    }
}
