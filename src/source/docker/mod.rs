//! Reads the logs of containers of a Docker Engine. `doc/docker.md` states the promises.
//!
//! | part | what it owns |
//! |---|---|
//! | `selector`, `options`, `source` | the names of inputs, the options, and the containers of a job as a source |
//! | `address`, `connection`, `tls`, `http`, `engine` | the Engine: its address, its connections and its requests |
//! | `container`, `events`, `watching`, `itself` | which containers there are, and how each is read |
//! | `files`, `file_receiver`, `oldest` | the log files of containers, which [`follow`](super::follow) follows |
//! | `api_way`, `frames`, `record_reader`, `time`, `position`, `handing`, `checks` | logs through the API: from bytes to batches |
//! | `shared`, `counters`, `accounts` | what all containers share, and how each was read, for the receipt |
//!
//! Where the Engine writes files that can be read, the files are read: the API is slower by the factor ten, and it skips records
//! without a word when files are rotated. The records have the same ids in both ways.

mod accounts;
mod address;
mod api_way;
mod checks;
mod connection;
mod container;
mod counters;
mod engine;
mod events;
mod file_receiver;
mod files;
mod frames;
mod handing;
mod http;
mod itself;
mod oldest;
mod options;
mod position;
mod record_reader;
mod selector;
mod shared;
mod source;
mod time;
mod tls;
mod watching;

pub use self::source::KIND;
