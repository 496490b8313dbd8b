use super::SqliteSink;
use crate::core::wait::Waits;
use crate::sink::tests::batch;
use crate::sink::{Outcome, Sink};
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

use crate::core::error::Kind;
use crate::core::wait::Deadline;

fn opened(path: &Path) -> String {
    let error = SqliteSink::open(path, "logs", &Waits::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Sink);
    assert!(error.to_string().contains(&format!("sqlite:{}", path.display())), "{error}");
    error.to_string()
}

#[test]
fn fields_of_stored_documents_can_be_queried() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let sink = SqliteSink::open(&path, "logs", &Waits::default()).unwrap();
    sink.store(&batch(0..10), &mut Vec::new()).unwrap();
    sink.close().unwrap();
    assert_eq!(sink.path(), path);
    assert_eq!(std::fs::metadata(folder.path().join("a.db-wal")).map_or(0, |m| m.len()), 0, "one file is all there is");
    let db = Connection::open(&path).unwrap();
    let tags: String = db.query_row("SELECT doc->'tags'->>0 FROM logs LIMIT 1", [], |row| row.get(0)).unwrap();
    assert_eq!(tags, "_grokparsefailure");
    let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_file_that_cannot_be_a_sink_is_named_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let diary = folder.path().join("diary.txt");
    std::fs::write(&diary, "my diary, first page. ".repeat(100)).unwrap();
    assert!(opened(&diary).contains("not a SQLite database"));
    assert!(opened(&folder.path().join("no/folder.db")).contains("check that its folder is there"));

    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE logs(time TEXT, level TEXT)").unwrap();
    assert!(opened(&other).contains("its table logs has the columns time, level"));
    SqliteSink::open(&other, "documents", &Waits::default()).unwrap();
}

#[test]
fn a_database_that_may_only_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(SqliteSink::open(&path, "logs", &Waits::default()).unwrap());
    let sink = SqliteSink::open(&path, "logs", &Waits::default()).unwrap();
    // For root, no file mode forbids writing. The switch of the connection gives the same error.
    sink.connection().execute_batch("PRAGMA query_only=1").unwrap();
    let error = sink.store(&batch(0..3), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("may not be written to"), "{error}");
}

#[test]
fn a_full_disk_stores_nothing_of_the_batch_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let sink = SqliteSink::open(&folder.path().join("a.db"), "logs", &Waits::default()).unwrap();
    let mut outcomes = Vec::new();
    sink.store(&batch(0..10), &mut outcomes).unwrap();
    sink.connection().query_row("PRAGMA max_page_count=8", [], |_| Ok(())).unwrap();
    let error = sink.store(&batch(10..5000), &mut outcomes).unwrap_err();
    assert!(error.to_string().contains("make room"), "{error}");
    assert!(outcomes.is_empty());
    let rows: i64 = sink.connection().query_row("SELECT count(*) FROM logs", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 10);
    sink.connection().query_row("PRAGMA max_page_count=100000", [], |_| Ok(())).unwrap();
    sink.store(&batch(0..5000), &mut outcomes).unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Duplicate).count(), 10);
}

#[test]
fn a_lock_held_beyond_the_deadline_gives_the_batch_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let sink = SqliteSink::open(&path, "logs", &Waits::quiet(Deadline::of(Duration::ZERO))).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut outcomes = Vec::new();
    sink.store(&batch(0..2), &mut outcomes).unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Failed(words), Outcome::Failed(_)] if words.contains("locked")));
    other.execute_batch("COMMIT").unwrap();
    sink.store(&batch(0..2), &mut outcomes).unwrap();
    assert_eq!(outcomes, [Outcome::Stored, Outcome::Stored]);
}

/// A condition that is true for two of ten lines.
const TWO: &str = "(doc LIKE '%line 3 %' OR doc LIKE '%line 7 %')";

