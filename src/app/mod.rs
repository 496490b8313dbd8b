//! Jobs: the work of one process from its start to its receipt. A job connects the other modules.
//!
//! | job | sources | queue | workers |
//! |---|---|---|---|
//! | [`run`] | in this process | in memory | in this process |
//! | [`serve`] | in this process | in this process, on a socket | in other processes |
//! | [`work`] | – | in another process | in this process |
//! | [`replay`] | dead letters | in memory | in this process |
//! | [`push`] | standard input | – | – |
//! | [`pull`] | pushed lines | in memory, if the lines are stored | in this process |
//! | `probe` | answers of servers | – | – |
//! | [`grok`] | in this process, one after the other | – | – |
//! | [`bench`](mod@bench) | starts `logator run` many times | | |
//! | [`keygen`](mod@keygen) | – | – | – |
//!
//! The other files are shared by several jobs: `options` (what a job reads and where it stores), `local` (queue and workers
//! in one process), `sources` (the kinds of sources), `reading` (the thread that reads), `account` (from counts to a receipt),
//! `counters` (the lists of all counters), `messages` (sentences of other
//! modules go to the console), `signal_handlers`, `status` (the lines of `--status-interval`), `open_files`.

mod account;
pub mod bench;
pub mod counters;
pub mod grok;
pub mod keygen;
mod local;
mod messages;
mod open_files;
mod options;
#[cfg(feature = "probe")]
pub mod probe;
pub mod pull;
pub mod push;
mod reading;
pub mod replay;
pub mod run;
pub mod serve;
mod signal_handlers;
mod sources;
pub mod spawn;
pub mod spawned;
mod status;
pub mod work;

pub use self::options::{
    AUTO_IN_FLIGHT, DEAD_LETTERS, DEAD_LETTERS_AGAIN, LibraryOptions, RuleSpec, SourceOptions, WorkOptions, Workers,
};
pub use self::sources::SOURCES;
