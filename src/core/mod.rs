//! What every other part stands on: batches and lines, errors, requests to stop, deadlines, secrets. It imports nothing else of logator.

pub mod batch;
pub(crate) mod disk;
pub mod error;
pub mod lines;
pub mod printable;
pub mod secrets;
pub mod small_file;
pub mod stop;
pub mod wait;
