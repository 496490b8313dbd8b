//! `sqlite:FILE`: one row a document in a table `logs(_id, doc)`, `doc` being JSON text.
//!
//! ```sql
//! select doc->>'response' as response, count(*) from logs group by 1;
//! ```
//!
//! A batch is one transaction, in WAL mode with full synchronisation: committed is durable. A document whose `_id` is
//! in the table already is a duplicate and changes nothing. One that the table refuses for another reason (constraints,
//! triggers and indices that its owner has added) is rejected, and the others are stored. `doc` is UTF-8 and may hold `\u0000` escapes.

use std::fs::OpenOptions;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement, Transaction, TransactionBehavior};

use super::backoff::Backoff;
use super::{Encoding, Outcome, Sink};
use crate::core::disk;
use crate::core::error::{Error, Result};
use crate::core::wait::{Ended, Patience, Wait, Waits, Words};
use crate::document::{Documents, EncodedDocument};
use crate::observe::details::Seldom;

static RETRIED: Seldom = Seldom::new();

/// How long SQLite itself waits for a lock. Short, because nothing can end that wait; ours goes on where it ends.
const BUSY: Duration = Duration::from_millis(100);

/// What is in the way when a database is locked.
const LOCKED: &str = "another process has locked the database";

/// Why a document without a row is rejected although SQLite reports no error.
const LEFT_OUT: &str =
    "the table left the row out (RAISE(IGNORE) of a trigger, or a constraint with ON CONFLICT IGNORE)";

/// A SQLite database.
#[derive(Debug)]
pub struct SqliteSink {
    name: String,
    path: PathBuf,
    insert: String,
    find: String,
    patience: Patience,
    connection: Mutex<Connection>,
}