/// Additions to a table that refuse the rows of `TWO`, each with the message of SQLite.
const REFUSALS: [(&str, &str); 13] = [
    ("CREATE UNIQUE INDEX u ON logs(CASE WHEN TWO THEN 1 ELSE _id END)", "UNIQUE constraint failed: index 'u'"),
    ("CREATE TRIGGER t AFTER INSERT ON logs WHEN TWO2 BEGIN SELECT RAISE(ABORT, 'not this one'); END", "not this one"),
    ("CREATE TRIGGER t BEFORE INSERT ON logs WHEN TWO2 BEGIN SELECT RAISE(FAIL, 'not this one'); END", "not this one"),
    // The row exists when the statement fails.
    ("CREATE TRIGGER t AFTER INSERT ON logs WHEN TWO2 BEGIN SELECT RAISE(FAIL, 'not this one'); END", "not this one"),
    ("CREATE TRIGGER t AFTER INSERT ON logs WHEN TWO2 BEGIN SELECT RAISE(ROLLBACK, 'not here'); END", "not here"),
    ("CREATE TRIGGER t BEFORE INSERT ON logs WHEN TWO2 BEGIN SELECT RAISE(IGNORE); END", "left the row out"),
    // This constraint is checked at the end of the transaction.
    (
        "CREATE TABLE known(id PRIMARY KEY);
         CREATE TABLE used(id REFERENCES known(id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER t AFTER INSERT ON logs WHEN TWO2 BEGIN INSERT INTO used VALUES(1); END",
        "FOREIGN KEY constraint failed",
    ),
    // This expression cannot be computed for the two rows.
    ("CREATE INDEX i ON logs(CASE WHEN TWO THEN abs(-9223372036854775807 - 1) END)", "integer overflow"),
    ("TABLE CHECK(NOT TWO)", "CHECK constraint failed"),
    ("TABLE v AS (CASE WHEN NOT TWO THEN 1 END) NOT NULL", "NOT NULL constraint failed: logs.v"),
    ("TABLE v AS (CASE WHEN NOT TWO THEN 1 END) NOT NULL ON CONFLICT FAIL", "NOT NULL constraint failed: logs.v"),
    ("TABLE v AS (CASE WHEN NOT TWO THEN 1 END) NOT NULL ON CONFLICT ROLLBACK", "NOT NULL constraint failed: logs.v"),
    ("TABLE v AS (CASE WHEN NOT TWO THEN 1 END) NOT NULL ON CONFLICT IGNORE", "left the row out"),
];

/// Returns an open sink whose table has `addition`.
fn sink_with(path: &Path, addition: &str) -> SqliteSink {
    let of_new = TWO.replace("doc", "NEW.doc");
    let addition = addition.replace("TWO2", &of_new).replace("TWO", TWO);
    let (columns, rest) = match addition.strip_prefix("TABLE ") {
        Some(column) => (format!(", {column}"), ""),
        None => (String::new(), addition.as_str()),
    };
    let sql =
        format!("CREATE TABLE logs(_id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL{columns}) WITHOUT ROWID;{rest}");
    Connection::open(path).unwrap().execute_batch(&sql).unwrap();
    SqliteSink::open(path, "logs", &Waits::default()).unwrap()
}

/// Regression: An earlier version used `ON CONFLICT DO NOTHING` without a target. It counted a row that another unique
/// index refused as a duplicate, and the row was lost.
#[test]
fn a_row_that_the_table_refuses_is_rejected_with_its_reason_and_the_others_are_stored() {
    for (addition, words) in REFUSALS {
        let folder = tempfile::tempdir().unwrap();
        let sink = sink_with(&folder.path().join("a.db"), addition);
        // The index accepts the first row, so a row must exist before.
        let unique = addition.contains("UNIQUE");
        if unique {
            let sql = "INSERT INTO logs VALUES('x', '{\"message\":\"line 3 is here\"}')";
            sink.connection().execute_batch(sql).unwrap();
        }
        for known in [Outcome::Stored, Outcome::Duplicate] {
            let mut outcomes = Vec::new();
            sink.store(&batch(0..10), &mut outcomes).unwrap();
            assert_eq!(outcomes.len(), 10, "{addition}");
            for (index, outcome) in outcomes.iter().enumerate() {
                match outcome {
                    Outcome::Rejected(said) if index == 3 || index == 7 => {
                        assert!(said.contains(words), "{addition}: {said}");
                    }
                    outcome => assert_eq!((index != 3 && index != 7, outcome), (true, &known), "{addition}: {index}"),
                }
            }
            let rows = "SELECT count(*) FROM logs WHERE _id <> 'x'";
            let rows: i64 = sink.connection().query_row(rows, [], |row| row.get(0)).unwrap();
            assert_eq!(rows, 8, "{addition}");
        }
        assert!(sink.connection().is_autocommit());
    }
}

/// If many rows roll the whole transaction back, each of them costs only a few transactions.
#[test]
fn many_rows_that_roll_the_transaction_back_are_rejected_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let every_third = "CREATE TRIGGER t AFTER INSERT ON logs WHEN NEW.doc LIKE '%line _3 %'
                       BEGIN SELECT RAISE(ROLLBACK, 'not here'); END";
    let sink = sink_with(&folder.path().join("a.db"), every_third);
    let mut outcomes = Vec::new();
    sink.store(&batch(0..100), &mut outcomes).unwrap();
    let rejected: Vec<usize> = (0..100).filter(|&index| matches!(outcomes[index], Outcome::Rejected(_))).collect();
    assert_eq!(rejected, [13, 23, 33, 43, 53, 63, 73, 83, 93]);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count(), 91);
}

/// A dropped table is not the fault of the documents.
#[test]
fn a_table_that_is_gone_is_a_failure_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let sink = SqliteSink::open(&path, "logs", &Waits::default()).unwrap();
    sink.store(&batch(0..2), &mut Vec::new()).unwrap();
    Connection::open(&path).unwrap().execute_batch("DROP TABLE logs").unwrap();
    let error = sink.store(&batch(2..4), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("no such table"), "{error}");
}

/// The limit of SQLite is a billion bytes. The expression of this index exceeds it for small documents.
#[test]
fn a_document_that_is_longer_than_a_database_takes_is_oversize() {
    let folder = tempfile::tempdir().unwrap();
    let too_long = "CREATE INDEX i ON logs(CASE WHEN TWO THEN zeroblob(2000000000) END)";
    let sink = sink_with(&folder.path().join("a.db"), too_long);
    let mut outcomes = Vec::new();
    sink.store(&batch(0..10), &mut outcomes).unwrap();
    for (index, outcome) in outcomes.iter().enumerate() {
        match (index, outcome) {
            (3 | 7, Outcome::Oversize(words)) => assert_eq!(words, "string or blob too big"),
            (_, outcome) => assert_eq!((index != 3 && index != 7, outcome), (true, &Outcome::Stored), "{index}"),
        }
    }
}
