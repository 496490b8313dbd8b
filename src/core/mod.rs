//! The types that every other module uses: batches and lines, errors, requests to stop, waits, secrets. `core` imports
//! no other module of logator.

pub mod batch;
pub mod error;
pub mod lines;
pub mod printable;
pub mod secrets;
pub mod small_file;
pub mod stop;
pub mod wait;
