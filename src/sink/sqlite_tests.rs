use super::super::tests::batch;
use super::*;
use crate::error::Kind;
use crate::wait::Deadline;

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
fn what_cannot_be_a_sink_is_named_with_its_reason() {
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
    // As root no file mode forbids writing; the connection's own switch gives the same error.
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