impl SqliteSink {
    /// Opens the database at `path`, and creates it and `table` if need be. `table` is a plain name (letters, digits,
    /// underscores).
    ///
    /// # Errors
    /// [`Error::sink`] when the file is no database, cannot be written, is locked for too long, or its table has another
    /// shape.
    pub fn open(path: &Path, table: &str, waits: &Waits) -> Result<SqliteSink> {
        let name = match table {
            super::spec::DEFAULT_TABLE => format!("sqlite:{}", path.display()),
            _ => format!("sqlite:{}?table={table}", path.display()),
        };
        let patience = waits.patience(&name, Words::STORED);
        // SQLite makes files that no group can write to; the umask shall decide. What goes wrong here it says itself.
        drop(OpenOptions::new().append(true).create_new(true).mode(0o666).open(path));
        let connection = Connection::open(path).map_err(|e| explain(&name, path, "cannot be opened", e))?;
        prepare(&connection, &name, path, table, &patience.begin())?;
        patience.over();
        // Only the key: what another unique index refuses is no duplicate.
        let insert = format!("INSERT INTO {table}(_id, doc) VALUES(?1, ?2) ON CONFLICT(_id) DO NOTHING");
        let find = format!("SELECT 1 FROM {table} WHERE _id = ?1");
        Ok(SqliteSink { name, path: path.into(), insert, find, patience, connection: Mutex::new(connection) })
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the documents whose answers are not in `outcomes` yet, and adds them. What is in there when it fails is
    /// durable.
    fn insert(
        &self,
        connection: &mut Connection,
        documents: &Documents,
        outcomes: &mut Vec<Outcome>,
    ) -> rusqlite::Result<()> {
        let rows = outcomes.len()..documents.len();
        match self.transact(connection, documents, rows.clone(), Each::Plain, outcomes) {
            Err(Fault::Refused(_)) => self.insert_with_refusals(connection, documents, rows, outcomes),
            Err(Fault::Sqlite(e)) => Err(e),
            Ok(()) => Ok(()),
        }
    }

    /// The same for `rows`, where the table refuses some. Usually a savepoint takes back what the refused row has left (a
    /// trigger's `RAISE(FAIL)` leaves what came before it). Where the whole transaction is taken back (`RAISE(ROLLBACK)`,
    /// a constraint that is checked at its end), both halves are tried, down to the row that is the cause.
    fn insert_with_refusals(
        &self,
        connection: &mut Connection,
        documents: &Documents,
        rows: Range<usize>,
        outcomes: &mut Vec<Outcome>,
    ) -> rusqlite::Result<()> {
        match self.transact(connection, documents, rows.clone(), Each::InSavepoint, outcomes) {
            Err(Fault::Refused(words)) if rows.len() == 1 => {
                outcomes.push(Outcome::Rejected(words));
                Ok(())
            }
            Err(Fault::Refused(_)) => {
                let middle = rows.start + rows.len() / 2;
                self.insert_with_refusals(connection, documents, rows.start..middle, outcomes)?;
                self.insert_with_refusals(connection, documents, middle..rows.end, outcomes)
            }
            Err(Fault::Sqlite(e)) => Err(e),
            Ok(()) => Ok(()),
        }
    }

    /// Stores `rows` in one transaction; `outcomes` gets their answers, or stays as it is when the transaction fails.
    fn transact(
        &self,
        connection: &mut Connection,
        documents: &Documents,
        rows: Range<usize>,
        each: Each,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Fault> {
        // Immediate: waiting for the lock comes first, so that a batch is never half done when it has to wait.
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        let done = outcomes.len();
        let stored = self.insert_rows(&transaction, rows.map(|row| documents.get(row)), each, outcomes);
        let committed = stored.and_then(|()| match transaction.commit() {
            Err(e) if is_constraint(&e) => Err(Fault::Refused(words_of(&e))),
            result => Ok(result?),
        });
        if committed.is_err() {
            outcomes.truncate(done);
        }
        committed
    }

    fn insert_rows<'a>(
        &self,
        transaction: &Transaction<'_>,
        documents: impl Iterator<Item = EncodedDocument<'a>>,
        each: Each,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Fault> {
        let mut insert = transaction.prepare_cached(&self.insert)?;
        for document in documents {
            if each == Each::InSavepoint {
                transaction.prepare_cached("SAVEPOINT document")?.execute([])?;
            }
            outcomes.push(match self.insert_row(transaction, &mut insert, &document) {
                // Without a transaction there is nothing to go back to.
                Err(Fault::Refused(words)) if each == Each::InSavepoint && !transaction.is_autocommit() => {
                    transaction.prepare_cached("ROLLBACK TO document")?.execute([])?;
                    Outcome::Rejected(words)
                }
                result => result?,
            });
            if each == Each::InSavepoint {
                transaction.prepare_cached("RELEASE document")?.execute([])?;
            }
        }
        Ok(())
    }

    fn insert_row(
        &self,
        transaction: &Transaction<'_>,
        insert: &mut Statement<'_>,
        document: &EncodedDocument<'_>,
    ) -> Result<Outcome, Fault> {
        let id = document.id.as_str();
        match insert.execute((id, ToSqlOutput::Borrowed(ValueRef::Text(document.bytes)))) {
            Ok(0) => Ok(match transaction.prepare_cached(&self.find)?.exists([id])? {
                true => Outcome::Duplicate,
                false => Outcome::Rejected(LEFT_OUT.to_owned()),
            }),
            Ok(_) => Ok(Outcome::Stored),
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::TooBig) => Ok(Outcome::Oversize(words_of(&e))),
            Err(e) if is_constraint(&e) => Err(Fault::Refused(words_of(&e))),
            // An expression of an index or a trigger failed with this row's values, unless the statement as such cannot be
            // carried out any more, because somebody has dropped the table for example.
            Err(e)
                if e.sqlite_error_code() == Some(ErrorCode::Unknown) && transaction.prepare(&self.insert).is_ok() =>
            {
                Err(Fault::Refused(words_of(&e)))
            }
            Err(e) => Err(e.into()),
        }
    }
}

/// How a transaction stores each document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Each {
    /// A refused one ends the transaction.
    Plain,
    /// A refused one is taken back alone.
    InSavepoint,
}

/// Why a transaction failed.
enum Fault {
    /// The table refuses a row, in SQLite's words.
    Refused(String),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(e: rusqlite::Error) -> Self {
        Fault::Sqlite(e)
    }
}

impl Sink for SqliteSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn encoding(&self) -> Encoding {
        Encoding::Json
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        if documents.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection();
        let wait = self.patience.begin();
        let mut backoff = backoff();
        loop {
            let inserted = self.patience.call("commit", || self.insert(&mut connection, documents, outcomes));
            let Err(e) = inserted else {
                self.patience.over();
                return Ok(());
            };
            if !is_locked(&e) {
                outcomes.clear();
                return Err(explain(&self.name, &self.path, "a batch could not be stored", e));
            }
            let delay = backoff.next_delay();
            let (name, ms) = (&self.name, delay.as_millis());
            RETRIED.tell(1, |times, _| format!("{name}: locked {times} times, tried again in {ms} ms"));
            if let Err(ended) = wait.pause(LOCKED, delay) {
                outcomes.resize(documents.len(), Outcome::Failed(ended.0));
                return Ok(());
            }
        }
    }

    /// Moves what is in the write-ahead log into the database, so that the one file is all there is.
    fn close(&self) -> Result<()> {
        let connection = self.connection();
        match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            Ok(()) => Ok(()),
            // Somebody is reading: the log stays, and is part of the database.
            Err(e) if is_locked(&e) => Ok(()),
            Err(e) => Err(explain(&self.name, &self.path, "its log could not be merged", e)),
        }
    }
}

