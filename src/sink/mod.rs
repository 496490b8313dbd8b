//! Where documents go.
//!
//! A [`Sink`] takes the encoded [`Documents`] of one batch and answers for each of them. It answers only when the
//! answer is durable: after the write concern is satisfied, the file is synced, the transaction committed. All workers
//! of a process share one sink, so `store` takes `&self` and may be called from several threads at once.

mod api;
pub(crate) mod append;
mod compression;
pub(crate) mod disk;
pub mod memory;
#[cfg(feature = "mongodb")]
pub mod mongodb;
pub mod ndjson;
pub mod null;
mod open;
pub(crate) mod repair;
pub mod spec;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(test)]
mod tests;

pub use crate::document::Encoding;
pub use api::{Outcome, Sink};
pub use spec::SinkSpec;
