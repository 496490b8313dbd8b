//! Sinks: the destinations of documents.
//!
//! A [`Sink`] takes the encoded [`Documents`](crate::document::Documents) of one batch and reports an outcome for each
//! of them. It reports only durable results: after the write concern is satisfied, the file is synced, or the
//! transaction is committed. All workers of a process share one sink, so `store` takes `&self` and several threads may
//! call it at once.

mod api;
pub mod attempts;
#[cfg(feature = "contract-tests")]
mod contract;
#[cfg(feature = "contract-tests")]
mod delay;
pub mod elasticsearch;
pub mod kafka;
mod kind;
pub mod memory;
pub mod mongodb;
pub mod ndjson;
pub mod null;
pub mod registry;
#[cfg(any(
    feature = "sqlite",
    feature = "mongodb",
    feature = "elasticsearch",
    feature = "kafka",
    feature = "contract-tests",
    test
))]
mod retry;
mod spec;
pub mod sqlite;
#[cfg(test)]
mod tests;

pub use crate::document::Encoding;
pub use crate::event::Layout;
pub use api::{AnySink, Outcome, Record, RecordSink, Sink};
pub use kind::{AddressText, InFlight, OpenSink, Opening, SinkAddress, SinkFile, SinkKind};
pub use spec::SinkSpec;
