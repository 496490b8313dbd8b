//! The types that every other module uses: batches, records and their ids, errors, requests to stop, waits, secrets. `core` imports
//! no other module of logator.

pub(crate) mod ansi;
pub(crate) mod append;
pub mod background;
pub mod backoff;
pub mod batch;
pub mod calendar;
pub mod caught;
pub mod context;
pub(crate) mod disk;
pub mod envelope;
pub mod error;
pub mod hosts;
pub mod line_end;
pub mod lines;
pub mod numbers;
pub mod offered;
pub mod option_spec;
pub mod pem;
pub mod percent;
pub mod printable;
pub mod quantity;
pub mod record;
pub mod records;
pub(crate) mod repair;
pub mod secrets;
pub mod small_file;
pub mod stderr;
pub mod stop;
pub mod turns;
pub mod wait;
