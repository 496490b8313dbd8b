//! [`SqliteSink`]: stores documents as rows of a table.

use std::fs::OpenOptions;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement, Transaction, TransactionBehavior};

use super::counters::{COUNTERS, RETRIES};
use super::table::DEFAULT_TABLE;
use crate::core::backoff::Backoff;
use crate::core::disk;
use crate::core::error::{Error, Result};
use crate::core::wait::{Ended, Patience, Wait, Waits, Words};
use crate::document::{Documents, EncodedDocument, Encoding};
use crate::event::Layout;
use crate::observe::counters::Counters;
use crate::observe::details::Seldom;
use crate::sink::api::{Outcome, Sink};
use crate::sink::retry::{Attempt, Pending, Retry, Verdict};

static RETRIED: Seldom = Seldom::new();

/// The time that SQLite itself waits for a lock. It is short because nothing can interrupt that wait; our own wait
/// follows it.
const BUSY_TIMEOUT: Duration = Duration::from_millis(100);

/// The delays between attempts while another process has the database locked.
const FIRST_DELAY: Duration = Duration::from_millis(5);
const MAX_DELAY: Duration = Duration::from_millis(200);

/// The reason for waiting when a database is locked.
const LOCKED_REASON: &str = "another process has locked the database";

/// The reason for rejecting a document that got no row although SQLite reports no error.
const ROW_IGNORED: &str =
    "the table left the row out (RAISE(IGNORE) of a trigger, or a constraint with ON CONFLICT IGNORE)";

/// A sink that is a SQLite database.
#[derive(Debug)]
pub struct SqliteSink {
    name: String,
    path: PathBuf,
    insert: String,
    find: String,
    patience: Patience,
    counters: Counters,
    connection: Mutex<Connection>,
}

impl SqliteSink {
    /// Opens the database at `path`, and creates it and `table` if they are missing. `table` is a plain name (letters,
    /// digits, underscores).
    ///
    /// # Errors
    /// [`Error::sink`] when the file is not a database, cannot be written, stays locked too long, or its table has
    /// other columns.
    pub fn open(path: &Path, table: &str, waits: &Waits) -> Result<SqliteSink> {
        let name = match table {
            DEFAULT_TABLE => format!("sqlite:{}", path.display()),
            _ => format!("sqlite:{}?table={table}", path.display()),
        };
        let patience = waits.patience(&name, Words::STORED);
        // SQLite creates files that no group can write to. Creating the file here lets the umask decide. SQLite itself
        // reports any error of this step.
        drop(OpenOptions::new().append(true).create_new(true).mode(0o666).open(path));
        let connection = Connection::open(path).map_err(|e| explain(&name, path, "cannot be opened", e))?;
        prepare(&connection, &name, path, table, &patience.begin())?;
        patience.over();
        // The conflict clause names only the key: a row that another unique index refuses is not a duplicate.
        let insert = format!("INSERT INTO {table}(_id, doc) VALUES(?1, ?2) ON CONFLICT(_id) DO NOTHING");
        let find = format!("SELECT 1 FROM {table} WHERE _id = ?1");
        let (path, counters, connection) = (path.into(), Counters::new(COUNTERS), Mutex::new(connection));
        Ok(SqliteSink { name, path, insert, find, patience, counters, connection })
    }

    /// Returns the path of the database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries to store `group`. Its documents follow each other, because those without an outcome are always the last ones.
    fn attempt(&self, connection: &mut Connection, documents: &Documents, group: &[Pending]) -> Result<Attempt> {
        let first = group.first().map_or(0, |pending| pending.index);
        let rows = first..first + group.len();
        let mut outcomes = Vec::with_capacity(group.len());
        let inserted = self
            .patience
            .call("commit", || self.insert(connection, documents, rows.clone(), RowMode::Plain, &mut outcomes));
        let mut verdicts: Vec<Verdict> = outcomes.into_iter().map(Verdict::Settled).collect();
        verdicts.resize(group.len(), Verdict::Again { written: false });
        match inserted {
            Ok(()) => Ok(Attempt::Answered { verdicts, trouble: None }),
            Err(e) if is_locked(&e) => Ok(Attempt::Answered { verdicts, trouble: Some(LOCKED_REASON.to_owned()) }),
            Err(e) => Err(explain(&self.name, &self.path, "a batch could not be stored", e)),
        }
    }

