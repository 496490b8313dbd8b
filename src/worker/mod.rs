//! Workers: they ask a queue for batches, parse the lines, store the documents, and acknowledge durable batches.
//!
//! The submodules: `lease_client` gets batches, `parser` makes documents of lines, `storer` gives documents to the
//! sinks, and `pipeline` runs one worker with two threads. [`WorkerPool`] holds the workers of one process.

mod delivery;
pub mod in_flight;
pub mod lease_client;
pub mod parser;
mod pattern_counts;
pub mod pipeline;
mod pool;
mod sink_counts;
pub mod storer;
#[cfg(test)]
mod tests;
mod worker_counts;

pub use pool::{PoolResult, WorkerPool};
pub use sink_counts::SINK;
pub use worker_counts::WorkerCounts;