// WITHOUT ROWID, measured with 400,000 documents of 400 bytes: a tenth smaller than a table with an index beside it; 6 %
// faster to fill from one source (whose ids ascend), 4 % slower from four in turn.
fn prepare(connection: &Connection, name: &str, path: &Path, table: &str, wait: &Wait<'_>) -> Result<()> {
    let failed = |failure| match failure {
        Failure::Sqlite(e) => explain(name, path, "cannot be prepared", e),
        Failure::Ended(ended) => ended.error(name),
    };
    connection.busy_timeout(BUSY).map_err(|e| failed(e.into()))?;
    let shape: Vec<(String, String, bool)> = patiently(wait, || {
        let mut query = connection.prepare("SELECT name, type, pk FROM pragma_table_info(?1)")?;
        query.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)? > 0)))?.collect()
    })
    .map_err(failed)?;
    let ours = [("_id".into(), "TEXT".into(), true), ("doc".into(), "TEXT".into(), false)];
    if !shape.is_empty() && shape != ours {
        let columns: Vec<_> = shape.iter().map(|(name, ..)| name.as_str()).collect();
        return Err(Error::sink(format!(
            "{name}: its table {table} has the columns {}, not _id (its key) and doc; name another with ?table=NAME",
            columns.join(", ")
        )));
    }
    let set_up = format!(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=8000;
         CREATE TABLE IF NOT EXISTS {table}(_id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;"
    );
    patiently(wait, || connection.execute_batch(&set_up)).map_err(failed)
}

/// Why preparing failed.
enum Failure {
    Sqlite(rusqlite::Error),
    Ended(Ended),
}

impl From<rusqlite::Error> for Failure {
    fn from(e: rusqlite::Error) -> Self {
        Failure::Sqlite(e)
    }
}

/// Tries again what another process's lock is in the way of. SQLite's own time-out is not for all locks: not for the
/// change to WAL mode, and not for the repair after a crash, which two processes that open a database at once come upon.
fn patiently<T>(wait: &Wait<'_>, mut attempt: impl FnMut() -> rusqlite::Result<T>) -> Result<T, Failure> {
    let mut backoff = backoff();
    loop {
        match attempt() {
            Err(e) if is_locked(&e) => wait.pause(LOCKED, backoff.next_delay()).map_err(Failure::Ended)?,
            result => return Ok(result?),
        }
    }
}

fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(5), Duration::from_millis(200))
}

fn is_locked(e: &rusqlite::Error) -> bool {
    matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a constraint refuses a row: a unique index, CHECK, NOT NULL, a type, a foreign key, RAISE of a trigger.
fn is_constraint(e: &rusqlite::Error) -> bool {
    matches!(e.sqlite_error_code(), Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch))
}

/// SQLite's own words.
fn words_of(e: &rusqlite::Error) -> String {
    match e {
        rusqlite::Error::SqliteFailure(_, Some(words)) => words.clone(),
        e => e.to_string(),
    }
}

/// The sentence for a failure of the whole database.
fn explain(name: &str, path: &Path, what: &str, e: rusqlite::Error) -> Error {
    let hint = match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "; the file is not a SQLite database, name another".to_owned(),
        Some(ErrorCode::DiskFull) => disk::full(Some(path)),
        // SQLite has other names for what it meets where there is no room: its index of the log, for one.
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if disk::is_full(path) => disk::full(Some(path)),
        Some(ErrorCode::ReadOnly) => "; it may not be written to, check its permissions and its folder's".to_owned(),
        Some(ErrorCode::CannotOpen) => "; check that its folder is there and may be written to".to_owned(),
        Some(ErrorCode::DatabaseCorrupt) => "; look at it with: sqlite3 FILE 'pragma integrity_check'".to_owned(),
        _ => String::new(),
    };
    Error::sink(format!("{name}: {what}{hint}")).because(e)
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
