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
//! until the deadline, which all workers share; then the outcome is [`Failed`](Outcome::Failed). A permanent error
//! gives [`Rejected`](Outcome::Rejected) with the message of the server. A refused login, a missing permission or a
//! write concern that cannot be satisfied ends the run.

mod command;
mod connection;
mod insert;
mod monitor;
mod reply;
mod startup;
mod target;

use std::sync::Arc;

use tokio::runtime::Runtime;

use self::command::CommandHead;
use self::connection::Connection;
use self::insert::Insert;
use self::monitor::MonitorState;
use self::target::Target;
use super::api::{Outcome, Sink};
use crate::core::error::{Error, Result};
use crate::core::wait::{Waits, Words};
use crate::document::{Documents, Encoding};

/// The number of threads that serve the sockets and monitors of the driver. Commands themselves run on the threads that
/// call `store`.
const RUNTIME_THREADS: usize = 1;

/// Connects to the server of `uri` and checks that it answers and accepts the login.
///
/// # Errors
/// [`Kind::Usage`](crate::core::error::Kind::Usage) when the address is invalid or asks for `w=0`;
/// [`Kind::Sink`](crate::core::error::Kind::Sink) when no server answers within 5 seconds (`serverSelectionTimeoutMS`
/// in the address sets another time), the login is refused, or TLS fails. No message shows a password.
pub fn open(uri: &str) -> Result<Arc<dyn Sink>> {
    open_with(uri, &Waits::default())
}

/// Does the same as [`open`], and uses `waits` to wait for a server that goes away later.
///
/// # Errors
/// The errors of [`open`].
pub fn open_with(uri: &str, waits: &Waits) -> Result<Arc<dyn Sink>> {
    let target = Target::parse(uri)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .thread_name("mongodb")
        .enable_all()
        .build()
        .map_err(|error| Error::system("cannot start the MongoDB driver's threads").because(error))?;
    let monitor = MonitorState::default();
    let connected = runtime.block_on(startup::connect(&target, monitor.clone(), waits));
    let (database, write_concern, limits) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            // Dropping the runtime would wait for a name look-up that is in progress.
            runtime.shutdown_background();
            return Err(error);
        }
    };
    let patience = waits.patience(&target.name, Words::STORED);
    let patience = match target.deadline {
        Some(deadline) => patience.with_deadline(deadline, "sinkDeadlineMS"),
        None => patience,
    };
    let head = CommandHead::new(&target.collection, &write_concern);
    let connection = Connection { target, database, limits, head, patience, monitor };
    Ok(Arc::new(MongoSink { connection, runtime: Some(runtime) }))
}

struct MongoSink {
    connection: Connection,
    /// `None` only while the sink is dropped.
    runtime: Option<Runtime>,
}

impl Sink for MongoSink {
    fn name(&self) -> &str {
        &self.connection.target.name
    }

    fn encoding(&self) -> Encoding {
        Encoding::Bson
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        outcomes.resize(documents.len(), Outcome::Stored);
        let runtime = self.runtime.as_ref().ok_or_else(|| Error::internal("a MongoDB sink was used after its end"))?;
        let stored = runtime.block_on(Insert::new(&self.connection, documents, outcomes).run());
        if stored.is_err() {
            outcomes.clear();
        }
        stored
    }
}

impl Drop for MongoSink {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
