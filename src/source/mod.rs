//! Sources: everything between the names of inputs and batches of lines.
//!
//! - `inputs` finds the inputs that the names on the command line mean.
//! - `decompress` and `gzip` detect compressions by the first bytes and decompress contents.
//! - `journald_export` converts systemd's journal to lines.
//! - `reader` and `cutter` cut contents into batches, which they put into an `outlet`; `joiner` joins lines to records, and
//!   `split` makes batches of them; `receiver` is the interface to the code that takes the batches.
//! - `origin` gives each content its origin.
//! - `reading` reads one file or pipe, and `read_all` reads several inputs at the same time.
//! - `follow` reads files that grow.
//! - `resume` and `replay_filter` leave out the lines that earlier runs settled.
//! - `acks` and `settlement` tell a source what is settled of the batches that it handed on.
//! - `live`, `messages` and `batching_delay` serve inputs without an end, such as `syslog`.

pub mod acks;
mod batching_delay;
mod block_pool;
pub mod cutter;
pub mod decompress;
pub mod follow;
mod gzip;
pub mod heading;
pub mod inputs;
pub mod joiner;
mod journald_export;
pub mod live;
pub mod messages;
mod options;
pub mod origin;
mod outcome;
pub mod outlet;
mod overlong;
mod progress;
mod read_all;
pub mod reader;
mod reading;
pub mod receiver;
pub mod record_rules;
pub mod replay_filter;
pub mod resume;
pub mod say;
pub mod settlement;
mod split;
mod symlinks;
pub mod syslog;
#[cfg(test)]
mod tests;

pub use self::block_pool::BlockPool;
pub use self::options::ReadOptions;
pub use self::outcome::ReadOutcome;
pub use self::progress::Progress;
pub use self::read_all::read_all;
