//! Sinks: the destinations of documents.
//!
//! A [`Sink`] takes the encoded [`Documents`](crate::document::Documents) of one batch and reports an outcome for each
//! of them. It reports only durable results: after the write concern is satisfied, the file is synced, or the
//! transaction is committed. All workers of a process share one sink, so `store` takes `&self` and several threads may
//! call it at once.

mod api;
mod compression;
pub mod memory;
#[cfg(feature = "mongodb")]
pub mod mongodb;
pub mod ndjson;
pub mod null;
mod open;
pub mod spec;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(test)]
mod tests;

pub use crate::document::Encoding;
pub use api::{Outcome, Sink};
pub use spec::SinkSpec;
