//! Sources: everything between the names of inputs and batches of lines.
//!
//! - `api` is the interface of a source, and `kind` that of a kind of source. `read_all` reads several sources at the same time,
//!   and `in_order` keeps their order where a sink wants it.
//! - `file`, `stdin`, `follow`, `syslog`, `docker` and `kafka` are the kinds of this module.
//! - `decompress` and `gzip` detect compressions by the first bytes and decompress contents.
//! - `encodings` tells the encoding of a content, and `binary` contents that hold no text.
//! - `journald_export` converts systemd's journal to lines.
//! - `reading` reads one file or pipe; `reader` and `cutter` cut contents into batches, which they put into an `outlet`; `joiner`
//!   joins lines to records, `grouping` keeps lines of containers together, `joint` finds lines that a rotation cut, and `split` makes batches of them; `receiver` is the interface to the code that takes the batches.
//! - `origin` gives each content its origin, and `describing` says what documents tell of it; `wrapping` tells how its lines are wrapped, and `kubernetes` reads its path.
//! - `resume` and `replay_filter` leave out the lines that earlier runs settled.
//! - `acks` and `settlement` tell a source what is settled of the batches that it handed on.
//! - `live`, `messages` and `batching_delay` serve sources without an end.

pub mod acks;
pub mod api;
mod batching_delay;
pub mod binary;
mod block_pool;
#[cfg(feature = "contract-tests")]
pub mod contract;
pub mod cutter;
pub mod decompress;
pub mod describing;
mod directives;
mod dividing;
pub mod docker;
pub mod encodings;
pub mod file;
pub mod follow;
mod grouping;
mod gzip;
pub mod heading;
mod in_order;
pub mod joiner;
pub mod joint;
mod journald_export;
pub mod kafka;
pub mod kind;
mod kubernetes;
pub mod live;
pub mod messages;
pub mod multiline;
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
pub mod stdin;
mod symlinks;
pub mod syslog;
#[cfg(test)]
mod tests;
mod times;
pub mod wrapping;

pub use self::block_pool::BlockPool;
pub use self::options::{OPTIONS, ReadOptions};
pub use self::outcome::ReadOutcome;
pub use self::progress::Progress;
pub use self::read_all::{OpenSource, read_all};
