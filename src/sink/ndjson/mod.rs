//! The NDJSON sink, `ndjson:PATH` and `-`: one JSON document per line, in a file or on standard output.
//!
//! A batch is written as one block and synced before it counts as stored; threads share syncs. If the path ends in
//! `.gz` or `.zst`, the file is compressed: every batch is a gzip member or zstd frame of its own. Threads can then
//! compress in parallel, and a crash can damage only data that was not acknowledged. Such a damaged end is repaired
//! when the file is opened again (see `core::repair` and `compression.rs`).
//!
//! A file has no index: a document that is delivered twice is in the file twice, with the same `_id`.

mod address;
mod compression;
mod store;
#[cfg(test)]
mod tests;

pub use self::address::{KIND, NdjsonAddress};
pub use self::store::NdjsonSink;