    /// Stores `rows` and appends their outcomes. If it fails, the documents with an outcome are durable.
    ///
    /// If the table refuses a row, each row gets a savepoint. Usually it undoes a refused row alone, including changes that a
    /// trigger made before its `RAISE(FAIL)`. If the whole transaction is rolled back (`RAISE(ROLLBACK)`, a constraint that
    /// is checked at the end), each half is tried separately, down to the row that is the cause.
    fn insert(
        &self,
        connection: &mut Connection,
        documents: &Documents,
        rows: Range<usize>,
        mode: RowMode,
        outcomes: &mut Vec<Outcome>,
    ) -> rusqlite::Result<()> {
        match (self.transact(connection, documents, rows.clone(), mode, outcomes), mode) {
            (Ok(()), _) => Ok(()),
            (Err(Fault::Sqlite(e)), _) => Err(e),
            (Err(Fault::Refused(_)), RowMode::Plain) => {
                self.insert(connection, documents, rows, RowMode::InSavepoint, outcomes)
            }
            (Err(Fault::Refused(words)), RowMode::InSavepoint) if rows.len() == 1 => {
                outcomes.push(Outcome::Rejected(words));
                Ok(())
            }
            (Err(Fault::Refused(_)), RowMode::InSavepoint) => {
                let middle = rows.start + rows.len() / 2;
                self.insert(connection, documents, rows.start..middle, mode, outcomes)?;
                self.insert(connection, documents, middle..rows.end, mode, outcomes)
            }
        }
    }

