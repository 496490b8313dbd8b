//! Workers: they ask a queue for batches, parse the lines, store the documents, and acknowledge durable batches.
//!
//! The submodules: `lease_client` gets batches, `parser` makes documents of lines, `pipeline` runs one worker, and
//! `store_pool` runs the threads that store, and `reorder` keeps the order of the batches for it. `storer` gives documents to the sinks. [`WorkerPool`] holds the workers and the
//! storing threads of one process.

pub mod adaptive;
mod date_counts;
mod delivery;
pub mod idle_clock;
pub mod in_flight;
pub mod lease_client;
pub mod limiter;
pub mod parser;
mod pattern_counts;
pub mod pipeline;
mod pool;
mod reorder;
pub mod scaling;
mod sink_counts;
mod store_pool;
pub mod storer;
#[cfg(test)]
mod tests;
mod worker_counts;

pub use pool::{Gauges, Hooks, PoolResult, WorkerPool};
pub use sink_counts::{Destination, SINK};
pub use store_pool::{Requests, StorePool, Storing};
pub use worker_counts::WorkerCounts;
