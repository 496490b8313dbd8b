//! What every other part stands on: batches and lines, errors, requests to stop, deadlines, secrets. It imports nothing else of logator.

pub(crate) mod append;
pub mod backoff;
pub mod batch;
pub mod calendar;
pub(crate) mod disk;
pub mod envelope;
pub mod error;
pub mod lines;
pub mod percent;
pub mod printable;
pub(crate) mod repair;
pub mod secrets;
pub mod small_file;
pub mod stop;
pub mod wait;