    /// Stores `rows` in one transaction and appends their outcomes. If the transaction fails, `outcomes` stays as it
    /// was.
    fn transact(
        &self,
        connection: &mut Connection,
        documents: &Documents,
        rows: Range<usize>,
        mode: RowMode,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Fault> {
        // An immediate transaction waits for the lock at its beginning, so that no batch waits when it is half done.
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        let done = outcomes.len();
        let stored = self.insert_rows(&transaction, rows.map(|row| documents.get(row)), mode, outcomes);
        let committed = stored.and_then(|()| match transaction.commit() {
            Err(e) if is_constraint(&e) => Err(Fault::Refused(message_of(&e))),
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
        mode: RowMode,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Fault> {
        let mut insert = transaction.prepare_cached(&self.insert)?;
        for document in documents {
            if mode == RowMode::InSavepoint {
                transaction.prepare_cached("SAVEPOINT document")?.execute([])?;
            }
            outcomes.push(match self.insert_row(transaction, &mut insert, &document) {
                // If the transaction is gone, there is no savepoint to go back to.
                Err(Fault::Refused(words)) if mode == RowMode::InSavepoint && !transaction.is_autocommit() => {
                    transaction.prepare_cached("ROLLBACK TO document")?.execute([])?;
                    Outcome::Rejected(words)
                }
                result => result?,
            });
            if mode == RowMode::InSavepoint {
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
        let digits = document.id.digits();
        let id = digits.as_str();
        match insert.execute((id, ToSqlOutput::Borrowed(ValueRef::Text(document.bytes)))) {
            Ok(0) => Ok(match transaction.prepare_cached(&self.find)?.exists([id])? {
                true => Outcome::Duplicate,
                false => Outcome::Rejected(ROW_IGNORED.to_owned()),
            }),
            Ok(_) => Ok(Outcome::Stored),
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::TooBig) => Ok(Outcome::Oversize(message_of(&e))),
            Err(e) if is_constraint(&e) => Err(Fault::Refused(message_of(&e))),
            // An expression of an index or a trigger failed with the values of this row. The same error code comes from
            // a statement that is no longer valid, for example because somebody dropped the table. `prepare` succeeds
            // only in the first case.
            Err(e)
                if e.sqlite_error_code() == Some(ErrorCode::Unknown) && transaction.prepare(&self.insert).is_ok() =>
            {
                Err(Fault::Refused(message_of(&e)))
            }
            Err(e) => Err(e.into()),
        }
    }
}

/// How a transaction treats a refused row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowMode {
    /// A refused row ends the transaction.
    Plain,
    /// A refused row is undone alone.
    InSavepoint,
}

/// The reason why a transaction failed.
enum Fault {
    /// The table refuses a row; the text is the message of SQLite.
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

    fn layout(&self) -> Layout {
        Encoding::Json.into()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        if documents.is_empty() {
            return Ok(());
        }
        outcomes.resize(documents.len(), Outcome::Stored);
        let mut connection = self.connection();
        let retry = Retry {
            patience: &self.patience,
            first_delay: FIRST_DELAY,
            max_delay: MAX_DELAY,
            aloud: false,
            counters: (&self.counters, &RETRIES),
            told: &RETRIED,
        };
        let all = vec![Pending::of(0..documents.len())];
        let stored = retry.run(all, outcomes, |group, _, _| self.attempt(&mut connection, documents, group));
        stored.inspect_err(|_| outcomes.clear())
    }

    fn counters(&self) -> Option<&Counters> {
        Some(&self.counters)
    }

    /// Moves the content of the write-ahead log into the database, so that one file holds everything.
    fn close(&self) -> Result<()> {
        let connection = self.connection();
        match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            Ok(()) => Ok(()),
            // Another process is reading: the log stays and is part of the database.
            Err(e) if is_locked(&e) => Ok(()),
            Err(e) => Err(explain(&self.name, &self.path, "its log could not be merged", e)),
        }
    }
}

// WITHOUT ROWID, measured with 400,000 documents of 400 bytes: the file is a tenth smaller than with a table and a
// separate index. Filling it takes 6 % less time from one source (whose ids ascend), and 4 % more from four sources in
// turn.
fn prepare(connection: &Connection, name: &str, path: &Path, table: &str, wait: &Wait<'_>) -> Result<()> {
    let failed = |failure| match failure {
        Failure::Sqlite(e) => explain(name, path, "cannot be prepared", e),
        Failure::Ended(ended) => ended.error(name),
    };
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|e| failed(e.into()))?;
    let shape: Vec<(String, String, bool)> = retry_while_locked(wait, || {
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
    retry_while_locked(wait, || connection.execute_batch(&set_up)).map_err(failed)
}

/// The reason why preparing the database failed.
enum Failure {
    Sqlite(rusqlite::Error),
    Ended(Ended),
}

impl From<rusqlite::Error> for Failure {
    fn from(e: rusqlite::Error) -> Self {
        Failure::Sqlite(e)
    }
}

/// Repeats `attempt` while another process has the database locked. The time-out of SQLite itself does not cover every
/// lock: not that for the change to WAL mode, and not that for the repair after a crash, which two processes may start
/// when they open a database at once.
fn retry_while_locked<T>(wait: &Wait<'_>, mut attempt: impl FnMut() -> rusqlite::Result<T>) -> Result<T, Failure> {
    let mut backoff = Backoff::new(FIRST_DELAY, MAX_DELAY);
    loop {
        match attempt() {
            Err(e) if is_locked(&e) => wait.pause(LOCKED_REASON, backoff.next_delay()).map_err(Failure::Ended)?,
            result => return Ok(result?),
        }
    }
}

fn is_locked(e: &rusqlite::Error) -> bool {
    matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Returns whether a constraint refuses a row: a unique index, CHECK, NOT NULL, a type, a foreign key, or RAISE of a
/// trigger.
fn is_constraint(e: &rusqlite::Error) -> bool {
    matches!(e.sqlite_error_code(), Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch))
}

/// Returns the message of SQLite.
fn message_of(e: &rusqlite::Error) -> String {
    match e {
        rusqlite::Error::SqliteFailure(_, Some(words)) => words.clone(),
        e => e.to_string(),
    }
}

/// Returns the error for a failure of the whole database.
fn explain(name: &str, path: &Path, what: &str, e: rusqlite::Error) -> Error {
    let hint = match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "; the file is not a SQLite database, name another".to_owned(),
        Some(ErrorCode::DiskFull) => disk::full(Some(path)),
        // Without room on the disk, SQLite also reports these errors, for example for the index of its log.
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if disk::is_full(path) => disk::full(Some(path)),
        Some(ErrorCode::ReadOnly) => "; it may not be written to, check its permissions and its folder's".to_owned(),
        Some(ErrorCode::CannotOpen) => "; check that its folder is there and may be written to".to_owned(),
        Some(ErrorCode::DatabaseCorrupt) => "; look at it with: sqlite3 FILE 'pragma integrity_check'".to_owned(),
        _ => String::new(),
    };
    Error::sink(format!("{name}: {what}{hint}")).because(e)
}
