//! Sources: from what a user names to batches of lines.
//!
//! `inputs` finds what to read, `decompress` (with `gzip`) undoes compressions told by their first bytes, `journald_export` makes lines
//! of systemd's journal, `reader` and `cutter` cut contents into batches, `origin` names them; `follow` reads files that grow;
//! `resume` (with `replay filter`) leaves out what earlier runs settled; `live` is what inputs without an end have in common, `syslog`
//! one of them. [`read_all`] puts them together, several contents side by side.

mod batching_delay;
mod block_pool;
pub mod cutter;
pub mod decompress;
pub mod follow;
mod gzip;
pub mod inputs;
mod journald_export;
pub mod live;
pub mod messages;
mod options;
pub mod origin;
mod outcome;
mod overlong;
mod progress;
mod read_all;
pub mod reader;
mod reading;
pub mod receiver;
pub mod replay_filter;
pub mod resume;
pub mod say;
mod symlinks;
pub mod syslog;
#[cfg(test)]
mod tests;

pub use self::block_pool::BlockPool;
pub use self::options::ReadOptions;
pub use self::outcome::ReadOutcome;
pub use self::progress::Progress;
pub use self::read_all::read_all;
