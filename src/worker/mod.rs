//! Workers: they ask a queue for batches, parse the lines, store the documents, and acknowledge what is durable.
//!
//! `lease client` is where batches come from, `parser` makes documents of lines, `storer` gives them to the sinks, `pipeline`
//! lets one worker do all that with two threads. [`WorkerPool`] is the workers of one process.

pub mod in_flight;
pub mod lease_client;
pub mod parser;
mod pattern_counts;
pub mod pipeline;
mod pool;
pub mod storer;
#[cfg(test)]
mod tests;
mod worker_counts;

pub use pool::{PoolResult, WorkerPool};
pub use worker_counts::WorkerCounts;
