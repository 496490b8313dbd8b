//! The MongoDB sink: `mongodb://HOST/DB.COLLECTION?…` and `mongodb+srv://…`.
//!
//! **Address.** The path is split at its first dot; a missing database is `logator`, a missing collection `logs`.
//! Options are those of every MongoDB connection string, and one of ours: `sinkDeadlineMS`, how long this sink may keep the
//! job waiting (otherwise the job's own `--sink-deadline`). A login without `authSource` is looked up in the database of
//! the path, or in `admin` when the path names none: the rule of the connection string format, kept so that strings
//! that work elsewhere work here.
//!
//! **Durable** means that the write concern of the address is satisfied. The default is `w=majority`, which a single
//! server takes as "in the journal". With any other `w`, `j` is true unless the address says `journal=false`. `w=0` is
//! refused: nothing could be called stored.
//!
//! **Stored or duplicate.** A document whose `_id` is there already is a duplicate. When a try ends without an answer
//! (connection lost, server gone) the server may have carried it out, so that the next try meets its own documents:
//! these count as *stored*. Nobody can tell them from documents of an earlier run that happened to be in the same
//! command; such a document may then be reported as stored although it is a duplicate. The sum, and the documents in
//! the database, are right in both cases.
//!
//! **Trouble.** Codes and labels decide, document by document: what passes is tried again with jittered back-off until
//! the deadline, which is one for all workers, and then [`Failed`](Outcome::Failed); what does not is [`Rejected`](Outcome::Rejected) with the server's
//! words; a refused login, a missing permission or a write concern that cannot be satisfied ends the run.

mod command;
mod insert;
mod reply;
mod startup;
mod target;

use std::sync::{Arc, Mutex};

use mongodb::Database;
use tokio::runtime::Runtime;

use self::command::{CommandHead, Limits};
use self::insert::Insert;
use self::target::Target;
use super::{Encoding, Outcome, Sink};
use crate::core::error::{Error, Result};
use crate::core::wait::{Patience, Waits, Words};
use crate::document::Documents;

/// Threads that serve the driver's sockets and monitors. Commands themselves run on the threads that call `store`.
const RUNTIME_THREADS: usize = 1;

/// Connects to the server of `uri` and checks that it answers and accepts the login.
///
/// # Errors
/// [`Kind::Usage`](crate::core::error::Kind::Usage) when the address is wrong or asks for `w=0`;
/// [`Kind::Sink`](crate::core::error::Kind::Sink) when nobody answers within 5 seconds (`serverSelectionTimeoutMS` in the
/// address sets another time), the login is refused, or TLS fails. No message shows a password.
pub fn open(uri: &str) -> Result<Arc<dyn Sink>> {
    open_with(uri, &Waits::default())
}

/// [`open`], waiting with `waits` for a server that goes away in mid-run.
///
/// # Errors
/// Those of [`open`].
pub fn open_with(uri: &str, waits: &Waits) -> Result<Arc<dyn Sink>> {
    let target = Target::parse(uri)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .thread_name("mongodb")
        .enable_all()
        .build()
        .map_err(|error| Error::system("cannot start the MongoDB driver's threads").because(error))?;
    let weather = Weather::default();
    let connected = runtime.block_on(startup::connect(&target, weather.clone(), waits));
    let (database, write_concern, limits) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            // Not a plain drop: a look-up of a name under way would hold it up.
            runtime.shutdown_background();
            return Err(error);
        }
    };
    let patience = waits.patience(&target.name, Words::STORED);
    let patience = match target.deadline {
        Some(deadline) => patience.with_deadline(deadline, "sinkDeadlineMS"),
        None => patience,
    };
    Ok(Arc::new(MongoSink {
        head: CommandHead::new(&target.collection, &write_concern),
        patience,
        runtime: Some(runtime),
        target,
        database,
        limits,
        weather,
    }))
}

struct MongoSink {
    target: Target,
    database: Database,
    limits: Limits,
    head: CommandHead,
    patience: Patience,
    weather: Weather,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Sink for MongoSink {
    fn name(&self) -> &str {
        &self.target.name
    }

    fn encoding(&self) -> Encoding {
        Encoding::Bson
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        outcomes.resize(documents.len(), Outcome::Stored);
        let runtime = self.runtime.as_ref().ok_or_else(|| Error::internal("a MongoDB sink was used after its end"))?;
        let stored = runtime.block_on(Insert::new(self, documents, outcomes).run());
        if stored.is_err() {
            outcomes.clear();
        }
        stored
    }
}

impl MongoSink {
    /// Adds what the monitors saw last to the words of a failure, for they know why no server was found.
    fn explain(&self, words: &str) -> String {
        let words = match self.weather.last_failure() {
            Some(seen) if !words.contains(seen.as_str()) => format!("{words} ({seen})"),
            _ => words.to_owned(),
        };
        self.target.mask(&words)
    }
}

impl Drop for MongoSink {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What the driver's monitors saw last.
#[derive(Clone, Default)]
struct Weather(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    failure: Option<String>,
    /// A failure that no waiting will mend (TLS).
    hopeless: bool,
}

impl Weather {
    fn last_failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    fn hopeless(&self) -> Option<String> {
        let seen = self.lock();
        seen.failure.clone().filter(|_| seen.hopeless)
    }

    fn failed(&self, words: String, hopeless: bool) {
        *self.lock() = Seen { failure: Some(words), hopeless };
    }

    fn cleared(&self) {
        *self.lock() = Seen::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        // Nothing in there can be half done.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
