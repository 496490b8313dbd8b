//! The MongoDB sink: `mongodb://HOST/DB.COLLECTION?…` and `mongodb+srv://…`.
//!
//! **Address.** The path is split at its first dot. A missing database is `logator`, a missing collection `logs`. The
//! options are those of every MongoDB connection string, and one of ours: `sinkDeadlineMS`, the time that this sink may
//! keep the job waiting (default: the `--sink-deadline` of the job). A login without `authSource` is looked up in the
//! database of the path, or in `admin` if the path names none. This is the rule of the connection string format, so
//! strings that work elsewhere work here.
//!
//! **Durable** means that the write concern of the address is satisfied. The default is `w=majority`, which for a
//! single server means "in the journal". With any other `w`, `j` is true unless the address says `journal=false`. `w=0`
//! is refused, because no document could be called stored.
//!
//! **Stored or duplicate.** A document whose `_id` exists already is a duplicate. If an attempt ends without a reply
//! (connection lost, server gone), the server may have executed it, and the next attempt meets its own documents. These
//! count as *stored*. They cannot be told from documents of an earlier run that are in the same command, so such a
//! document may be reported as stored although it is a duplicate. The total, and the documents in the database, are
//! right in both cases.
//!
//! **Errors.** Error codes and labels decide for each document. A transient error is retried with jittered back-off
//! until the deadline, which all workers share; then the outcome is [`Failed`](super::Outcome::Failed). A permanent error
//! gives [`Rejected`](super::Outcome::Rejected) with the message of the server. A refused login, a missing permission or a
//! write concern that cannot be satisfied ends the run.

mod address;
#[cfg(feature = "mongodb")]
mod command;
#[cfg(feature = "mongodb")]
mod connection;
mod counters;
#[cfg(feature = "mongodb")]
mod insert;
#[cfg(feature = "mongodb")]
mod monitor;
#[cfg(feature = "mongodb")]
mod reply;
#[cfg(feature = "mongodb")]
mod startup;
#[cfg(feature = "mongodb")]
mod store;
#[cfg(feature = "mongodb")]
mod target;

pub use self::address::{KIND, MongoAddress};
#[cfg(feature = "mongodb")]
pub use self::store::{open, open_with};
