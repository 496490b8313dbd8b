//! The types that every other module uses: batches and lines, errors, requests to stop, waits, secrets. `core` imports
//! no other module of logator.

pub(crate) mod append;
pub mod backoff;
pub mod batch;
pub mod calendar;
pub(crate) mod disk;
pub mod envelope;
pub mod error;
pub mod lines;
pub mod numbers;
pub mod percent;
pub mod printable;
pub(crate) mod repair;
pub mod secrets;
pub mod small_file;
pub mod stop;
pub mod wait;
