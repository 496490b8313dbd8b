//! The command line: typed arguments, and the options of [`app`](crate::app) that they become. No other module uses clap.
//!
//! | file | content |
//! |---|---|
//! | `logator`, `run`, `replay`, `grok`, `bench`, `queue`, `worker`, `push`, `pull`, `probe` | the arguments of one program or command |
//! | `source`, `parse`, `dates`, `wait`, `report`, `keys`, `socket` | options that several programs share |
//! | `size`, `values` | the values of options: numbers, endpoints, sinks |
//! | `help` | headings, order, examples and footers of the help texts |
//! | `commands`, [`config`] | the commands that clap parses, with environment variables and the configuration file |
//! | `start`, `outcome`, `receipt_file`, `clap_errors`, `reload` | start and end of a program, SIGHUP |
//! | `files` | the files that a program's arguments name |

mod bench;
mod clap_errors;
mod commands;
pub mod config;
mod dates;
mod files;
mod grok;
mod help;
mod keys;
mod logator;
mod options;
mod outcome;
mod parse;
#[cfg(feature = "probe")]
mod probe;
mod pull;
mod push;
mod queue;
mod receipt_file;
mod reload;
mod replay;
mod report;
mod run;
mod scale;
mod size;
mod socket;
mod source;
mod start;
mod store;
mod values;
mod wait;
mod worker;

pub use self::bench::BenchArgs;
pub use self::commands::{other_names, programs};
pub use self::grok::GrokArgs;
pub use self::keys::KeygenArgs;
pub use self::logator::{Commands, LogatorArgs};
pub use self::outcome::{conclude, plain_console, report, to_the_end, waits_for_typing};
#[cfg(feature = "probe")]
pub use self::probe::{ProbeArgs, probe_name};
pub use self::pull::PullArgs;
pub use self::push::PushArgs;
pub use self::queue::QueueArgs;
pub use self::receipt_file::{write_account, write_json, write_page, write_receipt};
pub use self::reload::reload_on_hangup;
pub use self::replay::ReplayArgs;
pub use self::run::RunArgs;
#[cfg(feature = "probe")]
pub use self::start::probe;
pub use self::start::{logator, pull, push, queue, worker};
pub use self::worker::{WorkerArgs, WorkerJob};
