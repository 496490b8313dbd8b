//! [`MongoSink`]: connects to a server and stores documents in a collection.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::command::CommandHead;
use super::connection::Connection;
use super::counters::COUNTERS;
use super::insert::Insert;
use super::monitor::MonitorState;
use super::startup;
use super::target::Target;
use crate::core::error::{Error, Result};
use crate::core::wait::{Waits, Words};
use crate::document::{Documents, Encoding};
use crate::event::Layout;
use crate::observe::counters::Counters;
use crate::sink::api::{Outcome, Sink};

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
    let counters = Counters::new(COUNTERS);
    let connection = Connection { target, database, limits, head, patience, counters, monitor };
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

    fn layout(&self) -> Layout {
        Encoding::Bson.into()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        outcomes.resize(documents.len(), Outcome::Stored);
        let runtime = self.runtime.as_ref().ok_or_else(|| Error::internal("a MongoDB sink was used after its end"))?;
        let stored = Insert::new(&self.connection, runtime, documents).run(outcomes);
        stored.inspect_err(|_| outcomes.clear())
    }

    fn counters(&self) -> Option<&Counters> {
        Some(&self.connection.counters)
    }
}

impl Drop for MongoSink {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
